"""Which characters a document can show: those of DIN 91379, and a few blocks beyond it.

One rule for the texts of services, for what citizens and clerks enter and for what is printed: what is accepted can be
printed. DIN 91379:2022-08 is what German authorities have to support: the Latin letters and diacritics of names in
Europe, Greek, Cyrillic and the usual signs. It is judged by code points, not by the standard's sequences: any letter
may carry any of the diacritics. Right-to-left scripts and invisible controls are left out, also since they could make a
text read otherwise than it was written.
"""

from __future__ import annotations

import unicodedata

DIN_91379: tuple[tuple[int, int], ...] = (
    # Latin letters, and non-letters N1 to N4 without tabulator and line breaks (normative)
    (0x20, 0x7E),
    (0xA0, 0xAC),
    (0xAE, 0x17E),
    (0x187, 0x188),
    (0x18F, 0x18F),
    (0x197, 0x197),
    (0x1A0, 0x1A1),
    (0x1AF, 0x1B0),
    (0x1B7, 0x1B7),
    (0x1CD, 0x1DC),
    (0x1DE, 0x1DF),
    (0x1E2, 0x1F0),
    (0x1F4, 0x1F5),
    (0x1F8, 0x1FF),
    (0x212, 0x213),
    (0x218, 0x21B),
    (0x21E, 0x21F),
    (0x227, 0x233),
    (0x259, 0x259),
    (0x268, 0x268),
    (0x292, 0x292),
    (0x2B9, 0x2BA),
    (0x2BE, 0x2BF),
    (0x2C8, 0x2C8),
    (0x2CC, 0x2CC),
    (0x1E02, 0x1E03),
    (0x1E06, 0x1E07),
    (0x1E0A, 0x1E11),
    (0x1E17, 0x1E17),
    (0x1E1C, 0x1E2B),
    (0x1E2F, 0x1E37),
    (0x1E3A, 0x1E3B),
    (0x1E40, 0x1E49),
    (0x1E52, 0x1E5B),
    (0x1E5E, 0x1E63),
    (0x1E6A, 0x1E6F),
    (0x1E80, 0x1E87),
    (0x1E8C, 0x1E97),
    (0x1E9E, 0x1E9E),
    (0x1EA0, 0x1EF9),
    (0x2019, 0x2019),
    (0x2021, 0x2021),
    (0x20AC, 0x20AC),
    # Combining diacritics (normative)
    (0x300, 0x302),
    (0x304, 0x304),
    (0x306, 0x308),
    (0x30B, 0x30D),
    (0x310, 0x310),
    (0x315, 0x315),
    (0x31B, 0x31B),
    (0x323, 0x323),
    (0x325, 0x328),
    (0x331, 0x331),
    (0x35F, 0x35F),
    # Greek letters (extended)
    (0x386, 0x386),
    (0x388, 0x38A),
    (0x38C, 0x38C),
    (0x38E, 0x3A1),
    (0x3A3, 0x3CE),
    # Cyrillic letters (extended)
    (0x40D, 0x40D),
    (0x410, 0x42A),
    (0x42C, 0x42C),
    (0x42E, 0x44A),
    (0x44C, 0x44C),
    (0x44E, 0x44F),
    (0x45D, 0x45D),
    # Non-letters E1 (extended)
    (0x192, 0x192),
    (0x2B0, 0x2B0),
    (0x2B3, 0x2B3),
    (0x2C6, 0x2C6),
    (0x2DC, 0x2DC),
    (0x2E2, 0x2E2),
    (0x1D48, 0x1D48),
    (0x1D57, 0x1D57),
    (0x2018, 0x201A),
    (0x201C, 0x201E),
    (0x2020, 0x2020),
    (0x2026, 0x2026),
    (0x2030, 0x2030),
    (0x2032, 0x2033),
    (0x2039, 0x203A),
    (0x2070, 0x2070),
    (0x2074, 0x2079),
    (0x207F, 0x2089),
    (0x2122, 0x2122),
    (0x221E, 0x221E),
    (0x2264, 0x2265),
)
"""Code points, from and to (String-Latin/DIN-91379-Characters-and-Sequences, latin_list_1.3, CC BY 4.0)."""

BEYOND_DIN_91379: tuple[tuple[int, int], ...] = (
    (0x17F, 0x24F),  # Latin extended A and B in full
    (0x300, 0x331),  # combining diacritics
    (0x400, 0x45F),  # Cyrillic, also of other languages than Bulgarian
    (0x1E00, 0x1EFF),  # Latin extended additional in full
    (0x2010, 0x2015),  # hyphens and dashes
    (0x201B, 0x201B),
    (0x2022, 0x2022),  # bullet
)
"""Accepted as well, since names and texts have them and the letter's typefaces show them."""

PRINTABLE = frozenset(chr(point) for first, last in (*DIN_91379, *BEYOND_DIN_91379) for point in range(first, last + 1))
"""What a document can show; line breaks are another matter."""


def composed(text: str) -> str:
    """As it is printed: composed letters (Unicode normal form C), and line feeds as line breaks."""
    return unicodedata.normalize("NFC", text.replace("\r\n", "\n"))


def unprintable(text: str, *, lines: bool = False) -> tuple[str, ...]:
    """The characters that a document can't show, as `U+1F600`, each once; `lines` allows line breaks."""
    allowed = PRINTABLE | {"\n"} if lines else PRINTABLE
    return tuple(dict.fromkeys(code_point(each) for each in composed(text) if each not in allowed))


def code_point(character: str) -> str:
    """Such as `U+1F600`."""
    return f"U+{ord(character):04X}"
