"""Values as JSON (RFC 8259), in SQL: numbers with all their digits, and everything that JSON lacks as text.

Scalars that are no numbers are written as :mod:`osiris_filesystem.text_forms` says, in quotes. Values of the type JSON
are written as they are, but for line breaks between their parts. Lists become arrays; structs and maps become objects.
"""

from __future__ import annotations

import json
from typing import Any, Final, Literal

import attrs

from osiris_filesystem.engine import literal
from osiris_filesystem.text_forms import Binary, is_nested, is_number, text_form

NON_FINITE_MARK: Final = "osiris-non-finite"
"""What the error of a NaN or an infinity begins with."""

INVALID_MARK: Final = "osiris-invalid-json"
"""What the error of a JSON value that is no JSON begins with."""

_STRING: Final = r'"(?:[^"\\]|\\.)*"'
# What DuckDB takes for JSON beyond RFC 8259, outside of strings.
_LENIENT: Final = r"(?i)nan|inf|,\s*[}\]]"


@attrs.frozen(kw_only=True)
class JsonFormat:
    """How values are written that JSON has no form for."""

    binary: Binary = "hex"
    non_finite: Literal["fail", "text"] = "fail"


def json_form(value: str, type_: Any, form: JsonFormat, depth: int = 0) -> str:
    """SQL of the JSON text of ``value`` (SQL of a ``DuckDBPyType``); NULL gives ``null``. Depth names the lambdas."""
    return f"coalesce({_present(value, type_, form, depth)}, 'null')"


def json_text(text: str) -> str:
    """``text`` as a JSON string."""
    return json.dumps(text, ensure_ascii=False)


def _present(value: str, type_: Any, form: JsonFormat, depth: int) -> str:
    if type_.id in ("list", "array"):
        inner = json_form(f"v{depth}", type_.children[0][1], form, depth + 1)
        return f"'[' || array_to_string(list_transform({value}, lambda v{depth}: {inner}), ',') || ']'"
    if type_.id == "struct":
        return _struct(value, type_, form, depth)
    if type_.id == "map":
        return _map(value, type_, form, depth)
    name = str(type_)
    if name in ("FLOAT", "DOUBLE"):
        return _float(value, form)
    if is_number(name) or name == "BOOLEAN":
        return f"CAST({value} AS VARCHAR)"
    if name == "JSON":
        return _json(f"CAST({value} AS VARCHAR)")
    return _string(text_form(value, name, form.binary))


def _struct(value: str, type_: Any, form: JsonFormat, depth: int) -> str:
    members = " || ',' || ".join(
        f"{literal(json_text(key) + ':')} || {json_form(f'struct_extract({value}, {literal(key)})', part, form, depth)}"
        for key, part in type_.children
    )
    return f"CASE WHEN {value} IS NOT NULL THEN '{{' || {members} || '}}' END"


def _map(value: str, type_: Any, form: JsonFormat, depth: int) -> str:
    (_, key_type), (_, value_type) = type_.children
    item = f"v{depth}"
    if is_nested(key_type):  # the text of its JSON
        key = _string(json_form(f"{item}.key", key_type, form, depth + 1))
    else:
        key = _string(text_form(f"{item}.key", str(key_type), form.binary))
    inner = json_form(f"{item}.value", value_type, form, depth + 1)
    entries = f"list_transform(map_entries({value}), lambda {item}: {key} || ':' || {inner})"
    return f"'{{' || array_to_string({entries}, ',') || '}}'"


def _float(value: str, form: JsonFormat) -> str:
    special = f"error('{NON_FINITE_MARK}')"
    if form.non_finite == "text":
        special = (
            f"CASE WHEN isnan({value}) THEN '\"NaN\"' WHEN {value} > 0 THEN '\"Infinity\"' ELSE '\"-Infinity\"' END"
        )
    return f"CASE WHEN isfinite({value}) THEN CAST({value} AS VARCHAR) WHEN {value} IS NOT NULL THEN {special} END"


def _json(text: str) -> str:
    bare = f"regexp_replace({text}, {literal(_STRING)}, '\"\"', 'g')"
    strict = f"json_valid({text}) AND NOT regexp_matches({bare}, {literal(_LENIENT)})"
    line = f"replace(replace({text}, chr(10), ' '), chr(13), ' ')"
    return f"CASE WHEN {text} IS NULL THEN NULL WHEN {strict} THEN {line} ELSE error('{INVALID_MARK}') END"


def _string(text: str) -> str:
    return f"CAST(to_json(CAST({text} AS VARCHAR)) AS VARCHAR)"
