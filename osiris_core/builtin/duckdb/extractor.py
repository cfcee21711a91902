"""``duckdb.extractor``: a table or a query of a DuckDB file, opened read-only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from osiris_core.api import DriverError, OsirisError
from osiris_core.builtin.duckdb.database import database_path, file_error, wait_for_file
from osiris_core.builtin.duckdb.failures import query_failure
from osiris_core.builtin.duckdb.hardened import ATTACHED, closed_connection
from osiris_core.builtin.duckdb.processor import Bound, bind_select
from osiris_core.builtin.duckdb.ranges import not_below
from osiris_core.builtin.duckdb.statement import Query, Select, catalog_views, parse_select
from osiris_core.builtin.duckdb.stream import RelationStream
from osiris_core.sqltext import quote_identifier

if TYPE_CHECKING:
    from collections.abc import Mapping

    from osiris_core.api import Dataset, DriverContext, Stream, Window
    from osiris_core.api import Schema as AnySchema
    from osiris_core.builtin.duckdb.config import Extractor


class ExtractorDriver:
    """Reads when its rows are first asked for, and lets go of the file after the last one."""

    def run(
        self, *, step_id: str, config: Extractor, inputs: Mapping[str, Dataset], ctx: DriverContext
    ) -> Mapping[str, Stream]:
        """The rows of the table or query."""
        del inputs
        what = f"the query of step '{step_id}'" if config.query else f"reading table '{config.table}'"
        connection = _open(ctx)
        try:
            bound = _bind(connection, config, ctx, what)
        except BaseException as error:
            connection.close()
            raise _failure(error, what) from error
        return {
            "df": RelationStream(
                schema=bound.schema,
                start=lambda: bound.relation(connection),
                connection=connection,
                close=lambda _: connection.close(),
                ctx=ctx,
                what=what,
            )
        }

    def bind(
        self, *, step_id: str, config: Extractor, inputs: Mapping[str, AnySchema], ctx: DriverContext
    ) -> Mapping[str, AnySchema]:
        """The columns of the table or query."""
        del inputs
        what = f"the query of step '{step_id}'" if config.query else f"reading table '{config.table}'"
        connection = _open(ctx)
        try:
            return {"df": _bind(connection, config, ctx, what).schema}
        except BaseException as error:
            raise _failure(error, what) from error
        finally:
            connection.close()


def _open(ctx: DriverContext) -> Any:
    path = database_path(ctx.connection, ctx.project_root)
    if not path.exists():
        raise file_error(FileNotFoundError("does not exist"), path, ctx.connection.path)
    return wait_for_file(lambda: closed_connection(ctx, attach=path), path, ctx)


def _bind(connection: Any, config: Extractor, ctx: DriverContext, what: str) -> Bound:
    query = config.query if config.query is not None else _table_query(connection, config)
    select = parse_select(
        connection,
        Query(text=query, params=config.query_params, inputs=None, hidden=_hidden(connection), what=what),
    )
    if config.limit is not None:
        select = attrs.evolve(select, sql=f"SELECT * FROM (\n{select.sql}\n) LIMIT {config.limit}")
    if select.volatile and config.query is not None:
        ctx.emit("duckdb.result_varies", because=list(select.volatile))
    params = dict(config.query_params)
    if ctx.window is not None:
        select, bounds = _within(connection, select, params, ctx.window, what)
        params |= bounds
    return bind_select(connection, select, params, what=what)


def _within(
    connection: Any, select: Select, params: Mapping[str, Any], window: Window, what: str
) -> tuple[Select, dict[str, str]]:
    """``select`` with the rows of ``window`` only, and the bounds as parameters: cast to the cursor's own type, so
    that nothing is rounded and an index or a zone map can be used.
    """
    relation = connection.sql(select.sql, params=dict(params) or None)
    types = {name.casefold(): (name, kind) for name, kind in zip(relation.columns, relation.types, strict=True)}
    del relation
    if window.cursor.casefold() not in types:
        listed = ", ".join(f"'{name}'" for name, _ in types.values())
        raise DriverError(
            "OSR-DUCKDB-006", f"{what} gives no column '{window.cursor}', which 'incremental' names; it has {listed}"
        )
    name, kind = types[window.cursor.casefold()]
    value = "unhex({})" if str(kind) == "BLOB" else f"CAST({{}} AS {kind})"
    lower = None if window.lower is None else not_below(kind, window.lower)
    bounds = {"osiris__lower": lower, "osiris__upper": window.upper}
    given = {key: text for key, text in bounds.items() if text is not None}
    if not given:
        return select, {}
    cursor = quote_identifier(name)
    compared = {"osiris__lower": ">=", "osiris__upper": "<"}
    wanted = " AND ".join(f"{cursor} {compared[key]} {value.format(f'${key}')}" for key in given)
    return attrs.evolve(select, sql=f"SELECT * FROM (\n{select.sql}\n) WHERE {wanted}"), given


def _table_query(connection: Any, config: Extractor) -> str:
    assert config.table is not None
    table = f"{ATTACHED}.{quote_identifier(config.schema)}.{quote_identifier(config.table)}"
    names = _columns_of(connection, config)
    if not names:
        raise DriverError(
            "OSR-DUCKDB-030", f"there is no table '{config.table}' in schema '{config.schema}' of the database"
        )
    wanted = names
    if config.columns is not None:
        known = {name.casefold(): name for name in names}
        missing = [name for name in config.columns if name.casefold() not in known]
        if missing:
            listed = ", ".join(f"'{name}'" for name in names)
            raise DriverError("OSR-DUCKDB-006", f"table '{config.table}' has no column '{missing[0]}'; it has {listed}")
        wanted = [known[name.casefold()] for name in config.columns]
    return f"SELECT {', '.join(quote_identifier(name) for name in wanted)} FROM {table}"


def _columns_of(connection: Any, config: Extractor) -> list[str]:
    rows = connection.execute(
        "SELECT column_name FROM duckdb_columns() WHERE database_name = $database "
        "AND lower(schema_name) = lower($schema) AND lower(table_name) = lower($table) ORDER BY column_index",
        {"database": ATTACHED, "schema": config.schema, "table": config.table},
    ).fetchall()
    return [name for (name,) in rows]


def _hidden(connection: Any) -> frozenset[str]:
    """DuckDB's own views, as far as the file has no table or view of such a name."""
    rows = connection.execute(
        "SELECT lower(table_name) FROM duckdb_tables() WHERE database_name = $database UNION "
        "SELECT lower(view_name) FROM duckdb_views() WHERE database_name = $database AND NOT internal",
        {"database": ATTACHED},
    ).fetchall()
    return catalog_views(connection) - {name for (name,) in rows}


def _failure(error: BaseException, what: str) -> BaseException:
    if isinstance(error, OsirisError) or not isinstance(error, Exception):
        return error
    return query_failure(error, what=what)
