"""What reading a set of Parquet files amounts to: the columns that come out, and how each file gives them."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any, Final, Literal

import attrs

from osiris_core.api import DriverError
from osiris_filesystem.cells import CellFormat, strict
from osiris_filesystem.columns import check_names, did_you_mean, match_headers, pick
from osiris_filesystem.engine import failure, literal, name, only_row
from osiris_filesystem.hive import partition_of, partitions
from osiris_filesystem.inference import infer_values
from osiris_filesystem.listing import InputFile
from osiris_filesystem.roots import engine_path

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from osiris_filesystem.parquet_config import ParquetExtractor
    from osiris_filesystem.roots import Root

_MAX_DIGITS: Final = 38
_SIGNED: Final = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT")
_UNSIGNED: Final = ("UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT")
_STAMPS: Final = ("TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP")
_DECIMAL: Final = re.compile(r"DECIMAL\((\d+),(\d+)\)")


@attrs.frozen(kw_only=True)
class ParquetFile:
    """A file, the types of its columns by name, and how many rows its footer promises."""

    file: InputFile
    types: Mapping[str, str]
    rows: int


@attrs.frozen(kw_only=True)
class ParquetColumn:
    """A column that comes out."""

    name: str
    type: str
    origin: Literal["file", "partition", "filename"]


@attrs.frozen(kw_only=True)
class ParquetPlan:
    """How to read ``files``."""

    files: tuple[ParquetFile, ...]
    columns: tuple[ParquetColumn, ...]
    partition_types: Mapping[str, str]

    @property
    def inputs(self) -> tuple[InputFile, ...]:
        """The files themselves."""
        return tuple(one.file for one in self.files)

    def to_json(self) -> dict[str, Any]:
        """The plan as plain data."""
        return attrs.asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ParquetPlan:
        """The plan that :meth:`to_json` gave."""
        files = tuple(
            ParquetFile(
                file=InputFile(**{**one["file"], "parts": tuple(one["file"]["parts"])}),
                types=dict(one["types"]),
                rows=one["rows"],
            )
            for one in data["files"]
        )
        columns = tuple(ParquetColumn(**one) for one in data["columns"])
        return cls(files=files, columns=columns, partition_types=dict(data["partition_types"]))

    def select(self, one: ParquetFile, path: str) -> str:
        """The query that gives the plan's columns from one file that opens under ``path``."""
        items = []
        for number, column in enumerate(self.columns):
            if column.origin == "filename":
                item = literal(one.file.path)
            elif column.origin == "partition":
                text = partition_of(one.file)[column.name]
                cell = "NULL::VARCHAR" if text is None else f"{literal(text)}::VARCHAR"
                item = strict(cell, column.type, CellFormat(), stated=False, number=number)
            elif column.name not in one.types:
                item = f"NULL::{column.type}"
            elif one.types[column.name] != column.type:
                item = f"{name(column.name)}::{column.type}"
            else:
                item = name(column.name)
            items.append(f"{item} AS {name(column.name)}")
        return f"SELECT {', '.join(items)} FROM read_parquet({literal(path)}, hive_partitioning = false)"

    def empty(self) -> str:
        """A query of the plan's columns without rows and without files."""
        return f"SELECT {', '.join(f'NULL::{one.type} AS {name(one.name)}' for one in self.columns)} LIMIT 0"


def make_plan(connection: Any, root: Root, files: Sequence[InputFile], config: ParquetExtractor) -> ParquetPlan:
    """The plan for ``files``; reads their footers. Raises DriverError."""
    described = [_describe(connection, root, file) for file in files]
    available = match_headers([(one.file.path, tuple(one.types)) for one in described], union=config.union_by_name)
    types = {column: _common_type(column, described, union=config.union_by_name) for column in available}
    extra = partitions(files) if config.hive_partitioning else ()
    named = (config.filename_column,) if config.filename_column else ()
    everything = (*available, *extra, *named)
    check_names(everything, where="the columns, partitions and filename_column together")
    chosen = pick(config.columns, everything, lambda column: _no_column(column, everything, files))
    texts = {column: [partition_of(file)[column] for file in files] for column in extra}
    partition_types = infer_values(connection, texts, CellFormat())
    columns = []
    for column in chosen:
        if column in types:
            columns.append(ParquetColumn(name=column, type=types[column], origin="file"))
        elif column in partition_types:
            columns.append(ParquetColumn(name=column, type=partition_types[column], origin="partition"))
        else:
            columns.append(ParquetColumn(name=column, type="VARCHAR", origin="filename"))
    return ParquetPlan(files=tuple(described), columns=tuple(columns), partition_types=partition_types)


def damaged(error: BaseException, file: InputFile) -> Exception:
    """What is raised when DuckDB cannot read a Parquet file."""
    found = failure(error, what="", code="OSR-FS-030")
    if found.code != "OSR-FS-030":
        return found
    said = re.sub(r"\s*'?/(?:proc/self|dev)/fd/\d+'?", "", found.message.removeprefix(": ")).strip()
    return DriverError("OSR-FS-030", f"'{file.path}' is no sound Parquet file: {said}")


def _describe(connection: Any, root: Root, file: InputFile) -> ParquetFile:
    descriptor = root.open_file(file.parts)
    try:
        path = literal(engine_path(descriptor, root.path.joinpath(*file.parts)))
        described = connection.sql(f"SELECT * FROM read_parquet({path}, hive_partitioning = false)")
        columns = dict(zip(described.columns, map(str, described.types), strict=True))
        stated = connection.execute(f"SELECT name, num_children, precision FROM parquet_schema({path})").fetchall()
        rows = only_row(connection, f"SELECT num_rows FROM parquet_file_metadata({path})")[0]
    except Exception as error:
        raise damaged(error, file) from error
    finally:
        os.close(descriptor)
    check_names(_top_level(stated), where=f"'{file.path}'")
    for column, _, precision in stated:
        if precision is not None and precision > _MAX_DIGITS:
            raise DriverError(
                "OSR-FS-050",
                f"the column '{column}' of '{file.path}' is DECIMAL({precision}): more than {_MAX_DIGITS} digits",
                hint="leave it out with 'columns', or write it with fewer digits",
            )
    return ParquetFile(file=file, types=columns, rows=rows)


def _top_level(stated: Sequence[tuple[str, int | None, int | None]]) -> list[str]:
    """The names of the columns, from the schema's elements in depth-first order; the first is the root."""
    names: list[str] = []
    inside = 0
    for element, children, _ in stated[1:]:
        if inside == 0:
            names.append(element)
        else:
            inside -= 1
        inside += children or 0
    return names


def _common_type(column: str, described: Sequence[ParquetFile], *, union: bool) -> str:
    found: str | None = None
    first: ParquetFile | None = None
    for one in described:
        type_ = one.types.get(column)
        if type_ is None or type_ == found:
            continue
        if found is None or first is None:
            found, first = type_, one
            continue
        wider = _wider(found, type_) if union else None
        if wider is None:
            raise DriverError(
                "OSR-FS-020",
                f"the column '{column}' is {type_} in '{one.file.path}' and {found} in '{first.file.path}'",
                hint=None if not union else "these types have none in common that keeps all values",
            )
        found = wider
    assert found is not None
    return found


def _wider(one: str, other: str) -> str | None:
    """The narrowest type that keeps every value of both, None when there is none."""
    for family in (_SIGNED, _UNSIGNED, _STAMPS, ("FLOAT", "DOUBLE")):
        if one in family and other in family:
            return family[max(family.index(one), family.index(other))]
    for signed, unsigned in ((one, other), (other, one)):
        if signed in _SIGNED and unsigned in _UNSIGNED:
            at = max(_SIGNED.index(signed), _UNSIGNED.index(unsigned) + 1)
            return _SIGNED[at] if at < len(_SIGNED) else None
    left, right = _DECIMAL.fullmatch(one), _DECIMAL.fullmatch(other)
    if left and right:
        scale = max(int(left[2]), int(right[2]))
        whole = max(int(left[1]) - int(left[2]), int(right[1]) - int(right[2]))
        return f"DECIMAL({whole + scale},{scale})" if whole + scale <= _MAX_DIGITS else None
    return None


def _no_column(column: str, available: Sequence[str], files: Sequence[InputFile]) -> DriverError:
    where = f"'{files[0].path}'" if len(files) == 1 else f"the {len(files)} files from '{files[0].path}' on"
    return DriverError(
        "OSR-FS-021",
        f"'columns' names the column '{column}', which {where} lacks",
        hint=did_you_mean(column, available),
    )
