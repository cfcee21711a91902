"""The driver of ``filesystem.csv_writer``.

The bytes are DuckDB's COPY's, from cells that :mod:`osiris_filesystem.text_forms` has brought into their form. A cell
is quoted when it holds the delimiter, the quote, a line break or ``#``, or reads like NULL.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

from osiris_core.api import DriverError
from osiris_filesystem.engine import connect, failure, literal, name, only_row
from osiris_filesystem.file_writer import FileWriter
from osiris_filesystem.json_forms import INVALID_MARK, JsonFormat, json_form
from osiris_filesystem.text_forms import is_nested, is_number, text_form, without_form
from osiris_filesystem.writing import Column, append_all, chosen_columns, copy, copy_statement

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from osiris_core.api import Dataset, DriverContext, Schema
    from osiris_filesystem.csv_config import CsvWriter

_NEWLINES: Final = {"lf": "\n", "crlf": "\r\n", "cr": "\r"}
_MARK: Final = "\ufeff"
_FORMULA: Final = "=+@\t\r\n\uff1d\uff0b\uff0d\uff20-"
"""What makes a spreadsheet take text for a formula, at its start; four are full-width forms. As a regular set."""

_APOSTROPHE: Final = "chr(39)"

_NUL: Final = "osiris-nul"
_BLANK: Final = "osiris-blank"
_EMPTY: Final = "osiris-empty"
_AMBIGUOUS: Final = "osiris-ambiguous"
_MEANINGS: Final = {
    _NUL: (
        "a text of the column '{}' holds a NUL character, which CSV cannot hold",
        "remove it in a step before: replace(column, chr(0), '')",
    ),
    _BLANK: (
        "a value of the only column, '{}', is NULL: that would be a blank line, and readers skip those",
        "set null_text",
    ),
    _EMPTY: (
        "a value of the only column, '{}', is empty: that would be a blank line, and readers skip those",
        "set quoting: all",
    ),
    _AMBIGUOUS: ("a value of the column '{}' is written like NULL", "choose a null_text that no column can hold"),
}
"""What a cell that cannot be written raises, as a message about a column, and what to do."""


class CsvWriterDriver(FileWriter):
    """Writes CSV: the same rows give the same bytes."""

    component = "filesystem.csv_writer"

    def extension(self, config: CsvWriter) -> str:
        """The ending of a part's name."""
        return {"none": "csv", "gzip": "csv.gz", "zstd": "csv.zst"}[compression_of(config)]

    def plan(self, config: CsvWriter, schema: Schema) -> Sequence[tuple[str, str]]:
        """The columns to write; refuses what CSV, as it is configured, cannot hold."""
        columns = chosen_columns(schema, config)
        for column in columns:
            if is_nested(column.type) and config.nested == "refuse":
                raise DriverError(
                    "OSR-FS-050",
                    f"the column '{column.name}' is {column.type_name}, which CSV cannot hold",
                    hint="set nested: json to write it as JSON text, or take it apart in a step before",
                )
        require_forms(columns, "CSV")
        _require_distinct_null(columns, config)
        return [(column.name, column.type_name) for column in columns]

    def write_rows(self, rows: Dataset, descriptor: int, *, first: bool, config: CsvWriter, ctx: DriverContext) -> int:
        """Write all rows to an open file."""
        columns = chosen_columns(rows.schema, config)
        items = [f"{_cell(column, config, at, len(columns))} AS c{at}" for at, column in enumerate(columns)]
        head = _head(columns, config) if first else ""
        end = _NEWLINES[config.newline]
        try:
            count = copy(
                rows,
                descriptor,
                items=items,
                options=[*_options(columns, config), *_around(head, end if config.header else "", end)],
                path=config.path,
                ctx=ctx,
            )
        except DriverError as error:
            raise _explained(error, columns) from error
        if count == 0 and head:
            _write_head(descriptor, head if config.header else "", end, config)
        return count

    def join(self, pieces: Sequence[int], into: int, *, config: CsvWriter, ctx: DriverContext) -> None:
        """One piece behind the other; compressed ones may follow one another too (RFC 1952, RFC 8878)."""
        append_all(pieces, into)


def compression_of(config: Any) -> str:
    """How to compress: as stated, else by the path's ending."""
    if config.compression != "auto":
        return str(config.compression)
    return "gzip" if config.path.endswith(".gz") else "zstd" if config.path.endswith(".zst") else "none"


def require_forms(columns: Sequence[Column], what: str) -> None:
    """Raise DriverError for a column whose type has no form as text."""
    for column in columns:
        unknown = without_form(column.type)
        if unknown is not None:
            raise DriverError(
                "OSR-FS-050", f"the column '{column.name}' is {column.type_name}, which {what} cannot hold"
            )


def column_of(error: DriverError, mark: str, columns: Sequence[Column]) -> str | None:
    """The name of the column that an error raised in SQL with ``mark`` and a number is about."""
    _, found, rest = error.message.partition(f"{mark}:")
    digits = rest[: len(rest) - len(rest.lstrip("0123456789"))]
    return columns[int(digits)].name if found and digits else None


def _options(columns: Sequence[Column], config: CsvWriter) -> list[str]:
    forced = [f"c{at}" for at, column in enumerate(columns) if _is_forced(column, config)]
    return [
        "FORMAT csv",
        "HEADER false",
        f"DELIMITER {literal(config.delimiter)}",
        f"QUOTE {literal(config.quote)}",
        f"ESCAPE {literal(config.quote)}",
        f"NULLSTR {literal(config.null_text)}",
        f"NEW_LINE {literal(_NEWLINES[config.newline].encode('unicode_escape').decode())}",
        f"COMPRESSION {compression_of(config)}",
        *([f"FORCE_QUOTE ({', '.join(forced)})"] if forced else []),
    ]


def _around(head: str, between: str, end: str) -> list[str]:
    """Options that put ``head`` before the rows; DuckDB then leaves the end of the last row to the suffix."""
    return [f"PREFIX {literal(head + between)}", f"SUFFIX {literal(end)}"] if head else []


def _write_head(descriptor: int, head: str, end: str, config: CsvWriter) -> None:
    """Write a file that has a header and no rows; without a header it is empty, and bears no mark either."""
    os.ftruncate(descriptor, 0)
    connection = connect()
    try:
        only_row(
            connection,
            copy_statement("SELECT 1 WHERE false", descriptor, [*_options((), config), *_around(head, "", end)]),
        )
    except Exception as error:
        raise failure(error, what=f"'{config.path}' could not be written", code="OSR-FS-057") from error
    finally:
        connection.close()


def _head(columns: Sequence[Column], config: CsvWriter) -> str:
    """What stands before the rows, without the end of its line."""
    mark = _MARK if config.byte_order_mark else ""
    if not config.header:
        return mark
    return mark + config.delimiter.join(_title(column.name, config) for column in columns)


def _title(text: str, config: CsvWriter) -> str:
    safe = f"'{text}" if config.excel_safe and text[0] in _FORMULA else text
    needed = safe == config.null_text or any(c in safe for c in (config.delimiter, config.quote, "\r", "\n", "#"))
    if config.quoting == "minimal" and not needed:
        return safe
    return config.quote + safe.replace(config.quote, config.quote * 2) + config.quote


def _cell(column: Column, config: CsvWriter, at: int, width: int) -> str:
    value = name(column.name)
    type_ = column.type_name
    if is_nested(column.type):
        text = json_form(value, column.type, JsonFormat(binary=config.binary, non_finite="text"))
        return f"CASE WHEN {value} IS NOT NULL THEN {text} END"
    form = text_form(value, type_, config.binary)
    cases = list(_refusals(value, form, column, config, at, width))
    if config.excel_safe and (type_ == "VARCHAR" or (type_ == "BLOB" and config.binary == "base64")):
        cases.append(f"WHEN regexp_matches({form}, {literal(f'^[{_FORMULA}]')}) THEN {_APOSTROPHE} || {form}")
    return f"CASE {' '.join(cases)} ELSE {form} END" if cases else form


def _refusals(value: str, form: str, column: Column, config: CsvWriter, at: int, width: int) -> Iterator[str]:
    """What no cell may hold."""
    type_ = column.type_name
    if width == 1 and not config.null_text:
        yield f"WHEN {value} IS NULL THEN error('{_BLANK}:{at}')"
    elif width == 1 and type_ in ("VARCHAR", "BLOB") and config.quoting == "minimal":
        yield (
            f"WHEN strlen({value}) = 0 THEN error('{_EMPTY}:{at}')"
            if type_ == "VARCHAR"
            else (f"WHEN octet_length({value}) = 0 THEN error('{_EMPTY}:{at}')")
        )
    if type_ in ("VARCHAR", "JSON"):
        yield f"WHEN contains({value}, chr(0)) THEN error('{_NUL}:{at}')"
    if type_ == "BLOB" and config.null_text:
        yield f"WHEN {form} = {literal(config.null_text)} THEN error('{_AMBIGUOUS}:{at}')"


def _is_forced(column: Column, config: CsvWriter) -> bool:
    if config.quoting == "non_numeric":
        return not (is_number(column.type_name) or column.type_name == "BOOLEAN")
    return config.quoting == "all"


def _require_distinct_null(columns: Sequence[Column], config: CsvWriter) -> None:
    """Raise DriverError when the text of NULL is also that of a value which is never quoted."""
    if not config.null_text:
        return
    text = literal(config.null_text)
    connection = connect()
    try:
        for column in columns:
            type_ = column.type_name
            if type_ in ("VARCHAR", "BLOB", "JSON", '"NULL"') or column.carried or is_nested(column.type):
                continue
            written = f"CAST({text_form('x', type_, config.binary)} AS VARCHAR)"
            row = only_row(connection, f"SELECT {written} = {text} FROM (SELECT TRY_CAST({text} AS {type_}) AS x)")
            if row is not None and row[0]:
                raise DriverError(
                    "OSR-FS-050",
                    f"null_text '{config.null_text}' is how a value of the column '{column.name}' ({type_}) is written",
                    hint="choose a null_text that no column can hold",
                )
    finally:
        connection.close()


def _explained(error: DriverError, columns: Sequence[Column]) -> DriverError:
    """``error``, or what it means when a cell raised it."""
    if INVALID_MARK in error.message:
        return DriverError("OSR-FS-050", "a JSON value inside a nested column is no valid JSON")
    for mark, (words, hint) in _MEANINGS.items():
        column = column_of(error, mark, columns)
        if column is not None:
            return DriverError("OSR-FS-050", words.format(column), hint=hint)
    return error
