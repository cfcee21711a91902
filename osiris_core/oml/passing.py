"""What of an incremental extract's rows the SQL of a transform lets pass, as far as its syntax says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from osiris_core.ids import input_name
from osiris_core.oml.sql import sql_fields
from osiris_core.sqltext import rewrite

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from osiris_core.oml.steps import CheckedStep


def cuts(step: CheckedStep, passing: Collection[str]) -> Iterator[tuple[str, str]]:
    """The SQL fields of ``step`` that keep only so many of the rows of ``passing`` (ids of steps), and by what:
    LIMIT, OFFSET, FETCH or SAMPLE. Rows of other inputs may be cut.
    """
    from sqlglot import exp

    names = {exp.Limit: "LIMIT", exp.Offset: "OFFSET", exp.Fetch: "FETCH", exp.TableSample: "SAMPLE"}
    others = {input_name(needed).casefold() for needed in step.needs if needed not in passing}
    for field, tree in _trees(step):
        for node in tree.find_all(*names):
            around = node.parent or node
            if not {table.name.casefold() for table in around.find_all(exp.Table)} <= others:
                yield field, names[type(node)]
                break


def passes_unchanged(step: CheckedStep, passing: Collection[str], column: str) -> bool:
    """Whether ``column`` of the one of ``passing`` that ``step`` selects from is a column of the same name of its rows.

    False when the syntax does not say so plainly: one SELECT from that input, which names the column or has a star.
    """
    from sqlglot import exp

    trees = [tree for _, tree in _trees(step)]
    if len(trees) != 1 or not isinstance(trees[0], exp.Select) or trees[0].args.get("with_"):
        return False
    select = trees[0]
    source = select.args["from_"].this if select.args.get("from_") else None
    if not isinstance(source, exp.Table) or source.name.casefold() not in _inputs(step, passing):
        return False
    alone = not select.args.get("joins") and not select.args.get("laterals")
    found = [
        _is_plain(one, column, source.alias_or_name, alone=alone)
        for one in select.expressions
        if one.is_star or one.alias_or_name.casefold() == column.casefold()
    ]
    return bool(found) and all(found)


def _is_plain(one: Any, column: str, source: str, *, alone: bool) -> bool:
    """Whether an item of a SELECT is a column of ``source``, or a star that has it as it is."""
    from sqlglot import exp

    item = one.unalias()
    if not isinstance(item, (exp.Column, exp.Star)):
        return False
    if not (item.table.casefold() == source.casefold() if isinstance(item, exp.Column) and item.table else alone):
        return False
    star = item if isinstance(item, exp.Star) else item.this
    if isinstance(star, exp.Star):
        return not any(star.args.get(name) for name in ("except_", "replace", "rename"))
    return bool(item.name.casefold() == column.casefold())


def _inputs(step: CheckedStep, passing: Collection[str]) -> set[str]:
    """The names by which the SQL of ``step`` reads the rows of ``passing``."""
    names = {input_name(needed).casefold() for needed in step.needs if needed in passing}
    return names | ({"df"} if len(step.needs) == 1 else set())


def _trees(step: CheckedStep) -> Iterator[tuple[str, Any]]:
    """The SQL fields of ``step`` and their syntax trees; what does not parse is left to the component."""
    import sqlglot
    from sqlglot.errors import SqlglotError

    dialect = step.component.sql_dialect or "duckdb"
    for field in sorted(sql_fields(step.component.config)):
        text = step.config.get(field)
        if not isinstance(text, str):
            continue
        if dialect == "duckdb":  # whose `a: b` is an alias to sqlglot
            text = rewrite(text, lambda name: f"${name}", dialect=dialect)
        try:
            found = sqlglot.parse(text, dialect=dialect)
        except (SqlglotError, ValueError, RecursionError):
            continue
        yield from ((field, tree) for tree in found if tree is not None)
