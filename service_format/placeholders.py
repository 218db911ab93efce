"""Placeholders in the texts of a notice: `{{form.<path>}}`, `{{result.<key>}}`, `{{case.reference}}`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum

from service_format.model import NAME

_BRACES = re.compile(r"\{\{([^{}]*)\}\}")
_FORM = re.compile(rf"form\.({NAME}(?:\.{NAME})*)")
_RESULT = re.compile(rf"result\.({NAME})")
_CASE_REFERENCE = "case.reference"


class PlaceholderKind(Enum):
    """Where the value comes from."""

    FORM = "form"
    """What the citizen entered."""
    RESULT = "result"
    """What the deciding clerk or clerk system gave."""
    CASE_REFERENCE = _CASE_REFERENCE


@dataclass(frozen=True, slots=True)
class Placeholder:
    """What a pair of braces names."""

    kind: PlaceholderKind
    name: str
    """The field's path, or the result's key; empty for the case reference."""

    def __str__(self) -> str:
        inside = f"{self.kind.value}.{self.name}" if self.name else self.kind.value
        return "{{" + inside + "}}"


def parse(inside: str) -> Placeholder | None:
    """What stands inside of braces as a placeholder; None where it isn't one."""
    if inside == _CASE_REFERENCE:
        return Placeholder(PlaceholderKind.CASE_REFERENCE, "")
    for kind, pattern in ((PlaceholderKind.FORM, _FORM), (PlaceholderKind.RESULT, _RESULT)):
        found = pattern.fullmatch(inside)
        if found:
            return Placeholder(kind, found[1])
    return None


def inside_braces(text: str) -> list[str]:
    """What stands inside of each pair of braces, placeholder or not."""
    return _BRACES.findall(text)


def has_stray_braces(text: str) -> bool:
    """Whether there are braces that surround nothing."""
    rest = _BRACES.sub("", text)
    return "{{" in rest or "}}" in rest


def placeholder_names(texts: Iterable[str], kind: PlaceholderKind) -> tuple[str, ...]:
    """The names of all placeholders of a kind, each once, in the order of the texts."""
    found = (parse(inside) for text in texts for inside in inside_braces(text))
    return tuple(dict.fromkeys(each.name for each in found if each is not None and each.kind is kind))


def fill(text: str, value: Callable[[Placeholder], str]) -> str:
    """The text with its placeholders replaced. What is put in isn't read for placeholders again; other braces stay."""

    def _replaced(found: re.Match[str]) -> str:
        placeholder = parse(found[1])
        return found[0] if placeholder is None else value(placeholder)

    return _BRACES.sub(_replaced, text)
