"""`rathaus demo`: starts everything, loads the towns, makes the two journeys, moves the clock, tells how it went."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rich.console import Console

from kernel.legal_days import legal_date, start_of
from rathaus import clock
from rathaus.demo import afterwards, outcome, towns
from rathaus.demo.door import Door, NotInTime
from rathaus.demo.events import Tail
from rathaus.demo.journeys import CERTIFICATE, WASTE_BIN, Citizen, Story
from rathaus.demo.show import Show, StepFailed
from rathaus.engines import CannotStart, jars
from rathaus.settings import PlatformSettings
from rathaus.supervisor.commands import FAILED, OK, foreground
from rathaus.supervisor.platform import Platform

EVENT_SECONDS = 20.0
"""So long is waited for a journey's last event."""


def run(settings: PlatformSettings, *, once: bool, console: Console | None = None) -> int:
    """Runs the demo until it is ended, or `once`. Returns the exit code: 0 only if each journey ended as expected."""
    console = console or Console(highlight=False, soft_wrap=True)
    show = Show(console)
    if not settings.kafka_url:
        try:
            fetch_jars(show)
        except CannotStart as error:
            console.print(f"\n{error}", markup=False, style="red")
            return FAILED
    began = time.monotonic()
    code = asyncio.run(
        foreground(settings, demo=True, console=console, use=lambda platform: _Demo(platform, show, once=once).play())
    )
    if once:
        show.line(f"Ended after {time.monotonic() - began:.1f} s, with {'success' if code == OK else 'failure'}.")
    return code


def fetch_jars(show: Show) -> None:
    """Kafka's jars, fetched at the first start only: told apart from the demo's own time. Raises CannotStart."""
    began, fetched = time.monotonic(), False

    def _say(text: str) -> None:
        nonlocal fetched
        fetched = True
        show.line(text)

    jars.ensure(say=_say)
    if fetched:
        show.line(f"Kafka's jars took {time.monotonic() - began:.1f} s; the next start needs none of that.")


@dataclass(frozen=True, slots=True)
class _Demo:
    platform: Platform
    show: Show
    once: bool

    async def play(self) -> int:
        """The exit code, once nothing is left to do."""
        try:
            stories, told_wrong = await self._journeys()
        except StepFailed as failed:
            self._tell_failure(failed)
            return FAILED
        for finding in told_wrong:
            self.show.line(f"NOT AS EXPECTED: {finding}", style="bold red")
        if not told_wrong:
            self.show.line("\nBoth journeys ended as expected.", style="bold green")
        if not self.once:
            self._tell_what_to_try(stories)
            await asyncio.Event().wait()
        return FAILED if told_wrong else OK

    async def _journeys(self) -> tuple[list[Story], list[str]]:
        self.show.line(f"Everything is ready after {self.show.seconds:.1f} s.")
        async with AsyncExitStack() as stack:
            with self.show.step("a Kafka client of its own listens to all topics"):
                tail = await stack.enter_async_context(Tail(self.platform.kafka_url, self._listener()))
            await self._load_towns()
            citizen = Citizen(self.platform.gateway_url, step=self.show.step, documents=self.platform.home / "demo")
            stories = []
            for journey in (CERTIFICATE, WASTE_BIN):
                self.show.heading(journey.title)
                stories.append(await citizen.apply(journey))
            await self._let_a_day_pass()
            for story in stories:
                await citizen.see_closed(story)
                with self.show.step(f"{story.case_reference}: every event has passed"):
                    await _closing(tail, story)
            return stories, await self._findings(tail, stories)

    def _listener(self) -> Callable[..., None]:
        """Only the events of the towns: what the loading of services tells is left out."""
        return lambda told: self.show.event(told) if told.envelope.case else None

    async def _load_towns(self) -> None:
        self.show.heading("The towns and their services are loaded through the API")
        with self.show.step("operator registers, editors write, reviewers publish"):
            loaded = await towns.load(self.platform.gateway_url, self.platform.secrets["operator"])
        for town in loaded:
            new = f"published {', '.join(town.published)}" if town.published else "nothing new"
            before = f"; there before: {', '.join(town.unchanged)}" if town.unchanged else ""
            self.show.line(f"{'':>19}{town.tenant}: {new}{before}")

    async def _let_a_day_pass(self) -> None:
        """To the first minute of the next legal day."""
        file = self.platform.clock_file
        now, by = _now(file), to_next_day(file)
        self.show.heading("The clock is moved to the next day: notices take effect on the day after they were fetched")
        with self.show.step(
            f"rathaus clock advance {int(by.total_seconds())}s  ({now:%d.%m. %H:%M} UTC → {now + by:%d.%m. %H:%M} UTC)"
        ):
            clock.advance(file, by)

    async def _findings(self, tail: Tail, stories: Sequence[Story]) -> list[str]:
        found = [
            f"{story.case_reference}: {finding}"
            for story in stories
            for finding in outcome.findings(story.journey.expected, tail.of_case(story.case_id))
        ]
        with self.show.step("the ledger is balanced"):
            found += await self._unbalanced()
        self._tell(tail, stories)
        return found

    async def _unbalanced(self) -> list[str]:
        cashier = Door(self.platform.gateway_url)
        try:
            tenant = CERTIFICATE.tenant
            await cashier.sign_in(tenant, f"kasse-{tenant}")
            first = legal_date(_now(self.platform.clock_file)) - timedelta(days=2)  # this may be another month
            ledger = (await cashier.get(f"/payments/v1/{tenant}/ledger?from={first}")).body
            return outcome.unbalanced(ledger)
        finally:
            await cashier.close()

    def _tell(self, tail: Tail, stories: Sequence[Story]) -> None:
        rows = [
            (
                story.case_reference,
                "\n".join(f"{each.name}" for each in tail.of_case(story.case_id)),
                _times(story),
                str(story.document),
            )
            for story in stories
        ]
        self.show.table("How it went", ("case", "events in order", "submitted → notice", "document"), rows)

    def _tell_failure(self, failed: StepFailed) -> None:
        cause = failed.__cause__
        self.show.line(f"\nThe demo failed at the step: {failed}", style="bold red")
        self.show.line(f"  {type(cause).__name__}: {cause}")
        unwell = [
            f"{each.name} is {each.phase} {each.reason}" for each in self.platform.processes if each.phase != "ready"
        ]
        for each in unwell:
            self.show.line(f"  {each}")
        self.show.line(f"  The logs are in {self.platform.home / 'logs'}; or: rathaus logs")

    def _tell_what_to_try(self, stories: Sequence[Story]) -> None:
        platform = self.platform
        self.show.heading("Where things are")
        for what, where in afterwards.addresses(
            platform.gateway_url, platform.kafka_url, platform.mongo_url, platform.plan.service_urls
        ):
            self.show.line(f"  {what:<34} {where}")
        self.show.heading("Whom to sign in as (demo only)")
        for who, what in afterwards.SIGN_INS:
            self.show.line(f"  {who:<34} {what}")
        self.show.heading("Three things to try: paste them")
        for each in afterwards.tries(platform.gateway_url, stories):
            self.show.line(f"\n# {each.what}", style="bold")
            self.show.line(each.command)
        self.show.line("\nIt stays up. End it: Ctrl-C, or rathaus down in another terminal.", style="bold")


def to_next_day(clock_file: Path) -> timedelta:
    """How far the services' clock is from the first minute of its next legal day."""
    now = _now(clock_file)
    return start_of(legal_date(now) + timedelta(days=1)) + timedelta(minutes=1) - now


def _now(clock_file: Path) -> datetime:
    return datetime.now(UTC) + clock.offset(clock_file)


async def _closing(tail: Tail, story: Story) -> None:
    last = await tail.until(story.case_id, "case_closed", EVENT_SECONDS)
    if last is None:
        raise NotInTime(f"case_closed did not pass within {EVENT_SECONDS:.0f} s")


def _times(story: Story) -> str:
    whole = f"{story.seconds_to_notice * 1000:.0f} ms"
    if not story.paid:
        return whole
    return f"{whole}, of which {(story.provided - story.paid) * 1000:.0f} ms after the payment"
