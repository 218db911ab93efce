"""Whatever is done in whatever order: what must always hold for a case."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from pydantic import TypeAdapter

from chassis.change import Change
from chassis.errors import Failure
from contracts.applications import (
    ApplicationComplete,
    ApplicationSubmitted,
    ApplicationWithdrawn,
    CaseClosed,
    CaseReopened,
    DecisionMade,
    FeeAssessed,
    FeeTiming,
    Outcome,
)
from contracts.envelope import Event
from kernel.canonical_json import canonical, content_hash, sha256
from kernel.ids import id_of
from services.applications.domain import (
    closing,
    commands,
    decisions,
    drafts,
    external_events,
    information,
    state,
    submission,
)
from services.applications.domain.state import Case, RequestStatus, Status
from tests.support.cases import ACCOUNT, NOW, changed, draft, offer, paid, ruling, submit_command, told_of
from tests.support.service_data import BIN_CHANGE, CERTIFICATE

OTHER = id_of("test", "another account")
PLAIN = changed(CERTIFICATE, notice__paragraphs={"de": ["Ja."], "en": ["Yes."]})
FEE = CERTIFICATE["fees"][0]
SERVICES = {
    "rule": (BIN_CHANGE, {"bin_size": "80"}),
    "clerk": (changed(PLAIN, fees=[]), {"purpose": "x"}),
    "fee first": (PLAIN, {"purpose": "x"}),
    "fee later": (changed(PLAIN, fees=[{**FEE, "timing": "with_decision"}]), {"purpose": "x"}),
    "fee and rule": (changed(BIN_CHANGE, fees=[FEE]), {"bin_size": "80"}),
}
ADAPTER = TypeAdapter(Case)
accounts = st.sampled_from([ACCOUNT, ACCOUNT, ACCOUNT, OTHER])
which = st.integers(0, 3)


class Life(RuleBasedStateMachine):
    """A case, what it said, and the clock."""

    @initialize(name=st.sampled_from(sorted(SERVICES)), steps=st.integers(0, 4))
    def begin(self, name: str, steps: int) -> None:
        """Somewhere on the usual way, so that its end is played too."""
        given, data = SERVICES[name]
        self.offer = offer(given)
        self.now = NOW
        self.case = draft(self.offer, data)
        self.said: list[Event] = []
        self.hash: str | None = None
        self.contents: list[str] = []
        usual = (lambda: self.submit(ACCOUNT, True), lambda: self.pay(0), self.grant, self.announce)
        for step in usual[:steps]:
            step()

    def _move(self, move: Callable[[Case], Change[Case]]) -> None:
        """Twice, since the same must come of the same; a refusal changes nothing."""
        try:
            after, events = move(self.case)
        except Failure:
            return
        assert move(self.case) == (after, events)
        assert ADAPTER.validate_python(json.loads(json.dumps(ADAPTER.dump_python(after, mode="json")))) == after
        self.case = after
        self.said.extend(events)

    @rule(account=accounts, fields=st.sampled_from([{}, {"purpose": "y"}, {"bin_size": "1100"}, {"bin_size": "120"}]))
    def save(self, account: str, fields: dict[str, str]) -> None:
        self._move(
            lambda case: drafts.save_form_data(case, commands.SaveFormData(account, canonical(fields)), self.now)
        )

    @rule(account=accounts, confirmed=st.sampled_from([True, True, False]))
    def submit(self, account: str, confirmed: bool) -> None:
        command = submit_command(self.offer, account_id=account, confirmed=confirmed)
        self._move(lambda case: submission.submit(case, command, self.now))

    @rule(outstanding=st.sampled_from([0, 0, 100]))
    def pay(self, outstanding: int) -> None:
        if self.case.assessments:
            event = paid(self.case, outstanding, self.now)
            self._move(lambda case: external_events.on_payment(case, event, self.now))

    @rule(outcome=st.sampled_from(Outcome), replaces=st.booleans())
    def decide(self, outcome: Outcome, replaces: bool) -> None:
        named = self.case.current_decision.decision_id if replaces and self.case.current_decision else None
        command = ruling(outcome, result={}, replaces=named)
        self._move(lambda case: decisions.decide(case, command, self.now))

    @rule()
    def grant(self) -> None:
        self.decide(Outcome.GRANTED, replaces=self.case.status is Status.IN_PROCESSING)

    @rule()
    def announce(self) -> None:
        self.notice(0, "issued")
        self.notice(0, "announced")

    @rule(days=st.integers(0, 5))
    def ask(self, days: int) -> None:
        command = commands.RequestInformation("clerk-1", "?", self.now.date() + timedelta(days=days))
        self._move(lambda case: information.request_information(case, command, self.now))

    @rule(account=accounts, number=which)
    def answer(self, account: str, number: int) -> None:
        if number < len(self.case.requests):
            command = commands.SupplyInformation(account, self.case.requests[number].request_id, "x")
            self._move(lambda case: information.supply_information(case, command, self.now))

    @rule(account=accounts)
    def withdraw(self, account: str) -> None:
        self._move(lambda case: closing.withdraw(case, commands.WithdrawApplication(account), self.now))

    @rule()
    def reopen(self) -> None:
        self._move(lambda case: closing.reopen(case, commands.ReopenCase("clerk-1", "remedy"), self.now))

    @rule(number=which, what=st.sampled_from(["issued", "provided", "retrieved", "announced", "announced", "failed"]))
    def notice(self, number: int, what: str) -> None:
        if number < len(self.case.decisions):
            event = told_of(self.case, self.case.decisions[-1 - number])[what]
            self._move(lambda case: external_events.on_notice(case, event, self.now))

    @rule(days=st.integers(1, 4))
    def wait(self, days: int) -> None:
        self.now += timedelta(days=days)
        if any(at <= self.now for at in state.due(self.case).values()):
            self._move(lambda case: information.mark_overdue_requests(case, self.now))
            assert all(at > self.now for at in state.due(self.case).values())

    def _first(self, kind: type[Event]) -> int:
        return next((n for n, each in enumerate(self.said) if isinstance(each, kind)), len(self.said))

    @invariant()
    def submitted_first_and_once(self) -> None:
        assert (self.case.status is Status.DRAFT) == (not self.said)
        assert [type(each) is ApplicationSubmitted for each in self.said].count(True) == bool(self.said)
        assert not self.said or isinstance(self.said[0], ApplicationSubmitted)

    @invariant()
    def complete_before_decided_and_once(self) -> None:
        assert sum(isinstance(each, ApplicationComplete) for each in self.said) <= 1
        if any(isinstance(each, DecisionMade) for each in self.said):
            assert self._first(ApplicationComplete) < self._first(DecisionMade)

    @invariant()
    def never_closed_twice_and_silent_until_reopened(self) -> None:
        is_open = True
        for each in self.said:
            match each:
                case CaseClosed():
                    assert is_open
                    is_open = False
                case CaseReopened():
                    assert not is_open
                    is_open = True
                case _:
                    assert is_open
        assert (self.case.status is Status.CLOSED) is not is_open
        if not is_open:
            assert all(each.status is not RequestStatus.OPEN for each in self.case.requests)

    @invariant()
    def withdrawn_is_never_decided(self) -> None:
        kinds = {type(each) for each in self.said}
        assert not {ApplicationWithdrawn, DecisionMade} <= kinds

    @invariant()
    def a_fee_before_processing_comes_first(self) -> None:
        for each in self.said:
            if isinstance(each, FeeAssessed) and each.timing is FeeTiming.BEFORE_PROCESSING:
                assert self._first(FeeAssessed) < self._first(ApplicationComplete)
        if self.case.complete_as_of is not None:
            fees = [each for each in self.case.assessments if each.timing is FeeTiming.BEFORE_PROCESSING]
            assert all(each.settled for each in fees)

    @invariant()
    def each_decision_replaces_the_one_before(self) -> None:
        made = [each for each in self.said if isinstance(each, DecisionMade)]
        assert [each.replaces for each in made] == [None, *(each.decision_id for each in made)][: len(made)]
        assert len({each.decision_id for each in made}) == len(made)

    @invariant()
    def what_was_submitted_and_decided_never_changes(self) -> None:
        if self.case.submission is not None:
            given = self.case.submission
            content = submission.submitted_content(self.case, consents_to_mailbox=given.consents_to_mailbox)
            assert content_hash(content) == given.content_hash
            assert self.hash in {None, given.content_hash}
            self.hash = given.content_hash
        contents = [each.content for each in self.case.decisions]
        assert contents[: len(self.contents)] == self.contents
        assert all(sha256(each.content) == each.content_hash for each in self.case.decisions)
        self.contents = contents

    @invariant()
    def events_hold_nothing_personal(self) -> None:
        assert all(each.case_id == self.case.case_id for each in self.said if isinstance(each, ApplicationSubmitted))
        told = "".join(each.model_dump_json() for each in self.said)
        assert "Es fehlt der Nachweis" not in told
        assert '"x"' not in told


TestLife = Life.TestCase
TestLife.settings = settings(
    max_examples=100, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
