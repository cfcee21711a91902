"""PIVOT and UNPIVOT: rows become columns whose names are in the data, and columns become rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlglot import exp

from osiris_core.report.influence import NOTHING, Influence, Kind, united
from osiris_core.report.relation import Hole, Named, Relation, not_known
from osiris_core.report.scope import Entry, Scope
from osiris_core.report.sql_expressions import listed, oddity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from osiris_core.report.sql_expressions import Ctes

    Value = Callable[[Any, Scope, Ctes], Influence]
    Fold = Callable[[str], str]

_PIVOT: Final = frozenset(
    {
        *("this", "alias", "expressions", "fields", "unpivot", "using", "group", "columns", "into", "include_nulls"),
        *("default_on_null", "identify_pivot_strings", "prefixed_pivot_columns", "pivot_column_naming"),
    }
)


def pivoted(relation: Relation, node: Any, value: Value, fold: Fold) -> Relation:
    """``relation`` after a PIVOT or UNPIVOT, a clause or a statement; ``value`` follows an expression."""
    odd = oddity(node, _PIVOT)
    if odd:
        return not_known(odd)
    if node.args.get("unpivot"):
        return _unpivoted(relation, node, fold)
    statement = not listed(node, "fields")
    made = listed(node, "using") if statement else node.expressions
    by = [
        one.this if isinstance(one, exp.In) else one for one in (node.expressions if statement else node.args["fields"])
    ]
    group = node.args.get("group")
    keys = group.expressions if group is not None else []
    if not all(isinstance(one, exp.Column) for one in (*by, *keys)):
        return not_known("a PIVOT by expressions is not followed")
    scope = Scope(fold, None, [Entry("", relation)])
    chosen, cell = (_united(value(one, scope, {}) for one in each) for each in (by, made))
    cell = cell.through(Kind.AGGREGATION) | chosen.through(Kind.CONDITIONAL)
    gone = {fold(one.name) for each in (*by, *made) for one in each.find_all(exp.Column)}
    kept = [Named(one.name, value(one, scope, {})) for one in keys] if keys else _without(relation, gone, fold)
    rows = relation.rows | Relation(tuple(kept)).everything().through(Kind.GROUP_BY) | chosen.through(Kind.FILTER)
    return Relation((*kept, Hole(lambda _: cell)), rows)


def _unpivoted(relation: Relation, node: Any, fold: Fold) -> Relation:
    fields = listed(node, "fields")
    if fields:
        if len(fields) != 1 or not isinstance(fields[0], exp.In):
            return not_known("an UNPIVOT of several groups is not followed")
        columns, name = fields[0].expressions, fields[0].this.name
        values = [one.name for one in node.expressions]
    else:
        into = node.args.get("into")
        columns = node.expressions
        name = into.this.name if into is not None else "name"
        values = [one.name for one in into.expressions] if into is not None else ["value"]
    if len(values) != 1 or not all(isinstance(one, exp.Column) and not one.is_star for one in columns):
        return not_known("an UNPIVOT by expressions is not followed")
    scope = Scope(fold, None, [Entry("", relation)])
    value = _united(scope.column([one.name]) for one in columns).through(Kind.TRANSFORMATION)
    kept = _without(relation, {fold(one.name) for one in columns}, fold)
    made = (Named(name, NOTHING), Named(values[0], value))
    return Relation((*kept, *made), relation.rows | value.through(Kind.FILTER))


def _without(relation: Relation, gone: set[str], fold: Fold) -> list[Named | Hole]:
    return [
        Hole(item.give, item.left_out | gone) if isinstance(item, Hole) else item
        for item in relation.items
        if isinstance(item, Hole) or item.name is None or fold(item.name) not in gone
    ]


def _united(influences: Iterable[Influence]) -> Influence:
    return united((NOTHING, *influences))
