"""Which column a name in a SELECT means: its tables, what USING has made one, its aliases, and the SELECT around it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from osiris_core.report.influence import Influence, Kind, united
from osiris_core.report.relation import Found, Hole, Named, Relation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import Any


@attrs.frozen
class Entry:
    """A table of a FROM. ``hidden`` are columns that a star leaves out, because USING has made them one with others."""

    alias: str
    relation: Relation
    hidden: frozenset[str] = frozenset()


@attrs.define
class Scope:
    """What the expressions of one SELECT can name."""

    fold: Callable[[str], str]
    parent: Scope | None = None
    entries: list[Entry] = attrs.field(factory=list)
    merged: dict[str, Influence] = attrs.field(factory=dict)
    aliases: dict[str, Influence] = attrs.field(factory=dict)
    windows: Mapping[str, Any] = attrs.field(factory=dict)

    def add(self, entry: Entry) -> None:
        """Take in a table."""
        self.entries.append(entry)

    def join_using(self, entry: Entry, names: Sequence[str], side: str) -> Influence:
        """Take in a table whose columns ``names`` are one with those before; what decides which rows meet."""
        deciding = []
        for name in names:
            key = self.fold(name)
            left = self._unqualified(name)
            right = entry.relation.find(name, self.fold)
            pair = [one.influence for one in (left, right) if one is not None]
            if len(pair) < 2:
                pair = [Influence.not_known(f"the column '{name}' of USING is not known")] * 2
            deciding += pair
            if side == "FULL":
                self.merged[key] = united(one.through(Kind.TRANSFORMATION) for one in pair)
            else:
                self.merged[key] = pair[1] if side == "RIGHT" else pair[0]
        self.add(attrs.evolve(entry, hidden=frozenset(map(self.fold, names))))
        return united(deciding).through(Kind.JOIN)

    def column(self, parts: Sequence[str], *, aliases: str = "") -> Influence:
        """What influences the column that ``parts`` name (``[catalog, schema, table, column]`` or fewer from the left).

        ``aliases`` says whether a plain name may be that of an item of the SELECT: ``first``, ``last`` or not at all.
        """
        if len(parts) == 1:
            return self._plain(parts[0], aliases)
        found = self._qualified(parts)
        return found if found is not None else Influence.not_known(f"the column '{'.'.join(parts)}' is not known")

    def whole(self, alias: str) -> Influence | None:
        """All columns of the table called ``alias``; None when there is none."""
        for scope in self._outwards():
            for entry in scope.entries:
                if self.fold(entry.alias) == self.fold(alias):
                    return entry.relation.everything()
        return None

    def star(self, alias: str | None = None) -> Iterator[Named | Hole]:
        """The columns that ``*`` or ``alias.*`` stands for."""
        for entry in self.entries:
            if alias is not None:
                if self.fold(entry.alias) == self.fold(alias):
                    yield from entry.relation.items
                continue
            yield from self._shown(entry)

    def _shown(self, entry: Entry) -> Iterator[Named | Hole]:
        for item in entry.relation.items:
            if isinstance(item, Hole):
                yield Hole(self._merging(item.give), item.left_out | entry.hidden)
            elif item.name is None or self.fold(item.name) not in entry.hidden:
                key = None if item.name is None else self.fold(item.name)
                yield Named(item.name, self.merged[key]) if key in self.merged else item

    def _merging(self, give: Callable[[str], Influence]) -> Callable[[str], Influence]:
        def given(name: str) -> Influence:
            merged = self.merged.get(self.fold(name))
            return give(name) if merged is None else merged

        return given

    def _plain(self, name: str, aliases: str) -> Influence:
        alias = self.aliases.get(self.fold(name)) if aliases else None
        if alias is not None and aliases == "first":
            return alias
        found = self._unqualified(name)
        if found is not None and found.sure:
            return found.influence
        outer = self.parent._beyond(name) if self.parent is not None else None  # noqa: SLF001 - of its own kind
        candidates = [one for one in (found.influence if found is not None else None, alias, outer) if one is not None]
        if len(candidates) == 1 or (candidates and all(one == candidates[0] for one in candidates)):
            return candidates[0]
        if not candidates:
            whole = self.whole(name)
            if whole is not None:
                return whole.through(Kind.TRANSFORMATION)
            return Influence.not_known(f"the column '{name}' is not known")
        return Influence.not_known(f"'{name}' may be a column of several tables, whose columns are not known")

    def _beyond(self, name: str) -> Influence | None:
        """The column called ``name`` as a sub-select sees it from within."""
        for scope in self._outwards():
            found = scope._unqualified(name)  # noqa: SLF001
            if found is not None:
                return found.influence if found.sure or scope.parent is None else _either(name)
        return None

    def _unqualified(self, name: str) -> Found | None:
        merged = self.merged.get(self.fold(name))
        if merged is not None:
            return Found(merged, sure=True)
        found = [entry.relation.find(name, self.fold) for entry in self.entries]
        sure = [one for one in found if one is not None and one.sure]
        # A name that two tables have is an error; so where one certainly has it, the others do not.
        if len(sure) == 1:
            return sure[0]
        maybe = [one for one in found if one is not None]
        if len(maybe) == 1:
            return maybe[0]
        return Found(_either(name), sure=bool(sure)) if maybe else None

    def _qualified(self, parts: Sequence[str]) -> Influence | None:
        """``table.column``, or else a field of a column; a table comes first, in every dialect."""
        for scope in self._outwards():
            for index in range(len(parts) - 1, 0, -1):
                for entry in scope.entries:
                    if self.fold(entry.alias) != self.fold(parts[index - 1]):
                        continue
                    found = entry.relation.find(parts[index], self.fold)
                    if found is not None:
                        deeper = index < len(parts) - 1
                        return found.influence.through(Kind.TRANSFORMATION) if deeper else found.influence
            column = scope._unqualified(parts[0])  # noqa: SLF001
            if column is not None:
                return column.influence.through(Kind.TRANSFORMATION)
        return None

    def _outwards(self) -> Iterator[Scope]:
        scope: Scope | None = self
        while scope is not None:
            yield scope
            scope = scope.parent


def _either(name: str) -> Influence:
    return Influence.not_known(f"'{name}' may be a column of several tables, whose columns are not known")
