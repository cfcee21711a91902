"""How each DuckDB type crosses an Arrow stream, and how it is what it was on the other side.

Left to itself, the export of DuckDB 2.0 loses types without a word: the largest UHUGEINT becomes -1, TIMETZ loses its
offset, BIT becomes raw bytes, UUID and JSON become text, ENUM becomes a dictionary that nested readers refuse. So a
column of such a type is cast to a *carrier* that every Arrow reader understands, and the field's metadata
(``osiris:duckdb_type``) notes the type it had. DuckDB readers of ours cast it back; others see the carrier.

    HUGEINT, UHUGEINT   DECIMAL(38,0); a value of 39 digits is refused when it is met
    UUID, ENUM, JSON    VARCHAR, the text DuckDB prints (JSON: unchanged)
    TIMETZ, BIT         VARCHAR
    BIGNUM              VARCHAR
    nested types        the same type around the carriers of its parts
    TUPLE               refused: Arrow has no struct without names

Every other type has an Arrow type of its own. Held by ``tests/builtin/duckdb/test_types.py``, type by type.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import attrs
import duckdb
import nanoarrow
from arro3.core import Field, Schema

from osiris_core.api import DriverError
from osiris_core.sqltext import quote_identifier

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

NOTE: Final = b"osiris:duckdb_type"

_CARRIERS: Final[Mapping[str, str]] = {
    "hugeint": "DECIMAL(38,0)",
    "uhugeint": "DECIMAL(38,0)",
    "uuid": "VARCHAR",
    "enum": "VARCHAR",
    "json": "VARCHAR",  # the engine calls it a varchar by another name
    "time with time zone": "VARCHAR",
    "bit": "VARCHAR",
    "bignum": "VARCHAR",
}
_AS_IS: Final = frozenset(
    {
        "boolean",
        "tinyint",
        "smallint",
        "integer",
        "bigint",
        "utinyint",
        "usmallint",
        "uinteger",
        "ubigint",
        "float",
        "double",
        "decimal",
        "varchar",
        "blob",
        "date",
        "time",
        "time_ns",
        "timestamp",
        "timestamp_s",
        "timestamp_ms",
        "timestamp_ns",
        "timestamp with time zone",
        "timestamptz_ns",
        "interval",
        "null",
        "geometry",
        "variant",
    }
)
_UNREADABLE: Final[Mapping[str, str]] = {
    "e": "a floating point number of 16 bits",
    "+ud": "a dense union",
    "tDn": "a duration in nanoseconds, of which an INTERVAL keeps microseconds",
}
_NESTED: Final = frozenset({"array", "list", "map", "struct", "union"})


class Uncarried(Exception):
    """A type that no carrier exists for."""


@attrs.frozen(kw_only=True)
class Carriage:
    """How the columns of one result travel: the select list to apply to it, or None, and the notes by column."""

    select: str | None
    notes: Mapping[str, str]

    def annotated(self, schema: Schema) -> Schema:
        """``schema`` with the notes in the metadata of its fields."""
        if not self.notes:
            return schema
        fields = []
        for field in (schema.field(name) for name in schema.names):
            note = self.notes.get(field.name)
            fields.append(field.with_metadata({**field.metadata, NOTE: note.encode()}) if note else field)
        return Schema(fields, metadata=schema.metadata)


def carriage(names: Sequence[str], types: Sequence[Any], *, what: str) -> Carriage:
    """How a result with these columns travels; DriverError names a column that cannot."""
    items: list[str] = []
    notes: dict[str, str] = {}
    for name, kind in zip(names, types, strict=True):
        quoted = quote_identifier(name)
        try:
            target = _carrier(kind)
        except Uncarried as error:
            raise DriverError(
                "OSR-DUCKDB-008", f"{what}: column '{name}' has the type {kind}, which cannot be passed on: {error}"
            ) from error
        if target is None:
            items.append(quoted)
        else:
            items.append(f"CAST({quoted} AS {target}) AS {quoted}")
            notes[name] = str(kind)
    return Carriage(select=", ".join(items) if notes else None, notes=notes)


def restored(connection: Any, field: Field, expression: str) -> str:
    """SQL that gives back the value of ``field`` in the type it had; ``expression`` is SQL for the carrier."""
    note = field.metadata.get(NOTE)
    if note is None:
        return expression
    try:
        kind = str(connection.sqltype(note.decode()))
    except (duckdb.Error, UnicodeDecodeError) as error:
        raise DriverError("OSR-DUCKDB-008", f"column '{field.name}' is noted to have an unknown type") from error
    return f"CAST({expression} AS {kind})"


def refuse_unreadable(schema: Schema, *, what: str) -> None:
    """Refuse by name what DuckDB cannot read from an Arrow stream, or reads with a loss."""
    for name, child in zip(schema.names, nanoarrow.c_schema(schema).children, strict=True):
        words = next((words for format_ in _formats(child) if (words := _unreadable(format_))), None)
        if words:
            raise DriverError(
                "OSR-DUCKDB-008",
                f"{what}: column '{name}' has an Arrow type that DuckDB cannot hold: {words}",
                hint="cast the column in the step that produces it",
            )


def _formats(schema: Any) -> Iterator[str]:
    """The format strings of a type and its parts, as the Arrow C data interface writes them."""
    yield schema.format
    for child in schema.children:
        yield from _formats(child)


def _unreadable(format_: str) -> str | None:
    if format_.startswith("d:") and format_.endswith(",256"):
        return "a decimal of 256 bits"
    return _UNREADABLE.get(format_.partition(":")[0])


def _carrier(kind: Any) -> str | None:
    """The SQL type to cast ``kind`` to, or None when it travels as it is."""
    name = kind.id if str(kind) != "JSON" else "json"
    if name in _NESTED:
        return _nested_carrier(name, kind.children)
    if name == "tuple":
        raise Uncarried("its parts have no names; use struct_pack(a := …, b := …)")
    if name not in _CARRIERS and name not in _AS_IS:
        raise Uncarried(f"'{name}' is unknown to this version of Osiris")
    return _CARRIERS.get(name)


def _nested_carrier(name: str, children: list[tuple[str, Any]]) -> str | None:
    if name == "array":
        (_, element), (_, size) = children
        carried = _carrier(element)
        return f"{carried}[{size}]" if carried else None
    members = children[1:] if name == "union" else children  # the first child of a union is its tag
    carriers = [_carrier(part) for _, part in members]
    if not any(carriers):
        return None
    parts = [carried or str(part) for carried, (_, part) in zip(carriers, members, strict=True)]
    if name in ("list", "map"):
        return f"{parts[0]}[]" if name == "list" else f"MAP({', '.join(parts)})"
    labelled = (f"{quote_identifier(label)} {part}" for (label, _), part in zip(members, parts, strict=True))
    return f"{name.upper()}({', '.join(labelled)})"
