"""The letter, as typst really prints it."""

import io
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pypdf import PdfReader

from chassis.errors import Rejected
from kernel.canonical_json import content_hash
from kernel.characters import PRINTABLE
from services.notifications.letter import DecisionContent, Printer, compose, read_address, read_content
from tests.unit.notifications.decisions import ACCOUNT, CONTENT

NOTICE = "8a4b4a53-92d2-5d3c-9b75-0f7d1c0a8e11"
ADDRESS = read_address(ACCOUNT)


@pytest.fixture(scope="module")
def printer() -> Iterator[Printer]:
    made = Printer()
    yield made
    made.close()


def read(given: dict[str, Any]) -> DecisionContent:
    return read_content(given, content_hash(given))


async def printed(printer: Printer, account: Any = ADDRESS, **changed: Any) -> bytes:
    content = read(CONTENT | changed)
    return await printer.print(compose(content, account, NOTICE), content.decided_on)


def text_of(pdf: bytes) -> str:
    return "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages)


async def test_the_letter_says_all_of_it(printer: Printer) -> None:
    text = text_of(await printed(printer))
    for expected in (
        "Stadt Musterstadt · Rathausplatz 1 · 99999 Musterstadt",
        "Erika Beispiel\nMusterstraße 12a\n99999 Musterstadt",
        "Aktenzeichen",
        "MU-2026-000042",
        "9. März 2026",
        "„bescheinigt“ – für die Größe ß, Gebühr 5,00 €.",
        "Familienname",
        "§ 18 Abs. 1 BMG",
        "Rechtsbehelfsbelehrung",
        "Gegen diesen Bescheid kann Klage erhoben werden.",
        "not legally binding",
        "An action may be brought.",
        "keine rechtliche Wirkung",
        "Seite 1 von",
        NOTICE,
    ):
        assert expected in text, expected


async def test_it_is_pdf_a_2a_and_pdf_ua_1_in_german_with_a_title(printer: Printer) -> None:
    document = PdfReader(io.BytesIO(await printed(printer)))
    root = document.trailer["/Root"]
    marks = root["/Metadata"].get_object().get_data().decode()
    assert "<pdfaid:part>2</pdfaid:part>" in marks
    assert "<pdfaid:conformance>A</pdfaid:conformance>" in marks
    assert "<pdfuaid:part>1</pdfuaid:part>" in marks
    assert root["/Lang"].startswith("de")
    assert root["/MarkInfo"]["/Marked"]
    assert document.metadata is not None
    assert document.metadata.title == "Meldebescheinigung – MU-2026-000042"
    assert document.metadata.author == "Stadt Musterstadt"


async def test_the_same_input_gives_the_same_bytes(printer: Printer) -> None:
    one = await printed(printer)
    other = Printer(threads=1)
    try:
        assert await printed(other) == one
    finally:
        other.close()
    assert await printed(printer, decided_on="2026-03-10") != one


async def test_real_data_is_not_marked_as_sample(printer: Printer) -> None:
    text = text_of(await printed(printer, sample=False))
    assert "Beispieldaten" not in text
    assert "MUSTER" not in text


async def test_an_automatic_decision_says_so(printer: Printer) -> None:
    assert "§ 35a VwVfG" in text_of(await printed(printer, decided_by_rule=True))
    assert "§ 35a VwVfG" not in text_of(await printed(printer))


async def test_without_an_account_the_address_is_left_visibly_open(printer: Printer) -> None:
    assert "Anschrift wird beim Versand" in text_of(await printed(printer, account=None))


async def test_little_content_is_enough(printer: Printer) -> None:
    text = text_of(await printed(printer, facts=[], legal_basis=[], remedy=None, paragraphs={"de": ["Ja."], "en": []}))
    assert "Ja." in text
    assert "Rechtsbehelfsbelehrung" not in text
    assert "translation" not in text


async def test_a_long_notice_has_several_pages(printer: Printer) -> None:
    pdf = await printed(printer, paragraphs={"de": ["Wort " * 200] * 20, "en": []})
    pages = PdfReader(io.BytesIO(pdf)).pages
    assert len(pages) > 3
    assert f"Seite 2 von {len(pages)}" in pages[1].extract_text()


@pytest.mark.parametrize("evil", ["#panic()", '#read("/etc/passwd")', "*fett* _kursiv_ $x$ @ref <l> \\ `c`", "= T"])
async def test_content_is_text_and_never_typst_source(printer: Printer, evil: str) -> None:
    assert evil in text_of(await printed(printer, paragraphs={"de": [evil], "en": []}))


async def test_emoji_control_cjk_and_rtl_are_shown_as_code_points(printer: Printer) -> None:
    text = text_of(await printed(printer, paragraphs={"de": ["😀 \x07 漢 ש"], "en": []}))
    assert "[U+1F600] [U+0007] [U+6F22] [U+05E9]" in text


async def test_every_character_said_to_be_shown_is(printer: Printer) -> None:
    characters = sorted(PRINTABLE)
    paragraphs = [" ".join(f"a{each}" for each in characters[n : n + 100]) for n in range(0, len(characters), 100)]
    await printed(printer, paragraphs={"de": paragraphs, "en": paragraphs})
    await printed(printer, title={"de": " ".join(paragraphs), "en": ""})  # bold


LETTERS = st.sampled_from(sorted(PRINTABLE))


@settings(max_examples=80, deadline=None)
@given(texts=st.lists(st.text(max_size=60) | st.text(LETTERS, max_size=60), max_size=6))
async def test_any_text_can_be_printed(texts: list[str]) -> None:
    anything = " ".join(texts)
    account = read_address(ACCOUNT | {"family_name": anything, "city": anything})
    facts = [{"label": {"de": each}, "value": each} for each in texts]
    changed = {
        "title": {"de": anything},
        "paragraphs": {"de": texts, "en": texts},
        "facts": facts,
        "remedy": {"de": anything, "en": anything},
        "legal_basis": texts,
    }
    assert (await printed(SHARED, account, **changed)).startswith(b"%PDF-1.7")


SHARED = Printer()


def test_content_of_another_shape_is_refused_without_quoting_it() -> None:
    with pytest.raises(Rejected) as refused:
        read(CONTENT | {"title": "geheim", "authority": {"name": "geheim"}})
    assert "/authority/city" in refused.value.detail
    assert "geheim" not in refused.value.detail
    assert refused.value.__cause__ is None


def test_content_that_was_changed_is_refused() -> None:
    with pytest.raises(Rejected, match="hash"):
        read_content(CONTENT | {"decided_by_rule": True}, content_hash(CONTENT))
