"""What there is to look at once the journeys are done. The commands work when they are pasted: a test pastes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rathaus.demo.journeys import Story
from rathaus.registry import NAMES

SIGN_INS = (
    ("erika-beispiel", "citizen, trust level substantial"),
    ("max-mustermann", "citizen, trust level high"),
    ("ayse-probe", "citizen, trust level basic"),
    ("sachbearbeitung-<town>", "clerk"),
    ("redaktion-<town>", "writes services"),
    ("freigabe-<town>", "publishes what others wrote"),
    ("kasse-<town>", "cashier: sees the ledger"),
    ("verwaltung-<town>", "administers the town"),
)


@dataclass(frozen=True, slots=True)
class Try:
    """Something to try in a shell."""

    what: str
    command: str


def tries(gateway_url: str, stories: Sequence[Story]) -> tuple[Try, ...]:
    """Three things to try, each on its own."""
    with_fee, by_rule = stories
    town, other = with_fee.journey.tenant, by_rule.journey.tenant
    timeline = f"{gateway_url}/applications/v1/{other}/applications/{by_rule.case_id}/timeline?lang=en"
    return (
        Try("Search a town's services", f"curl -s '{gateway_url}/catalog/v1/{town}/services?q=melde'"),
        Try(
            "Sign in and read the mailbox",
            f"{_signed_in(gateway_url, with_fee)}\n"
            f'curl -s -H "Authorization: Bearer $TOKEN" {gateway_url}/notifications/v1/{town}/mailbox',
        ),
        Try(
            "Read what happened in a case, in plain sentences",
            f"{_signed_in(gateway_url, by_rule)}\ncurl -s -H \"Authorization: Bearer $TOKEN\" '{timeline}'",
        ),
    )


def _signed_in(gateway_url: str, story: Story) -> str:
    journey = story.journey
    return (
        f"TOKEN=$(curl -s {gateway_url}/identity/v1/{journey.tenant}/demo-sign-in "
        f"-H 'Content-Type: application/json' -H \"Idempotency-Key: try-$(date +%s)-$RANDOM\" "
        f'-d \'{{"person": "{journey.person}"}}\' | sed \'s/.*"access_token":"\\([^"]*\\)".*/\\1/\')'
    )


def addresses(
    gateway_url: str, kafka_url: str, mongo_url: str, service_urls: Mapping[str, str]
) -> list[tuple[str, str]]:
    """Where things are, by what they are."""
    return [
        ("gateway, the only public door", gateway_url),
        ("sign in as an invented person", f"{gateway_url}/identity/demo"),
        ("interfaces (OpenAPI)", f"{gateway_url}/<service>/openapi.json"),
        ("Kafka, for subscribers", kafka_url),
        ("database", mongo_url),
        *(
            (f"{name}, {'behind the gateway' if name in NAMES else 'outside'}", url)
            for name, url in service_urls.items()
        ),
    ]
