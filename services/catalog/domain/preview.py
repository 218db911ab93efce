"""How the notice will read: its text with the values of the first test case that is valid."""

from __future__ import annotations

from dataclasses import asdict

from kernel.texts import LANGUAGES
from service_format.form import Form
from service_format.form_schema import code_list_of, is_date, schema_at
from service_format.model import Json
from service_format.placeholders import Placeholder, PlaceholderKind, placeholder_names
from service_format.rendering import FieldFormat, Values, render, templates_of
from service_format.service import ServiceAsData


def notice_preview(service: ServiceAsData) -> Json | None:
    """Title, paragraphs and facts in both languages; None without a notice. What isn't known yet stays as it is."""
    if service.notice is None:
        return None
    values = _values(service, templates_of(service.notice))
    texts = {each: asdict(render(service.notice, values, each)) for each in LANGUAGES}
    return {
        language: {"title": text["title"], "paragraphs": list(text["paragraphs"]), "facts": list(text["facts"])}
        for language, text in texts.items()
    }


def _values(service: ServiceAsData, templates: tuple[str, ...]) -> Values:
    paths = placeholder_names(templates, PlaceholderKind.FORM)
    keys = placeholder_names(templates, PlaceholderKind.RESULT)
    return Values(
        data=next((case.data for case in service.test_cases if case.expected == "valid"), {}),
        case_reference=str(Placeholder(PlaceholderKind.CASE_REFERENCE, "")),
        results={key: str(Placeholder(PlaceholderKind.RESULT, key)) for key in keys},
        formats={path: _format(service.form, path) for path in paths} if service.form else {},
    )


def _format(form: Form, path: str) -> FieldFormat:
    schema = schema_at(form.schema_, path)
    codes = code_list_of(schema, form.code_lists)
    labels = {entry.code: entry.labels for entry in codes.codes} if codes else {}
    return FieldFormat(is_date(schema), labels)
