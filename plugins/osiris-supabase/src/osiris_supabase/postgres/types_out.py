"""How Arrow columns go into PostgreSQL: the type table of ``supabase.writer``, as data and rules.

A type is a text as the server writes it (``format_type``), such as ``numeric(12,2)``. A load's column is known by the
type that a table created for it would have, which holds each of its values exactly.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import attrs

from osiris_core.api import DriverError, quote_identifier
from osiris_sql.rowtext import Cell, Guard, quoted
from osiris_supabase.postgres.texts import holds_text, text_guards

if TYPE_CHECKING:
    from collections.abc import Mapping

UNTYPED: Final = "unknown"
"""A column of nothing but NULL, which every column can take and no table can be made of."""

_DIRECT: Final[Mapping[str, str]] = {
    "boolean": "boolean",
    "tinyint": "smallint",
    "smallint": "smallint",
    "integer": "integer",
    "bigint": "bigint",
    "utinyint": "smallint",
    "usmallint": "integer",
    "uinteger": "bigint",
    "ubigint": "numeric(20,0)",
    "hugeint": "numeric(39,0)",
    "uhugeint": "numeric(39,0)",
    "float": "real",
    "double": "double precision",
    "varchar": "text",
    "enum": "text",
    "blob": "bytea",
    "uuid": "uuid",
    "date": "date",
    "time": "time without time zone",
    "time_ns": "time without time zone",
    "timestamp": "timestamp without time zone",
    "timestamp_s": "timestamp without time zone",
    "timestamp_ms": "timestamp without time zone",
    "timestamp_ns": "timestamp without time zone",
    "timestamp with time zone": "timestamp with time zone",
    "timestamptz_ns": "timestamp with time zone",
    "interval": "interval",
    "null": UNTYPED,
    '"null"': UNTYPED,
}
_NOTED: Final[Mapping[str, str]] = {
    "UUID": "uuid",
    "JSON": "json",
    "TIME WITH TIME ZONE": "time with time zone",
    "BIT": "bit varying",
}
"""What a text is, as the note beside its column says."""

_WHOLE: Final[Mapping[str, int]] = {"smallint": 5, "integer": 10, "bigint": 19}
_NUMERIC: Final = re.compile(r"numeric\((\d+),(-?\d+)\)")
_BEFORE_CHRIST: Final = r"regexp_replace(CAST({0} AS VARCHAR), '^(\S+) \(BC\)(.*)$', '\1\2 BC')"
_NO_NANOSECONDS: Final = "has a part below microseconds, which PostgreSQL cannot hold"
_TEXTS: Final[Mapping[str, str]] = {
    "blob": r"'\x' || hex({0})",
    "date": _BEFORE_CHRIST,
    "timestamp with time zone": _BEFORE_CHRIST,
    "timestamp": _BEFORE_CHRIST,
    "timestamp_s": _BEFORE_CHRIST.replace("{0}", "{0}::TIMESTAMP"),
    "timestamp_ms": _BEFORE_CHRIST.replace("{0}", "{0}::TIMESTAMP"),
    "timestamp_ns": _BEFORE_CHRIST.replace("{0}", "{0}::TIMESTAMP"),
    "timestamptz_ns": _BEFORE_CHRIST.replace("{0}", "{0}::TIMESTAMPTZ"),
    "time_ns": "CAST({0}::TIME AS VARCHAR)",
}
_FINER: Final[Mapping[str, str]] = {
    "timestamp_ns": "{0}::TIMESTAMP::TIMESTAMP_NS <> {0}",
    "timestamptz_ns": "{0}::TIMESTAMPTZ::TIMESTAMPTZ_NS <> {0}",
    "time_ns": "{0}::TIME::TIME_NS <> {0}",
}


@attrs.frozen(kw_only=True)
class Source:
    """A column of a load: its name, DuckDB's type id, and the type of a column made for it."""

    name: str
    kind: str
    type: str


def source_of(name: str, kind: Any, note: str | None) -> Source:
    """The column ``name`` of DuckDB's type ``kind``; DriverError names one that PostgreSQL cannot hold."""
    identity = str(kind.id)
    if identity == "varchar" and note is not None and note in _NOTED:
        return Source(name=name, kind=identity, type=_NOTED[note])
    if identity == "decimal":
        (_, precision), (_, scale) = kind.children
        return Source(name=name, kind=identity, type=f"numeric({precision},{scale})")
    if identity not in _DIRECT:
        raise DriverError(
            "OSR-PG-036",
            f"column '{name}' is of type {kind}, which has no exact type in PostgreSQL",
            hint=f"make it text in a step before: CAST(to_json({name}) AS VARCHAR)",
        )
    return Source(name=name, kind=identity, type=_DIRECT[identity])


def cell_of(source: Source, target: str) -> Cell:
    """How the column is written for a column of type ``target``."""
    name = quote_identifier(source.name)
    if source.kind in ("varchar", "enum"):
        return Cell(column=source.name, text=quoted(source.name), guards=text_guards(source.name, target))
    guards = []
    if source.kind in _FINER:
        guards.append(Guard(_FINER[source.kind].format(name), _NO_NANOSECONDS))
    text = _TEXTS.get(source.kind, "CAST({0} AS VARCHAR)")
    if source.kind == "float" and target == "double precision":
        text = "CAST({0}::DOUBLE AS VARCHAR)"  # the digits of a real are too few for the same number as a double
    text = text.format(name)
    return Cell(column=source.name, text=text, guards=tuple(guards))


def holds(source: str, target: str) -> bool:
    """Whether a column of type ``target`` holds every value of ``source`` as it is, or refuses it by name."""
    if source in (target, UNTYPED):
        return True
    if source in _WHOLE or _NUMERIC.fullmatch(source):
        return _holds_number(source, target)
    if source == "text":
        return holds_text(target)
    return target in _WIDER.get(source, ())


_WIDER: Final[Mapping[str, tuple[str, ...]]] = {
    "real": ("double precision",),
    "json": ("jsonb", "text", "character varying"),
    "uuid": ("text", "character varying"),
    "date": ("timestamp without time zone",),
}


def _holds_number(source: str, target: str) -> bool:
    digits, scale = _WHOLE.get(source), 0
    if digits is None:
        digits, scale = _width(source)
    if target == "numeric":
        return True
    if _NUMERIC.fullmatch(target):
        width, fine = _width(target)
        return fine >= scale and width - fine >= digits - scale
    if target in _WHOLE:
        room = _WHOLE[target] if source in _WHOLE else _WHOLE[target] - 1
        return scale == 0 and digits <= room
    if source in _WHOLE:
        return (target == "double precision" and source != "bigint") or (target == "real" and source == "smallint")
    return False


def _width(kind: str) -> tuple[int, int]:
    match = _NUMERIC.fullmatch(kind)
    assert match is not None
    return int(match[1]), int(match[2])
