"""What influences the value of an SQL expression, and how: each node says what it does to its parts.

sqlglot is imported here: import this module only where there is SQL to follow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import attrs
from sqlglot import exp

from osiris_core.report.influence import NOTHING, Influence, Kind, united

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from collections.abc import Set as AbstractSet

    from osiris_core.report.relation import Relation
    from osiris_core.report.scope import Scope
    from osiris_core.report.sql_reads import Budget, Reads

    Ctes = Mapping[str, Relation]
    Query = Callable[[Any, Ctes, Scope | None], Relation]

AGGREGATES: Final = frozenset(
    {
        *("arbitrary", "arg_max_null", "arg_max_nulls_last", "arg_min_null", "arg_min_nulls_last", "bitstring_agg"),
        *("combine_aggr", "decimal_average", "entropy", "favg", "fsum", "histogram", "histogram_exact", "kahan_sum"),
        *("kurtosis_pop", "lttb", "mad", "mean", "product", "reservoir_quantile", "sem", "sum_no_overflow"),
        *("sumkahan", "variant_group_object"),
    }
)
"""DuckDB's aggregates that sqlglot takes for any function."""

_OVER: Final = (exp.Lag, exp.Lead, exp.FirstValue, exp.LastValue, exp.NthValue)
"""Aggregates to sqlglot that give the value of one row of their window."""

_EXPANDERS: Final = (exp.Explode, exp.Unnest, exp.Posexplode)

_FOLLOWED: Final = (
    *(exp.Condition, exp.Func, exp.Binary, exp.Unary, exp.Tuple, exp.Ordered, exp.Order, exp.Distinct),
    *(exp.Identifier, exp.Var, exp.Interval, exp.Where, exp.IgnoreNulls, exp.RespectNulls, exp.WindowSpec),
    *(exp.Collate, exp.HavingMax, exp.Slice, exp.IntervalSpan, exp.WithinGroup, exp.Limit, exp.Offset),
    *(exp.GroupingSets, exp.Cube, exp.Rollup, exp.Fetch, exp.Comprehension, exp.Lambda, exp.PropertyEQ),
    *(exp.Filter, exp.JSONPath, exp.JSONPathPart),
)
"""A node of another class is one of a statement that is not understood."""

_PLAIN: Final = (exp.Paren, exp.Alias, exp.IgnoreNulls, exp.RespectNulls, exp.Distinct, exp.Where)
"""What gives the value that stands in it."""


@attrs.frozen
class _Part:
    """A node yet to be looked at: what it does to the value, and the names that a lambda around it has taken."""

    node: Any
    kind: Kind
    bound: frozenset[str] = frozenset()

    def plain(self, node: Any) -> _Part:
        """A part whose value is this one's."""
        return _Part(node, self.kind, self.bound)

    def computed(self, node: Any) -> _Part:
        """A part from which this one's value is computed."""
        return _Part(node, self.kind.then(Kind.TRANSFORMATION) if self.kind.direct else self.kind, self.bound)

    def aggregated(self, node: Any) -> _Part:
        """A part of which this one's value is an aggregate."""
        return _Part(node, Kind.AGGREGATION if self.kind.direct else self.kind, self.bound)

    def deciding(self, node: Any, kind: Kind) -> _Part:
        """A part that decides something about this one's value."""
        return _Part(node, kind if self.kind.direct else self.kind, self.bound)


class Expressions:
    """Follows expressions; sub-selects in them are given to ``query``."""

    def __init__(self, reads: Reads, budget: Budget, query: Query) -> None:
        self._reads = reads
        self._budget = budget
        self._query = query
        self._special: tuple[
            tuple[tuple[type, ...], Callable[[_Part, Scope, list[Influence]], Iterator[_Part]]], ...
        ] = (
            (_PLAIN, self._inside),
            ((exp.Window,), self._window),
            ((exp.Case,), self._case),
            ((exp.If,), self._if),
            ((exp.Filter,), self._filter),
            ((exp.WithinGroup,), self._within_group),
            ((exp.Order,), self._order),
            ((exp.PropertyEQ, exp.Kwarg), self._named_argument),
            ((exp.Lambda,), self._lambda),
            ((exp.Comprehension,), self._comprehension),
        )

    def value(self, root: Any, scope: Scope, ctes: Ctes, *, aliases: str = "") -> Influence:
        """What influences the value of ``root``; ``aliases`` as in :meth:`Scope.column`."""
        found: list[Influence] = []
        stack = [_Part(root, Kind.IDENTITY)]
        while stack:
            part = stack.pop()
            self._budget.spend()
            influence = self._whole(part, scope, ctes, aliases)
            if influence is None:
                stack += self._parts(part, scope, found)
                continue
            made = influence.through(part.kind)
            self._budget.spend(len(made.edges))
            found.append(made)
        return united(found) if found else NOTHING

    def _whole(self, part: _Part, scope: Scope, ctes: Ctes, aliases: str) -> Influence | None:
        """What influences a node that is looked at as a whole; None for one that is looked at by its parts."""
        node = part.node
        if isinstance(node, exp.Column):
            if isinstance(node.this, exp.Star):
                return scope.whole(node.table) or Influence.not_known(f"the columns of '{node.table}' are not known")
            names = [one.name for one in node.parts]
            return NOTHING if self._reads.fold(names[0]) in part.bound else scope.column(names, aliases=aliases)
        if isinstance(node, exp.Subquery | exp.Query):
            relation = self._query(node, ctes, scope)
            return relation.everything() | relation.rows
        if isinstance(node, exp.Exists):
            return self._query(node.this, ctes, scope).rows
        if isinstance(node, exp.DataType | exp.Identifier | exp.Var | exp.Literal):
            return NOTHING
        if isinstance(node, exp.Star):
            return NOTHING if isinstance(node.parent, exp.Count) else Influence.not_known("a star in an expression")
        if isinstance(node, exp.Columns | exp.PositionalColumn) or not isinstance(node, _FOLLOWED):
            return Influence.not_known(f"{type(node).__name__} is not followed")
        return None

    def _parts(self, part: _Part, scope: Scope, found: list[Influence]) -> Iterator[_Part]:
        for kinds, follow in self._special:
            if isinstance(part.node, kinds):
                return follow(part, scope, found)
        return self._function(part, scope, found)

    # One method for each kind of node that does something of its own to its parts.

    def _function(self, part: _Part, _: Scope, found: list[Influence]) -> Iterator[_Part]:
        """A function or operator. One that may read more than its arguments adds that nobody knows what."""
        node = part.node
        make = part.computed
        if isinstance(node, exp.Anonymous | exp.AnonymousAggFunc):
            name = str(node.this).lower()
            if name in AGGREGATES:
                make = part.aggregated
            elif not self._reads.local:
                found.append(Influence.not_known(f"what the function {name}() reads is not known"))
        elif isinstance(node, exp.AggFunc):
            of_one_row = isinstance(node, _OVER) and node.find_ancestor(exp.Window) is not None
            make = part.computed if of_one_row else part.aggregated
        return map(make, node.iter_expressions())

    def _inside(self, part: _Part, *_: Any) -> Iterator[_Part]:
        return map(part.plain, part.node.iter_expressions())

    def _window(self, part: _Part, scope: Scope, found: list[Influence]) -> Iterator[_Part]:
        yield part.computed(part.node.this)
        seen: set[str] = set()
        window = part.node
        while window is not None:
            order, spec = window.args.get("order"), window.args.get("spec")
            keys = [*listed(window, "partition_by"), *(order.expressions if order else ()), *([spec] if spec else ())]
            yield from (part.deciding(key, Kind.WINDOW) for key in keys)
            name = window.alias
            if not name or name in seen:
                return
            seen.add(name)
            window = scope.windows.get(self._reads.fold(name))
            if window is None:
                found.append(Influence.not_known(f"the window '{name}' is not known"))

    def _case(self, part: _Part, *_: Any) -> Iterator[_Part]:
        args = part.node.args
        if args.get("this"):
            yield part.deciding(args["this"], Kind.CONDITIONAL)
        for each in args["ifs"]:
            yield part.deciding(each.this, Kind.CONDITIONAL)
            yield part.computed(each.args["true"])
        if args.get("default"):
            yield part.computed(args["default"])

    def _if(self, part: _Part, *_: Any) -> Iterator[_Part]:
        yield part.deciding(part.node.this, Kind.CONDITIONAL)
        yield from (part.computed(part.node.args[key]) for key in ("true", "false") if part.node.args.get(key))

    def _filter(self, part: _Part, *_: Any) -> Iterator[_Part]:
        yield part.plain(part.node.this)
        yield part.deciding(part.node.expression, Kind.CONDITIONAL)

    def _within_group(self, part: _Part, *_: Any) -> Iterator[_Part]:
        yield part.computed(part.node.this)
        yield from map(part.aggregated, part.node.expression.expressions)

    def _order(self, part: _Part, *_: Any) -> Iterator[_Part]:
        if part.node.this:
            yield part.plain(part.node.this)
        yield from (part.deciding(key, Kind.SORT) for key in part.node.expressions)

    def _named_argument(self, part: _Part, *_: Any) -> Iterator[_Part]:
        yield part.computed(part.node.expression)

    def _lambda(self, part: _Part, *_: Any) -> Iterator[_Part]:
        node = part.node
        if not self._reads.aliases or node.expressions[0].meta.get("start") in self._reads.lambdas:
            yield self._binding(part.computed(node.this), node.expressions)
            return
        # `f(j -> '$.a')` is a lambda to sqlglot, and a value in a JSON text to DuckDB, whose form is `lambda j: …`.
        yield from (part.computed(exp.column(one.copy())) for one in node.expressions)
        yield part.computed(node.this)

    def _comprehension(self, part: _Part, *_: Any) -> Iterator[_Part]:
        args = part.node.args
        names = [args[key] for key in ("expression", "position") if args.get(key)]
        yield part.computed(args["iterator"])
        for key in ("this", "condition"):
            if args.get(key):
                yield self._binding(part.computed(args[key]), names)

    def _binding(self, part: _Part, names: list[Any]) -> _Part:
        return attrs.evolve(part, bound=part.bound | {self._reads.fold(one.name) for one in names})

    # What an item of a SELECT is.

    def multiplied(self, node: Any, scope: Scope, ctes: Ctes) -> Influence | None:
        """What decides how many rows an item makes of one; None when it makes one."""
        found = list(node.find_all(*_EXPANDERS))
        return united(self.value(one, scope, ctes) for one in found).through(Kind.JOIN) if found else None

    def several_columns(self, node: Any) -> bool:
        """Whether an item stands for columns in a way that is not followed."""
        return any(
            isinstance(each, exp.Columns)
            or (isinstance(each, exp.Star) and not isinstance(each.parent, exp.Count | exp.Column))
            for each in self._within(node)
        )

    def aggregates(self, node: Any) -> bool:
        """Whether an item is an aggregate, sub-selects left aside."""
        return any(
            (isinstance(each, exp.AggFunc) or (isinstance(each, exp.Anonymous) and each.name.lower() in AGGREGATES))
            and not isinstance(each.parent, exp.Window)
            and not (isinstance(each.parent, exp.IgnoreNulls) and isinstance(each.parent.parent, exp.Window))
            for each in self._within(node)
        )

    def _within(self, node: Any) -> Iterator[Any]:
        for each in node.walk(prune=lambda one: one is not node and isinstance(one, exp.Query)):
            self._budget.spend()
            yield each


def listed(node: Any, key: str) -> list[Any]:
    """An argument of a node that is a list; empty when there is none."""
    value = node.args.get(key)
    return list(value) if isinstance(value, list) else []


def column_aliases(node: Any) -> list[str]:
    """The columns' names in ``t(a, b)``."""
    alias = node.args.get("alias")
    return [one.name for one in alias.columns] if isinstance(alias, exp.TableAlias) else []


def oddity(node: Any, known: AbstractSet[str]) -> str | None:
    """What ``node`` has besides what is ``known``, in words: there is more to it than is followed."""
    odd = sorted(key for key, value in node.args.items() if value and key not in known)
    if not odd:
        return None
    return f"{type(node).__name__.upper()} with {', '.join(key.strip('_') for key in odd)} is not followed"
