"""The driver of ``filesystem.excel_extractor``, on python-calamine.

A sheet's cells are typed, so a column's type follows from its cells, which must agree: whole numbers are BIGINT, other
numbers DOUBLE, days DATE, moments TIMESTAMP. Where the config states a type, each cell's text must state a value of it
exactly, as in a CSV file. Rows without any cell are left out.
"""

from __future__ import annotations

import datetime as dt
import io
import os
from typing import TYPE_CHECKING, Any, Final

import attrs
from arro3.core import Array, DataType

from osiris_core.api import DriverError, rows
from osiris_filesystem.cells import CellFormat, is_good, strict
from osiris_filesystem.columns import check_names, did_you_mean, match_headers, pick
from osiris_filesystem.csv_plan import storage_type
from osiris_filesystem.engine import connect, hold, literal, name, only_row, schema_of, stream
from osiris_filesystem.listing import list_files
from osiris_filesystem.places import root_of
from osiris_filesystem.reading import say_files
from osiris_filesystem.roots import shown
from osiris_filesystem.typenames import canonical_type
from osiris_filesystem.workbooks import error_cell, is_archive, require_bounded

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    from osiris_core.api import DriverContext, Schema, Stream
    from osiris_filesystem.excel_config import ExcelExtractor
    from osiris_filesystem.listing import InputFile
    from osiris_filesystem.roots import Root

_EXACT: Final = 1 << 53
_LONGEST: Final = 80
_TABLE: Final = "osiris_sheet"
_TYPES: Final[Mapping[frozenset[str], str]] = {
    frozenset({"boolean"}): "BOOLEAN",
    frozenset({"whole number"}): "BIGINT",
    frozenset({"number"}): "DOUBLE",
    frozenset({"whole number", "number"}): "DOUBLE",
    frozenset({"day"}): "DATE",
    frozenset({"moment"}): "TIMESTAMP",
    frozenset({"day", "moment"}): "TIMESTAMP",
    frozenset({"time"}): "TIME",
    frozenset({"text"}): "VARCHAR",
    frozenset({"duration"}): "VARCHAR",
    frozenset(): "VARCHAR",
}


@attrs.frozen(kw_only=True)
class _Sheet:
    """The cells of a sheet below its header: names, the row number of each record, and columns of values."""

    file: InputFile
    names: tuple[str, ...]
    numbers: list[int]
    columns: dict[str, list[Any]]


@attrs.frozen(kw_only=True)
class _Column:
    name: str
    type: str
    stated: bool


class ExcelExtractorDriver:
    """Reads one sheet of each workbook."""

    def run(
        self, *, step_id: str, config: ExcelExtractor, inputs: Mapping[str, Any], ctx: DriverContext
    ) -> Mapping[str, Stream]:
        """All rows, in the order of the files' paths and of the rows in them."""
        root = root_of(ctx)
        files = list_files(root, config.path, check=ctx.check)
        columns = _plan(root, files, config)
        say_files(ctx, files)
        ctx.emit(
            "schema_inferred",
            source=config.path,
            columns=[{"name": one.name, "type": one.type, "inferred": not one.stated} for one in columns],
            details={"sheet": str(config.sheet), "from": "all cells"},
        )
        connection = connect(threads=ctx.threads, memory_limit=ctx.memory_limit, scratch=ctx.scratch)
        try:
            schema = schema_of(connection, _empty(columns))
        except BaseException:
            connection.close()
            raise
        return {"df": rows(schema, _batches(connection, schema, root, files, columns, config, ctx))}

    def bind(
        self, *, step_id: str, config: ExcelExtractor, inputs: Mapping[str, Schema], ctx: DriverContext
    ) -> Mapping[str, Schema]:
        """The columns, told from the cells."""
        root = root_of(ctx)
        columns = _plan(root, list_files(root, config.path, check=ctx.check), config)
        connection = connect()
        try:
            return {"df": schema_of(connection, _empty(columns))}
        finally:
            connection.close()


def _plan(root: Root, files: Sequence[InputFile], config: ExcelExtractor) -> list[_Column]:
    """The columns that come out, from all cells of all files."""
    stated = {column: canonical_type(text) for column, text in config.types.items()}
    kinds: dict[str, dict[str, str]] = {}
    headers = []
    for file in files:
        sheet = _read(root, file, config)
        headers.append((file.path, sheet.names))
        for column in sheet.names:
            _note(kinds.setdefault(column, {}), sheet, column)
    available = match_headers(headers, union=False)
    named = (config.filename_column,) if config.filename_column else ()
    everything = (*available, *named)
    check_names(everything, where="the columns and filename_column together")
    for column in stated:
        if column not in everything:
            raise _no_column("types", column, everything, files)
    chosen = pick(config.columns, everything, lambda column: _no_column("columns", column, everything, files))
    columns = []
    for column in chosen:
        if column in stated:
            columns.append(_Column(name=column, type=stated[column], stated=True))
        elif column in named and column not in available:
            columns.append(_Column(name=column, type="VARCHAR", stated=True))
        else:
            columns.append(_Column(name=column, type=_type(column, kinds[column]), stated=False))
    return columns


def _type(column: str, kinds: Mapping[str, str]) -> str:
    found = _TYPES.get(frozenset(kinds))
    if found is None:
        seen = ", ".join(f"{kind} in {where}" for kind, where in sorted(kinds.items()))
        raise DriverError(
            "OSR-FS-022",
            f"the cells of the column '{shown(column)}' are of several kinds: {seen}",
            hint=f"state its type: types: {{{shown(column)}: VARCHAR}}",
        )
    return found


def _note(kinds: dict[str, str], sheet: _Sheet, column: str) -> None:
    """Note each kind of cell in a column, with the first cell of that kind."""
    at = sheet.names.index(column)
    for number, value in zip(sheet.numbers, sheet.columns[column], strict=True):
        if value is not None and (kind := _kind(value)) not in kinds:
            kinds[kind] = f"'{sheet.file.path}' cell {_letters(at)}{number}"


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "whole number" if float(value).is_integer() and abs(value) <= _EXACT else "number"
    if isinstance(value, dt.datetime):
        return "moment"
    if isinstance(value, dt.date):
        return "day"
    if isinstance(value, dt.time):
        return "time"
    return "duration" if isinstance(value, dt.timedelta) else "text"


def _text(value: Any) -> str | None:
    """A cell's value in the form that a CSV cell would have."""
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(int(value)) if _kind(value) == "whole number" else repr(float(value))
    if isinstance(value, dt.datetime):
        return value.isoformat(sep=" ")
    return value.isoformat() if isinstance(value, dt.date | dt.time) else str(value)


def _batches(
    connection: Any,
    schema: Any,
    root: Root,
    files: Sequence[InputFile],
    columns: Sequence[_Column],
    config: ExcelExtractor,
    ctx: DriverContext,
) -> Generator[Any, None, None]:
    try:
        for file in files:
            ctx.check()
            sheet = _read(root, file, config)
            _hold(connection, sheet, columns)
            _require_good(connection, sheet, columns)
            yield from stream(connection, _select(sheet, columns), schema=schema)
    finally:
        connection.close()


def _hold(connection: Any, sheet: _Sheet, columns: Sequence[_Column]) -> None:
    held = {"row": Array(sheet.numbers, DataType.int64())}
    for number, column in enumerate(columns):
        if column.name in sheet.columns:
            widen = column.type == "TIMESTAMP" and not column.stated
            texts = [_text(_moment(value) if widen else value) for value in sheet.columns[column.name]]
            held[f"c{number}"] = Array(texts, DataType.utf8())
    hold(connection, _TABLE, held)


def _moment(value: Any) -> Any:
    """A day in a column of moments: the reader gives midnight as a day."""
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        return dt.datetime(value.year, value.month, value.day)  # noqa: DTZ001 - Excel knows no zones
    return value


def _select(sheet: _Sheet, columns: Sequence[_Column]) -> str:
    items = []
    for number, column in enumerate(columns):
        if column.name not in sheet.columns:
            items.append(f"{literal(sheet.file.path)} AS {name(column.name)}")
            continue
        # What a cell's own kind says needs no test for codes such as 007; it is a number.
        item = strict(f"c{number}", column.type, CellFormat(), stated=True, number=number)
        items.append(f"{item} AS {name(column.name)}")
    return f"SELECT {', '.join(items)} FROM {_TABLE} ORDER BY row"


def _require_good(connection: Any, sheet: _Sheet, columns: Sequence[_Column]) -> None:
    for number, column in enumerate(columns):
        if column.name not in sheet.columns:
            continue
        good = is_good(f"c{number}", column.type, CellFormat(), stated=True)
        row = only_row(connection, f"SELECT row, c{number} FROM {_TABLE} WHERE NOT {good} ORDER BY row LIMIT 1")
        if row is not None:
            text = shown(row[1])[:_LONGEST]
            cell = f"{_letters(sheet.names.index(column.name))}{row[0]}"
            raise DriverError(
                "OSR-FS-022",
                f"'{sheet.file.path}' cell {cell}: the column '{shown(column.name)}' is {column.type},"
                f" and '{text}' is not",
            )


def _empty(columns: Sequence[_Column]) -> str:
    items = (f"NULL::{storage_type(column.type)} AS {name(column.name)}" for column in columns)
    return f"SELECT {', '.join(items)} LIMIT 0"


def _read(root: Root, file: InputFile, config: ExcelExtractor) -> _Sheet:
    """The cells of the sheet; raises DriverError."""
    grid = _grid(*_workbook(root, file, config), file, config)
    body = [
        (number, row) for number, row in enumerate(grid, start=1) if number > config.skip_rows and any(_filled(row))
    ]
    if config.header:
        if not body:
            raise DriverError("OSR-FS-028", f"the sheet '{config.sheet}' of '{file.path}' is empty: it has no header")
        (_, header), body = body[0], body[1:]
        width = max((at + 1 for _, row in [(0, header), *body] for at, filled in enumerate(_filled(row)) if filled))
        titles = [_text(value if value != "" else None) for value in header[:width]]
        names = config.names or tuple(title or "" for title in titles)
    else:
        assert config.names is not None
        names, width = config.names, len(config.names)
    if len(names) != width:
        raise DriverError(
            "OSR-FS-028", f"'names' has {len(names)} names, and the sheet of '{file.path}' has {width} columns"
        )
    for at, column in enumerate(names):
        if not column.strip():
            raise DriverError("OSR-FS-028", f"the column {_letters(at)} of '{file.path}' has no name")
    check_names(names, where=f"the header of '{file.path}'")
    columns = {
        column: [row[at] if at < len(row) and row[at] != "" else None for _, row in body]
        for at, column in enumerate(names)
    }
    return _Sheet(file=file, names=names, numbers=[number for number, _ in body], columns=columns)


def _grid(workbook: Any, raw: bytes, file: InputFile, config: ExcelExtractor) -> list[list[Any]]:
    names = workbook.sheet_names
    if isinstance(config.sheet, int):
        if not 0 <= config.sheet < len(names):
            raise DriverError("OSR-FS-042", f"'{file.path}' has {len(names)} sheets, and none is number {config.sheet}")
        wanted = names[config.sheet]
    else:
        wanted = config.sheet
        if wanted not in names:
            raise DriverError(
                "OSR-FS-042", f"'{file.path}' has no sheet '{shown(wanted)}'", hint=did_you_mean(wanted, names)
            )
    if config.error_cells == "fail" and is_archive(raw) and (cell := error_cell(raw, wanted)) is not None:
        raise DriverError("OSR-FS-043", f"'{file.path}' cell {cell} of the sheet '{shown(wanted)}' holds an error")
    try:
        grid: list[list[Any]] = workbook.get_sheet_by_name(wanted).to_python(skip_empty_area=False)
    except Exception as error:
        raise DriverError("OSR-FS-041", f"the sheet '{wanted}' of '{file.path}' cannot be read: {error}") from error
    return grid


def _workbook(root: Root, file: InputFile, config: ExcelExtractor) -> tuple[Any, bytes]:
    """The workbook and its bytes; raises DriverError."""
    try:
        import python_calamine
    except ImportError as error:
        raise DriverError("OSR-FS-040", "reading Excel files needs the package 'python-calamine'") from error
    limit = config.max_uncompressed_bytes
    if file.size > limit:
        raise DriverError("OSR-FS-041", f"'{file.path}' has {file.size:,} bytes, and at most {limit:,} are read")
    descriptor = root.open_file(file.parts)
    with os.fdopen(descriptor, "rb") as opened:
        raw = opened.read(limit + 1)
    if is_archive(raw):
        require_bounded(raw, file, limit)
    try:
        return python_calamine.load_workbook(io.BytesIO(raw)), raw
    except Exception as error:
        raise DriverError("OSR-FS-041", f"'{file.path}' is no sound workbook: {error}") from error


def _filled(row: Sequence[Any]) -> list[bool]:
    return [value not in ("", None) for value in row]


def _letters(at: int) -> str:
    """The letters of a column, counted from 0: A, B, …, Z, AA."""
    text = ""
    number = at + 1
    while number:
        number, rest = divmod(number - 1, 26)
        text = chr(65 + rest) + text
    return text


def _no_column(field: str, column: str, available: Sequence[str], files: Sequence[InputFile]) -> DriverError:
    return DriverError(
        "OSR-FS-021",
        f"'{field}' names the column '{column}', which '{files[0].path}' lacks",
        hint=did_you_mean(column, available),
    )
