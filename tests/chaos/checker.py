"""Compares what clients were promised with what is the case. Pure: a `World` and the clients' `Truth` in, findings out.

Independent of the chassis's own idea of right: it counts events, documents, charges, files and mails.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from contracts.envelope import event_id, source_of
from tests.chaos.truth import Applied, Truth
from tests.chaos.world import Charge, Document, Told, World

LOST, DOUBLED, ORDER, STUCK, WRONG = "lost", "doubled", "out of order", "stuck", "contradiction"
KINDS = (LOST, DOUBLED, ORDER, STUCK, WRONG)

APPLICATIONS_LISTEN = {
    "payments": {"payment_requested", "payment_received", "payment_failed", "payment_cancelled", "payment_overdue"},
    "notifications": {
        "notice_issued",
        "notice_provided",
        "notice_retrieved",
        "notice_announced",
        "announcement_failed",
    },
}
"""What a case hears of: each such event is one write of it (`seen`)."""
STAGES = ("issued", "provided", "retrieved", "announced")


@dataclass(frozen=True, slots=True)
class Finding:
    """A promise that wasn't kept."""

    kind: str
    what: str
    case_id: str
    detail: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.what} (case {self.case_id or '-'}): {self.detail}"


@dataclass(slots=True)
class Indexed:
    """The world, arranged for looking up."""

    world: World
    events: dict[str, dict[str, list[Told]]] = field(default_factory=dict)
    """By case and name: each event once, however often it was said."""
    lines: dict[str, list[Told]] = field(default_factory=dict)
    """By source: every occurrence, in the order of its partition."""
    cases: dict[str, Document] = field(default_factory=dict)
    demands: dict[str, list[Document]] = field(default_factory=dict)
    """By case."""
    notices: dict[str, list[Document]] = field(default_factory=dict)
    """By case."""
    charges: dict[str, list[Charge]] = field(default_factory=dict)
    """By payment reference."""
    bookings: dict[str, list[Document]] = field(default_factory=dict)
    """By demand."""

    @classmethod
    def of(cls, world: World) -> Indexed:
        """Arranges it."""
        found = cls(world)
        events: dict[str, dict[str, dict[str, Told]]] = defaultdict(lambda: defaultdict(dict))
        lines: dict[str, list[Told]] = defaultdict(list)
        for told in world.told:
            lines[told.envelope.source].append(told)
            if told.envelope.case:
                events[told.envelope.case][told.name].setdefault(told.envelope.id, told)
        found.events = {
            case: {name: list(each.values()) for name, each in names.items()} for case, names in events.items()
        }
        found.lines = dict(lines)
        found.cases = world.by_id("applications", "case")
        found.demands = _by(world.rows("payments", "demand"), lambda row: row["state"]["case_id"])
        found.notices = _by(world.rows("notifications", "notice"), lambda row: row["state"]["case_id"])
        found.bookings = _by(world.rows("payments", "bookings"), lambda row: row["demand_id"])
        found.charges = _by(world.charges, lambda charge: charge.purpose)
        return found

    def of_case(self, case_id: str, name: str) -> list[Told]:
        """A case's events of a name, each once."""
        return self.events.get(case_id, {}).get(name, [])


def _by(rows: Iterable[Any], key: Any) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = defaultdict(list)
    for row in rows:
        found[key(row)].append(row)
    return dict(found)


def check(world: World, truth: Truth, *, moved_on: bool) -> list[Finding]:
    """Everything that contradicts what was promised.

    Args:
        world: after the run, at rest.
        truth: what the clients know.
        moved_on: whether the clock was moved past the day after the retrievals, so that notices took effect.
    """
    found = Indexed.of(world)
    return [
        *_clients(found, truth),
        *(finding for case in found.cases.values() for finding in _case(found, case, moved_on=moved_on)),
        *_orphans(found),
        *_topics(found),
        *_consumers(found),
        *_parked(found),
        *_ledger(found),
        *_files(found),
    ]


def counts(findings: Iterable[Finding]) -> Counter[str]:
    """How many of each kind."""
    return Counter(finding.kind for finding in findings)


# What clients were told


def _clients(found: Indexed, truth: Truth) -> Iterator[Finding]:
    known = {applied.case_id for applied in truth.journeys if applied.case_id}
    unsure = sum(1 for applied in truth.journeys if not applied.case_id)
    for applied in truth.journeys:
        yield from _client(found, applied)
    unknown = [case_id for case_id in found.cases if case_id not in known]
    for case_id in unknown[unsure:]:
        yield Finding(DOUBLED, "draft that nobody was told of", case_id, f"{len(unknown)} in all, {unsure} unanswered")


def _client(found: Indexed, applied: Applied) -> Iterator[Finding]:
    case_id = applied.case_id
    if applied.trouble:
        kind = STUCK if applied.trouble.startswith("gave up") else WRONG
        yield Finding(kind, "a client's trouble", case_id, applied.trouble)
    elif not applied.finished:
        yield Finding(STUCK, "a journey that never ended", case_id, f"number {applied.number}")
    if not case_id:
        return
    case = found.cases.get(case_id)
    if case is None:
        yield Finding(LOST, "accepted draft", case_id, f"number {applied.number}: no document")
        return
    state = case["state"]
    if applied.saved and json.loads(state["data"]) != applied.data:
        yield Finding(LOST, "accepted form data", case_id, f"number {applied.number}")
    if applied.submitted and state["reference"] != applied.case_reference:
        yield Finding(LOST, "accepted submission", case_id, f"told {applied.case_reference}, is {state['reference']}")
    if applied.attachment_sha256:
        kept = [each["sha256"] for each in state["uploads"]]
        if kept != [applied.attachment_sha256]:
            yield Finding(LOST, "accepted attachment", case_id, f"{applied.attachment_sha256[:12]}, is {kept}")
    if applied.checked_out:
        paid = [demand for demand in found.demands.get(case_id, []) if demand["state"]["status"] == "settled"]
        if not paid:
            yield Finding(LOST, "accepted checkout", case_id, f"demand {applied.demand_id} isn't settled")
    if applied.notice_id:
        yield from _fetched(found, applied)
    yield from _writes(found, applied, case)


def _fetched(found: Indexed, applied: Applied) -> Iterator[Finding]:
    notices = {row["_id"]: row["state"] for row in found.notices.get(applied.case_id, [])}
    notice = notices.get(applied.notice_id)
    if notice is None:
        yield Finding(LOST, "fetched notice", applied.case_id, applied.notice_id)
    elif notice["retrieved_at"] is None:
        yield Finding(LOST, "retrieval", applied.case_id, applied.notice_id)
    elif (notice["document"] or {}).get("sha256") != applied.document_sha256:
        yield Finding(WRONG, "document fetched", applied.case_id, "its hash isn't the notice's")


def _writes(found: Indexed, applied: Applied, case: Document) -> Iterator[Finding]:
    """Each acknowledged move and each event heard is one write of the case: `version` counts them."""
    if not applied.submitted or applied.service_id == "waste-bin-photo":
        return  # a file sent again is a write again
    moves = 3  # drafted, saved, submitted
    if applied.pays and case["state"]["decisions"]:
        moves += 1  # decided by the register
    heard = sum(len(_heard(found, source)) for source in _listened(found, applied.case_id))
    expected = moves + heard
    if case["version"] != expected:
        kind = DOUBLED if case["version"] > expected else LOST
        detail = f"{case['version']} writes, expected {moves} moves and {heard} events heard"
        yield Finding(kind, "write of the case", applied.case_id, detail)


def _listened(found: Indexed, case_id: str) -> Iterator[str]:
    for row in found.demands.get(case_id, []):
        yield source_of(row["tenant"], "payments", row["_id"])
    for row in found.notices.get(case_id, []):
        yield source_of(row["tenant"], "notifications", row["_id"])


def _heard(found: Indexed, source: str) -> dict[int, Told]:
    """By sequence: the events of a subject to which a case listens, each once."""
    names = APPLICATIONS_LISTEN[source.split("/")[2]]
    return {told.envelope.sequence: told for told in found.lines.get(source, []) if told.name in names}


# What follows from a submission, whoever knows of it


def _case(found: Indexed, case: Document, *, moved_on: bool) -> Iterator[Finding]:
    state, case_id = case["state"], case["_id"]
    if state["status"] == "draft":
        return
    yield from _once(found, case_id, "application_submitted")
    goes_on = int(not _unpaid(found, case_id, state))
    yield from _once(found, case_id, "application_complete", goes_on)
    yield from _once(found, case_id, "decision_made", goes_on)
    for assessment in state["assessments"]:
        yield from _once(found, case_id, "fee_assessed")
        yield from _demand(found, case_id, assessment)
    if len(state["decisions"]) > 1:
        yield Finding(DOUBLED, "decision", case_id, f"{len(state['decisions'])}")
    for decision in state["decisions"]:
        yield from _notices(found, case_id, decision, moved_on=moved_on)
    yield from _timeline(case)
    yield from _seen(found, case)


def _unpaid(found: Indexed, case_id: str, state: Document) -> bool:
    """Nobody paid the fee that holds it up: its applicant gave up, which is a finding of its own."""
    open_demands = [row for row in found.demands.get(case_id, []) if row["state"]["status"] == "open"]
    return state["status"] == "awaiting_payment" and bool(open_demands)


def _once(found: Indexed, case_id: str, name: str, expected: int = 1) -> Iterator[Finding]:
    there = len(found.of_case(case_id, name))
    if there < expected:
        yield Finding(LOST, f"event {name}", case_id, f"{there} instead of {expected}")
    if there > expected:
        yield Finding(DOUBLED, f"event {name}", case_id, f"{there} instead of {expected}")


def _demand(found: Indexed, case_id: str, assessment: Document) -> Iterator[Finding]:
    rows = [
        row for row in found.demands.get(case_id, []) if row["state"]["assessment_id"] == assessment["assessment_id"]
    ]
    if len(rows) != 1:
        yield Finding(DOUBLED if rows else LOST, "demand", case_id, f"{len(rows)} of one assessment")
    for row in rows:
        yield from _payment(found, case_id, assessment, row)


def _payment(found: Indexed, case_id: str, assessment: Document, row: Document) -> Iterator[Finding]:
    demand = row["state"]
    yield from _once(found, case_id, "payment_requested")
    if assessment["demand_id"] != row["_id"]:
        yield Finding(LOST, "payment_requested in the case", case_id, row["_id"])
    if demand["status"] != "settled":
        return
    yield from _once(found, case_id, "payment_received")
    if not assessment["settled"]:
        yield Finding(LOST, "payment_received in the case", case_id, row["_id"])
    charged = found.charges.get(demand["payment_reference"], [])
    paid = [charge for charge in charged if charge.paid]
    if len(paid) != 1:
        kind = DOUBLED if paid else LOST
        yield Finding(kind, "charge at the provider", case_id, f"{len(paid)} paid for demand {row['_id']}")
    if len(charged) > 1:
        yield Finding(DOUBLED, "transaction at the provider", case_id, f"{len(charged)} for demand {row['_id']}")
    if demand["received_cents"] != demand["amount"]["cents"]:
        yield Finding(WRONG, "received", case_id, f"{demand['received_cents']} of {demand['amount']['cents']} cents")


def _notices(found: Indexed, case_id: str, decision: Document, *, moved_on: bool) -> Iterator[Finding]:
    rows = [row for row in found.notices.get(case_id, []) if row["state"]["decision_id"] == decision["decision_id"]]
    wanted = {each["party_id"] for each in decision["addressees"]}
    had = Counter(row["state"]["addressee_id"] for row in rows)
    for party in wanted - had.keys():
        yield Finding(LOST, "notice", case_id, f"decision {decision['decision_id']}, party {party}")
    for party, count in had.items():
        if count > 1 or party not in wanted:
            yield Finding(DOUBLED, "notice", case_id, f"{count} for party {party}")
    for row in rows:
        yield from _notice(found, case_id, row, moved_on=moved_on)


def _notice(found: Indexed, case_id: str, row: Document, *, moved_on: bool) -> Iterator[Finding]:
    notice = row["state"]
    for name in ("notice_issued", "notice_provided", "notification_sent"):
        yield from _once(found, case_id, name)
    if notice["sent_on"] is None:
        yield Finding(LOST, "notification", case_id, f"notice {row['_id']} is {notice['status']}")
    if found.world.mails.get(row["_id"], 0) != 1:
        yield Finding(LOST, "mail", case_id, f"notice {row['_id']}: {found.world.mails.get(row['_id'], 0)} mails")
    retrieved = notice["retrieved_at"] is not None
    yield from _once(found, case_id, "notice_retrieved", int(retrieved))
    announced = retrieved and moved_on
    yield from _once(found, case_id, "notice_announced", int(announced))
    yield from _once(found, case_id, "case_closed", int(announced))
    yield from _known_to_case(found, case_id, row)


def _known_to_case(found: Indexed, case_id: str, row: Document) -> Iterator[Finding]:
    known = [each for each in found.cases[case_id]["state"]["notices"] if each["notice_id"] == row["_id"]]
    if len(known) != 1:
        yield Finding(DOUBLED if known else LOST, "notice in the case", case_id, f"{len(known)} times {row['_id']}")
        return
    status = row["state"]["status"]
    expected = {"notified": "provided"}.get(status, status)
    if known[0]["status"] != expected:
        yield Finding(LOST, "news of the notice in the case", case_id, f"{known[0]['status']}, it is {status}")


def _timeline(case: Document) -> Iterator[Finding]:
    """No line of these journeys is said twice; what failed may be."""
    lines = Counter(entry["code"] for entry in case["state"]["entries"])
    for code, count in lines.items():
        if count > 1 and code != "payment_failed":
            yield Finding(DOUBLED, "line in the timeline", case["_id"], f"{code}: {count}")


def _seen(found: Indexed, case: Document) -> Iterator[Finding]:
    """`seen` is the last event heard of each subject."""
    for source in _listened(found, case["_id"]):
        _, _, stream, subject = source.split("/")
        heard = _heard(found, source)
        if not heard:
            continue
        _, reached = case["seen"].get(f"{stream}/{subject}", (0, 0))
        if reached != max(heard):
            missed = heard[max(heard)].name if reached < max(heard) else "nothing"
            detail = f"{stream}/{subject}: at {reached} of {max(heard)}, missed {missed}"
            yield Finding(LOST if reached < max(heard) else WRONG, "event in the case", case["_id"], detail)


def _orphans(found: Indexed) -> Iterator[Finding]:
    """Effects of nothing."""
    for case_id, rows in found.demands.items():
        if not found.of_case(case_id, "fee_assessed"):
            yield Finding(WRONG, "demand without assessment", case_id, f"{len(rows)}")
    for case_id, rows in found.notices.items():
        if not found.of_case(case_id, "decision_made"):
            yield Finding(WRONG, "notice without decision", case_id, f"{len(rows)}")
    references = {row["state"]["payment_reference"] for rows in found.demands.values() for row in rows}
    for reference in found.charges.keys() - references:
        yield Finding(WRONG, "charge without demand", "", reference)


# Topics against documents


def _topics(found: Indexed) -> Iterator[Finding]:
    for unreadable in found.world.unreadable:
        yield Finding(WRONG, "unreadable record", "", unreadable)
    for source, line in found.lines.items():
        yield from _line(source, line)
    for service, collections in found.world.documents.items():
        for rows in collections.values():
            for row in rows:
                if "published" in row and "events" in row:
                    yield from _said(found, service, row)


def _line(source: str, line: list[Told]) -> Iterator[Finding]:
    last, places, keys = 0, {told.partition for told in line}, {told.key for told in line}
    if len(places) > 1 or len(keys) > 1:
        detail = f"{source}: keys {sorted(keys)}, partitions {sorted(places)}"
        yield Finding(ORDER, "key or partition of a subject changed", line[0].envelope.case or "", detail)
    for told in line:
        envelope = told.envelope
        case_id = envelope.case or ""
        if told.key != envelope.key:
            yield Finding(WRONG, "key", case_id, f"{told.place}: {told.key}")
        if envelope.sequence > last + 1:
            detail = f"{source} at {told.place}: {envelope.sequence} after {last}"
            yield Finding(ORDER, "first occurrence", case_id, detail)
        last = max(last, envelope.sequence)


def _said(found: Indexed, service: str, row: Document) -> Iterator[Finding]:
    source = source_of(row["tenant"], service, row["_id"])
    case_id = row["events"][0]["case"] or "" if row["events"] else ""
    sequences = [said["sequence"] for said in row["events"]]
    if sequences != list(range(1, row["sequence"] + 1)):
        yield Finding(WRONG, "events of a document", case_id, f"{source}: {sequences} up to {row['sequence']}")
    if row["published"] < row["sequence"] or "unpublished_since" in row:
        detail = f"{source}: {row['published']} of {row['sequence']}"
        yield Finding(STUCK, "events said and not published", case_id, detail)
    there = {told.envelope.sequence: told for told in found.lines.get(source, [])}
    for said in row["events"]:
        told = there.get(said["sequence"])
        if told is None:
            if said["sequence"] <= row["published"]:
                detail = f"{source} {said['sequence']} {said['type'].split('.')[3]}: not in its topic"
                yield Finding(LOST, "event published", case_id, detail)
        elif told.data != said["data"] or told.envelope.id != event_id(source, said["epoch"], said["sequence"]):
            yield Finding(WRONG, "event in its topic", case_id, f"{told.place}: not what the document said")
    for sequence in there.keys() - set(sequences):
        yield Finding(WRONG, "event in its topic", case_id, f"{source} {sequence}: no document said it")


# Consumers


def _consumers(found: Indexed) -> Iterator[Finding]:
    """What a consumer remembers of each subject that it ever read is the subject's last event; none was passed over."""
    for collections in found.world.documents.values():
        read: dict[str, dict[str, int]] = defaultdict(dict)
        for row in collections.get("positions", []):
            consumer, _, source = row["_id"].partition("/")
            read[consumer][f"/{source}"] = row["at"]
        for consumer, places in read.items():
            yield from _consumer(found, consumer, places)


def _consumer(found: Indexed, consumer: str, places: dict[str, int]) -> Iterator[Finding]:
    streams = {source.split("/")[2] for source in places}
    for source, line in found.lines.items():
        last, at = max(told.envelope.sequence for told in line), places.get(source, 0)
        if source.split("/")[2] in streams and at < last:
            case_id = line[0].envelope.case or ""
            yield Finding(LOST, f"event at {consumer}", case_id, f"{source}: read to {at} of {last}")
        if at > last:
            yield Finding(WRONG, f"position of {consumer}", "", f"{source}: read to {at} of {last}")
    for source in places.keys() - found.lines.keys():
        yield Finding(WRONG, f"position of {consumer}", "", f"{source}: no topic tells of it")


def _parked(found: Indexed) -> Iterator[Finding]:
    for service, collections in found.world.documents.items():
        for row in collections.get("parked", []):
            detail = f"{row['_id']}: {row['status']}, {row['reason']}, {row['detail']}, {len(row['events'])} events"
            yield Finding(STUCK, f"parked at {service}", "", detail)


# Money and files


def _ledger(found: Indexed) -> Iterator[Finding]:
    whole: Counter[str] = Counter()
    for rows in found.bookings.values():
        for row in rows:
            sums = sum(line["debit"] - line["credit"] for line in row["lines"])
            whole[row["currency"]] += sums
            if sums:
                yield Finding(WRONG, "booking that isn't balanced", row["case_id"], f"{row['_id']}: {sums} cents")
    for currency, cents in whole.items():
        if cents:
            yield Finding(WRONG, "ledger that isn't balanced", "", f"{cents} cents {currency}")
    for rows in found.demands.values():
        for row in rows:
            yield from _booked(found, row)


def _booked(found: Indexed, row: Document) -> Iterator[Finding]:
    demand = row["state"]
    ledger = {booking["_id"]: booking for booking in found.bookings.get(row["_id"], [])}
    own = [booking["booking_id"] for booking in demand["bookings"]]
    for missing in set(own) - ledger.keys():
        yield Finding(LOST, "booking", demand["case_id"], missing)
    for extra in ledger.keys() - set(own):
        yield Finding(DOUBLED, "booking", demand["case_id"], extra)
    occasions = Counter(booking["occasion"] for booking in demand["bookings"])
    expected = Counter({"demand": 1, "receipt": int(demand["status"] == "settled")})
    if occasions != +expected:
        kind = DOUBLED if occasions.total() > expected.total() else LOST
        yield Finding(kind, "bookings of the demand", demand["case_id"], f"{dict(occasions)}")


def _files(found: Indexed) -> Iterator[Finding]:
    for case_id, rows in found.notices.items():
        for row in rows:
            document = row["state"]["document"]
            if document:
                yield from _file(found, case_id, row["tenant"], document["sha256"])
    for case_id, case in found.cases.items():
        for upload in case["state"]["uploads"]:
            yield from _file(found, case_id, case["tenant"], upload["sha256"])


def _file(found: Indexed, case_id: str, tenant: str, sha256: str) -> Iterator[Finding]:
    bytes_of = found.world.files.get((tenant, sha256))
    if bytes_of is None:
        yield Finding(LOST, "file", case_id, f"{tenant}/{sha256}")
    elif bytes_of != sha256:
        yield Finding(WRONG, "file", case_id, f"{tenant}/{sha256}: its bytes are others")


def orphans(world: World) -> int:
    """Files that no document names: a crash between writing and naming leaves one, swept later."""
    found = Indexed.of(world)
    named = {
        (row["tenant"], row["state"]["document"]["sha256"])
        for rows in found.notices.values()
        for row in rows
        if row["state"]["document"]
    }
    named |= {
        (case["tenant"], upload["sha256"]) for case in found.cases.values() for upload in case["state"]["uploads"]
    }
    return len(world.files.keys() - named)
