"""From a decision to its announcement."""

import asyncio
import base64
import email
import io
from datetime import timedelta
from email import policy
from hashlib import sha256
from typing import Any

import pytest
from pypdf import PdfReader

from contracts.applications import DecisionMade, ProceduralLaw
from contracts.values import TrustLevel
from kernel.ids import id_of
from services.notifications.settings import Settings
from tests.component.notifications.conftest import Town
from tests.support.waiting import wait_until

DAY = timedelta(days=1)


async def noticed(town: Town, status: str, count: int = 1) -> list[dict[str, Any]]:
    async def _found() -> list[dict[str, Any]]:
        found = await town.notices(status=status)
        return found if len(found) == count else []

    return await wait_until(_found, what=f"{count} notices {status}")


async def notified(town: Town, *decisions: DecisionMade) -> dict[str, Any]:
    await town.decided(*decisions)
    return (await noticed(town, "notified"))[0]


async def test_from_the_decision_to_the_announcement(town: Town) -> None:
    erika = town.person(town.account("Erika"))
    notice = await notified(town, town.decision((town.addressee(),)))

    (entry,) = (await town.http.get(town.url("/mailbox"), headers=erika)).json()["items"]
    assert entry["notice_id"] == notice["notice_id"]
    assert entry["title"] == {"de": "Meldebescheinigung", "en": "Registration certificate"}
    assert entry["authority"] == "Stadt Musterstadt"
    assert (entry["unread"], entry["readable"], entry["status"]) == (True, True, "notified")
    assert (entry["issued_on"], entry["provision_ends_on"]) == ("2026-03-09", "2026-03-19")

    town.clock.advance(2 * DAY)
    answer = await town.http.get(entry["document"]["href"], headers=erika)
    assert answer.status_code == 200
    digest = sha256(answer.content)
    assert digest.hexdigest() == entry["document"]["sha256"] == notice["document"]["sha256"]
    assert answer.headers["etag"] == f'"{digest.hexdigest()}"'
    assert answer.headers["repr-digest"] == f"sha-256=:{base64.b64encode(digest.digest()).decode()}:"
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.headers["content-length"] == str(len(answer.content)) == str(entry["document"]["size"])
    assert answer.headers["content-disposition"] == 'attachment; filename="Bescheinigung-MU-2026-000042.pdf"'
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "private, no-store"
    text = PdfReader(io.BytesIO(answer.content)).pages[0].extract_text()
    assert "Erika Beispiel\nMusterstraße 12a" in text

    again = await town.http.get(town.url(f"/mailbox/{notice['notice_id']}"), headers=erika)
    assert (again.json()["unread"], again.json()["status"]) == (False, "retrieved")
    town.clock.advance(DAY)
    (done,) = await noticed(town, "announced")
    assert (done["retrieved_on"], done["announced_on"]) == ("2026-03-11", "2026-03-12")
    assert (done["rule"], done["rule_version"]) == ("vwvfg_41_2a", 1)

    events = await town.events(notice["notice_id"])
    assert [name for name, _ in events] == [
        "notice_issued",
        "notice_provided",
        "notification_sent",
        "notice_retrieved",
        "notice_announced",
    ]
    said = dict(events)
    assert said["notice_issued"]["dataref"] == notice["document"]["href"]
    assert said["notification_sent"]["channel"] == "outbox"
    assert said["notice_announced"]["announced_on"] == "2026-03-12"
    assert said["notice_announced"]["evidence_hash"] == done["evidence"]["evidence_hash"]
    assert done["evidence"]["document_hash"] == digest.hexdigest()


async def test_the_mail_holds_nothing_of_the_message(town: Town) -> None:
    notice = await notified(town, town.decision((town.addressee(),)))
    (kept,) = town.mails()
    mail = email.message_from_bytes(kept.read_bytes(), policy=policy.default)
    text = str(mail)
    assert mail["Message-ID"] == f"<{notice['notice_id']}@rathaus.example>"
    assert f"https://portal.example/{town.tenant}/mailbox" in text
    assert "Meldebescheinigung" not in text
    assert "MU-2026" not in text


async def test_not_fetched_in_ten_days_is_not_announced(town: Town) -> None:
    erika = town.person(town.account("Erika"))
    notice = await notified(town, town.decision((town.addressee(),)))
    town.clock.advance(11 * DAY)
    # By the day, whether or not the end was recorded yet.
    answer = await town.http.get(town.url(f"/mailbox/{notice['notice_id']}/document"), headers=erika)
    assert answer.status_code == 410
    assert answer.json()["type"].endswith("/provision_ended")
    await noticed(town, "failed")
    names = [name for name, _ in await town.events(notice["notice_id"])]
    assert names == ["notice_issued", "notice_provided", "notification_sent", "announcement_failed"]


async def test_each_addressee_gets_one_notice_however_often_it_is_told(town: Town) -> None:
    third = town.addressee("Kim", account_id=None)
    silent = town.addressee("Jo", consents_to_mailbox=False)
    await town.decided(town.decision((town.addressee(), third, silent)), repeat=3)
    await noticed(town, "notified")
    others = await noticed(town, "to_be_sent", count=2)
    assert len(await town.notices()) == 3
    for notice in others:
        assert [name for name, _ in await town.events(notice["notice_id"])] == ["notice_issued"]
        answer = await town.http.get(notice["document"]["href"], headers=town.clerk())
        text = PdfReader(io.BytesIO(answer.content)).pages[0].extract_text()
        assert ("Anschrift wird beim Versand" in text) == (notice["account_id"] is None)
    jo = town.person(town.account("Jo"))
    assert (await town.http.get(town.url("/mailbox"), headers=jo)).json()["items"] == []
    other = town.url(f"/mailbox/{others[0]['notice_id']}/document")
    assert (await town.http.get(other, headers=jo)).status_code == 404


async def test_a_second_decision_of_the_same_case_has_its_own_notice(town: Town) -> None:
    erika = town.addressee()
    await town.decided(town.decision((erika,)), town.decision((erika,), number=2))
    notices = await noticed(town, "notified", count=2)
    assert len({notice["decision_id"] for notice in notices}) == 2
    assert {notice["case_id"] for notice in notices} == {id_of(town.tenant, "case")}
    assert len(await town.notices(case_id=notices[0]["case_id"])) == 2
    assert await town.notices(case_id=id_of("another")) == []


@pytest.mark.parametrize("law", [ProceduralLaw.SGB_X, ProceduralLaw.KAG_AO])
async def test_without_a_rule_for_its_law_nothing_is_provided(town: Town, law: ProceduralLaw) -> None:
    await town.decided(town.decision((town.addressee(),), procedural_law=law))
    (notice,) = await noticed(town, "rule_missing")
    assert [name for name, _ in await town.events(notice["notice_id"])] == ["notice_issued"]
    erika = town.person(town.account("Erika"))
    assert (await town.http.get(town.url("/mailbox"), headers=erika)).json()["items"] == []
    assert town.mails() == []


async def test_only_the_addressee_reads_it_and_only_at_its_trust_level(town: Town) -> None:
    notice = await notified(town, town.decision((town.addressee(trust_level=TrustLevel.HIGH),)))
    erika, other = town.account("Erika"), town.account("Kim")
    entry, document = town.url(f"/mailbox/{notice['notice_id']}"), town.url(f"/mailbox/{notice['notice_id']}/document")
    for path in (entry, document):
        assert (await town.http.get(path, headers=town.person(other, "high"))).status_code == 404
        assert (await town.http.get(path, headers=town.person(erika, "high", "elsewhere"))).status_code == 404
        assert (await town.http.get(path, headers=town.clerk())).status_code == 403
        assert (await town.http.get(path)).status_code == 401
    assert (await town.http.get(document, headers=town.person(erika, "substantial"))).status_code == 403
    shown = (await town.http.get(entry, headers=town.person(erika, "substantial"))).json()
    assert (shown["readable"], shown["document"], shown["authority"]) == (False, None, None)
    assert "Meldebescheinigung" not in shown["title"]["de"]
    assert shown["unread"]
    assert (await town.http.get(document, headers=town.person(erika, "high"))).status_code == 200


async def test_notices_are_for_the_towns_own_staff_and_machines(town: Town) -> None:
    notice = await notified(town, town.decision((town.addressee(),)))
    path = town.url(f"/notices/{notice['notice_id']}")
    machine = {"Authorization": f"Bearer {town.issuer.token(kind='client', sub='m', tenant='*', scope='internal')}"}
    for each in (path, f"{path}/document", town.url("/notices")):
        assert (await town.http.get(each, headers=machine)).status_code == 200
        assert (await town.http.get(each, headers=town.clerk("elsewhere"))).status_code == 404
        assert (await town.http.get(each, headers=town.person(town.account("Erika"), "high"))).status_code == 403
    elsewhere = town.url(f"/notices/{notice['notice_id']}", "elsewhere")
    assert (await town.http.get(elsewhere, headers=town.clerk("elsewhere"))).status_code == 404
    # Reading it in the town hall is no retrieval.
    assert (await town.notices())[0]["status"] == "notified"


async def test_first_fetches_at_the_same_time_are_one_retrieval(town: Town) -> None:
    erika = town.person(town.account("Erika"))
    notice = await notified(town, town.decision((town.addressee(),)))
    document = town.url(f"/mailbox/{notice['notice_id']}/document")
    answers = await asyncio.gather(*(town.http.get(document, headers=erika) for _ in range(8)))
    assert [answer.status_code for answer in answers] == [200] * 8
    names = [name for name, _ in await town.events(notice["notice_id"])]
    assert names.count("notice_retrieved") == 1


async def test_a_document_that_cannot_be_read_is_not_retrieved(town: Town) -> None:
    erika = town.person(town.account("Erika"))
    notice = await notified(town, town.decision((town.addressee(),)))
    sha = notice["document"]["sha256"]
    (town.settings.files_dir / "notifications" / town.tenant / sha[:2] / sha).unlink()
    answer = await town.http.get(town.url(f"/mailbox/{notice['notice_id']}/document"), headers=erika)
    assert answer.status_code == 503
    assert (await town.notices())[0]["status"] == "notified"


async def test_neighbours_that_are_away_are_waited_for(town: Town) -> None:
    town.neighbours.away = True
    await town.decided(town.decision((town.addressee(),)))
    await wait_until(lambda: len(town.neighbours.asked) >= 2, what="an attempt")
    (waiting,) = await noticed(town, "to_render")
    path = town.url(f"/notices/{waiting['notice_id']}/document")
    assert (await town.http.get(path, headers=town.clerk())).status_code == 404
    town.neighbours.away = False

    async def _provided() -> bool:
        town.clock.advance(timedelta(seconds=1))
        return bool(await town.notices(status="notified"))

    await wait_until(_provided, what="the notice")


async def test_content_that_is_not_what_was_decided_is_never_issued(town: Town) -> None:
    decision = town.decision((town.addressee(),))
    town.neighbours.answers[decision.dataref]["title"] = {"de": "Gefälscht", "en": "Forged"}
    await town.decided(decision)
    await wait_until(lambda: len(town.neighbours.asked) >= 2, what="an attempt")
    await town.decided(town.decision((town.addressee(),), case="another"))
    await noticed(town, "notified")
    assert len(await noticed(town, "to_render")) == 1


async def test_rendering_twice_after_a_crash_gives_the_same_file(town: Town) -> None:
    store = town.service.stores[0]
    recorded, tries = store.on_due, 0

    async def _crashing(*given: Any) -> Any:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise RuntimeError("killed between the file and the write")
        return await recorded(*given)

    store.on_due = _crashing  # type: ignore[method-assign]
    await town.decided(town.decision((town.addressee(),)))
    await wait_until(lambda: tries == 1, what="the first try")

    async def _provided() -> bool:
        town.clock.advance(timedelta(seconds=1))
        return bool(await town.notices(status="notified"))

    await wait_until(_provided, what="the second try")
    files = [path for path in town.settings.files_dir.rglob("*") if path.is_file()]
    assert [path.name for path in files] == [(await town.notices())[0]["document"]["sha256"]]


async def test_the_mailbox_has_pages_newest_first(town: Town) -> None:
    erika = town.person(town.account("Erika"))
    for number in range(1, 6):
        await town.decided(town.decision((town.addressee(),), number=number))
        await noticed(town, "notified", count=number)
        town.clock.advance(timedelta(minutes=1))
    seen: list[dict[str, Any]] = []
    cursor: str | None = None
    for _ in range(3):
        query = {"limit": "2"} | ({"cursor": cursor} if cursor else {})
        page = (await town.http.get(town.url("/mailbox"), headers=erika, params=query)).json()
        seen += page["items"]
        cursor = page["next"]
    assert cursor is None
    times = [entry["provided_at"] for entry in seen]
    assert len(set(times)) == 5
    assert times == sorted(times, reverse=True)


async def test_without_an_address_nobody_is_told_and_the_ten_days_do_not_begin(town: Town) -> None:
    erika = town.addressee()
    town.account("Erika", email="")
    await town.decided(town.decision((erika,)))
    (notice,) = await noticed(town, "provided")
    assert notice["provision_ends_on"] is None
    headers = town.person(town.account("Erika", email=""))
    answer = await town.http.get(town.url(f"/mailbox/{notice['notice_id']}/document"), headers=headers)
    assert answer.status_code == 200
    await noticed(town, "retrieved")


async def test_the_interface_is_described(town: Town) -> None:
    document = (await town.http.get("/openapi.json")).json()
    found = document["paths"]["/notifications/v1/{tenant}/mailbox/{notice_id}/document"]["get"]["responses"]
    assert "application/pdf" in found["200"]["content"]
    assert {"401", "403", "404", "410", "503"} <= set(found)


def test_settings_say_what_they_are() -> None:
    assert all(field.description for field in Settings.model_fields.values())
