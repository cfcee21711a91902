"""What the tree of a query reads and calls, and what of that may not be.

The tree is walked by what it holds and not by what is known of it: a kind of node that is not on a list below is
refused, so that a new feature of the engine is a decision here and not a hole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from osiris_core.api import DriverError
from osiris_core.diagnostics import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

_QUERY_NODES: Final = frozenset({"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"})
_SOURCES: Final = frozenset(
    {"BASE_TABLE", "SUBQUERY", "JOIN", "TABLE_FUNCTION", "EXPRESSION_LIST", "EMPTY", "PIVOT", "SHOW_REF"}
)
_TABLE_FUNCTIONS: Final = frozenset(
    {"generate_series", "json_each", "json_tree", "range", "regexp_split_to_table", "repeat", "repeat_row", "unnest"}
)
_REFUSED_FUNCTIONS: Final = frozenset(
    {
        "current_setting",  # tells paths of this machine
        "getenv",
        "getvariable",
        "nextval",
        "currval",
        "setval",
        "setseed",  # changes what random() gives to others on the connection
        "sleep_ms",
        "pg_sleep",
        "write_log",
        "parse_duckdb_log_message",
        "json_execute_serialized_sql",
        "json_serialize_plan",  # binds and folds a text that nobody has examined
        "stats",
    }
)
_VOLATILE: Final = frozenset(
    {
        "current_connection_id",
        "current_date",
        "current_localtime",
        "current_localtimestamp",
        "current_query_id",
        "current_time",
        "current_timestamp",
        "current_transaction_id",
        "ago",
        "gen_random_uuid",
        "get_current_time",
        "get_current_timestamp",
        "localtime",
        "localtimestamp",
        "now",
        "random",
        "today",
        "transaction_timestamp",
        "txid_current",
        "uuid",
        "uuidv4",
        "uuidv7",
    }
)


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    pending = [tree]
    while pending:
        current = pending.pop()
        if isinstance(current, dict):
            yield current
            pending.extend(current.values())
        elif isinstance(current, list):
            pending.extend(current)


class Reach:
    """What a tree reads and calls; ``volatile`` is what gives it other results tomorrow."""

    def __init__(self, tree: Any) -> None:
        self.volatile: set[str] = set()
        self._refused: list[tuple[str, str]] = []
        self._tables: list[tuple[str, ...]] = []
        self._defined: set[str] = set()
        for node in _nodes(tree):
            self._look_at(node)

    def _look_at(self, node: dict[str, Any]) -> None:
        kind = node.get("type")
        kind = kind if isinstance(kind, str) else ""  # elsewhere "type" is a type
        if "cte_map" in node:
            self._query_node(node, kind)
        elif kind in _SOURCES or ("sample" in node and "query_location" in node and "class" not in node):
            self._source(node, kind)
        if "function_name" in node:
            self._function(str(node["function_name"]).casefold(), table=False)
        elif kind == "COLUMN_REF":
            name = node["column_names"][-1].casefold() if node.get("column_names") else ""
            if name in _VOLATILE and len(node["column_names"]) == 1:
                self.volatile.add(name)

    def _query_node(self, node: dict[str, Any], kind: Any) -> None:
        if kind not in _QUERY_NODES:
            words = str(kind).removesuffix("_QUERY_NODE").removesuffix("_NODE")
            self._refused.append(("OSR-DUCKDB-002", f"contains {words}; it must read only"))
        self._sample(node.get("sample"))
        self._defined.update(entry["key"].casefold() for entry in node["cte_map"]["map"])
        if kind in {"RECURSIVE_CTE_NODE", "CTE_NODE"} and "cte_name" in node:
            self._defined.add(str(node["cte_name"]).casefold())

    def _source(self, node: dict[str, Any], kind: Any) -> None:
        self._sample(node.get("sample"))
        if kind not in _SOURCES:
            self._refused.append(("OSR-DUCKDB-002", f"reads from something unknown ({kind})"))
        elif kind == "BASE_TABLE":
            self._tables.append(tuple(node["qualified_name"]["path"]))
        elif kind == "TABLE_FUNCTION":
            self._function(str(node["function"]["function_name"]).casefold(), table=True)
        elif kind == "SHOW_REF" and node.get("query") is None:
            self._refused.append(("OSR-DUCKDB-002", "shows the catalog; it must be a SELECT over its inputs"))

    def _sample(self, sample: Any) -> None:
        if sample is not None and not sample.get("repeatable"):
            self.volatile.add("sample")

    def _function(self, name: str, *, table: bool) -> None:
        if table and name not in _TABLE_FUNCTIONS:
            self._refused.append(("OSR-DUCKDB-004", f"calls the table function '{name}', which is not allowed"))
        elif name in _REFUSED_FUNCTIONS:
            self._refused.append(("OSR-DUCKDB-004", f"calls '{name}', which is not allowed"))
        elif name in _VOLATILE:
            self.volatile.add(name)

    def refuse(self, what: str, inputs: Collection[str] | None, hidden: Collection[str]) -> None:
        """Raise DriverError for the first thing that may not be; see :class:`~.statement.Query` for the arguments."""
        for code, words in sorted(set(self._refused)):
            hint = None
            if code == "OSR-DUCKDB-004":
                hint = "read files with an extractor step; a query reaches nothing but its inputs"
            raise DriverError(code, f"{what} {words}", hint=hint)
        for path in self._tables:
            if inputs is not None:
                self._refuse_foreign(what, path, inputs)
            # Also where a WITH query has that name: it may be another one's, out of scope where it is read.
            self._refuse_hidden(what, path, hidden)

    def _refuse_hidden(self, what: str, path: tuple[str, ...], hidden: Collection[str]) -> None:
        if path[-1].casefold() in hidden:
            raise DriverError(
                "OSR-DUCKDB-003",
                f"{what} reads '{'.'.join(path)}', which is a catalog of DuckDB's",
                hint="a catalog is not data; name a WITH query of yours differently",
            )

    def _refuse_foreign(self, what: str, path: tuple[str, ...], inputs: Collection[str]) -> None:
        known = {name.casefold() for name in inputs} | self._defined
        if len(path) == 1 and path[0].casefold() in known:
            return
        name = ".".join(path)
        listed = ", ".join(f"'{name}'" for name in sorted(inputs)) or "none"
        raise DriverError(
            "OSR-DUCKDB-003",
            f"{what} reads '{name}', which is not one of its inputs ({listed})",
            hint=did_you_mean(name, known),
        )
