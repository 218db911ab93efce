"""Statements about the data of a form (docs/guides/service-format.md), and whether they hold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Protocol

from pydantic import Field, model_validator

from kernel.canonical_json import canonical
from service_format.model import FieldPath, Model

MISSING: Any = object()
"""There is no value at a path; not the same as null."""


class Condition(Model):
    """Something that holds of the data of a form, or doesn't. Exactly one operator."""

    path: FieldPath
    equals: bool | int | float | Annotated[str, Field(max_length=200)] | None = None
    one_of: Annotated[tuple[bool | int | float | str, ...], Field(min_length=1, max_length=200)] | None = None
    min: int | float | None = None
    max: int | float | None = None
    present: bool | None = None

    OPERATORS: ClassVar[tuple[str, ...]] = ("equals", "one_of", "min", "max", "present")

    @property
    def operator(self) -> tuple[str, Any]:
        """Its name and operand."""
        return next((name, value) for name in self.OPERATORS if (value := getattr(self, name)) is not None)

    @model_validator(mode="after")
    def _one_operator(self) -> Condition:
        if sum(getattr(self, name) is not None for name in self.OPERATORS) != 1:
            raise ValueError(f"needs exactly one of {', '.join(self.OPERATORS)}")
        return self


class Statement(Protocol):
    """What is read of a condition. Versions that were read earlier may have none or several operators."""

    @property
    def path(self) -> str:
        """Names joined by dots."""
        ...

    @property
    def equals(self) -> Any: ...
    @property
    def one_of(self) -> Sequence[Any] | None: ...
    @property
    def min(self) -> float | None: ...
    @property
    def max(self) -> float | None: ...
    @property
    def present(self) -> bool | None: ...


def value_at(data: Any, path: str) -> Any:
    """The value at names joined by dots; `MISSING` where there is none."""
    for name in path.split("."):
        if not isinstance(data, Mapping) or name not in data:
            return MISSING
        data = data[name]
    return data


def holds(statement: Statement, data: Any) -> bool:
    """Whether a statement is true of the data. A missing field fulfils only `present: false`."""
    value = value_at(data, statement.path)
    if statement.present is not None:
        return statement.present is (value is not MISSING)
    if value is MISSING:
        return False
    if statement.one_of is not None:
        return any(_same(value, each) for each in statement.one_of)
    if statement.equals is not None:
        return _same(value, statement.equals)
    return _within(value, statement.min, statement.max)


def all_hold(statements: Iterable[Statement], data: Any) -> bool:
    """Whether every statement is true of the data; none is needed."""
    return all(holds(each, data) for each in statements)


def is_number(value: Any) -> bool:
    """Whether a JSON value is a number; a bool is not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _same(one: Any, other: Any) -> bool:
    """Equal as JSON: 1 and 1.0 are, 1 and true are not."""
    return canonical(one) == canonical(other)


def _within(value: Any, low: float | None, high: float | None) -> bool:
    if (low is None and high is None) or not is_number(value):
        return False
    return (low is None or value >= low) and (high is None or value <= high)
