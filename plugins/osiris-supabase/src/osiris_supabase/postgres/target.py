"""The table a load goes to: what it looks like on the server, and how the load's columns map onto it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs

from osiris_core.api import Column, DriverError, LoadCodes, LoadPlan, LoadRules, plan_load, quote_identifier
from osiris_supabase.postgres.types_out import UNTYPED, holds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from osiris_supabase.config import Writer
    from osiris_supabase.postgres.session import Session

_RULES: Final = LoadCodes(no_table="OSR-PG-030", columns_differ="OSR-PG-031", lossy="OSR-PG-032", no_key="OSR-PG-033")
_WRITABLE: Final = frozenset({"r", "p", "f"})
_KINDS: Final = {"v": "a view", "m": "a materialized view", "S": "a sequence", "i": "an index", "I": "an index"}

_COLUMNS: Final = """
SELECT a.attname,
  CASE WHEN b.typtype = 'e' THEN 'enum'
    WHEN t.typtype = 'd' THEN pg_catalog.format_type(t.typbasetype, t.typtypmod)
    ELSE pg_catalog.format_type(a.atttypid, a.atttypmod) END,
  a.attnotnull AND NOT a.atthasdef AND a.attidentity = '',
  a.attgenerated <> ''
FROM pg_catalog.pg_attribute AS a
JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid
JOIN pg_catalog.pg_type AS b ON b.oid = CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END
WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
"""
_UNIQUE: Final = """
SELECT 1 FROM pg_catalog.pg_index AS i
WHERE i.indrelid = $1::oid AND i.indisunique AND i.indisvalid AND i.indimmediate
  AND i.indpred IS NULL AND i.indexprs IS NULL
  AND (SELECT array_agg(a.attname::text ORDER BY a.attname::text COLLATE "C")
       FROM pg_catalog.pg_attribute AS a
       WHERE a.attrelid = i.indrelid AND a.attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1]))
    = (SELECT array_agg(k ORDER BY k COLLATE "C") FROM unnest($2::text[]) AS k)
LIMIT 1
"""
_DEPENDENTS: Final = """
SELECT n.nspname || '.' || c.relname,
  CASE f.confdeltype WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN 'SET NULL' ELSE 'SET DEFAULT' END
FROM pg_catalog.pg_constraint AS f JOIN pg_catalog.pg_class AS c ON c.oid = f.conrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE f.contype = 'f' AND f.confrelid = $1::oid AND f.confdeltype IN ('c', 'n', 'd') ORDER BY 1 LIMIT 1
"""


@attrs.frozen(kw_only=True)
class Target:
    """A table on the server; ``columns`` are those that can be written, ``computed`` those that the server computes."""

    oid: int
    kind: str
    columns: tuple[Column, ...]
    computed: frozenset[str]


@attrs.frozen(kw_only=True)
class Place:
    """Where a writer writes."""

    schema: str
    table: str

    @property
    def shown(self) -> str:
        """The table as messages and records name it."""
        return f"{self.schema}.{self.table}"

    @property
    def quoted(self) -> str:
        """The table in SQL."""
        return f"{quote_identifier(self.schema)}.{quote_identifier(self.table)}"


def place_of(config: Writer, schema: str) -> Place:
    """The place that ``config`` names; ``schema`` is the connection's."""
    return Place(schema=config.schema if config.schema is not None else schema, table=config.table)


def find_target(session: Session, place: Place) -> Target | None:
    """The table, or None where nothing has its name."""
    found = session.rows(
        "SELECT c.oid, c.relkind FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n "
        "ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2",
        place.schema,
        place.table,
    )
    if not found:
        return None
    oid, kind = found[0]
    assert oid is not None
    if kind not in _WRITABLE:
        raise DriverError("OSR-PG-038", f"'{place.shown}' is {_KINDS.get(str(kind), 'no table')}")
    rows = session.rows(_COLUMNS, oid)
    return Target(
        oid=int(oid),
        kind=str(kind),
        columns=tuple(
            Column(str(name), str(kind), required == "t") for name, kind, required, computed in rows if computed != "t"
        ),
        computed=frozenset(str(name) for name, _, _, computed in rows if computed == "t"),
    )


def make_plan(config: Writer, load: Sequence[Column], target: Target | None, place: Place) -> LoadPlan:
    """How ``load`` goes into ``target``; DriverError says what does not fit."""
    if target is not None:
        computed = [column.name for column in load if column.name in target.computed]
        if computed:
            raise DriverError("OSR-PG-031", f"'{place.shown}' computes column '{computed[0]}' itself")
    rules = LoadRules(codes=_RULES, holds=holds, create=lambda column: _refuse_untyped(place, column), fold=str)
    columns = None if target is None else target.columns
    return plan_load(config, load, columns, target=place.shown, rules=rules)


def has_unique_index(session: Session, target: Target, keys: Sequence[str]) -> bool:
    """Whether the server itself keeps ``keys`` unique in the table."""
    array = "{" + ",".join('"' + key.replace("\\", "\\\\").replace('"', '\\"') + '"' for key in keys) + "}"
    return bool(session.rows(_UNIQUE, target.oid, array))


def refuse_dependents(session: Session, target: Target, place: Place) -> None:
    """Refuse to delete rows that other rows depend on: the server would delete or change those with them."""
    found = session.rows(_DEPENDENTS, target.oid)
    if found:
        ((child, action),) = found
        raise DriverError(
            "OSR-PG-044",
            f"deleting rows of '{place.shown}' would change '{child}', whose foreign key says ON DELETE {action}",
        )


def _refuse_untyped(place: Place, column: Column) -> None:
    if len(column.name.encode()) > 63:
        raise DriverError("OSR-PG-031", f"the name '{column.name}' is longer than the 63 bytes PostgreSQL keeps")
    if column.type == UNTYPED:
        raise DriverError(
            "OSR-PG-036",
            f"column '{column.name}' of '{place.shown}' would have no type, since it holds nothing but NULL",
            hint=f"give it a type in a step before: CAST({column.name} AS VARCHAR)",
        )
