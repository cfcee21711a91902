"""Column lineage through one SELECT: a syntax tree and the relations that it reads, to the relation that it gives.

sqlglot parses; which column a name means and what it does there is decided here, because sqlglot's own lineage knows
neither the kinds nor the columns that act from WHERE, JOIN or ORDER BY, takes a column without a known table for one of
the only table there is, and fails as a whole where one name cannot be resolved (ADR "Column lineage"). Every part of a
tree is either understood or makes what it belongs to ``unknown``; none is passed over. sqlglot is imported here: import
this module only where there is SQL to follow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlglot import exp

from osiris_core.report.influence import NOTHING, Influence, Kind, united
from osiris_core.report.relation import Hole, Named, Relation, closed, not_known, without_doubles
from osiris_core.report.scope import Entry, Scope
from osiris_core.report.sql_expressions import Expressions, column_aliases, listed, oddity
from osiris_core.report.sql_pivot import pivoted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from osiris_core.report.sql_expressions import Ctes
    from osiris_core.report.sql_reads import Budget, Reads

_MAX_ROUNDS: Final = 64
"""How often a recursive CTE is gone through; what grows still is not known."""

# What a node may carry; with anything else there is more to it than is followed.
_SELECT: Final = frozenset(
    {
        *("kind", "expressions", "hint", "distinct", "from_", "laterals", "joins", "where", "group", "having"),
        *("qualify", "windows", "order", "limit", "offset", "sample", "with_", "operation_modifiers", "locks"),
    }
)
_TABLE: Final = frozenset({"this", "alias", "db", "catalog", "joins", "pivots", "sample"})
_SUBQUERY: Final = frozenset({"this", "alias", "with_", "joins", "pivots", "sample", "order", "limit", "offset"})
_JOIN: Final = frozenset({"this", "on", "side", "kind", "method", "using", "match_condition"})
_SETS: Final = frozenset({"this", "expression", "with_", "distinct", "by_name", "order", "limit", "offset"})
_CTE: Final = frozenset({"this", "alias", "materialized"})
_WITH: Final = frozenset({"expressions", "recursive"})
_GROUP: Final = frozenset({"expressions", "all", "grouping_sets", "cube", "rollup"})
_STAR: Final = frozenset({"except_", "replace", "rename"})
_UNNEST: Final = frozenset({"expressions", "alias", "offset"})


def relation_of(tree: Any, reads: Reads, budget: Budget) -> Relation:
    """The relation that the statement ``tree`` gives. Raises TooMuch, and RecursionError when it is nested too deep."""
    return _Query(reads, budget).query(tree, {}, None)


class _Query:
    def __init__(self, reads: Reads, budget: Budget) -> None:
        self._reads = reads
        self._fold = reads.fold
        self._budget = budget
        self._follow = Expressions(reads, budget, self.query)
        self._value = self._follow.value

    # Statements.

    def query(self, node: Any, ctes: Ctes, parent: Scope | None) -> Relation:
        """The relation of something that can stand in parentheses after FROM."""
        self._budget.spend()
        ctes = self._with(node, ctes, parent)
        if isinstance(node, exp.Select):
            return self._select(node, ctes, parent)
        if isinstance(node, exp.SetOperation):
            return self._set(node, ctes, parent)
        if isinstance(node, exp.Subquery):
            return self._subquery(node, ctes, parent)
        if isinstance(node, exp.Values):
            return self._values(node, Scope(self._fold, parent), ctes)
        if isinstance(node, exp.Pivot):
            scope = Scope(self._fold, parent)
            rows = self._from(node.this, scope, ctes)
            return pivoted(Relation(tuple(scope.star()), rows), node, self._value, self._fold)
        if isinstance(node, exp.Table):
            scope = Scope(self._fold, parent)
            rows = self._from(node, scope, ctes)
            return Relation(tuple(scope.star()), rows)
        return not_known(f"a {type(node).__name__.upper()} is not followed")

    def _with(self, node: Any, ctes: Ctes, parent: Scope | None) -> Ctes:
        with_ = node.args.get("with_")
        if with_ is None:
            return ctes
        known = dict(ctes)
        for cte in with_.expressions:
            odd = oddity(cte, _CTE) or oddity(with_, _WITH)
            if odd:
                relation = not_known(odd)
            elif with_.args.get("recursive") and isinstance(cte.this, exp.SetOperation):
                relation = self._recursive(cte, known, parent)
            else:
                relation = self._called(self.query(cte.this, known, parent), cte)
            known[self._fold(cte.alias)] = relation
        return known

    def _recursive(self, cte: Any, ctes: Ctes, parent: Scope | None) -> Relation:
        """Gone through until nothing is added; influences only grow."""
        name = self._fold(cte.alias)
        found = self._called(self.query(cte.this.this, ctes, parent), cte)
        if found.holes:
            return not_known("a recursive query begins with columns that are not known")
        for _ in range(_MAX_ROUNDS):
            following = self._called(self.query(cte.this, {**ctes, name: found}, parent), cte)
            if following == found:
                return found
            found = following
        return not_known("a recursive query takes too many rounds")

    def _called(self, relation: Relation, node: Any) -> Relation:
        """As a sub-select or CTE shows it: its columns renamed, doubles told apart."""
        inside = Relation(tuple(without_doubles(relation.items, self._fold)), relation.rows)
        return inside.renamed(column_aliases(node))

    def _subquery(self, node: Any, ctes: Ctes, parent: Scope | None) -> Relation:
        if isinstance(node.this, exp.Table):
            scope = Scope(self._fold, parent)
            rows = self._from(node.this, scope, ctes)
            found = Relation(tuple(scope.star()), rows)
        else:
            found = self.query(node.this, ctes, parent)
        found = found.with_rows(self._ending(node, found, parent, ctes))
        odd = oddity(node, _SUBQUERY)
        return found.with_rows(Influence.not_known(odd)) if odd else found

    def _set(self, node: Any, ctes: Ctes, parent: Scope | None) -> Relation:
        left, right = (self.query(side, ctes, parent) for side in (node.this, node.expression))
        odd = oddity(node, _SETS)
        if odd:
            return not_known(odd)
        rows = left.rows | right.rows
        if left.holes or right.holes:
            return not_known("columns are taken together by their position, and which they are is not known")
        alone = not isinstance(node, exp.Union)
        if node.args.get("by_name"):
            items = self._by_name(left, right, both=not alone)
        elif len(left.items) == len(right.items):
            items = tuple(
                Named(one.name, one.influence if alone else one.influence | other.influence)
                for one, other in zip(left.named, right.named, strict=True)
            )
        else:
            return not_known("a set operation has two numbers of columns")
        if alone:
            rows |= right.everything().through(Kind.FILTER) | left.everything().through(Kind.FILTER)
        elif node.args.get("distinct"):
            rows |= (left.everything() | right.everything()).through(Kind.GROUP_BY)
        found = Relation(items, rows)
        return found.with_rows(self._ending(node, found, parent, ctes))

    def _by_name(self, left: Relation, right: Relation, *, both: bool) -> tuple[Named, ...]:
        found: dict[str, Named] = {}
        for item in (*left.named, *(right.named if both else ())):
            if item.name is None:
                reason = Influence.not_known("an expression without a name is taken together by its name")
                found[f"\0{len(found)}"] = Named(None, reason)
                continue
            key = self._fold(item.name)
            found[key] = Named(found[key].name, found[key].influence | item.influence) if key in found else item
        return tuple(found.values())

    def _values(self, node: Any, scope: Scope, ctes: Ctes) -> Relation:
        rows = [row.expressions if isinstance(row, exp.Tuple) else [row] for row in node.expressions]
        width = len(rows[0]) if rows else 0
        if any(len(row) != width for row in rows):
            return not_known("VALUES has rows of several lengths")
        items = [
            (f"col{index}", united(self._value(row[index], scope, ctes) for row in rows)) for index in range(width)
        ]
        return closed(items).renamed(column_aliases(node))

    # SELECT.

    def _select(self, node: Any, ctes: Ctes, parent: Scope | None) -> Relation:
        args = node.args
        scope = Scope(self._fold, parent, windows={self._fold(w.name): w for w in args.get("windows") or ()})
        rows = NOTHING
        odd = oddity(node, _SELECT)
        if odd:
            rows = Influence.not_known(odd)
        if args.get("kind"):
            return not_known(f"SELECT AS {args['kind']} is not followed")
        if args.get("from_"):
            rows |= self._from(args["from_"].this, scope, ctes)
        for each in (*(args.get("joins") or ()), *(args.get("laterals") or ())):
            rows |= self._join(each, scope, ctes)
        items: list[Named | Hole] = []
        for each in node.expressions:
            items += self._item(each, scope, ctes)
            rows |= self._follow.multiplied(each, scope, ctes) or NOTHING
        for name in ("where", "having", "qualify"):
            if args.get(name):
                # WHERE sees aliases in DuckDB only.
                seen = "" if name == "where" and not self._reads.aliases else "last"
                rows |= self._value(args[name].this, scope, ctes, aliases=seen).through(Kind.FILTER)
        rows |= self._group(node, items, scope, ctes) | self._distinct(args.get("distinct"), items, scope, ctes)
        found = Relation(tuple(items), rows)
        return found.with_rows(self._ending(node, found, scope, ctes))

    def _item(self, node: Any, scope: Scope, ctes: Ctes) -> Iterator[Named | Hole]:
        inner = node.unalias()
        if isinstance(inner, exp.Star):
            yield from self._star(inner, scope.star(), scope, ctes)
            return
        if isinstance(inner, exp.Column) and isinstance(inner.this, exp.Star):
            yield from self._qualified_star(inner, scope, ctes)
            return
        if self._follow.several_columns(inner):
            reason = Influence.not_known("an expression over several columns (COLUMNS, * LIKE) is not followed")
            yield Hole(lambda _: reason)
            return
        name = node.alias if isinstance(node, exp.Alias) else inner.name if isinstance(inner, exp.Column) else None
        influence = self._value(inner, scope, ctes, aliases="last" if self._reads.aliases else "")
        if self._follow.multiplied(inner, scope, ctes) is not None and not isinstance(node, exp.Alias):
            reason = Influence.not_known("how many columns UNNEST gives is not known")
            yield Hole(lambda _: reason)
            return
        if name:
            scope.aliases.setdefault(self._fold(name), influence)
        yield Named(name or None, influence)

    def _qualified_star(self, column: Any, scope: Scope, ctes: Ctes) -> Iterator[Named | Hole]:
        found = list(scope.star(column.table))
        if not found:
            reason = Influence.not_known(f"the columns of '{column.table}' are not known")
            found = [Hole(lambda _: reason)]
        yield from self._star(column.this, found, scope, ctes)

    def _star(self, star: Any, items: Any, scope: Scope, ctes: Ctes) -> Iterator[Named | Hole]:
        """What a star stands for, without EXCLUDE, with REPLACE and RENAME."""
        odd = oddity(star, _STAR)
        if odd or any(not isinstance(one, exp.Alias) for key in ("replace", "rename") for one in listed(star, key)):
            reason = Influence.not_known(odd or "a star is changed in a way that is not followed")
            yield Hole(lambda _: reason)
            return
        left_out = {self._fold(one.name) for one in listed(star, "except_")}
        replaced = {self._fold(one.alias): self._value(one.this, scope, ctes) for one in listed(star, "replace")}
        renamed = {self._fold(one.this.name): one.alias for one in listed(star, "rename")}
        old = {self._fold(new): name for name, new in renamed.items()}
        for name in renamed.values():
            scope.aliases.setdefault(self._fold(name), scope.column([old[self._fold(name)]]))
        for item in items:
            if isinstance(item, Hole):
                yield self._changed(item, left_out | set(renamed), replaced, old)
                continue
            key = None if item.name is None else self._fold(item.name)
            if key is None or key not in left_out:
                self._budget.spend()
                influence = replaced.get(key, item.influence) if key is not None else item.influence
                yield Named(renamed.get(key, item.name) if key is not None else None, influence)

    def _changed(
        self, hole: Hole, left_out: set[str], replaced: Mapping[str, Influence], old: Mapping[str, str]
    ) -> Hole:
        def give(name: str) -> Influence:
            key = self._fold(name)
            return replaced[key] if key in replaced else hole.give(old.get(key, name))

        return Hole(give, (hole.left_out | left_out) - set(old))

    def _group(self, node: Any, items: Sequence[Named | Hole], scope: Scope, ctes: Ctes) -> Influence:
        group = node.args.get("group")
        if group is None:
            return NOTHING
        odd = oddity(group, _GROUP)
        found = [Influence.not_known(odd)] if odd else []
        if group.args.get("all"):
            # The others are grouped by; a star holds no aggregate.
            plain = [one for one in node.expressions if not self._follow.aggregates(one)]
            found += [self._value(one.unalias(), scope, ctes) for one in plain if not one.is_star]
            if any(one.is_star for one in plain):
                found.append(Relation(tuple(scope.star())).everything())
        keys = [*group.expressions]
        for name in ("grouping_sets", "cube", "rollup"):
            keys += listed(group, name)
        found += [self._key(key, items, scope, ctes, aliases="last") for key in keys]
        return united(found).through(Kind.GROUP_BY) if found else NOTHING

    def _distinct(self, distinct: Any, items: Sequence[Named | Hole], scope: Scope, ctes: Ctes) -> Influence:
        if distinct is None:
            return NOTHING
        on = distinct.args.get("on") if hasattr(distinct, "args") else None
        if on is None:
            return Relation(tuple(items)).everything().through(Kind.GROUP_BY)
        keys = on.expressions if isinstance(on, exp.Tuple) else [on]
        return united(self._key(key, items, scope, ctes, aliases="last") for key in keys).through(Kind.GROUP_BY)

    def _ending(self, node: Any, found: Relation, scope: Scope | None, ctes: Ctes) -> Influence:
        """What ORDER BY, LIMIT and OFFSET let decide about the rows."""
        rows = NOTHING
        seen = scope
        if scope is None or not isinstance(node, exp.Select):
            seen = Scope(self._fold, scope, [Entry("", found)])
        order = node.args.get("order")
        for key in order.expressions if order is not None else ():
            by = key.this if isinstance(key, exp.Ordered) else key
            all_of_them = isinstance(by, exp.Var) and by.name.upper() == "ALL"
            made = found.everything() if all_of_them else self._key(by, found.items, seen, ctes, aliases="first")
            rows |= made.through(Kind.SORT)
        for name in ("limit", "offset"):
            if node.args.get(name):
                rows |= self._value(node.args[name], Scope(self._fold, scope), ctes).through(Kind.FILTER)
        return rows

    def _key(self, key: Any, items: Sequence[Named | Hole], scope: Any, ctes: Ctes, *, aliases: str) -> Influence:
        """An expression of GROUP BY or ORDER BY; a plain number is an item's position."""
        if isinstance(key, exp.Literal) and not key.is_string and key.name.isdigit():
            at = int(key.name) - 1
            before = items[: at + 1]
            if len(before) == at + 1 and all(isinstance(one, Named) for one in before):
                return items[at].influence  # type: ignore[union-attr]
            return Influence.not_known(f"which column stands at position {key.name} is not known")
        return self._value(key, scope, ctes, aliases=aliases)

    # FROM.

    def _from(self, node: Any, scope: Scope, ctes: Ctes) -> Influence:
        """Take a table, with what is joined to it within parentheses, into ``scope``; what influences its rows."""
        if isinstance(node, exp.Subquery) and isinstance(node.this, exp.Table) and not oddity(node, {"this"}):
            return self._from(node.this, scope, ctes)  # parentheses only: the names within stay visible
        entry = self._entry(node, scope, ctes)
        rows = entry.relation.rows
        scope.add(entry)
        for each in node.args.get("joins") or ():
            rows |= self._join(each, scope, ctes)
        return rows

    def _entry(self, node: Any, scope: Scope, ctes: Ctes) -> Entry:
        pivots = node.args.get("pivots")
        alias = (pivots[-1].alias if pivots else "") or node.alias_or_name
        if isinstance(node, exp.Lateral):
            return Entry(node.alias, self._lateral(node, scope, ctes))
        if isinstance(node, exp.Table):
            relation = self._table(node, scope, ctes)
        elif isinstance(node, exp.Unnest):
            relation = self._unnest(node, scope, ctes)
        elif isinstance(node, exp.Values):
            relation = self._values(node, scope, ctes)
        elif isinstance(node, exp.Subquery | exp.Query | exp.Pivot):
            # DuckDB lets a sub-select see the tables before it; elsewhere that takes LATERAL.
            around = scope if self._reads.aliases else scope.parent
            relation = self._called(self.query(node, ctes, around), node)
        else:
            relation = not_known(f"a {type(node).__name__.upper()} in FROM is not followed")
        for pivot in pivots or ():
            relation = pivoted(relation, pivot, self._value, self._fold)
        return Entry(alias, relation)

    def _lateral(self, node: Any, scope: Scope, ctes: Ctes) -> Relation:
        if node.args.get("view"):
            return not_known("LATERAL VIEW is not followed")
        inner = node.this
        if isinstance(inner, exp.Subquery | exp.Query):
            return self._called(self.query(inner, ctes, scope), node)
        if isinstance(inner, exp.Unnest):
            return self._unnest(inner, scope, ctes).renamed(column_aliases(node))
        return not_known("a function after LATERAL is not followed")

    def _table(self, node: Any, scope: Scope, ctes: Ctes) -> Relation:
        odd = oddity(node, _TABLE)
        if odd:
            return not_known(odd)
        if isinstance(node.this, exp.GenerateSeries):
            given = united(self._value(one, scope, ctes) for one in node.this.iter_expressions())
            made = closed([("generate_series", given.through(Kind.TRANSFORMATION))], given.through(Kind.JOIN))
            return made.renamed(column_aliases(node))
        if not isinstance(node.this, exp.Identifier):
            return not_known(f"the table function {node.this.sql()[:60]} is not followed")
        parts = [part.name for part in node.parts]
        found = ctes.get(self._fold(parts[0])) if len(parts) == 1 else None
        if found is None:
            found = self._reads.table(parts)
        if found is None:
            return not_known(f"the table '{'.'.join(parts)}' is none of the step's inputs")
        return found.renamed(column_aliases(node))

    def _unnest(self, node: Any, scope: Scope, ctes: Ctes) -> Relation:
        odd = oddity(node, _UNNEST)
        if odd or (node.args.get("offset") not in (None, False, True)):
            return not_known(odd or "UNNEST is used in a way that is not followed")
        values = [self._value(one, scope, ctes) for one in node.expressions]
        names = column_aliases(node)
        unnamed = Influence.not_known("how many columns UNNEST gives is not known")
        if len(values) != 1 or len(names) != 1 or node.args.get("offset"):
            return Relation((Hole(lambda _: unnamed),), united(values).through(Kind.JOIN))
        return closed([(names[0], values[0].through(Kind.TRANSFORMATION))], values[0].through(Kind.JOIN))

    def _join(self, node: Any, scope: Scope, ctes: Ctes) -> Influence:
        """Take a joined table into ``scope``; what influences which rows there are now."""
        if isinstance(node, exp.Lateral):
            entry = self._entry(node, scope, ctes)
            scope.add(entry)
            return entry.relation.rows
        odd = oddity(node, _JOIN)
        entry = self._entry(node.this, scope, ctes)
        rows = entry.relation.rows | (Influence.not_known(odd) if odd else NOTHING)
        using = [one.name for one in node.args.get("using") or ()]
        if str(node.args.get("method")) == "NATURAL":
            shared = self._shared(scope, entry)
            if shared is None:
                rows |= Influence.not_known("a NATURAL JOIN of tables whose columns are not known")
            using = shared or []
        seen = scope
        if str(node.args.get("kind")) in ("SEMI", "ANTI"):  # whose columns only the join itself can name
            seen = Scope(self._fold, scope, [entry])
            for name in using:
                rows |= (scope.column([name]) | seen.column([name])).through(Kind.JOIN)
        elif using:
            rows |= scope.join_using(entry, using, str(node.args.get("side")))
        else:
            scope.add(entry)
        for name in ("on", "match_condition"):
            if node.args.get(name):
                rows |= self._value(node.args[name], seen, ctes).through(Kind.JOIN)
        for each in node.this.args.get("joins") or ():
            rows |= self._join(each, scope, ctes)
        return rows

    def _shared(self, scope: Scope, entry: Entry) -> list[str] | None:
        """The names that a NATURAL JOIN goes by; None when not all names are known."""
        relations = [*(one.relation for one in scope.entries), entry.relation]
        if any(relation.holes for relation in relations):
            return None
        known = {self._fold(item.name) for one in scope.entries for item in one.relation.named if item.name}
        return [item.name for item in entry.relation.named if item.name and self._fold(item.name) in known]
