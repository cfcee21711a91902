"""JSON values as values of a type, in SQL: what JSON does not state exactly is an error.

DuckDB gives a value's kind (``json_type``) and text (``json_extract_string``). Whole numbers of any size keep their
digits in that text; numbers with a fraction are DOUBLE there, so the digits of a DECIMAL come from the line itself.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

from osiris_filesystem.cells import MARK, CellFormat, reading
from osiris_filesystem.engine import literal, name

if TYPE_CHECKING:
    from collections.abc import Sequence

_PART: Final = re.compile(r'\s*("(?:[^"]|"")+")\s+')


def pointer(key: str) -> str:
    """The JSON Pointer (RFC 6901) of a key of the line's object."""
    return "/" + key.replace("~", "~0").replace("/", "~1")


def json_value(
    value: str, kind: str, text: str, type_: str, form: CellFormat, *, stated: bool, number: int, raw: str | None = None
) -> str:
    """SQL of a JSON value as ``type_``; an error that names column ``number`` when it is not one.

    ``value``, ``kind`` and ``text`` are SQL of the JSON value, its type and its text; ``raw`` of the list
    of the ways in which the number may be written in the file.
    """
    fail = f"error('{MARK}:{number}')"
    null = f"{kind} IS NULL OR {kind} = 'NULL'"
    if type_ == "JSON":
        return f"CASE WHEN {null} THEN NULL ELSE CAST({value} AS VARCHAR) END"
    if type_.endswith("[]"):
        inner = _inner("x", type_[:-2], form, number)
        made = f"list_transform(CAST({value} AS JSON[]), lambda x: {inner})"
        return f"CASE WHEN {null} THEN NULL WHEN {kind} = 'ARRAY' THEN {made} ELSE {fail} END"
    if type_.startswith("STRUCT("):
        fields = struct_fields(type_)
        members = ", ".join(
            f"{name(key)} := {_inner(f'json_extract({value}, {literal(pointer(key))})', child, form, number)}"
            for key, child in fields
        )
        known = ", ".join(literal(key) for key, _ in fields)
        test = f"{kind} = 'OBJECT' AND list_has_all([{known}], json_keys({value}))"
        return f"CASE WHEN {null} THEN NULL WHEN {test} THEN struct_pack({members}) ELSE {fail} END"
    if type_.startswith("MAP("):
        key_type, value_type = map_types(type_)
        if key_type != "VARCHAR":
            return fail
        inner = _inner(
            f"json_extract({value}, '/' || replace(replace(k, '~', '~0'), '/', '~1'))", value_type, form, number
        )
        made = (
            f"map_from_entries(list_transform(json_keys({value}), lambda k: struct_pack(key := k, value := {inner})))"
        )
        return f"CASE WHEN {null} THEN NULL WHEN {kind} = 'OBJECT' THEN {made} ELSE {fail} END"
    return _scalar(kind, text, type_, form, stated=stated, raw=raw, null=null, fail=fail)


def struct_fields(type_: str) -> list[tuple[str, str]]:
    """Names and types of a struct in its canonical spelling."""
    fields = []
    for part in _parts(type_[len("STRUCT(") : -1]):
        match = _PART.match(part)
        assert match is not None
        fields.append((match[1][1:-1].replace('""', '"'), part[match.end() :].strip()))
    return fields


def map_types(type_: str) -> tuple[str, str]:
    """The types of a map's keys and values."""
    key, value = (part.strip() for part in _parts(type_[len("MAP(") : -1]))
    return key, value


def raw_numbers(line: str, key: str, text: str) -> str:
    """SQL of a list: how a number that follows a key in a line, and that was parsed as ``text``, is written there.

    More than one when the key occurs elsewhere too, inside other objects and texts.
    """
    forms = sorted({json.dumps(key, ensure_ascii=False), json.dumps(key)})
    pattern = rf"(?:{'|'.join(map(re.escape, forms))})\s*:\s*(-?[0-9][0-9.eE+-]*)"
    return (
        f"list_distinct(list_filter(regexp_extract_all({line}, {literal(pattern)}, 1),"
        f" lambda n: TRY_CAST(n AS DOUBLE) = TRY_CAST({text} AS DOUBLE)))"
    )


def _inner(value: str, type_: str, form: CellFormat, number: int) -> str:
    return json_value(
        value,
        f"json_type({value})",
        f"json_extract_string({value}, '$')",
        type_,
        form,
        stated=True,
        number=number,
    )


def _scalar(
    kind: str,
    text: str,
    type_: str,
    form: CellFormat,
    *,
    stated: bool,
    raw: str | None,
    null: str,
    fail: str,
) -> str:
    if type_ == "VARCHAR":
        other = f" WHEN {kind} IN ('BIGINT', 'UBIGINT', 'BOOLEAN') THEN {text}" if stated else ""
        return f"CASE WHEN {null} THEN NULL WHEN {kind} = 'VARCHAR' THEN {text}{other} ELSE {fail} END"
    kinds = _kinds(type_, stated=stated)
    branches = [f"WHEN {null} THEN NULL", f"WHEN NOT list_contains([{kinds}], {kind}) THEN {fail}"]
    if type_.startswith("DECIMAL"):
        digits = f"length(regexp_replace({text}, '[^0-9]', '', 'g'))"
        if raw is not None:
            one = reading("list_extract(n, 1)", type_, form, stated=True)
            good = f"len(n) = 1 AND ({one.fast} OR {one.exact})"
            # A lambda, as DuckDB would look for the number anew at each of its mentions.
            made = f"list_transform([{raw}], lambda n: CASE WHEN {good} THEN {one.value} ELSE {fail} END)"
            branches.append(f"WHEN {kind} = 'DOUBLE' THEN list_extract({made}, 1)")
        else:
            branches.append(f"WHEN {kind} = 'DOUBLE' AND {digits} > 15 THEN {fail}")
    one = reading(text, type_, form, stated=stated)
    if type_ in ("FLOAT", "DOUBLE"):  # DuckDB takes NaN for a number, which JSON does not know
        branches.append(f"WHEN {kind} = 'DOUBLE' AND NOT isfinite({one.value}) THEN {fail}")
    branches.append(f"WHEN {one.fast} THEN {one.value}")
    if one.exact != "false":
        branches.append(f"WHEN {one.exact} THEN {one.value}")
    return f"CASE {' '.join(branches)} ELSE {fail} END"


def _kinds(type_: str, *, stated: bool) -> str:
    """The JSON types from which a value of ``type_`` is taken."""
    if type_ == "BOOLEAN":
        return "'BOOLEAN'"
    if type_.startswith("DECIMAL") or type_ in ("FLOAT", "DOUBLE", "INTEGER", "UINTEGER") or type_.endswith("INT"):
        return "'BIGINT', 'UBIGINT', 'DOUBLE'" + (", 'VARCHAR'" if stated else "")
    return "'VARCHAR'"


def _parts(text: str) -> Sequence[str]:
    """The parts of a list of types or fields, cut at commas outside brackets and quotes."""
    found: list[str] = []
    depth = start = 0
    quoted = False
    for at, char in enumerate(text):
        if char == '"':
            quoted = not quoted
        elif quoted:
            continue
        elif char in "([":
            depth += 1
        elif char in ")]":
            depth -= 1
        elif char == "," and depth == 0:
            found.append(text[start:at])
            start = at + 1
    return [*found, text[start:]]
