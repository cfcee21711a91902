"""What reading a set of JSON Lines files amounts to: the keys that become columns, and their types.

Keys and types come from a sample and from the config. Types follow JSON's own: whole numbers are BIGINT (UBIGINT, or
DECIMAL(38,0), when larger), other numbers DOUBLE, texts VARCHAR whatever they hold; objects and arrays, and keys whose
values are of several kinds, come as JSON text.
"""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any, Final, Literal, Never

import attrs

from osiris_core.api import DriverError
from osiris_filesystem.cells import CellFormat, strict
from osiris_filesystem.columns import check_names, did_you_mean, pick
from osiris_filesystem.csv_plan import SAMPLE_FILES, spread, storage_type
from osiris_filesystem.csv_records import lines_of
from osiris_filesystem.engine import literal, name, texts
from osiris_filesystem.hive import partition_of, partitions
from osiris_filesystem.inference import infer_values
from osiris_filesystem.jsonl_values import json_value, pointer, raw_numbers
from osiris_filesystem.listing import InputFile
from osiris_filesystem.roots import shown
from osiris_filesystem.sources import Source, TextFormat, text_chunks
from osiris_filesystem.typenames import canonical_type

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Mapping, Sequence

    from osiris_filesystem.jsonl_config import JsonlExtractor
    from osiris_filesystem.roots import Root

LINE_MARK: Final = "osiris-line"
"""What the error of a line begins with that is no object, or has a key twice or one that is no column."""

_LARGEST: Final = 1 << 63
_LARGEST_UNSIGNED: Final = 1 << 64
_EXACT_FLOAT: Final = 1 << 53
_DECIMAL_DIGITS: Final = 38


@attrs.frozen(kw_only=True)
class JsonlColumn:
    """A column that comes out: where it comes from, its type, and whether the config stated it."""

    name: str
    type: str
    stated: bool
    origin: Literal["key", "partition", "filename"] = "key"


@attrs.frozen(kw_only=True)
class JsonlPlan:
    """How to read ``files``; ``keys`` are all keys that a line may have."""

    files: tuple[InputFile, ...]
    columns: tuple[JsonlColumn, ...]
    keys: tuple[str, ...]
    sampled: int
    sampled_files: int

    @property
    def inputs(self) -> tuple[InputFile, ...]:
        """The files themselves."""
        return self.files

    def to_json(self) -> dict[str, Any]:
        """The plan as plain data."""
        return attrs.asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> JsonlPlan:
        """The plan that :meth:`to_json` gave."""
        files = tuple(InputFile(**{**one, "parts": tuple(one["parts"])}) for one in data["files"])
        columns = tuple(JsonlColumn(**one) for one in data["columns"])
        return cls(**{**data, "files": files, "columns": columns, "keys": tuple(data["keys"])})

    def select(self, file: InputFile, source: Source, config: JsonlExtractor) -> str:
        """The query that gives the plan's columns from one file."""
        keys = [column.name for column in self.columns if column.origin == "key"]
        at = {key: number for number, key in enumerate(keys, start=1)}
        items = []
        for number, column in enumerate(self.columns):
            if column.origin == "key":
                item = self.item(column, at[column.name], config, number=number)
            elif column.origin == "filename":
                item = literal(file.path)
            else:
                text = partition_of(file)[column.name]
                cell = "NULL::VARCHAR" if text is None else f"{literal(text)}::VARCHAR"
                item = strict(cell, column.type, CellFormat(), stated=column.stated, number=number)
            items.append(f"{item} AS {name(column.name)}")
        test = f"CASE WHEN {self.line_test(config)} THEN true ELSE error('{LINE_MARK}') END"
        return f"SELECT {', '.join(items)} FROM ({self.parsed(source, config)}) WHERE {test}"

    def item(self, column: JsonlColumn, at: int, config: JsonlExtractor, *, number: int) -> str:
        """The SQL of one key's value in :meth:`parsed`; ``at`` is the key's place among the keys."""
        return json_value(
            f"vs[{at}]",
            f"ks[{at}]",
            f"ts[{at}]",
            column.type,
            CellFormat(binary=config.binary),
            stated=column.stated,
            number=number,
            raw=raw_numbers("json", column.name, f"ts[{at}]") if column.type.startswith("DECIMAL") else None,
        )

    def line_test(self, config: JsonlExtractor) -> str:
        """SQL: whether a line is an object with the keys it may have, each once."""
        tests = ["json_type(json) = 'OBJECT'", "len(names) = len(list_distinct(names))"]
        if config.unknown_keys == "fail":
            tests.append(f"list_has_all({texts(self.keys)}::VARCHAR[], names)")
        return f"coalesce({' AND '.join(tests)}, false)"

    def parsed(self, source: Source, config: JsonlExtractor) -> str:
        """A query of each line, its keys, and the values, kinds and texts of the columns' keys."""
        paths = texts(pointer(column.name) for column in self.columns if column.origin == "key")
        values = (
            f", json_extract(json, {paths}) AS vs, json_type(json, {paths}) AS ks,"
            f" json_extract_string(json, {paths}) AS ts"
            if paths != "[]"
            else ""
        )
        return f"SELECT json, json_keys(json) AS names{values} FROM {scan(source, config)}"

    def empty(self) -> str:
        """A query of the plan's columns without rows and without files."""
        items = (f"NULL::{storage_type(one.type)} AS {name(one.name)}" for one in self.columns)
        return f"SELECT {', '.join(items)} LIMIT 0"


def scan(source: Source, config: JsonlExtractor) -> str:
    """The table function over one file: each line as JSON."""
    return (
        f"read_ndjson_objects({literal(source.path)}, compression = 'none',"
        f" maximum_object_size = {config.max_line_bytes}, ignore_errors = false)"
    )


def text_format(config: JsonlExtractor) -> TextFormat:
    """How the config says that the files are stored; JSON itself refuses NUL bytes."""
    return TextFormat(encoding=config.encoding, compression=config.compression, refuse_nul=False, mark_allowed=False)


def file_lines(root: Root, file: InputFile, config: JsonlExtractor) -> Generator[str, None, None]:
    """The lines of a file, decoded and unpacked; raises DriverError where they cannot be."""
    yield from lines_of(text_chunks(root, file, text_format(config)), config.max_line_bytes)


def make_plan(connection: Any, root: Root, files: Sequence[InputFile], config: JsonlExtractor) -> JsonlPlan:
    """The plan for ``files``; reads a sample of their lines. Raises DriverError."""
    stated = {key: canonical_type(text) for key, text in config.types.items()}
    looked_at = spread(files, SAMPLE_FILES) if config.sample_rows >= 0 else list(files)
    seen: dict[str, Seen] = {}
    sampled = 0
    for file in looked_at:
        sampled += _sample(root, file, config, seen)
    keys = tuple(dict.fromkeys((*seen, *stated)))
    extra = partitions(files) if config.hive_partitioning else ()
    named = (config.filename_column,) if config.filename_column else ()
    everything = (*keys, *extra, *named)
    if not everything:
        raise DriverError("OSR-FS-028", f"the lines of '{files[0].path}' have no keys, and 'types' names none")
    check_names(everything, where="the keys of all lines, partitions and filename_column together")
    chosen = pick(config.columns, everything, lambda column: _no_key(column, everything, files))
    found = {column: [partition_of(file)[column] for file in files] for column in extra}
    partition_types = infer_values(connection, found, CellFormat())
    columns = []
    for column in chosen:
        if column in keys:
            type_ = stated.get(column) or seen[column].type()
            columns.append(JsonlColumn(name=column, type=type_, stated=column in stated))
        elif column in extra:
            type_ = stated.get(column) or partition_types[column]
            columns.append(JsonlColumn(name=column, type=type_, stated=column in stated, origin="partition"))
        else:
            columns.append(JsonlColumn(name=column, type="VARCHAR", stated=True, origin="filename"))
    return JsonlPlan(
        files=tuple(files), columns=tuple(columns), keys=keys, sampled=sampled, sampled_files=len(looked_at)
    )


@attrs.define
class Seen:
    """What the values of a key were in the sample: their JSON kinds, and the extremes of whole numbers."""

    kinds: set[str] = attrs.field(factory=set)
    low: int = 0
    high: int = 0

    def note(self, value: Any) -> None:
        """Take a value, as :func:`parse_line` gives it, into account."""
        if value is None:
            return
        if isinstance(value, bool):
            self.kinds.add("BOOLEAN")
        elif isinstance(value, int):
            self.kinds.add("whole")
            self.low, self.high = min(self.low, value), max(self.high, value)
        elif isinstance(value, tuple):
            self.kinds.add("DOUBLE")
        else:
            self.kinds.add("VARCHAR" if isinstance(value, str) else "JSON")

    def type(self) -> str:
        """The type that keeps all of them."""
        if self.kinds == {"whole"}:
            if self.low >= -_LARGEST and self.high < _LARGEST:
                return "BIGINT"
            if self.low >= 0 and self.high < _LARGEST_UNSIGNED:
                return "UBIGINT"
            return "DECIMAL(38,0)" if max(-self.low, self.high) < 10**_DECIMAL_DIGITS else "JSON"
        if self.kinds == {"whole", "DOUBLE"}:
            return "DOUBLE" if max(-self.low, self.high) <= _EXACT_FLOAT else "JSON"
        return next(iter(self.kinds)) if len(self.kinds) == 1 else "JSON"


def line_error(file: InputFile, number: int, text: str, limit: int) -> DriverError | None:
    """What is wrong with a line as JSON, None when it is one object."""
    if len(text) > limit:
        return DriverError("OSR-FS-027", f"'{file.path}' line {number:,} is longer than {limit:,} bytes")
    if text.startswith("\ufeff"):
        return DriverError("OSR-FS-025", f"'{file.path}' begins with a byte order mark", hint="set encoding: utf-8-sig")
    try:
        value = _parse(text)
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return DriverError("OSR-FS-031", f"'{file.path}' line {number:,} has a text with half a surrogate pair")
    except RecursionError:
        return DriverError("OSR-FS-031", f"'{file.path}' line {number:,} is nested too deeply")
    except _Twice as error:
        return DriverError("OSR-FS-031", f"'{file.path}' line {number:,} has the key '{shown(str(error))}' twice")
    except ValueError as error:
        said = getattr(error, "msg", None) or str(error)
        column = f", column {error.colno}" if isinstance(error, json.JSONDecodeError) else ""
        return DriverError("OSR-FS-031", f"'{file.path}' line {number:,}{column} is no JSON: {said}")
    if not isinstance(value, dict):
        kind = "an array" if isinstance(value, list) else "no object"
        return DriverError("OSR-FS-031", f"'{file.path}' line {number:,} is {kind}; each line must be an object")
    if "" in value:
        return DriverError("OSR-FS-031", f"'{file.path}' line {number:,} has an empty key, which names no column")
    return None


def parse_line(text: str) -> dict[str, Any]:
    """The object of a line; floats are kept as text in a one-element tuple. Raises ValueError."""
    value = _parse(text)
    if not isinstance(value, dict):
        raise ValueError("not an object")  # noqa: TRY004 - one kind of failure for the caller
    return value


class _Twice(ValueError):
    """A key that an object has twice."""


def _parse(text: str) -> Any:
    return json.loads(text, object_pairs_hook=_object, parse_float=lambda number: (number,), parse_constant=_constant)


def _object(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for key, value in pairs:
        if key in made:
            raise _Twice(key)
        made[key] = value
    return made


def _constant(text: str) -> Never:
    raise ValueError(f"{text} is not JSON")


def _sample(root: Root, file: InputFile, config: JsonlExtractor, seen: dict[str, Seen]) -> int:
    """Note every key's values; the number of lines looked at."""
    limit = config.sample_rows if config.sample_rows >= 0 else None
    count = 0
    with contextlib.closing(file_lines(root, file, config)) as lines:
        for number, line in enumerate(lines, start=1):
            if limit is not None and count >= limit:
                break
            text = line.strip(" \t\r\n")
            if not text:
                continue
            wrong = line_error(file, number, text, config.max_line_bytes)
            if wrong is not None:
                raise wrong
            for key, value in parse_line(text).items():
                seen.setdefault(key, Seen()).note(value)
            count += 1
    return count


def _no_key(column: str, available: Sequence[str], files: Sequence[InputFile]) -> DriverError:
    where = f"'{files[0].path}'" if len(files) == 1 else f"the {len(files)} files from '{files[0].path}' on"
    return DriverError(
        "OSR-FS-021",
        f"'columns' names the key '{column}', which the sample of {where} lacks",
        hint=f"{did_you_mean(column, available)} Name it in 'types' if it occurs later only.",
    )
