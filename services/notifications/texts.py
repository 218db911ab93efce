"""What a letter shows of a text. Pure.

What can't be printed is replaced visibly, such as `[U+1F600]`: a document must not be missing something without showing
it. What may be printed is the rule by which texts are accepted (`kernel/characters.py`); the letter's typefaces (those
embedded in typst, none of the machine's) show all of it.
"""

from __future__ import annotations

import unicodedata

from kernel.characters import PRINTABLE, code_point

_BREAKS = {"\r\n": "\n", "\r": "\n", "\x0b": "\n", "\x0c": "\n", "\x85": "\n", "\u2028": "\n", "\u2029": "\n\n"}


def showable(text: str) -> str:
    """A text of several lines, with what can't be shown replaced; composed (Unicode normal form C)."""
    composed = unicodedata.normalize("NFC", text)
    for given, wanted in _BREAKS.items():
        composed = composed.replace(given, wanted)
    return "".join(_shown(character) for character in composed)


def one_line(text: str) -> str:
    """As `showable`, on one line: for addresses, titles and references."""
    return " ".join(showable(text).split())


def _shown(character: str) -> str:
    if character in PRINTABLE or character == "\n":
        return character
    if character == "\t" or unicodedata.category(character) == "Zs":
        return " "  # blanks of other widths
    return f"[{code_point(character)}]"
