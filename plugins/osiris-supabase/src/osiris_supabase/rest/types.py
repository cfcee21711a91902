"""PostgreSQL's types as the Data API gives and takes them, and DuckDB's.

Every value travels as text inside a JSON string, since a JSON number would pass through a double on its way. The Data
API does not say how many digits a ``numeric`` has, so one is read as text, which keeps all of them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from osiris_sql.casting import Cast
from osiris_supabase.postgres.types_in import ColumnPlan, column_plan
from osiris_supabase.rest.names import column

if TYPE_CHECKING:
    from osiris_supabase.rest.catalog import TableColumn

_OIDS: Final = {
    "smallint": 21,
    "integer": 23,
    "bigint": 20,
    "oid": 26,
    "real": 700,
    "double precision": 701,
    "boolean": 16,
    "time without time zone": 1083,
    "date": 1082,
    "timestamp without time zone": 1114,
    "timestamp with time zone": 1184,
    "uuid": 2950,
    "json": 114,
    "jsonb": 3802,
    "time with time zone": 1266,
}
_AS_OUTPUT: Final = frozenset({"character", "inet"})
"""Types whose cast to text changes the value: it cuts blanks, or adds a netmask."""
CURSORS: Final = frozenset(
    {"smallint", "integer", "bigint", "date", "timestamp without time zone", "timestamp with time zone", "uuid"}
)
"""Types whose order is the same on the server and among the values that arrive: a text's depends on its collation."""


def selected(found: TableColumn, alias: str) -> str:
    """An item of ``select`` that gives a column as text; its own name stays the column's, for ``order``."""
    item = f"{alias}:{column(found.name)}"
    return item if found.format in _AS_OUTPUT else f"{item}::text"


def plan_of(found: TableColumn, *, specials_as_text: bool) -> ColumnPlan:
    """How the text of a column becomes its value: as over SQL, but for a ``numeric``, whose digits nobody tells."""
    if found.format == "bytea":
        cast = Cast(name=found.name, expression="unhex({cell}[3:])", type="BLOB", refused_if="NOT {cell} ^@ '\\x'")
        return ColumnPlan(cast=cast, type="bytea")
    oid = _OIDS.get(found.format, 25)
    return column_plan(found.name, oid, -1, found.format, specials_as_text=specials_as_text)


_INTEGERS: Final = {
    "TINYINT": 1,
    "UTINYINT": 2,
    "SMALLINT": 2,
    "USMALLINT": 4,
    "INTEGER": 4,
    "UINTEGER": 8,
    "BIGINT": 8,
}
_HELD_INTEGERS: Final = {"smallint": 2, "integer": 4, "bigint": 8, "numeric": 99, "oid": 0}
_HELD: Final = {
    "numeric": ("DECIMAL", "HUGEINT", "UHUGEINT", "UBIGINT", "VARCHAR"),
    "real": ("FLOAT",),
    "double precision": ("DOUBLE", "FLOAT"),
    "boolean": ("BOOLEAN",),
    "date": ("DATE",),
    "timestamp without time zone": ("TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "DATE"),
    "timestamp with time zone": ("TIMESTAMP WITH TIME ZONE",),
    "time without time zone": ("TIME",),
    "bytea": ("BLOB",),
}
_CLOSED: Final = frozenset(_HELD) | frozenset(_HELD_INTEGERS)
_TEXTS: Final = ("VARCHAR", "UUID", "JSON")
_DROPS: Final = re.compile(
    r'(money|name|"char"|tsvector|tsquery|point|line|lseg|box|path|polygon|circle)(\[\])?'
    r"|(real|double precision|character|interval|oid|time with(out)? time zone)\[\]"
)
"""Types that read a text and drop a part of it without a word; of others see ``postgres.texts``."""


def holds(source: Any, target: Any) -> bool:
    """Whether a column of PostgreSQL's type ``target`` keeps, or refuses, every value of DuckDB's ``source``."""
    kind = str(source)
    if target in _HELD_INTEGERS and kind in _INTEGERS:
        return _INTEGERS[kind] <= _HELD_INTEGERS[target]
    base = kind.partition("(")[0]
    if target in _HELD:
        return base in _HELD[target]
    # Any other type reads its own text form, and refuses what is none.
    return target not in _CLOSED and _DROPS.fullmatch(target) is None and base in _TEXTS


def written(kind: str, name: str, *, target: str) -> str | None:
    """SQL for a value of DuckDB's type ``kind`` as JSON text; None when there is none for the type."""
    base = kind.partition("(")[0]
    if target in ("json", "jsonb"):
        return name
    if base in ("DATE", "TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP WITH TIME ZONE"):
        return f"to_json(replace(CAST({name} AS VARCHAR), ' (BC)', ' BC'))"
    if base == "BLOB":
        return f"to_json('\\x' || lower(hex({name})))"
    if base == "FLOAT" and target == "double precision":
        name = f"{name}::DOUBLE"  # the digits of a real are too few for the same number as a double
    if base in _INTEGERS or base in _PLAIN:
        return f"to_json(CAST({name} AS VARCHAR))"
    return None


_PLAIN: Final = frozenset(
    {"BOOLEAN", "FLOAT", "DOUBLE", "DECIMAL", "HUGEINT", "UHUGEINT", "UBIGINT", "VARCHAR", "UUID", "JSON", "TIME"}
)

_CREATED: Final = {
    "TINYINT": "smallint",
    "UTINYINT": "smallint",
    "SMALLINT": "smallint",
    "USMALLINT": "integer",
    "INTEGER": "integer",
    "UINTEGER": "bigint",
    "BIGINT": "bigint",
    "UBIGINT": "numeric(20)",
    "HUGEINT": "numeric(39)",
    "UHUGEINT": "numeric(39)",
    "FLOAT": "real",
    "DOUBLE": "double precision",
    "BOOLEAN": "boolean",
    "VARCHAR": "text",
    "JSON": "json",
    "UUID": "uuid",
    "BLOB": "bytea",
    "DATE": "date",
    "TIME": "time",
    "TIMESTAMP": "timestamp",
    "TIMESTAMP_S": "timestamp",
    "TIMESTAMP_MS": "timestamp",
    "TIMESTAMP WITH TIME ZONE": "timestamptz",
}


def created(kind: str) -> str | None:
    """PostgreSQL's type for a new column; None when there is none that keeps every value."""
    if kind.startswith("DECIMAL("):
        return kind.lower().replace("decimal", "numeric")
    return _CREATED.get(kind)
