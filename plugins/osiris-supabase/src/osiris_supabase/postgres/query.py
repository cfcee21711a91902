"""The statement of an extract: a table's or the pipeline's own, with its values, its window and its limit."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import attrs

from osiris_core.api import DriverError, placeholders, quote_identifier, rewrite
from osiris_supabase.postgres.cursor import window_conditions
from osiris_supabase.postgres.failures import ServerFailure
from osiris_supabase.postgres.fence import check_functions, check_one_condition, check_shape, check_text, refuse_secret
from osiris_supabase.postgres.types_in import ColumnPlan, column_plan

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from osiris_core.api import Window
    from osiris_supabase.config import Extractor, Value
    from osiris_supabase.postgres.session import Session

REFUSED: Final[Mapping[str, str]] = {
    "0A": "OSR-PG-021",
    "22": "OSR-PG-022",
    "42": "OSR-PG-021",
    "3F": "OSR-PG-021",
    "25006": "OSR-PG-020",
    "42501": "OSR-PG-008",
}
"""What the server's answers mean while it reads."""


@attrs.frozen(kw_only=True)
class Select:
    """A statement that may be run, and how its columns are read. ``where`` picks a part of it."""

    sql: str
    columns: tuple[ColumnPlan, ...]
    guarded: bool | None = None
    """Whether row level security decides which rows of the table this role sees; None for a query, of which it is not
    known.
    """

    def copy(self) -> str:
        """The statement that sends its rows."""
        return f"COPY (\n{self.sql}\n) TO STDOUT"


@attrs.frozen(kw_only=True)
class Table:
    """A relation that is there: its kind (``pg_class.relkind``), its name quoted, and its columns."""

    kind: str
    oid: int
    quoted: str
    columns: Mapping[str, str]


def make_select(
    session: Session,
    config: Extractor,
    schema: str,
    window: Window | None,
    *,
    what: str,
    allowed: Collection[str] = (),
    part: str | None = None,
) -> Select:
    """The statement for ``config``, fenced and described by the server. ``allowed`` are the connection's functions that
    its SQL may call besides; ``part`` is a condition of our own.
    """
    if config.query is not None:
        sql = _fenced(session, _bound(session, config.query, config.query_params, what), allowed, what)
    else:
        sql = _table_sql(session, config, schema, allowed, what, part)
    if window is not None:
        sql = _windowed(session, sql, window, config, what)
    if config.limit is not None:
        sql = f"SELECT * FROM (\n{sql}\n) AS osiris_rows LIMIT {config.limit}"
    return Select(sql=sql, columns=_columns(session, sql, config, what), guarded=_guarded(session, config, schema))


def _guarded(session: Session, config: Extractor, schema: str) -> bool | None:
    if config.table is None:
        return None
    name = f"{quote_identifier(schema)}.{quote_identifier(config.table)}"
    return session.rows("SELECT pg_catalog.row_security_active($1::regclass)", name) == [("t",)]


def find_table(session: Session, schema: str, table: str) -> Table | None:
    """The relation of this name, or None."""
    found = session.rows(
        "SELECT c.oid, c.relkind FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n "
        "ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r','p','v','m','f')",
        schema,
        table,
    )
    if not found:
        return None
    oid, kind = found[0]
    assert oid is not None
    assert kind is not None
    rows = session.rows(
        "SELECT attname, pg_catalog.format_type(atttypid, atttypmod) FROM pg_catalog.pg_attribute "
        "WHERE attrelid = $1::oid AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
        oid,
    )
    return Table(
        kind=kind,
        oid=int(oid),
        quoted=f"{quote_identifier(schema)}.{quote_identifier(table)}",
        columns={str(name): str(kind) for name, kind in rows},
    )


def _table_sql(
    session: Session, config: Extractor, schema: str, allowed: Collection[str], what: str, part: str | None
) -> str:
    assert config.table is not None
    refuse_secret({config.table}, what)
    table = find_table(session, schema, config.table)
    if table is None:
        raise DriverError("OSR-PG-024", f"there is no table '{config.table}' in schema '{schema}'")
    wanted = config.columns if config.columns is not None else tuple(table.columns)
    missing = [name for name in wanted if name not in table.columns]
    if missing:
        listed = ", ".join(f"'{name}'" for name in table.columns)
        raise DriverError("OSR-PG-025", f"table '{config.table}' has no column '{missing[0]}'; it has {listed}")
    sql = f"SELECT {', '.join(quote_identifier(name) for name in wanted)} FROM {table.quoted}"
    conditions = [] if part is None else [part]
    if config.where is not None:
        condition = _bound(session, config.where, config.query_params, what)
        check_one_condition(condition, what)
        conditions.append(f"(\n{condition}\n)")
    if conditions:
        sql = f"{sql} WHERE {' AND '.join(conditions)}"
    return sql if config.where is None else _fenced(session, sql, allowed, what)


def _fenced(session: Session, sql: str, allowed: Collection[str], what: str) -> str:
    """The statement to send, once it has passed the fences."""
    query = check_text(sql, what)
    check_functions(session, query, allowed, what)
    try:
        check_shape(session, query, what)
    except ServerFailure as failure:
        raise failure.error(what, codes=REFUSED) from None
    return query.sql


def _bound(session: Session, sql: str, values: Mapping[str, Value], what: str) -> str:
    """``sql`` with the values in place of its placeholders, as literals: COPY takes no parameters."""
    missing = [name for name in placeholders(sql, dialect="postgres") if name not in values]
    if missing:
        raise DriverError("OSR-PG-027", f"{what} has the placeholder ':{missing[0]}', which query_params do not give")
    return rewrite(sql, lambda name: _literal(session, values[name]), dialect="postgres")


def _literal(session: Session, value: Value) -> str:
    match value:
        case None:
            return "NULL"
        case bool():
            return "TRUE" if value else "FALSE"
        case int():
            return f"({value})"
        case float():
            return f"({value!r})" if math.isfinite(value) else f"('{value!r}'::float8)"
        case _:
            return session.literal(value)


def _windowed(session: Session, sql: str, window: Window, config: Extractor, what: str) -> str:
    """``sql`` with the rows of the window only."""
    described = _described(session, sql, what)
    names = [described.fname(at).decode() for at in range(described.nfields)]
    if window.cursor not in names:
        listed = ", ".join(f"'{name}'" for name in names)
        raise DriverError("OSR-PG-025", f"{what} has no column '{window.cursor}' for its cursor; it has {listed}")
    at = names.index(window.cursor)
    as_text = config.special_values == "text"
    kind = described.ftype(at), described.fmod(at)
    conditions = window_conditions(session, *kind, window, specials_as_text=as_text, what=what)
    if not conditions:
        return sql
    return f"SELECT * FROM (\n{sql}\n) AS osiris_rows WHERE {' AND '.join(conditions)}"


def _columns(session: Session, sql: str, config: Extractor, what: str) -> tuple[ColumnPlan, ...]:
    described = _described(session, sql, what)
    names = [described.fname(at).decode() for at in range(described.nfields)]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DriverError("OSR-PG-023", f"{what} has two columns '{twice[0]}'")
    if not names or "" in names:
        raise DriverError("OSR-PG-023", f"{what} has {'a column without a name' if names else 'no columns'}")
    kinds = [(described.ftype(at), described.fmod(at)) for at in range(described.nfields)]
    items = ", ".join(f"pg_catalog.format_type({oid}, {modifier})" for oid, modifier in kinds)
    (shown,) = session.rows(f"SELECT {items}")
    as_text = config.special_values == "text"
    return tuple(
        column_plan(name, oid, modifier, str(kind), specials_as_text=as_text)
        for name, (oid, modifier), kind in zip(names, kinds, shown, strict=True)
    )


def _described(session: Session, sql: str, what: str) -> Any:
    try:
        return session.describe(sql)
    except ServerFailure as failure:
        raise failure.error(what, codes=REFUSED) from None
