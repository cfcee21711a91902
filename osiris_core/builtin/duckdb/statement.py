"""Whether a text is exactly one SELECT, and what it reads and calls, as DuckDB's own parser sees it.

The parser's tree comes from ``json_serialize_sql``, so there is no second parser to disagree with the first. Nothing
is bound or run here.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import attrs
import duckdb

from osiris_core.api import DriverError
from osiris_core.builtin.duckdb.failures import explain
from osiris_core.builtin.duckdb.reach import Reach
from osiris_core.diagnostics import did_you_mean
from osiris_core.sqltext import rewrite

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

_catalogs: Final[list[frozenset[str]]] = []


@attrs.frozen(kw_only=True)
class Select:
    """One SELECT: its text for DuckDB (placeholders as ``$name``), the placeholders, and what gives it other results
    tomorrow (``now``, ``random`` …).
    """

    sql: str
    placeholders: frozenset[str]
    volatile: tuple[str, ...]


@attrs.frozen(kw_only=True)
class Query:
    """A text that should be one SELECT. ``inputs`` are the only tables it may name, None allows any; none of them may
    be ``hidden`` - by default DuckDB's own views that are not inputs. ``what`` names the query in messages.
    """

    text: str
    params: Mapping[str, Any]
    inputs: Collection[str] | None
    what: str
    hidden: Collection[str] | None = None


def parse_select(connection: Any, query: Query) -> Select:
    """``query`` as one SELECT; DriverError says what else it is."""
    (found,) = parse_selects(connection, [query])
    if isinstance(found, DriverError):
        raise found
    return found


def parse_selects(connection: Any, queries: Sequence[Query]) -> list[Select | DriverError]:
    """Each query as one SELECT, or the error that says what else it is; many are parsed in one go, which is faster."""
    texts = [_plain(query) for query in queries]
    parsed = iter(_trees(connection, [text for text in texts if isinstance(text, str)]))
    catalogs = catalog_views(connection)
    return [
        text if isinstance(text, DriverError) else _examine(connection, query, text, next(parsed), catalogs)
        for query, text in zip(queries, texts, strict=True)
    ]


def catalog_views(connection: Any) -> frozenset[str]:
    """The names of DuckDB's own views, some of which tell paths of this machine."""
    if not _catalogs:  # 15 ms, and the same in every instance of this process
        rows = connection.execute("SELECT DISTINCT lower(view_name) FROM duckdb_views() WHERE internal").fetchall()
        _catalogs.append(frozenset(name for (name,) in rows))
    return _catalogs[0]


def _examine(connection: Any, query: Query, sql: str, tree: str, catalogs: frozenset[str]) -> Select | DriverError:
    hidden = query.hidden
    if hidden is None:
        hidden = catalogs - {name.casefold() for name in query.inputs or ()}
    try:
        statement = _only_statement(connection, query, sql, tree)
        found = Reach(statement["node"])
        found.refuse(query.what, query.inputs, hidden)
        placeholders = frozenset(entry["key"] for entry in statement["named_param_map"])
        _check_params(placeholders, query.params, query.what)
    except DriverError as error:
        return error
    return Select(sql=sql, placeholders=placeholders, volatile=tuple(sorted(found.volatile)))


def _plain(query: Query) -> str | DriverError:
    """The text with placeholders as DuckDB writes them, without the semicolons after it and what may follow them, so
    that it can be nested.
    """
    sql = rewrite(query.text, lambda name: f"${name}")
    data = sql.encode("utf-8", "replace")
    if "\0" in sql or sql != data.decode():
        return DriverError("OSR-DUCKDB-001", f"{query.what} holds characters that no SQL text can hold")
    # Everything from the first semicolon on, when nothing but semicolons and comments follows. Offsets count bytes.
    end = len(data)
    for offset, kind in reversed(duckdb.tokenize(sql)):
        if kind != duckdb.token_type.comment and data[offset : offset + 1] != b";":
            break
        if kind != duckdb.token_type.comment:
            end = offset
    return data[:end].decode().strip()


def _trees(connection: Any, texts: Sequence[str]) -> list[str]:
    rows = connection.execute(
        "SELECT json_serialize_sql(sql) FROM (SELECT unnest($texts::VARCHAR[]) AS sql)", {"texts": list(texts)}
    ).fetchall()
    return [tree for (tree,) in rows]


def _only_statement(connection: Any, query: Query, sql: str, tree: str) -> Any:
    """The tree of the one SELECT that ``sql`` is."""
    try:
        parsed = json.loads(tree)
    except RecursionError as error:
        raise DriverError("OSR-DUCKDB-002", f"{query.what} is nested too deeply") from error
    if not parsed["error"] and len(parsed["statements"]) == 1:
        return parsed["statements"][0]
    what = query.what
    try:
        statements = connection.extract_statements(sql)
    except duckdb.Error as error:
        raise DriverError("OSR-DUCKDB-001", f"{what} does not parse: {explain(error)}") from error
    if not statements:
        raise DriverError("OSR-DUCKDB-002", f"{what} is empty")
    if len(statements) > 1:
        raise DriverError(
            "OSR-DUCKDB-002",
            f"{what} has {len(statements)} statements; it must be exactly one SELECT",
            hint="put what belongs together into one SELECT with WITH, or into several steps",
        )
    kind = statements[0].type.name
    if kind == "MULTI":
        raise DriverError(
            "OSR-DUCKDB-002",
            f"{what} is a PIVOT whose columns depend on the data",
            hint="name the columns: PIVOT t ON k IN ('a', 'b') USING sum(v)",
        )
    if kind != "SELECT":
        raise DriverError("OSR-DUCKDB-002", f"{what} is a statement of kind {kind}; it must be a SELECT")
    raise DriverError("OSR-DUCKDB-002", f"{what} cannot be examined: {parsed.get('error_message', 'no reason given')}")


def _check_params(placeholders: frozenset[str], params: Mapping[str, Any], what: str) -> None:
    unnamed = sorted(name for name in placeholders if not name[:1].isalpha() and not name.startswith("_"))
    if unnamed:
        raise DriverError(
            "OSR-DUCKDB-005",
            f"{what} has a placeholder without a name",
            hint="write ':name' and bind it in query_params",
        )
    missing = sorted(placeholders - set(params))
    if missing:
        raise DriverError("OSR-DUCKDB-005", f"{what} has no value for ':{missing[0]}'")
    extra = sorted(set(params) - placeholders)
    if extra:
        raise DriverError(
            "OSR-DUCKDB-005",
            f"query_params has '{extra[0]}', which {what} does not use",
            hint=did_you_mean(extra[0], placeholders),
        )
