"""What reading a set of CSV files amounts to: their dialect, each one's header, and the columns that come out.

A plan is made from the files' first lines and a sample; it is plain data, so that splits of one extract share it.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

import attrs

from osiris_core.api import DriverError
from osiris_filesystem.cells import CellFormat, strict
from osiris_filesystem.columns import check_names, did_you_mean, match_headers, pick
from osiris_filesystem.csv_records import Dialect, Record, guess_delimiter, head_of, lines_of, records
from osiris_filesystem.engine import literal, name, only_row, texts
from osiris_filesystem.hive import partition_of, partitions
from osiris_filesystem.inference import infer, infer_values
from osiris_filesystem.listing import InputFile
from osiris_filesystem.sources import Source, TextFormat, open_source, text_chunks
from osiris_filesystem.typenames import canonical_type

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping, Sequence

    from osiris_filesystem.csv_config import CsvExtractor
    from osiris_filesystem.roots import Root

T = TypeVar("T")

SAMPLE_FILES: Final = 10
"""Files that a sample is taken from."""

_BUFFER_BYTES: Final = 32 << 20
_SAMPLE_CHARACTERS: Final = 1000
"""Of each sampled cell: no type but text has values so long, and a sample of wide rows would fill memory or disk."""


@attrs.frozen(kw_only=True)
class PlannedColumn:
    """A column that comes out: where it comes from, its type, and whether the config stated it."""

    name: str
    type: str
    stated: bool
    origin: Literal["cell", "partition", "filename"] = "cell"


@attrs.frozen(kw_only=True)
class PlannedFile:
    """A file, the names of its columns in its own order, and how many lines stand before the header.

    Comments are not among the lines to skip: DuckDB leaves them out before it counts.
    """

    file: InputFile
    header: tuple[str, ...]
    skip: int


@attrs.frozen(kw_only=True)
class CsvPlan:
    """How to read ``files``. ``sampled`` counts the rows looked at, None when no type was inferred."""

    files: tuple[PlannedFile, ...]
    columns: tuple[PlannedColumn, ...]
    dialect: Dialect
    delimiter_guessed: bool
    sampled: int | None
    sampled_files: int = 0

    @property
    def inputs(self) -> tuple[InputFile, ...]:
        """The files themselves."""
        return tuple(one.file for one in self.files)

    def to_json(self) -> dict[str, Any]:
        """The plan as plain data."""
        return attrs.asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> CsvPlan:
        """The plan that :meth:`to_json` gave."""
        files = tuple(
            PlannedFile(
                file=InputFile(**{**one["file"], "parts": tuple(one["file"]["parts"])}),
                header=tuple(one["header"]),
                skip=one["skip"],
            )
            for one in data["files"]
        )
        columns = tuple(PlannedColumn(**one) for one in data["columns"])
        return cls(**{**data, "files": files, "columns": columns, "dialect": Dialect(**data["dialect"])})

    def select(self, planned: PlannedFile, source: Source, config: CsvExtractor) -> str:
        """The query that gives the plan's columns from one file."""
        at = {column: f"c{number}" for number, column in enumerate(planned.header)}
        form = cell_format(config)
        items = []
        for number, column in enumerate(self.columns):
            if column.origin == "filename":
                item = literal(planned.file.path)
            elif column.origin == "partition":
                text = partition_of(planned.file)[column.name]
                cell = "NULL::VARCHAR" if text is None else f"{literal(text)}::VARCHAR"
                item = strict(cell, column.type, form, stated=column.stated, number=number)
            elif column.name not in at:
                item = f"NULL::{column.type}"
            else:
                item = strict(at[column.name], column.type, form, stated=column.stated, number=number)
            items.append(f"{item} AS {name(column.name)}")
        return f"SELECT {', '.join(items)} FROM {scan(source, planned, self.dialect, config)}"

    def empty(self) -> str:
        """A query of the plan's columns without rows and without files."""
        items = (f"NULL::{storage_type(column.type)} AS {name(column.name)}" for column in self.columns)
        return f"SELECT {', '.join(items)} LIMIT 0"


def storage_type(type_: str) -> str:
    """The type that a column of ``type_`` has on its way: JSON travels as text."""
    return "VARCHAR" if type_ == "JSON" else type_


def cell_format(config: CsvExtractor) -> CellFormat:
    """How the config says that cells are written."""
    return CellFormat(
        date_format=config.date_format,
        timestamp_format=config.timestamp_format,
        binary=config.binary,
        null_values=config.null_values,
    )


def text_format(config: CsvExtractor, *, refuse_nul: bool = True) -> TextFormat:
    """How the config says that the files are stored."""
    return TextFormat(
        encoding=config.encoding,
        compression=config.compression,
        refuse_nul=refuse_nul,
        max_line_bytes=config.max_line_bytes,
    )


def scan(source: Source, planned: PlannedFile, dialect: Dialect, config: CsvExtractor) -> str:
    """The table function over one file: all cells as text, nothing guessed, strict."""
    columns = ", ".join(f"'c{number}': 'VARCHAR'" for number in range(len(planned.header)))
    options = [
        "auto_detect = false",
        "strict_mode = true",
        f"columns = {{{columns}}}",
        f"header = {str(config.header).lower()}",
        f"skip = {planned.skip}",
        f"delim = {literal(dialect.delimiter)}",
        f"quote = {literal(dialect.quote)}",
        f"escape = {literal(dialect.escape if dialect.quote else '')}",
        f"comment = {literal(dialect.comment)}",
        f"nullstr = {texts(config.null_values)}",
        "allow_quoted_nulls = false",
        "compression = 'none'",
        f"max_line_size = {config.max_line_bytes}",
        f"parallel = {str(config.parallel).lower()}",
        f"buffer_size = {max(_BUFFER_BYTES, 2 * config.max_line_bytes)}",
    ]
    return f"read_csv({literal(source.path)}, {', '.join(options)})"


def make_plan(connection: Any, root: Root, files: Sequence[InputFile], config: CsvExtractor) -> CsvPlan:
    """The plan for ``files``; reads their first lines and, where types are to be inferred, a sample."""
    dialect = Dialect(
        delimiter=config.delimiter or ",",
        quote=config.quote,
        escape=config.escape or config.quote,
        comment=config.comment or "",
    )
    if config.delimiter is None:
        dialect = attrs.evolve(dialect, delimiter=_delimiter(root, files[0], dialect, config))
    planned = [_planned(root, file, dialect, config) for file in files]
    available = match_headers([(one.file.path, one.header) for one in planned], union=config.union_by_name)
    extra = partitions(files) if config.hive_partitioning else ()
    named = (config.filename_column,) if config.filename_column else ()
    check_names((*available, *extra, *named), where="the columns, partitions and filename_column together")
    everything = (*available, *extra, *named)
    for column in config.types:
        if column not in everything:
            raise _no_column("types", column, everything, files)
    chosen = pick(config.columns, everything, lambda column: _no_column("columns", column, everything, files))
    stated = {column: canonical_type(text) for column, text in config.types.items()}
    to_infer = [column for column in chosen if column in available and column not in stated and config.infer_types]
    inferred, sampled, looked_at = _infer(connection, root, planned, to_infer, dialect, config)
    inferred.update(_infer_partitions(connection, files, [one for one in extra if one not in stated], config))
    columns = []
    for column in chosen:
        origin: Literal["cell", "partition", "filename"] = (
            "cell" if column in available else "partition" if column in extra else "filename"
        )
        type_ = stated.get(column) or inferred.get(column, "VARCHAR")
        columns.append(
            PlannedColumn(name=column, type=type_, stated=column in stated or column not in inferred, origin=origin)
        )
    return CsvPlan(
        files=tuple(planned),
        columns=tuple(columns),
        dialect=dialect,
        delimiter_guessed=config.delimiter is None,
        sampled=sampled,
        sampled_files=looked_at,
    )


def plan_without_types(connection: Any, root: Root, files: Sequence[InputFile], config: CsvExtractor) -> CsvPlan:
    """A plan that reads every cell as text; to find out what is wrong with files that cannot be sampled."""
    return make_plan(connection, root, files, attrs.evolve(config, types={}, infer_types=False))  # type: ignore[misc]


def spread(items: Sequence[T], count: int) -> list[T]:
    """At most ``count`` of ``items``, the first and the last among them, evenly between."""
    if len(items) <= count:
        return list(items)
    return [items[at * (len(items) - 1) // (count - 1)] for at in range(count)]


def file_lines(root: Root, file: InputFile, config: CsvExtractor) -> Generator[str, None, None]:
    """The lines of a file, decoded and unpacked; raises DriverError where they cannot be."""
    yield from lines_of(text_chunks(root, file, text_format(config)), config.max_line_bytes)


def _delimiter(root: Root, file: InputFile, dialect: Dialect, config: CsvExtractor) -> str:
    with contextlib.closing(file_lines(root, file, config)) as lines:
        found = guess_delimiter(head_of(lines), dialect, skip=config.skip_rows)
    if found is None:
        raise DriverError("OSR-FS-033", f"the delimiter of '{file.path}' could not be told: several fit equally well")
    return found


def _planned(root: Root, file: InputFile, dialect: Dialect, config: CsvExtractor) -> PlannedFile:
    """The file with its header, from its first record."""
    if not config.header:
        assert config.names is not None
        return PlannedFile(file=file, header=config.names, skip=config.skip_rows)
    comments = 0

    def counted() -> Iterator[str]:
        nonlocal comments
        for line in lines:
            comments += bool(dialect.comment) and line.startswith(dialect.comment)
            yield line

    with contextlib.closing(file_lines(root, file, config)) as lines:
        first = next(records(counted(), dialect, skip=config.skip_rows, limit=config.max_line_bytes), None)
    if first is None:
        raise DriverError("OSR-FS-028", f"'{file.path}' is empty: it has no header")
    if first.fault is not None:
        raise DriverError("OSR-FS-028", f"the header of '{file.path}' (line {first.line:,}) is unusable: {first.fault}")
    return PlannedFile(file=file, header=_names(first, file, config), skip=first.line - 1 - comments)


def _names(first: Record, file: InputFile, config: CsvExtractor) -> tuple[str, ...]:
    if config.names is not None:
        if len(config.names) != len(first.cells):
            raise DriverError(
                "OSR-FS-028",
                f"'names' has {len(config.names)} names, and the header of '{file.path}' has {len(first.cells)} cells",
            )
        return config.names
    header = tuple(cell or "" for cell in first.cells)
    for at, column in enumerate(header):
        if not column.strip():
            raise DriverError("OSR-FS-028", f"column {at + 1} in the header of '{file.path}' has no name")
    check_names(header, where=f"the header of '{file.path}'")
    return header


def _infer(
    connection: Any,
    root: Root,
    planned: Sequence[PlannedFile],
    columns: Sequence[str],
    dialect: Dialect,
    config: CsvExtractor,
) -> tuple[dict[str, str], int | None, int]:
    """Types of ``columns``, the number of rows looked at, the number of files they came from."""
    if not columns:
        return {}, None, 0
    table = "osiris_sample"
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {table} ({', '.join(f'{name(one)} VARCHAR' for one in columns)})")
    looked_at = spread(planned, SAMPLE_FILES) if config.sample_rows >= 0 else planned
    for one in looked_at:
        source = open_source(root, one.file, text_format(config, refuse_nul=False))
        try:
            at = {column: f"c{number}" for number, column in enumerate(one.header)}
            cells = ", ".join(
                f"left({at[column]}, {_SAMPLE_CHARACTERS})" if column in at else "NULL" for column in columns
            )
            limit = f" LIMIT {config.sample_rows}" if config.sample_rows >= 0 else ""
            scanned = scan(source, one, dialect, config)
            connection.execute(f"INSERT INTO {table} SELECT {cells} FROM {scanned}{limit}")
        finally:
            source.close()
    sampled = only_row(connection, f"SELECT count(*) FROM {table}")[0]
    found = infer(connection, table, columns, cell_format(config))
    connection.execute(f"DROP TABLE {table}")
    return found, sampled, len(looked_at)


def _infer_partitions(
    connection: Any, files: Sequence[InputFile], columns: Sequence[str], config: CsvExtractor
) -> dict[str, str]:
    if not columns or not config.infer_types:
        return {}
    values = {column: [partition_of(file)[column] for file in files] for column in columns}
    return infer_values(connection, values, CellFormat())


def _no_column(field: str, column: str, available: Sequence[str], files: Sequence[InputFile]) -> DriverError:
    where = f"'{files[0].path}'" if len(files) == 1 else f"the {len(files)} files from '{files[0].path}' on"
    return DriverError(
        "OSR-FS-021",
        f"'{field}' names the column '{column}', which {where} lacks",
        hint=did_you_mean(column, available),
    )
