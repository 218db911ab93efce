"""What is stored and hashed keeps its bytes: documents and evidence written earlier can be verified for ever."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest
from pydantic import TypeAdapter

from contracts.applications import Outcome
from kernel.canonical_json import content_hash
from services.applications.domain import notices, offers, services, state, submission
from services.catalog.domain import versions
from services.notifications import domain
from tests.support.cases import NOW, draft, eventful_case, offer
from tests.support.service_data import BIN_CHANGE, CERTIFICATE
from tests.unit.catalog.samples import guide_example, sample, service
from tests.unit.notifications.decisions import CONTENT
from tests.unit.notifications.notices import DOCUMENT

DATA = {"bin_size": "120", "name": "Jürgen O’Čerňý 😀", "from": "2026-04-01", "persons": 2.50, "by_post": True}
EVIDENCE = domain.Evidence(
    tenant="musterstadt",
    notice_id="8a4b4a53-92d2-5d3c-9b75-0f7d1c0a8e11",
    decision_id="0d3f1c6e-2f7b-5a53-9d1e-6f2d3a4b5c6d",
    content_hash="cd" * 32,
    document_hash="ab" * 32,
    retrieved_by="11111111-92d2-5d3c-9b75-0f7d1c0a8e11",
    trust_level="substantial",
    retrieved_at=datetime(2026, 3, 9, 9, 30, tzinfo=UTC),
    retrieved_on=date(2026, 3, 9),
    provided_at=datetime(2026, 3, 8, 9, 30, 0, 17, tzinfo=UTC),
    notification_sent_on=date(2026, 3, 8),
    rule="vwvfg_41_2a",
    rule_version=1,
)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _stored(value: Any) -> str:
    """As the store writes it, order of fields included."""
    return _sha256(json.dumps(TypeAdapter(type(value)).dump_python(value, mode="json"), ensure_ascii=False))


@pytest.mark.parametrize(
    ("document", "digest"),
    [
        (guide_example(), "4bf92e6278cccf882d84640b12bab3f7d2acc5610e6a370f6e8e4986eb8d955d"),
        (
            sample("steinhagen", "building-application"),
            "39425e43878b169dcfa5509aea8682b53d4d904752cb00cd82dc46d1e9573ac8",
        ),
        (sample("steinhagen", "waste-bin-change"), "4388dc56f52db9199a26c4b7e3e1c0071d3a14fcb1622380c23fcb9e9d1098cb"),
        (sample("witten", "bulky-waste"), "6aa7f946a879a504d41e54e176d44cb5683e62c92461d7eb166a80e74149d3e7"),
        (
            sample("witten", "registration-certificate"),
            "8e4fc86ec8bb6d9cafa16424c95f503fde3f45378346bd51e797344f79667aaa",
        ),
        (sample("witten", "vehicle-registration"), "cf89a14a878cfe496b8e291f748c8343209555aa639538f89cf2046f4640cc85"),
    ],
    ids=lambda each: each["service_id"] if isinstance(each, dict) else "",
)
def test_a_version_of_a_service(document: dict[str, Any], digest: str) -> None:
    made, _ = versions.draft(None, versions.Draft("witten", 1, service(document), "editor-1", "r"), NOW)
    assert (made.content_hash, _sha256(made.content)) == (digest, digest)


@pytest.mark.parametrize(
    ("document", "digest"),
    [
        (BIN_CHANGE, "e2f959c0d03b598662f6dc11477f91e826ec3efedcc982cdae0fa36470f16b1d"),
        (CERTIFICATE, "614749ddd31d60a989ae32cb82d28a39918db449fb06db9a1f1041496ab1de28"),
    ],
    ids=["bins", "certificate"],
)
def test_a_version_as_applications_keep_it(document: dict[str, Any], digest: str) -> None:
    assert _stored(services.read(document)) == digest


@pytest.mark.parametrize(
    ("document", "outcome", "digest"),
    [
        (BIN_CHANGE, Outcome.GRANTED, "0f9cdeb1bb6928864ac87d8bce0467a48d51c8099befea04f0453e6f753a57d9"),
        (BIN_CHANGE, Outcome.REFUSED, "0e35f83b0fbc642476334f56c86a217156b42cb5bad56cc0ad91e98990338b8e"),
        (CERTIFICATE, Outcome.PARTLY_GRANTED, "a7fe03605f871bd66d3a7eec88c661b9d2558c1adac01a314cf4e278c1c5578d"),
    ],
)
def test_a_decision(document: dict[str, Any], outcome: Outcome, digest: str) -> None:
    ruling = notices.Ruling("d", outcome, date(2026, 3, 9), by_rule=False, grounds="Grund.", result={"x": "y"})
    made = notices.content(services.read(document).terms, DATA, "STE-2026-0123456789", ruling)
    assert content_hash(made) == digest


def test_a_submission() -> None:
    content = submission.submitted_content(draft(offer(BIN_CHANGE), DATA), consents_to_mailbox=True)
    assert content_hash(content) == "efabb1c3cdbe4d54670f0ce0b5238cdc95365d033cf2c8c1f94f8179e3acdd9d"


def test_a_notice() -> None:
    assert content_hash(CONTENT) == "9e77f2a6e93b320cfd659d05faebe658161683b17ae4a23e45ac7733e357ccc4"
    assert _stored(DOCUMENT) == "527e8911c49b032120c96edcc793782822d3d1e870d4e18a38e900e0c1ebfaa4"
    assert domain.hash_of(EVIDENCE) == "6d31fc417a0a6e63141f253fb3da031f8638a37218d4ba8dd50b5aef3862e1ac"
    assert (
        domain.hash_of(replace(EVIDENCE, notification_sent_on=None))
        == "a047d11b1c377241c5de522e340fe689882f22a90ca148819a507eb29a23bacb"
    )


def test_a_case_from_its_draft_to_its_second_decision() -> None:
    """The document of a case with all its parts, its timeline included, and the events that it emits."""
    case, emitted = eventful_case()
    assert len(emitted) == 11
    assert _stored(case) == "f003900d895cfad8c192023157d0c5d56ead3eee16cdb82c339a68b1014d81aa"
    assert (
        _sha256("".join(event.model_dump_json() for event in emitted))
        == "5fe5f733dc063a7bfccd3f3c908e297806c022792cca9eac0df76fa541a164c8"
    )


def test_the_names_of_due_work() -> None:
    """Stored documents name the work that is due; a name that changes leaves it undone."""
    assert [*state.CaseWork, *offers.OfferWork] == ["information", "fetch"]


def test_a_case_with_a_timeline_code_of_a_newer_release_is_readable() -> None:
    adapter = TypeAdapter(state.Case)
    stored = adapter.dump_python(draft(offer(BIN_CHANGE), DATA), mode="json")
    stored["entries"][0]["code"] = "of_a_newer_release"
    assert adapter.validate_python(stored).entries[0].code == "of_a_newer_release"
