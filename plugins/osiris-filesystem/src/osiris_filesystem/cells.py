"""Text cells as values of a type, in SQL: a value that the text does not state exactly is an error, never a guess.

DuckDB's casts are lenient: ``1.5`` becomes the BIGINT 2, ``007`` becomes 7, ``2026-01-01 10:00`` a DATE without its
time, ``10:00+02:00`` a TIMESTAMP without its zone, ``1.239`` the DECIMAL(9,2) 1.24. So every cell passes a *fast*
test, which costs next to nothing and holds for nearly all cells as they are usually written; what fails it passes an
exact test by regular expression, or is NULL by its text, or ends the read.

The fast test of a whole number asks whether it lies between the powers of ten that its length demands, so that every
character must have been a digit. That of a decimal asks whether its text with all decimals begins with the cell, so
that ``17`` and ``0.1`` pass as well as ``17.00``; that of a time whether its text is the cell. A test of an inferred
type is stricter than of a stated one: who states INTEGER for ``007`` wants 7; where INTEGER was a guess, ``007``
proves it wrong.
"""

from __future__ import annotations

from typing import Final, Literal

import attrs

from osiris_filesystem.engine import literal, texts

MARK: Final = "osiris-cell"
"""What the error of a bad cell begins with; the column's number follows."""

_INTEGERS: Final = {
    "TINYINT": 3,
    "SMALLINT": 5,
    "INTEGER": 10,
    "BIGINT": 19,
    "UTINYINT": 3,
    "USMALLINT": 5,
    "UINTEGER": 10,
    "UBIGINT": 20,
}
_FRACTIONS: Final = {"TIMESTAMP_S": 0, "TIMESTAMP_MS": 3, "TIMESTAMP": 6, "TIMESTAMPTZ": 6, "TIMESTAMP_NS": 9}
_LARGEST: Final = {"DOUBLE": "1.7976931348623157e308", "FLOAT": "3.4028234663852886e38"}
_EXACT_DIGITS: Final = {"DOUBLE": 15, "FLOAT": 6}
_DAY: Final = r"\d{4,6}-\d{2}-\d{2}( \(BC\))?"
_CLOCK: Final = r"\d{2}:\d{2}(:\d{2}(\.\d{%d,%d}0*)?)?"
_ZONE: Final = r"(Z|[+-]\d{2}(:?\d{2})?)"
_NUMBER: Final = r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?"
_PLAIN_NUMBER: Final = r"-?(0|[1-9][0-9]*)?(\.[0-9]*)?([eE][+-]?[0-9]+)?"


@attrs.frozen(kw_only=True)
class CellFormat:
    """How cells are written, where the text itself does not say."""

    date_format: str | None = None
    timestamp_format: str | None = None
    binary: Literal["hex", "base64"] = "hex"
    null_values: tuple[str, ...] = ("",)


@attrs.frozen(kw_only=True)
class Reading:
    """SQL over one text cell: its value, a test that is cheap and sound, one that is exact."""

    value: str
    fast: str
    exact: str = "false"


def reading(cell: str, type_: str, form: CellFormat, *, stated: bool) -> Reading:  # noqa: C901 - one branch a type
    """How ``cell`` (SQL of a VARCHAR) is read as ``type_``; VARCHAR is read as it is."""
    value = f"TRY_CAST({cell} AS {type_})"
    if type_ in _INTEGERS:
        return _integer(cell, value, type_, stated=stated)
    if type_ in _LARGEST:
        return _float(cell, value, type_, stated=stated)
    if type_.startswith("DECIMAL"):
        return _decimal(cell, value, type_)
    if type_ == "DATE":
        if form.date_format is not None:
            return _formatted(cell, type_, form.date_format)
        exact = _all(f"{value} IS NOT NULL", _full(cell, rf"{_DAY}|-?infinity"))
        return Reading(value=value, fast=f"{value}::VARCHAR = {cell}", exact=exact)
    if type_ in _FRACTIONS:
        if form.timestamp_format is not None:
            return _formatted(cell, type_, form.timestamp_format)
        return _timestamp(cell, value, type_)
    if type_ == "TIME":
        exact = _all(f"{value} IS NOT NULL", _full(cell, _CLOCK % (1, 6)))
        return Reading(value=value, fast=f"{value}::VARCHAR = {cell}", exact=exact)
    if type_ == "BOOLEAN":
        exact = f"{value} IS NOT NULL" if stated else f"lower({cell}) IN ('true', 'false')"
        return Reading(value=value, fast=f"{cell} IN ('true', 'false')", exact=exact)
    if type_ == "BLOB":
        return _binary(cell, form.binary)
    if type_ == "JSON":
        return Reading(value=cell, fast=f"json_valid({cell})")
    if type_ == "UUID":
        return Reading(value=value, fast=f"{value}::VARCHAR = lower({cell})")
    return Reading(value=cell, fast="true")


def strict(cell: str, type_: str, form: CellFormat, *, stated: bool, number: int) -> str:
    """The SQL of ``cell`` as ``type_``; a bad cell raises an error that names column ``number``."""
    if type_ == "VARCHAR":
        return cell
    one = reading(cell, type_, form, stated=stated)
    null = is_null(cell, form)
    exact = "" if one.exact == "false" else f" WHEN {one.exact} THEN {one.value}"
    return f"CASE WHEN {one.fast} THEN {one.value} WHEN {null} THEN NULL{exact} ELSE error('{MARK}:{number}') END"


def is_good(cell: str, type_: str, form: CellFormat, *, stated: bool) -> str:
    """The SQL test that :func:`strict` would take ``cell``; true for NULL."""
    if type_ == "VARCHAR":
        return "true"
    one = reading(cell, type_, form, stated=stated)
    return f"({is_null(cell, form)} OR coalesce({one.fast}, false) OR coalesce({one.exact}, false))"


def is_null(cell: str, form: CellFormat) -> str:
    """The SQL test that ``cell`` holds no value."""
    # Not IN: DuckDB makes a join of a long list, and a join does not keep the order of rows.
    return f"({cell} IS NULL OR list_contains({texts(sorted({'', *form.null_values}))}, {cell}))"


def _integer(cell: str, value: str, type_: str, *, stated: bool) -> Reading:
    digits = _INTEGERS[type_]
    lowest = ", ".join(["0", *(str(10**at) for at in range(1, digits))])
    most = (1 << 64) - 1 if type_ == "UBIGINT" else (1 << 63) - 1
    highest = ", ".join(str(min(10**at - 1, most)) for at in range(1, digits + 1))
    length = f"strlen({cell})"
    wide = "UBIGINT" if type_ == "UBIGINT" else "BIGINT"
    sign = "" if type_.startswith("U") else "-?"
    pattern = r"\s*[+-]?[0-9]+\s*" if stated else f"0|{sign}[1-9][0-9]*"
    return Reading(
        value=value,
        fast=f"{value} BETWEEN list_extract([{lowest}]::{wide}[], {length})"
        f" AND list_extract([{highest}]::{wide}[], {length})",
        exact=_all(f"{value} IS NOT NULL", _full(cell, pattern)),
    )


def _float(cell: str, value: str, type_: str, *, stated: bool) -> Reading:
    largest = _LARGEST[type_]
    finite = f"{value} BETWEEN -{largest} AND {largest} AND NOT contains({cell}, '_')"
    special = _full(f"lower(trim({cell}))", r"[+-]?(nan|inf|infinity)")
    if stated:
        return Reading(value=value, fast=finite, exact=special)
    short = f"strlen({cell}) <= {_EXACT_DIGITS[type_]}"
    digits = _digits(cell)
    kept = f"({digits} = {_digits(f'{value}::VARCHAR')} OR {digits} = {_digits(_printed(value))})"
    exact = f"({special} OR {_all(finite, _full(cell, _PLAIN_NUMBER), kept)})"
    # Text that begins like a code: between '00' and '09', with a sign or without. (':' follows '9'.)
    coded = f"(({cell} >= '00' AND {cell} < '0:') OR ({cell} >= '-00' AND {cell} < '-0:'))"
    return Reading(value=value, fast=f"({short} AND {finite} AND NOT {coded})", exact=exact)


def _printed(value: str) -> str:
    return f"format('{{:.17g}}', {value})"


def _digits(text: str) -> str:
    """The significant digits of a number's text."""
    bare = f"regexp_replace(regexp_replace({text}, '[eE].*$', ''), '[^0-9]', '', 'g')"
    return f"trim({bare}, '0')"


def _decimal(cell: str, value: str, type_: str) -> Reading:
    scale = int(type_.rstrip(")").rpartition(",")[2])
    pattern = rf"\s*[+-]?([0-9]+\.?|[0-9]*\.[0-9]{{1,{scale}}}0*)\s*" if scale else r"\s*[+-]?[0-9]+(\.0*)?\s*"
    return Reading(
        value=value,
        fast=f"starts_with({value}::VARCHAR, {cell})",
        exact=_all(f"{value} IS NOT NULL", _full(cell, pattern)),
    )


def _timestamp(cell: str, value: str, type_: str) -> Reading:
    fraction = _FRACTIONS[type_]
    clock = _CLOCK % (1, fraction) if fraction else r"\d{2}:\d{2}(:\d{2}(\.0*)?)?"
    zone = _ZONE if type_ == "TIMESTAMPTZ" else ""
    pattern = rf"{_DAY}[ T]{clock}{zone}|-?infinity"
    plain = f"{value}::TIMESTAMP::VARCHAR || 'Z'" if zone else f"{value}::VARCHAR"
    return Reading(
        value=value,
        fast=f"{plain} = replace({cell}, 'T', ' ')",
        exact=_all(f"{value} IS NOT NULL", _full(cell, pattern)),
    )


def _formatted(cell: str, type_: str, format_: str) -> Reading:
    parsed = f"try_strptime({cell}, {literal(format_)})"
    value = f"{parsed}::{type_}"
    return Reading(value=value, fast=f"({parsed} IS NOT NULL AND {value}::TIMESTAMP = {parsed}::TIMESTAMP)")


def _binary(cell: str, binary: str) -> Reading:
    if binary == "hex":
        return Reading(value=f"unhex({cell})", fast=_full(cell, "([0-9A-Fa-f]{2})*"))
    pattern = "(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?"
    return Reading(value=f"from_base64({cell})", fast=_full(cell, pattern))


def _full(cell: str, pattern: str) -> str:
    return f"regexp_full_match({cell}, {literal(pattern)})"


def _all(*tests: str) -> str:
    return f"({' AND '.join(tests)})"
