"""After DuckDB has refused a CSV file: which line, which column, and why."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from osiris_core.api import DriverError
from osiris_filesystem.cells import is_good
from osiris_filesystem.csv_plan import PlannedFile, cell_format, file_lines, scan, text_format
from osiris_filesystem.csv_records import TOO_LONG, first_fault, records
from osiris_filesystem.engine import failure, only_row, said
from osiris_filesystem.roots import shown
from osiris_filesystem.sources import open_source

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from osiris_filesystem.csv_config import CsvExtractor
    from osiris_filesystem.csv_plan import CsvPlan, PlannedColumn
    from osiris_filesystem.csv_records import Record
    from osiris_filesystem.listing import InputFile
    from osiris_filesystem.roots import Root

_LINE: Final = re.compile(r"CSV Error on Line: (\d+)")
_LONGEST: Final = 80
_CODES: Final = (
    ("cells where", "OSR-FS-023"),
    ("cell where", "OSR-FS-023"),
    (TOO_LONG, "OSR-FS-027"),
    ("quoted", "OSR-FS-024"),
)


def explain(
    error: BaseException,
    *,
    connection: Any,
    root: Root,
    plan: CsvPlan,
    planned: Sequence[PlannedFile],
    config: CsvExtractor,
) -> DriverError:
    """The error to raise for what DuckDB raised while it read ``planned``: the first fault in the first faulty file."""
    try:
        for one in planned:
            _look_at(connection, root, plan, one, config)
    except DriverError as found:
        return found
    return failure(error, what=f"'{planned[0].file.path}' could not be read", code="OSR-FS-034")  # type: ignore[return-value]


def structural_error(
    error: BaseException, *, root: Root, one: PlannedFile, plan_dialect: Any, config: CsvExtractor
) -> DriverError:
    """What is wrong with the structure of a file that DuckDB cannot parse."""
    try:
        require_structure(root, one, plan_dialect, config)
    except DriverError as found:
        return found
    path = one.file.path
    every = records(file_lines(root, one.file, config), plan_dialect, skip=config.skip_rows)
    if config.parallel and any(cell and "\n" in cell for record in every for cell in record.cells):
        return DriverError(
            "OSR-FS-034",
            f"'{path}' could not be read by several threads: a quoted cell with line breaks hides where rows begin",
            hint="set parallel: false",
        )
    match = _LINE.search(str(error))
    where = f" line {int(match[1]):,}" if match else ""
    text = next((line for line in said(error).splitlines() if not _LINE.search(line)), "")
    return DriverError("OSR-FS-034", f"'{path}'{where} could not be read: {shown(text)}")


def require_structure(root: Root, one: PlannedFile, dialect: Any, config: CsvExtractor) -> None:
    """Raise DriverError for the first record of a file that is not well formed."""
    lines = file_lines(root, one.file, config)
    fault = first_fault(records(lines, dialect, skip=config.skip_rows, limit=config.max_line_bytes), len(one.header))
    if fault is None:
        return
    assert fault.fault is not None
    code = next((code for words, code in _CODES if words in fault.fault), "OSR-FS-034")
    raise DriverError(code, f"'{one.file.path}' line {fault.line:,} {_worded(fault.fault)}")


def _worded(fault: str) -> str:
    if fault.startswith("a quoted"):
        return f"is not well quoted: {fault}"
    return fault


def _look_at(connection: Any, root: Root, plan: CsvPlan, one: PlannedFile, config: CsvExtractor) -> None:
    """Raise the first fault of a file; return when it has none."""
    form = cell_format(config)
    at = {column: f"c{number}" for number, column in enumerate(one.header)}
    read = [column for column in plan.columns if column.origin == "cell" and column.name in at]
    tests = {column: is_good(at[column.name], column.type, form, stated=column.stated) for column in read}
    source = open_source(root, one.file, text_format(config))
    single = connection.cursor()
    try:
        single.execute("SET threads = 1")
        bad = " OR ".join(f"NOT {test}" for test in tests.values() if test != "true") or "false"
        scanned = f"(SELECT row_number() OVER () AS record, * FROM {scan(source, one, plan.dialect, config)})"
        # Every cell is looked at, else DuckDB would not parse what is not asked for.
        lengths = ", ".join(f"max(strlen({cell}))" for cell in at.values())
        found = only_row(single, f"SELECT min(record) FILTER ({bad}), {lengths} FROM {scanned}")
        source.verify()
    except DriverError:
        raise
    except Exception as error:
        if source.failure is not None:
            raise source.failure from error
        raise structural_error(error, root=root, one=one, plan_dialect=plan.dialect, config=config) from error
    finally:
        single.close()
        source.close()
    if found[0] is not None:
        raise _cell_error(connection, root, plan, one, config, tests, record=found[0])


def _cell_error(
    connection: Any,
    root: Root,
    plan: CsvPlan,
    one: PlannedFile,
    config: CsvExtractor,
    tests: Mapping[PlannedColumn, str],
    *,
    record: int,
) -> DriverError:
    """What is wrong with a record that holds a bad cell."""
    at = {column: f"c{number}" for number, column in enumerate(one.header)}
    source = open_source(root, one.file, text_format(config, refuse_nul=False))
    single = connection.cursor()
    try:
        cells = ", ".join(f"{at[column.name]}, NOT {test}" for column, test in tests.items())
        scanned = f"(SELECT row_number() OVER () AS record, * FROM {scan(source, one, plan.dialect, config)})"
        row = only_row(single, f"SELECT {cells} FROM {scanned} WHERE record = {record}")
    finally:
        single.close()
        source.close()
    line = _line_of(root, one.file, plan, config, record)
    bad = ((column, row[2 * number]) for number, column in enumerate(tests) if row[2 * number + 1])
    column, text = next(bad)
    why = "" if column.stated else ", which was inferred from a sample"
    return DriverError(
        "OSR-FS-022",
        f"'{one.file.path}' line {line:,}: the column '{column.name}' is {column.type}{why}, and"
        f" '{_short(text)}' is not",
        hint=None if column.stated else f"state its type: types: {{{column.name}: VARCHAR}}",
    )


def _line_of(root: Root, file: InputFile, plan: CsvPlan, config: CsvExtractor, record: int) -> int:
    """The line on which a record begins; records count from 1, after the header."""
    lines = file_lines(root, file, config)
    found: Record | None = None
    wanted = record + (1 if config.header else 0)
    for number, one in enumerate(records(lines, plan.dialect, skip=config.skip_rows), start=1):
        found = one
        if number == wanted:
            break
    return found.line if found is not None else 0


def _short(text: str | None) -> str:
    clean = shown(text or "")
    return clean if len(clean) <= _LONGEST else f"{clean[:_LONGEST]}…"
