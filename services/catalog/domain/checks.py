"""What is wrong in a service as data: found before publishing, each finding with its JSON pointer (RFC 6901)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import jsonschema_rs

from contracts.applications import FeeTiming
from kernel import json_pointer
from service_format.automation import decides
from service_format.channels import ChannelKind
from service_format.conditions import Condition
from service_format.fees import Fee
from service_format.form import CodeList, Form
from service_format.form_schema import MAX_DEFINITIONS, definition, validator
from service_format.model import NAME, Json
from service_format.notice import Notice
from service_format.placeholders import Placeholder, PlaceholderKind, has_stray_braces, inside_braces, parse
from service_format.procedure import Procedure
from service_format.service import ServiceAsData, TestCase
from service_format.texts import TextModule
from services.catalog.domain import forms
from services.catalog.domain.forms import Field

_NAME = re.compile(rf"{NAME}\Z")


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong."""

    pointer: str
    """Where, from the document's root."""
    code: str
    message: str


def findings(service: ServiceAsData, today: date) -> tuple[Finding, ...]:
    """Everything that keeps a version from being published; empty where it may be."""
    found: list[Finding] = [*_form(service.form)] if service.form else []
    sound = _legible(found)
    fields = forms.fields(service.form.schema_) if service.form and sound else ()
    found += _validity(service, today)
    found += _lists(service)
    found += _channels(service)
    found += _paths(service, fields) if sound else ()
    found += _fees(service)
    if service.notice:
        found += _notice(service.notice, service.procedure, fields, form_is_sound=sound)
    if sound:
        found += _tests(service)
    return tuple(found)


def _legible(form_findings: Iterable[Finding]) -> bool:
    """Whether the form's fields are known all the same, so that what refers to them can be judged too."""
    return all(each.code in {"unbounded", "not_closed"} for each in form_findings)


# Validity, lists, channels


def _validity(service: ServiceAsData, today: date) -> Iterator[Finding]:
    if service.valid_to and service.valid_to < service.valid_from:
        yield Finding("/valid_to", "ends_before_it_begins", "valid_to is before valid_from")
    elif service.valid_to and service.valid_to < today:
        yield Finding("/valid_to", "already_over", "valid_to has passed")
    parts: list[tuple[str, date | None, date | None]] = [
        *((f"/fees/{n}", fee.valid_from, fee.valid_to) for n, fee in enumerate(service.fees)),
        *(
            (f"/responsibilities/{n}", each.valid_from, each.valid_to)
            for n, each in enumerate(service.responsibilities)
        ),
    ]
    for pointer, begins, ends in parts:
        if begins and ends and ends < begins:
            yield Finding(f"{pointer}/valid_to", "ends_before_it_begins", "valid_to is before valid_from")


def _lists(service: ServiceAsData) -> Iterator[Finding]:
    yield from _repeated("/documents", [document.id for document in service.documents])
    yield from _repeated("/fees", [fee.id for fee in service.fees])
    yield from _repeated("/test_cases", [case.name for case in service.test_cases])
    yield from _repeated("/leika_keys", service.leika_keys)
    yield from _repeated("/texts", [(text.module, text.language, text.source.level) for text in service.texts])
    if not service.text(TextModule.SHORT_DESCRIPTION, "de"):
        yield Finding("/texts", "short_description_missing", "a short description in German (`de`) is needed")


def _repeated(pointer: str, keys: Sequence[object]) -> Iterator[Finding]:
    first: dict[object, int] = {}
    for n, key in enumerate(keys):
        if first.setdefault(key, n) != n:
            yield Finding(f"{pointer}/{n}", "repeated", f"the same as entry {first[key]}")


def _channels(service: ServiceAsData) -> Iterator[Finding]:
    online = [n for n, channel in enumerate(service.channels) if channel.kind is ChannelKind.ONLINE]
    for n in online[1:]:
        yield Finding(f"/channels/{n}", "repeated", "one online channel at most")
    if not online:
        return
    for name in ("form", "procedure", "notice"):
        if getattr(service, name) is None:
            yield Finding(f"/{name}", "needed_online", f"an online channel needs a {name}")
    if not any(case.expected == "valid" for case in service.test_cases):
        yield Finding("/test_cases", "needed_online", "an online channel needs a test case that is valid")
    before = any(fee.timing is FeeTiming.BEFORE_PROCESSING for fee in service.fees)
    if before and not service.channels[online[0]].payment_methods:
        message = "a fee before processing can't be paid without a payment method"
        yield Finding(f"/channels/{online[0]}/payment_methods", "payment_method_missing", message)


# Form


def _form(form: Form) -> Iterator[Finding]:
    found = tuple(_schema(form.schema_))
    yield from found
    if not _legible(found):
        return
    fields = forms.fields(form.schema_)
    yield from _code_lists(form, fields)
    yield from _ui(form, fields)


def _schema(root: Json) -> Iterator[Finding]:
    place = "/form/schema"
    if root.get("$schema", forms.DIALECT) != forms.DIALECT:
        yield Finding(f"{place}/$schema", "other_dialect", f"must be {forms.DIALECT}")
    definitions = root.get("$defs", {})
    if not isinstance(definitions, dict) or len(definitions) > MAX_DEFINITIONS:
        yield Finding(f"{place}/$defs", "too_many_definitions", f"at most {MAX_DEFINITIONS}, by name")
        return
    for pointer, schema in forms.schemas(root):
        yield from _vocabulary(place + pointer, schema, root)
    if forms.goes_round(root):
        yield Finding(place, "goes_round", "references lead back to themselves")
        return
    try:
        validator(root)
    except jsonschema_rs.ValidationError as error:
        at = place + json_pointer.pointer(*error.instance_path)
        yield Finding(at, "not_a_schema", "not valid JSON Schema 2020-12, or a pattern that isn't linear")
        return
    if root.get("type") != "object":
        yield Finding(f"{place}/type", "not_an_object", "a form's data is an object")
    try:
        every = forms.fields(root)
    except forms.TooManyFields:
        message = f"more than {forms.MOST_FIELDS} fields, or nested more than {forms.DEEPEST_DATA} deep"
        yield Finding(place, "too_many_fields", message)
        return
    yield from _closed(place, root)
    for field in every:
        yield from _field(place + field.pointer, field)


def _vocabulary(pointer: str, schema: Json, root: Json) -> Iterator[Finding]:
    for keyword in schema:
        if keyword not in forms.KEYWORDS:
            yield Finding(pointer + json_pointer.pointer(keyword), "unknown_keyword", "this keyword isn't accepted")
    if "$ref" in schema and definition(root, schema["$ref"]) is None:
        yield Finding(f"{pointer}/$ref", "reference_leads_nowhere", "must be #/$defs/<name> of this schema")
    if "$defs" in schema and schema is not root:
        yield Finding(f"{pointer}/$defs", "not_at_the_root", "$defs stand at the root")
    if "$schema" in schema and schema is not root:
        yield Finding(f"{pointer}/$schema", "not_at_the_root", "$schema stands at the root")
    if "format" in schema and schema["format"] not in forms.FORMATS:
        message = f"one of {', '.join(sorted(forms.FORMATS))}"
        yield Finding(f"{pointer}/format", "unknown_format", message)
    for keyword in ("x-fim", "x-code-list"):
        if keyword in schema and not _names_a_version(schema[keyword], "id" if keyword == "x-fim" else "urn"):
            yield Finding(f"{pointer}/{keyword}", "malformed", "an object of two texts, one of them `version`")


def _names_a_version(given: Any, key: str) -> bool:
    return (
        isinstance(given, dict) and set(given) == {key, "version"} and all(isinstance(v, str) for v in given.values())
    )


def _field(pointer: str, field: Field) -> Iterator[Finding]:
    schema = field.schema
    name = field.path.replace("[]", "").rpartition(".")[2]
    if not _NAME.match(name):
        yield Finding(pointer, "name_not_accepted", "a field's name is lower-case letters, digits and `_`")
    if not isinstance(schema.get("type"), str):
        yield Finding(f"{pointer}/type", "type_missing", f"one of {', '.join(sorted(forms.TYPES))}")
        return
    match schema["type"]:
        case "object":
            yield from _closed(pointer, schema)
        case "array":
            yield from _bounded_array(pointer, schema)
        case "string" if not ({"enum", "const"} & set(schema) or schema.get("format") in forms.SHORT_FORMATS):
            if schema.get("maxLength", forms.LONGEST_STRING + 1) > forms.LONGEST_STRING:
                yield Finding(
                    f"{pointer}/maxLength", "unbounded", f"a text needs maxLength, at most {forms.LONGEST_STRING}"
                )


def _closed(pointer: str, schema: Json) -> Iterator[Finding]:
    if schema.get("additionalProperties") is not False and schema.get("unevaluatedProperties") is not False:
        yield Finding(f"{pointer}/additionalProperties", "not_closed", "must be false: unknown fields are refused")
    for name, child in schema.get("properties", {}).items():
        if not isinstance(child, dict):
            yield Finding(pointer + json_pointer.pointer("properties", name), "type_missing", "a field needs a schema")


def _bounded_array(pointer: str, schema: Json) -> Iterator[Finding]:
    if not isinstance(schema.get("items"), dict) or "prefixItems" in schema:
        yield Finding(f"{pointer}/items", "items_missing", "a repeatable group has one schema for its items")
    if schema.get("maxItems", forms.MOST_ITEMS + 1) > forms.MOST_ITEMS:
        yield Finding(f"{pointer}/maxItems", "unbounded", f"needs maxItems, at most {forms.MOST_ITEMS}")


def _code_lists(form: Form, fields: Iterable[Field]) -> Iterator[Finding]:
    known = {(each.urn, each.version): each for each in form.code_lists}
    yield from _repeated("/form/code_lists", [(each.urn, each.version) for each in form.code_lists])
    for n, each in enumerate(form.code_lists):
        yield from _repeated(f"/form/code_lists/{n}/codes", [entry.code for entry in each.codes])
    for field in fields:
        named = field.schema.get("x-code-list")
        if named:
            yield from _coded(f"/form/schema{field.pointer}", field, known.get((named["urn"], named["version"])))


def _coded(pointer: str, field: Field, known: CodeList | None) -> Iterator[Finding]:
    if known is None:
        yield Finding(f"{pointer}/x-code-list", "code_list_missing", "not declared in /form/code_lists")
    elif Counter(field.schema.get("enum", ())) != Counter(entry.code for entry in known.codes):
        yield Finding(f"{pointer}/enum", "codes_differ", "must be the codes of the code list")


def _ui(form: Form, fields: Sequence[Field]) -> Iterator[Finding]:
    known = {field.path: field for field in fields}
    for path in form.ui.fields:
        if path not in known:
            yield Finding(f"/form/ui/fields/{path}", "no_such_field", "the form has no such field")
    for path, field in known.items():
        if field.scalar and not path.endswith("[]") and path not in form.ui.fields:
            yield Finding(f"/form/ui/fields/{path}", "labels_missing", "every field has a label")
    shown: list[str] = []
    for n, group in enumerate(form.ui.groups):
        for m, path in enumerate(group.fields):
            if path not in known:
                yield Finding(f"/form/ui/groups/{n}/fields/{m}", "no_such_field", "the form has no such field")
            if path in shown:
                yield Finding(f"/form/ui/groups/{n}/fields/{m}", "repeated", "it is in another place already")
            shown.append(path)


# Conditions, fees


def _paths(service: ServiceAsData, fields: Sequence[Field]) -> Iterator[Finding]:
    known = {field.path: field for field in fields if not field.repeated}
    for n, document in enumerate(service.documents):
        if document.condition:
            yield from _condition(f"/documents/{n}/condition", document.condition, known.get(document.condition.path))
    for pointer, conditions in _conditions(service):
        for n, condition in enumerate(conditions):
            yield from _condition(f"{pointer}/{n}", condition, known.get(condition.path))
    for n, fee in enumerate(service.fees):
        field = known.get(fee.rule.path) if fee.rule else None
        if fee.rule and not (field and field.numeric):
            yield Finding(f"/fees/{n}/rule/path", "no_such_number", "the form has no number there")


def _conditions(service: ServiceAsData) -> Iterator[tuple[str, tuple[Condition, ...]]]:
    for n, fee in enumerate(service.fees):
        yield f"/fees/{n}/conditions", fee.conditions
        for m, exemption in enumerate(fee.exemptions):
            yield f"/fees/{n}/exemptions/{m}/conditions", exemption.conditions
    if service.procedure and service.procedure.automation:
        yield "/procedure/automation/rule/conditions", service.procedure.automation.rule.conditions


def _condition(pointer: str, condition: Condition, field: Field | None) -> Iterator[Finding]:
    if field is None:
        yield Finding(f"{pointer}/path", "no_such_field", "the form has no such field outside repeatable groups")
        return
    operator, operand = condition.operator
    if operator == "present":
        return
    if not field.scalar:
        yield Finding(f"{pointer}/{operator}", "not_one_value", "this field isn't one value")
    elif operator in {"min", "max"} and not field.numeric:
        yield Finding(f"{pointer}/{operator}", "not_a_number", "this field isn't a number")
    elif operator in {"equals", "one_of"}:
        wanted = operand if operator == "one_of" else (operand,)
        check = validator({name: value for name, value in field.schema.items() if name in {"type", "enum"}})
        if not all(check.is_valid(value) for value in wanted):
            yield Finding(f"{pointer}/{operator}", "never_true", "this field can't have that value")


def _fees(service: ServiceAsData) -> Iterator[Finding]:
    currencies = [_currency(fee) for fee in service.fees]
    for n, (fee, currency) in enumerate(zip(service.fees, currencies, strict=True)):
        if currency != currencies[0]:
            yield Finding(f"/fees/{n}", "currencies_differ", "all fees of a service are in one currency")
        if fee.rule and fee.rule.max_cents is not None and fee.rule.max_cents < fee.rule.min_cents:
            yield Finding(f"/fees/{n}/rule/max_cents", "maximum_below_minimum", "max_cents is below min_cents")
        if fee.amount and fee.amount.cents == 0:
            yield Finding(f"/fees/{n}/amount/cents", "no_fee", "a fee of nothing is left out")
        yield from _repeated(f"/fees/{n}/exemptions", [exemption.id for exemption in fee.exemptions])


def _currency(fee: Fee) -> str | None:
    return fee.amount.currency if fee.amount else fee.rule.currency if fee.rule else None


# Notice


def _notice(
    notice: Notice, procedure: Procedure | None, fields: Sequence[Field], *, form_is_sound: bool
) -> Iterator[Finding]:
    printable = {field.path for field in fields if field.scalar and not field.repeated} if form_is_sound else None
    by_rule = procedure is not None and procedure.automation is not None
    for pointer, text in _templates(notice):
        for inside in inside_braces(text):
            problem = _placeholder(parse(inside), printable, by_rule=by_rule)
            if problem:
                yield Finding(pointer, *problem)
        if has_stray_braces(text):
            yield Finding(pointer, "braces_left_open", "{{ and }} surround a placeholder, and stand for nothing else")


def _templates(notice: Notice) -> Iterator[tuple[str, str]]:
    for language in ("de", "en"):
        yield f"/notice/title/{language}", getattr(notice.title, language)
        for n, text in enumerate(getattr(notice.paragraphs, language)):
            yield f"/notice/paragraphs/{language}/{n}", text
    for n, fact in enumerate(notice.facts):
        yield f"/notice/facts/{n}/value", fact.value


def _placeholder(
    placeholder: Placeholder | None, printable: set[str] | None, *, by_rule: bool
) -> tuple[str, str] | None:
    if placeholder is None:
        return "unknown_placeholder", "form.<path>, result.<key> or case.reference, without blanks"
    match placeholder.kind:
        case PlaceholderKind.RESULT if by_rule:
            return "no_result_by_rule", "where a rule decides, there is no result"
        case PlaceholderKind.FORM if printable is not None and placeholder.name not in printable:
            return "no_such_field", "the form has no such single field"
        case _:
            return None


# Test cases


def _tests(service: ServiceAsData) -> Iterator[Finding]:
    if not service.test_cases:
        return
    if service.form is None:
        yield Finding("/test_cases", "no_form", "there is no form to be tested")
        return
    check = validator(service.form.schema_)
    for n, case in enumerate(service.test_cases):
        yield from _test(f"/test_cases/{n}", case, service.procedure, valid=check.is_valid(case.data))


def _test(pointer: str, case: TestCase, procedure: Procedure | None, *, valid: bool) -> Iterator[Finding]:
    if valid != (case.expected == "valid"):
        came = "valid" if valid else "invalid"
        yield Finding(f"{pointer}/expected", "came_out_otherwise", f"the form says that it is {came}")
    if case.decided_by_rule is None:
        return
    by_rule = valid and procedure is not None and decides(procedure.automation, case.data)
    if by_rule != case.decided_by_rule:
        came = "the rule decides it" if by_rule else "the rule doesn't decide it"
        yield Finding(f"{pointer}/decided_by_rule", "came_out_otherwise", came)
