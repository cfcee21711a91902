"""Whether two SQL texts are the same statement in other clothes: white space, comments, letter case of keywords."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from osiris_core.sqltext import rewrite

if TYPE_CHECKING:
    from collections.abc import Iterator

_QUERY: Final = re.compile(
    r"(?:\s|--[^\n]*\n|/\*(?![!+]).*?\*/|\()*(?:select|with|from|values)\b", re.IGNORECASE | re.DOTALL
)
_MEANINGFUL_COMMENT: Final = re.compile(r"/\*[!+]")  # MySQL runs /*! ... */, and /*+ ... */ are hints
_NOT_MEANING: Final = frozenset({"m", "o"})  # positions and comments, in sqlglot's dump of a node


def same_sql(before: str, after: str, *, dialect: str) -> bool:
    """Whether both texts have the same syntax tree in ``dialect`` (sqlglot's name of it).

    Anything but a query, and what does not parse in ``dialect``, is the same only when its text is.
    """
    if before == after:
        return True
    if not all(_QUERY.match(text) and not _MEANINGFUL_COMMENT.search(text) for text in (before, after)):
        return False
    trees = _tree(before, dialect), _tree(after, dialect)
    return trees[0] is not None and trees[0] == trees[1]


def _tree(sql: str, dialect: str) -> list[Any] | None:
    import sqlglot
    from sqlglot.errors import SqlglotError

    if dialect == "duckdb":  # whose `a: b` is an alias to sqlglot
        sql = rewrite(sql, lambda name: f"${name}", dialect=dialect)
    try:
        statements = sqlglot.parse(sql, dialect=dialect)
    except (SqlglotError, ValueError, RecursionError):
        return None
    if any(isinstance(statement, sqlglot.exp.Command) for statement in statements):
        return None  # sqlglot keeps it as text
    return [list(_meaning(statement.dump())) for statement in statements if statement is not None]


def _meaning(dump: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for node in dump:
        yield {key: value for key, value in node.items() if key not in _NOT_MEANING}
