"""Checks form data against a service's form (JSON Schema 2020-12). Pure; compiled forms are kept for each version.

Offline: a form can't make us fetch anything. Messages are ours by the kind of error; the library's are never shown.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import jsonschema_rs
from jsonschema_rs import ValidationErrorKind as Kind

from kernel.json_pointer import pointer
from kernel.texts import Bilingual
from service_format.form_schema import validator
from services.applications.domain.findings import Finding

_MAX_FINDINGS = 100
_FORMATS = {
    "date": Bilingual(de="ein Datum wie 2026-03-09", en="a date such as 2026-03-09"),
    "email": Bilingual(de="eine E-Mail-Adresse", en="an e-mail address"),
    "time": Bilingual(de="eine Uhrzeit", en="a time"),
    "date-time": Bilingual(de="Datum und Uhrzeit", en="date and time"),
    "uri": Bilingual(de="eine Internetadresse", en="a web address"),
}


@lru_cache(maxsize=256)
def _compiled(form: str) -> jsonschema_rs.Draft202012Validator:
    """A form's validator; its text is its key, so that versions can't be mixed up."""
    return validator(json.loads(form))


def usable(form: str) -> bool:
    """Whether the form can be compiled; a form that can't is refused when its version arrives."""
    try:
        _compiled(form)
    except (ValueError, jsonschema_rs.ReferencingError, jsonschema_rs.ValidationError):
        return False
    return True


def check(form: str, data: Any) -> tuple[Finding, ...]:
    """What is wrong with `data`; at most a hundred findings, empty where all is well."""
    found: list[Finding] = []
    for error in _compiled(form).iter_errors(data):
        found.extend(_findings(error))
        if len(found) >= _MAX_FINDINGS:
            break
    return tuple(found[:_MAX_FINDINGS])


def _findings(error: jsonschema_rs.ValidationError) -> Iterator[Finding]:
    """One for each place: what is missing or not expected is pointed at itself."""
    at: list[str | int] = list(error.instance_path)
    match error.kind:
        case Kind.Required(property=name):
            yield _finding([*at, name], "required", "Diese Angabe fehlt.", "This is missing.")
        case Kind.AdditionalProperties(unexpected=names) | Kind.UnevaluatedProperties(unexpected=names):
            for name in names:
                yield _finding(
                    [*at, name], error.kind.name, "Diese Angabe ist nicht vorgesehen.", "This is not expected here."
                )
        case _:
            de, en = _message(error.kind)
            yield _finding(at, error.kind.name, de, en)


def _finding(at: list[str | int], code: str, de: str, en: str) -> Finding:
    return Finding(pointer("data", *at), code, Bilingual(de=de, en=en))


def _message(kind: Kind) -> tuple[str, str]:
    match kind:
        case Kind.Format(format=name) if name in _FORMATS:
            wanted = _FORMATS[name]
            return f"Bitte geben Sie {wanted.de} an.", f"Please enter {wanted.en}."
        case Kind.MinLength(limit=1) | Kind.MinItems(limit=1):
            return "Diese Angabe darf nicht leer sein.", "This must not be empty."
    found = _MESSAGES.get(kind.name, _OTHER)
    limit = getattr(kind, "limit", "")
    return found.de.format(limit=limit), found.en.format(limit=limit)


_FITS_NONE = Bilingual(
    de="Diese Angabe entspricht keiner der Möglichkeiten.", en="This fits none of the possibilities."
)
_CHOOSE = Bilingual(de="Bitte wählen Sie einen der angebotenen Werte.", en="Please choose one of the values offered.")
_OTHER = Bilingual(de="Diese Angabe ist nicht gültig.", en="This is not valid.")
_FORMAT = Bilingual(de="Diese Angabe hat nicht das erwartete Format.", en="This is not in the expected format.")
_MESSAGES = {
    "type": Bilingual(de="Diese Angabe hat nicht die erwartete Form.", en="This is not of the expected kind."),
    "format": _FORMAT,
    "pattern": _FORMAT,
    "minLength": Bilingual(
        de="Bitte geben Sie mindestens {limit} Zeichen ein.", en="Please enter at least {limit} characters."
    ),
    "maxLength": Bilingual(
        de="Bitte geben Sie höchstens {limit} Zeichen ein.", en="Please enter at most {limit} characters."
    ),
    "minItems": Bilingual(
        de="Bitte machen Sie mindestens {limit} Angaben.", en="Please make at least {limit} entries."
    ),
    "maxItems": Bilingual(de="Bitte machen Sie höchstens {limit} Angaben.", en="Please make at most {limit} entries."),
    "minimum": Bilingual(de="Der kleinste zulässige Wert ist {limit}.", en="The smallest value allowed is {limit}."),
    "maximum": Bilingual(de="Der größte zulässige Wert ist {limit}.", en="The largest value allowed is {limit}."),
    "exclusiveMinimum": Bilingual(
        de="Der Wert muss größer als {limit} sein.", en="The value must be greater than {limit}."
    ),
    "exclusiveMaximum": Bilingual(
        de="Der Wert muss kleiner als {limit} sein.", en="The value must be less than {limit}."
    ),
    "enum": _CHOOSE,
    "const": _CHOOSE,
    "anyOf": _FITS_NONE,
    "oneOf": _FITS_NONE,
    "not": _FITS_NONE,
    "uniqueItems": Bilingual(de="Diese Angaben müssen verschieden sein.", en="These entries must differ."),
    "falseSchema": Bilingual(de="Diese Angabe ist nicht vorgesehen.", en="This is not expected here."),
}
"""By the keyword of JSON Schema."""
