"""A notice's way, at the edges of days in Europe/Berlin."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from chassis.errors import Forbidden, NotFound
from contracts.applications import ProceduralLaw
from contracts.notifications import (
    AnnouncementFailed,
    NoticeAnnounced,
    NoticeIssued,
    NoticeProvided,
    NoticeRetrieved,
    NotificationSent,
)
from contracts.values import TrustLevel
from kernel.legal_days import BERLIN, legal_date, start_of
from services.notifications import domain
from services.notifications.domain import Notice, ProvisionEnded, Reader, Status
from tests.unit.notifications.notices import DOCUMENT, NOW, READER, notified, provided, to_render

moments = st.datetimes(datetime(2025, 1, 1), datetime(2029, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001


def berlin(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=BERLIN).astimezone(UTC)  # type: ignore[misc,arg-type]


def test_a_new_notice_is_to_be_rendered_at_once() -> None:
    assert domain.due(to_render()) == {"render": NOW}


def test_the_document_is_issued_and_provided_in_one() -> None:
    notice, (issued, offered) = domain.issue(to_render(), DOCUMENT, "/notifications/1", NOW)
    assert isinstance(issued, NoticeIssued)
    assert isinstance(offered, NoticeProvided)
    assert (issued.document_hash, issued.document_size, issued.issued_on) == ("ab" * 32, 4711, date(2026, 3, 9))
    assert (offered.account_id, offered.trust_level) == (notice.account_id, TrustLevel.SUBSTANTIAL)
    assert (notice.status, notice.rule, notice.rule_version) == (Status.PROVIDED, "vwvfg_41_2a", 1)
    assert domain.due(notice) == {"notify": NOW}


@pytest.mark.parametrize("lacking", [{"account_id": None}, {"consents": False}])
def test_without_account_or_consent_it_must_go_another_way(lacking: dict[str, object]) -> None:
    notice, said = domain.issue(to_render(**lacking), DOCUMENT, "/notifications/1", NOW)
    assert [type(event) for event in said] == [NoticeIssued]
    assert notice.status is Status.TO_BE_SENT
    assert domain.due(notice) == {}
    with pytest.raises(NotFound):
        domain.retrieve(notice, READER, NOW)


@pytest.mark.parametrize("law", [ProceduralLaw.SGB_X, ProceduralLaw.KAG_AO])
def test_without_a_rule_it_is_not_provided(law: ProceduralLaw) -> None:
    notice, said = domain.issue(to_render(procedural_law=law), DOCUMENT, "/notifications/1", NOW)
    assert [type(event) for event in said] == [NoticeIssued]
    assert notice.status is Status.RULE_MISSING
    assert notice.provided_at is None
    assert domain.due(notice) == {}


def test_telling_starts_the_ten_days() -> None:
    notice, (told,) = domain.record_notification(provided(), "email", NOW)
    assert isinstance(told, NotificationSent)
    assert (told.channel, told.sent_on, told.provision_ends_on) == ("email", date(2026, 3, 9), date(2026, 3, 19))
    assert notice.status is Status.NOTIFIED
    assert domain.due(notice) == {"end_provision": berlin(2026, 3, 20)}


def test_sent_after_midnight_in_berlin_counts_for_that_day() -> None:
    assert notified(berlin(2026, 7, 1, 0, 0, 1)).sent_on == date(2026, 7, 1)  # still 30 June in UTC


def test_retrieval_is_recorded_with_its_evidence() -> None:
    at = berlin(2026, 3, 11, 8)
    notice, (retrieved,) = domain.retrieve(notified(), READER, at)
    assert isinstance(retrieved, NoticeRetrieved)
    assert (retrieved.retrieved_at, retrieved.retrieved_on) == (at, date(2026, 3, 11))
    assert notice.status is Status.RETRIEVED
    assert notice.evidence is not None
    assert notice.evidence.document_hash == DOCUMENT.sha256
    assert notice.evidence.retrieved_by == READER.account_id
    assert (notice.evidence.rule, notice.evidence.rule_version) == ("vwvfg_41_2a", 1)
    assert domain.due(notice) == {"announce": berlin(2026, 3, 12)}


def test_later_fetches_change_nothing() -> None:
    once, _ = domain.retrieve(notified(), READER, NOW)
    again, said = domain.retrieve(once, READER, NOW + timedelta(days=400))
    assert again is once
    assert said == ()


def test_a_message_needs_its_trust_level() -> None:
    notice = notified(trust_level=TrustLevel.HIGH)
    with pytest.raises(Forbidden):
        domain.retrieve(notice, READER, NOW)
    assert not domain.may_read(notice, READER)
    domain.retrieve(notice, Reader(READER.account_id, TrustLevel.HIGH), NOW)


def test_somebody_elses_message_does_not_exist() -> None:
    with pytest.raises(NotFound):
        domain.retrieve(notified(), Reader("somebody-else", TrustLevel.HIGH), NOW)


def test_the_last_second_of_the_tenth_day_is_in_time_and_the_next_is_not() -> None:
    notice = notified()
    last = berlin(2026, 3, 19, 23, 59, 59)
    assert domain.retrieve(notice, READER, last)[0].retrieved_on == date(2026, 3, 19)
    with pytest.raises(ProvisionEnded):
        domain.retrieve(notice, READER, last + timedelta(seconds=1))


def test_the_tenth_day_across_the_end_of_summer_time() -> None:
    notice = notified(berlin(2026, 10, 20, 12))
    last = berlin(2026, 10, 30, 23, 59, 59)
    assert last == datetime(2026, 10, 30, 22, 59, 59, tzinfo=UTC)
    assert domain.retrieve(notice, READER, last)[0].retrieved_on == date(2026, 10, 30)
    assert domain.due(notice)["end_provision"] == last + timedelta(seconds=1)


def test_the_tenth_day_across_the_start_of_summer_time() -> None:
    notice = notified(berlin(2026, 3, 20, 12))
    assert domain.due(notice)["end_provision"] == datetime(2026, 3, 30, 22, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("retrieved", "announced"),
    [
        (berlin(2026, 12, 31, 23, 59, 59), date(2027, 1, 1)),
        (berlin(2027, 1, 1, 0, 0, 0), date(2027, 1, 2)),
        (berlin(2028, 2, 28, 12), date(2028, 2, 29)),
        (berlin(2026, 3, 28, 23, 30), date(2026, 3, 29)),
        (berlin(2026, 10, 25, 23, 30), date(2026, 10, 26)),
    ],
)
def test_announced_on_the_day_after_retrieval_in_berlin(retrieved: datetime, announced: date) -> None:
    notice, _ = domain.retrieve(notified(retrieved - timedelta(days=1)), READER, retrieved)
    due = domain.due(notice)["announce"]
    assert due == start_of(announced)
    after, (event,) = domain.announce(notice, due)
    assert isinstance(event, NoticeAnnounced)
    assert notice.evidence is not None
    assert (event.announced_on, event.rule, event.rule_version) == (announced, "vwvfg_41_2a", 1)
    assert event.evidence_hash == domain.hash_of(notice.evidence)
    assert (after.status, after.announced_on) == (Status.ANNOUNCED, announced)
    assert domain.due(after) == {}


def test_not_announced_before_the_day() -> None:
    notice, _ = domain.retrieve(notified(), READER, NOW)
    assert domain.announce(notice, domain.due(notice)["announce"] - timedelta(microseconds=1)) == (notice, ())


def test_a_late_worker_announces_on_the_right_day() -> None:
    notice, _ = domain.retrieve(notified(), READER, NOW)
    assert domain.announce(notice, NOW + timedelta(days=30))[0].announced_on == date(2026, 3, 10)


def test_not_fetched_in_time_is_not_announced() -> None:
    notice = notified()
    when = domain.due(notice)["end_provision"]
    assert domain.end_provision(notice, when - timedelta(microseconds=1)) == (notice, ())
    after, (event,) = domain.end_provision(notice, when)
    assert isinstance(event, AnnouncementFailed)
    assert event.provision_ended_on == date(2026, 3, 19)
    assert after.status is Status.FAILED
    assert domain.due(after) == {}
    with pytest.raises(ProvisionEnded):
        domain.retrieve(after, READER, when)


def test_once_retrieved_provision_does_not_end() -> None:
    notice, _ = domain.retrieve(notified(), READER, NOW)
    assert domain.end_provision(notice, NOW + timedelta(days=30)) == (notice, ())


def test_retrieved_before_the_addressee_was_told() -> None:
    notice, _ = domain.retrieve(provided(), READER, NOW)
    assert set(domain.due(notice)) == {"announce", "notify"}
    assert notice.evidence is not None
    assert notice.evidence.notification_sent_on is None
    told, said = domain.record_notification(notice, "email", NOW)
    assert [type(event) for event in said] == [NotificationSent]
    assert told.status is Status.RETRIEVED
    assert set(domain.due(told)) == {"announce"}


def test_without_a_notification_provision_does_not_end() -> None:
    assert domain.retrieve(provided(), READER, NOW + timedelta(days=60))[0].status is Status.RETRIEVED


def test_the_evidence_hash_depends_on_all_of_it_and_survives_storing() -> None:
    notice, _ = domain.retrieve(notified(), READER, NOW)
    assert notice.evidence is not None
    stored = TypeAdapter(Notice)
    again = stored.validate_python(stored.dump_python(notice, mode="json"))
    assert again == notice
    assert domain.hash_of(again.evidence) == domain.hash_of(notice.evidence)
    for other in (
        replace(notice.evidence, retrieved_by="x"),
        replace(notice.evidence, document_hash="00" * 32),
        replace(notice.evidence, retrieved_at=NOW + timedelta(microseconds=1)),
        replace(notice.evidence, rule_version=2),
    ):
        assert domain.hash_of(other) != domain.hash_of(notice.evidence)


@given(sent=moments, waited=st.timedeltas(timedelta(0), timedelta(days=13)))
def test_every_notice_is_either_announced_or_failed(sent: datetime, waited: timedelta) -> None:
    notice, fetched = notified(sent), sent + waited
    days = (legal_date(fetched) - legal_date(sent)).days
    if days > 10:
        with pytest.raises(ProvisionEnded):
            domain.retrieve(notice, READER, fetched)
        assert domain.due(notice)["end_provision"] <= fetched
        assert domain.end_provision(notice, fetched)[0].status is Status.FAILED
        return
    assert domain.due(notice)["end_provision"] > fetched
    retrieved, _ = domain.retrieve(notice, READER, fetched)
    announced, said = domain.announce(retrieved, domain.due(retrieved)["announce"])
    assert announced.announced_on == legal_date(fetched) + timedelta(days=1)
    assert len(said) == 1


def test_repeated_commands_change_nothing() -> None:
    notice = notified()
    assert domain.issue(notice, DOCUMENT, "/x", NOW) == (notice, ())
    assert domain.record_notification(notice, "email", NOW) == (notice, ())
    done, _ = domain.announce(domain.retrieve(notice, READER, NOW)[0], NOW + timedelta(days=1))
    assert domain.announce(done, NOW + timedelta(days=2)) == (done, ())
    assert domain.record_notification(done, "email", NOW) == (done, ())
