"""Which characters a notice can show. Pure.

The letter's typefaces (those embedded in typst, none of the machine's) cover the Latin letters and diacritics of
DIN 91379, Greek, Cyrillic, and the usual signs. Anything else is replaced visibly, such as `[U+1F600]`: a document must
not be missing something without showing it. Right-to-left scripts and invisible controls are replaced too, since they
could make a text read otherwise than it was written.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

SHOWN: tuple[tuple[int, int], ...] = (
    (0x20, 0x7E),
    (0xA0, 0x36F),  # Latin 1, extended A and B, phonetic, modifiers, combining diacritics
    (0x370, 0x377),
    (0x37A, 0x37F),
    (0x384, 0x38A),
    (0x38C, 0x38C),
    (0x38E, 0x3A1),
    (0x3A3, 0x3FF),  # Greek
    (0x400, 0x482),
    (0x48A, 0x4FF),  # Cyrillic
    (0x1E00, 0x1EFF),  # Latin extended additional, with the capital sharp s
    (0x2002, 0x200A),
    (0x2010, 0x2027),
    (0x202F, 0x2040),
    (0x2042, 0x2042),
    (0x2044, 0x2052),
    (0x2054, 0x205E),  # spaces, dashes, quotation marks, per mille
    (0x2070, 0x2071),
    (0x2074, 0x208E),
    (0x2090, 0x209C),  # superscripts and subscripts
    (0x20A0, 0x20BF),  # currencies
    (0x2100, 0x211E),
    (0x2120, 0x2120),
    (0x2122, 0x2122),
    (0x2124, 0x2124),
    (0x2126, 0x214F),  # letterlike
    (0x2190, 0x22FF),  # arrows and operators
    (0x2C60, 0x2C7F),  # Latin extended C
    (0xFB00, 0xFB06),  # ligatures
)
"""Code points, from and to, that the letter's typefaces show; a test prints every one of them."""

_BREAKS = {"\r\n": "\n", "\r": "\n", "\x0b": "\n", "\x0c": "\n", "\x85": "\n", "\u2028": "\n", "\u2029": "\n\n"}


def _characters(ranges: Iterable[tuple[int, int]]) -> frozenset[str]:
    return frozenset(chr(point) for first, last in ranges for point in range(first, last + 1))


_ALLOWED = _characters(SHOWN) | {"\n"}


def showable(text: str) -> str:
    """A text of several lines, with what can't be shown replaced; composed (Unicode normal form C)."""
    composed = unicodedata.normalize("NFC", text)
    for given, wanted in _BREAKS.items():
        composed = composed.replace(given, wanted)
    return "".join(_shown(character) for character in composed.replace("\t", " "))


def one_line(text: str) -> str:
    """As `showable`, on one line: for addresses, titles and references."""
    return " ".join(showable(text).split())


def _shown(character: str) -> str:
    return character if character in _ALLOWED else f"[U+{ord(character):04X}]"
