"""The two journeys of the demo, and what is printed after it."""

from __future__ import annotations

import asyncio
import json

import pytest

from rathaus.demo import afterwards
from rathaus.demo.journeys import Story
from tests.e2e.canaries import CANARY_BIN, CANARY_CERTIFICATE, TWO_JOURNEYS
from tests.e2e.house import House

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def walked(house: House) -> list[Story]:
    """Both journeys, to their ends."""
    citizen = house.citizen()
    stories = list(await asyncio.gather(*map(citizen.apply, TWO_JOURNEYS)))
    house.let_a_day_pass()
    for story in stories:
        await citizen.see_closed(story)
    return stories


async def test_both_journeys_end_as_expected(house: House) -> None:
    stories = await walked(house)
    for story in stories:
        await house.check_ended(story)
    assert stories[0].case_reference.startswith("WIT-")
    assert stories[1].case_reference.startswith("STE-")


async def test_the_same_person_may_apply_again_and_both_cases_stand_apart(house: House) -> None:
    citizen = house.citizen()
    first, second = await citizen.apply(CANARY_BIN), await citizen.apply(CANARY_BIN)
    assert first.case_id != second.case_id
    assert first.case_reference != second.case_reference
    assert first.notice_id != second.notice_id


async def test_loading_the_towns_again_changes_nothing(house: House) -> None:
    door = await house.signed_in("witten", "redaktion-witten")
    path = "/catalog/v1/witten/services/registration-certificate/versions"
    try:
        before = (await door.get(path)).body
        await house.load_towns()
        assert (await door.get(path)).body == before
    finally:
        await door.close()


async def test_what_the_demo_prints_works_when_it_is_pasted(house: House) -> None:
    citizen = house.citizen()
    stories = [await citizen.apply(CANARY_CERTIFICATE), await citizen.apply(CANARY_BIN)]
    search, mailbox, timeline = [
        json.loads(await pasted(each.command)) for each in afterwards.tries(house.gateway_url, stories)
    ]
    assert "registration-certificate" in [each["service_id"] for each in search["items"]]
    assert stories[0].case_id in [each["case_id"] for each in mailbox["items"]]
    assert [each["code"] for each in timeline["items"]][:2] == ["draft_created", "application_received"]


async def pasted(command: str) -> bytes:
    """What a shell answers to it."""
    shell = await asyncio.create_subprocess_exec(
        "bash", "--noprofile", "--norc", "-c", command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    said, complained = await shell.communicate()
    assert shell.returncode == 0, complained.decode()
    return said
