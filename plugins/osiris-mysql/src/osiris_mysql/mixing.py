"""UNIONs that mix character sets: there the server changes text before the result is made, and says nothing.

Anywhere else that character sets meet, the server puts in a CONVERT, which warns. The columns of a UNION (EXCEPT,
INTERSECT, recursive WITH) become of one character set as rows are put together, with '?' for what has no Unicode. So
each side of one is described by itself, and its columns are compared with those of the whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from osiris_core.api import DriverError
from osiris_mysql.charsets import EXACT, charset_names
from osiris_mysql.result import READ_BYTES, prepare

if TYPE_CHECKING:
    from collections.abc import Iterator

    from osiris_mysql.session import Session
    from osiris_sql.readonly import Query

_SETS: Final = frozenset({"union", "except", "intersect"})
_HINT: Final = f"write CONVERT(column USING utf8mb4) AS name in the UNION; {READ_BYTES}"


def refuse_mixed(session: Session, query: Query, what: str) -> None:
    """Refuse a UNION that makes a text of one character set one of another, where that may lose characters.
    ``session`` is one whose results come as they are.
    """
    nodes: list[Any] = [node for node in query.tree.walk() if node.key in _SETS]
    for node in nodes:
        try:
            whole, *sides = (_described(session, node, part, what) for part in (node, node.left, node.right))
        except DriverError as error:
            # A part that refers to the query around it, which cannot stand alone.
            _refuse_any(session, query, what, error)
            return
        for side in sides:
            for (column, was), (_, becomes) in zip(side, whole, strict=True):
                if was is not None and was not in EXACT and becomes not in (None, was):
                    why = f"a UNION makes column '{column}' of {was} one of {becomes}"
                    raise DriverError("OSR-MYSQL-023", f"{what}: {why}, with '?' for what that lacks", hint=_HINT)


def _described(session: Session, node: Any, part: Any, what: str) -> list[tuple[str, str | None]]:
    """The names of the columns of a ``part`` of ``node``, and the character sets of those of text."""
    # Only the server's description of it is used: what is run is the text as it was written.
    named = list(_named(node))
    sql = part.copy()
    sql.set("with_", None)
    recursive = "RECURSIVE " if any(one.args.get("recursive") for one in named) else ""
    queries = ", ".join(query.sql(dialect="mysql") for one in named for query in one.expressions)
    fields = prepare(session, f"{f'WITH {recursive}{queries} ' if queries else ''}{sql.sql(dialect='mysql')}", what)
    return list(zip((one.name for one in fields), charset_names(session, fields, what), strict=True))


def _named(node: Any) -> Iterator[Any]:
    """The WITHs whose queries ``node`` may name, the outermost first."""
    if node.parent is not None:
        yield from _named(node.parent)
    if node.args.get("with_") is not None:
        yield node.args["with_"]


def _refuse_any(session: Session, query: Query, what: str, error: DriverError) -> None:
    """Refuse a query that names a table with text of which characters can be lost."""
    tables = {(node.text("db"), node.name) for node in query.tree.walk() if node.key == "table"}
    if not tables:
        return
    places = ", ".join(
        f"({session.escape(database) if database else 'DATABASE()'}, {session.escape(table)})"
        for database, table in sorted(tables)
    )
    found = session.run(
        "SELECT TABLE_NAME, COLUMN_NAME, CHARACTER_SET_NAME FROM information_schema.COLUMNS "
        f"WHERE (TABLE_SCHEMA, TABLE_NAME) IN ({places}) AND CHARACTER_SET_NAME IS NOT NULL "
        "ORDER BY TABLE_NAME, ORDINAL_POSITION",
        what,
    )
    for table, column, charset in found:
        if charset not in EXACT:
            why = f"a UNION in it cannot be looked at by itself, and column '{table}.{column}' is of {charset}"
            raise DriverError("OSR-MYSQL-023", f"{what}: {why}", hint=_HINT) from error
