"""Which characters a notice can show: those of German official forms (DIN 91379), Greek, Cyrillic and the usual signs.

Told at submission, since a notice with a name that can't be printed helps nobody. Narrower than what the letter's
typeface has, so that a change of typeface breaks nothing.
"""

from __future__ import annotations

import unicodedata

_RANGES = (
    (0x20, 0x7E),
    (0xA0, 0x24F),  # Latin 1, extended A and B
    (0x1E00, 0x1EFF),  # Latin extended additional
    (0x300, 0x331),  # combining diacritics, for what has no composed form
    (0x386, 0x386),
    (0x388, 0x38A),
    (0x38C, 0x38C),
    (0x38E, 0x3A1),
    (0x3A3, 0x3CE),  # Greek
    (0x400, 0x45F),  # Cyrillic
    (0x2010, 0x2015),  # dashes
    (0x2018, 0x201E),  # quotation marks
    (0x2020, 0x2022),
    (0x2026, 0x2026),
    (0x2030, 0x2030),
    (0x2039, 0x203A),
    (0x20AC, 0x20AC),
    (0x2122, 0x2122),
)
_SHOWN = frozenset(chr(point) for first, last in _RANGES for point in range(first, last + 1)) - {"\xad"}


def unshowable(text: str, *, lines: bool = False) -> tuple[str, ...]:
    """The characters that a notice can't show, as `U+1F600`, each once; line breaks are fine where `lines` says so."""
    composed = unicodedata.normalize("NFC", text.replace("\r\n", "\n"))
    allowed = _SHOWN | {"\n"} if lines else _SHOWN
    return tuple(dict.fromkeys(f"U+{ord(each):04X}" for each in composed if each not in allowed))
