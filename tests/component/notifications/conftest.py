"""Notifications on the real engines, with typst; applications and identity are played by `Neighbours`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from chassis.clock import FixedClock
from contracts.applications import (
    Addressee,
    DecisionMade,
    DocumentKind,
    Origin,
    Outcome,
    ProceduralLaw,
)
from contracts.values import TrustLevel
from kernel.canonical_json import content_hash
from kernel.ids import id_of
from services.notifications.main import compose
from services.notifications.settings import Settings
from tests.support import towns
from tests.support.towns import living, own
from tests.unit.notifications.decisions import ACCOUNT, CONTENT

NOW = datetime(2026, 3, 9, 9, 30, tzinfo=UTC)


class Town(towns.Town):
    """A town, its clock, and the service; applications and identity are its neighbours."""

    @property
    def settings(self) -> Settings:
        assert isinstance(self.service.settings, Settings)
        return self.service.settings

    def person(self, account_id: str, acr: str = "substantial", tenant: str | None = None) -> dict[str, str]:
        token = self.issuer.token(kind="person", sub=account_id, tenant=tenant or self.tenant, acr=acr)
        return {"Authorization": f"Bearer {token}"}

    def account(self, who: str, **changed: Any) -> str:
        """A person whom identity knows."""
        account_id = id_of(self.tenant, who)
        path = f"/identity/v1/{self.tenant}/accounts/{account_id}"
        self.neighbours.answers[path] = ACCOUNT | {"account_id": account_id, "given_name": who} | changed
        return account_id

    def decision(self, addressees: tuple[Addressee, ...], case: str = "case", **changed: Any) -> DecisionMade:
        """A decision whose content applications knows; `content` changes that."""
        case_id = id_of(self.tenant, case)
        decision_id = id_of(self.tenant, case, str(changed.pop("number", 1)))
        dataref = f"/applications/v1/{self.tenant}/cases/{case_id}/decisions/{decision_id}"
        content = CONTENT | {"decision_id": decision_id} | changed.pop("content", {})
        self.neighbours.answers[dataref] = content
        made = DecisionMade(
            case_id=case_id,
            case_reference="MU-2026-000042",
            application_id=id_of(self.tenant, "application"),
            decision_id=decision_id,
            service_id="registration-certificate",
            service_version=1,
            origin=Origin.CLERK,
            outcome=Outcome.GRANTED,
            document_kind=DocumentKind.CERTIFICATE,
            procedural_law=ProceduralLaw.VWVFG,
            decided_on=date(2026, 3, 9),
            addressees=addressees,
            content_hash=content_hash(content),
            dataref=dataref,
        )
        return made.model_copy(update=changed)

    def addressee(self, who: str = "Erika", **changed: Any) -> Addressee:
        addressee = Addressee(
            party_id=id_of(self.tenant, "party", who),
            account_id=self.account(who),
            trust_level=TrustLevel.SUBSTANTIAL,
            consents_to_mailbox=True,
        )
        return addressee.model_copy(update=changed)

    async def decided(self, *decisions: DecisionMade, repeat: int = 1) -> None:
        """Tells what applications would."""
        for decision in decisions:
            await self.tell(decision, decision.case_id, decision.case_id, repeat)

    async def notices(self, **query: str) -> list[dict[str, Any]]:
        """As a clerk sees them."""
        answer = await self.http.get(self.url("/notices"), headers=self.clerk(), params=query)
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["items"]
        return found

    def mails(self) -> list[Path]:
        return sorted((self.settings.outbox / self.tenant).glob("*.eml"))


@pytest.fixture
async def town(mongo_url: str, kafka_url: str, tmp_path: Path) -> AsyncIterator[Town]:
    settings = Settings(
        **own(mongo_url, kafka_url),
        files_dir=tmp_path / "files",
        service_urls={"applications": "http://applications", "identity": "http://identity"},
        portal_url="https://portal.example/{tenant}/mailbox",
    )
    clock = FixedClock(NOW)
    async with living(Town, compose(settings, clock), clock) as found:
        yield found
