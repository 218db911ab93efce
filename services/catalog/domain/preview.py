"""How the notice will read: its text with the values of the first test case that is valid."""

from __future__ import annotations

import re

from service_format.conditions import MISSING, value_at
from service_format.form import Form
from service_format.model import Json
from service_format.notice import Notice
from service_format.service import ServiceAsData
from services.catalog.domain import forms

_PLACEHOLDER = re.compile(r"\{\{([^{}]*)\}\}")
_FORM = "form."
_LEFT_EMPTY = "–"
_YES_NO = {"de": ("nein", "ja"), "en": ("no", "yes")}


def notice_preview(service: ServiceAsData) -> Json | None:
    """Title, paragraphs and facts in both languages; None without a notice. What isn't known yet stays as it is."""
    if service.notice is None:
        return None
    data = next((case.data for case in service.test_cases if case.expected == "valid"), {})
    return {language: _filled(service.notice, service.form, data, language) for language in ("de", "en")}


def _filled(notice: Notice, form: Form | None, data: Json, language: str) -> Json:
    def _text(template: str) -> str:
        return _PLACEHOLDER.sub(lambda found: _value(found[1], found[0], form, data, language), template)

    return {
        "title": _text(getattr(notice.title, language)),
        "paragraphs": [_text(paragraph) for paragraph in getattr(notice.paragraphs, language)],
        "facts": [{"label": getattr(fact.label, language), "value": _text(fact.value)} for fact in notice.facts],
    }


def _value(what: str, placeholder: str, form: Form | None, data: Json, language: str) -> str:
    if not what.startswith(_FORM) or form is None:
        return placeholder
    path = what.removeprefix(_FORM)
    value = value_at(data, path)
    if value is MISSING or value is None or isinstance(value, dict | list):
        return _LEFT_EMPTY
    if isinstance(value, bool):
        return _YES_NO[language][value]
    return _label(form, path, value, language) or str(value)


def _label(form: Form, path: str, value: object, language: str) -> str | None:
    schema = forms.schema_at(form.schema_, path)
    named = schema.get("x-code-list") if schema else None
    if not isinstance(named, dict):
        return None
    codes = (
        entry
        for each in form.code_lists
        if (each.urn, each.version) == (named.get("urn"), named.get("version"))
        for entry in each.codes
    )
    return next((getattr(entry.labels, language) for entry in codes if entry.code == value), None)
