"""Values as text, in SQL: the one form in which the text formats write each type.

integers, decimals      all digits, decimals with their full scale
floats                  the shortest digits that read back to the same value; nan, inf, -inf
booleans                true, false
dates, times            ISO 8601: 2026-01-31, 23:59:59.5 (fraction without trailing zeros, none when zero)
timestamps              2026-01-31T23:59:59.5; with a zone they are written in UTC: 2026-01-31T22:59:59.5Z
binary                  lower-case hex, or base64
text, UUIDs, JSON       as they are
years before 1          as DuckDB writes them, ``0044-03-15 (BC)``; ``infinity`` and ``-infinity``
"""

from __future__ import annotations

import re
from typing import Any, Final, Literal

_NUMBER: Final = re.compile(r"U?(?:TINYINT|SMALLINT|INTEGER|BIGINT|HUGEINT)|DECIMAL\(.*|FLOAT|DOUBLE")
_FLOATS: Final = ("FLOAT", "DOUBLE")
_STAMPS: Final = ("TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS")
_ZONED: Final = "TIMESTAMP WITH TIME ZONE"
_ZONED_NS: Final = "TIMESTAMPTZ_NS"
_OTHERS: Final = ("BOOLEAN", "VARCHAR", "DATE", "TIME", "TIME_NS", "BLOB", "UUID", "JSON", "TIMESTAMP_NS", '"NULL"')
_NESTED: Final = frozenset({"list", "array", "struct", "map"})
_FIRST_YEAR: Final = "0001-01-01"

Binary = Literal["hex", "base64"]


def is_number(type_: str) -> bool:
    """Whether values of the type are numbers."""
    return _NUMBER.fullmatch(type_) is not None


def is_nested(type_: Any) -> bool:
    """Whether values of the type (a ``DuckDBPyType``) hold other values."""
    return type_.id in _NESTED


def without_form(type_: Any) -> str | None:
    """The first type in ``type_`` (a ``DuckDBPyType``) that has no form as text, None when all have one."""
    if is_nested(type_):
        parts = [part for _, part in type_.children if not isinstance(part, int)]
        return next((found for part in parts if (found := without_form(part)) is not None), None)
    text = str(type_)
    known = is_number(text) or text in (*_OTHERS, *_STAMPS, _ZONED, _ZONED_NS)
    return None if known else text


def text_form(value: str, type_: str, binary: Binary) -> str:
    """SQL that gives ``value`` (SQL of a scalar of ``type_``) in a form that casting to text completes."""
    if type_ in _FLOATS:
        # DuckDB prints the sign that a NaN happens to carry.
        return f"CASE WHEN isnan({value}) THEN 'nan'::{type_} ELSE {value} END"
    if type_ == "BLOB":
        return f"lower(hex({value}))" if binary == "hex" else f"base64({value})"
    if type_ == "TIMESTAMP_NS":  # from 1677 to 2262
        return f"replace(CAST({value} AS VARCHAR), ' ', 'T')"
    if type_ == _ZONED_NS:
        return f"replace(CAST(CAST({value} AS TIMESTAMP_NS) AS VARCHAR), ' ', 'T') || 'Z'"
    if type_ in _STAMPS:
        return _stamp(value, type_, f"CAST({value} AS VARCHAR)", "")
    if type_ == _ZONED:
        # By way of TIMESTAMP, as a cast of the zoned type to text takes half as long again.
        return _stamp(value, "TIMESTAMPTZ", f"CAST(CAST({value} AS TIMESTAMP) AS VARCHAR)", "Z")
    return value


def _stamp(value: str, type_: str, text: str, zone: str) -> str:
    """A year before 1 keeps its blanks, of which '(BC)' has one of its own; what is infinite has no zone."""
    zoned = f" || '{zone}'" if zone else ""
    early = f"WHEN {value} < '{_FIRST_YEAR}'::{type_} THEN {text}{zoned}"
    endless = f"WHEN NOT isfinite({value}) THEN CAST({value} AS VARCHAR) " if zone else ""
    return f"CASE {endless}{early} ELSE replace({text}, ' ', 'T'){zoned} END"
