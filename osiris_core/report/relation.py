"""Rows as lineage sees them: columns with what influences each, and what influences which rows there are.

Of a table outside of the pipeline the columns are not known; such a relation has a :class:`Hole`, which gives every
column that somebody names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from osiris_core.report.influence import NOTHING, Influence, united

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence


@attrs.frozen
class Named:
    """A column; ``name`` is None where only the system knows how it calls an expression without an alias."""

    name: str | None
    influence: Influence


@attrs.frozen(eq=False)
class Hole:
    """Columns that are not known one by one. ``left_out`` are names (folded) that are certainly none of them."""

    give: Callable[[str], Influence]
    left_out: frozenset[str] = frozenset()


@attrs.frozen
class Relation:
    """Columns in order, and what influences how many rows there are and in which order they come."""

    items: tuple[Named | Hole, ...]
    rows: Influence = NOTHING

    @property
    def holes(self) -> tuple[Hole, ...]:
        """Where columns are missing."""
        return tuple(item for item in self.items if isinstance(item, Hole))

    @property
    def named(self) -> tuple[Named, ...]:
        """The columns that are known."""
        return tuple(item for item in self.items if isinstance(item, Named))

    def everything(self) -> Influence:
        """What influences any of the columns."""
        found = [item.influence for item in self.named]
        if self.holes:
            found.append(Influence.not_known("all columns of rows whose columns are not known are used"))
        return united(found)

    def find(self, name: str, fold: Callable[[str], str]) -> Found | None:
        """The column called ``name``; None when there certainly is none."""
        wanted = fold(name)
        before_hole = True
        unnamed = False
        for item in self.items:
            if isinstance(item, Hole):
                before_hole = False
            elif item.name is None:
                unnamed = True
            elif fold(item.name) == wanted:
                if before_hole:
                    return Found(item.influence, sure=True)
                reason = f"whether '{name}' is this column or one of a star before it is not known"
                return Found(Influence.not_known(reason), sure=True)
        holes = [hole for hole in self.holes if wanted not in hole.left_out]
        if len(holes) == 1 and not unnamed:
            return Found(holes[0].give(name), sure=False)
        if holes or unnamed:
            return Found(Influence.not_known(f"which column is called '{name}' is not known"), sure=False)
        return None

    def called(self, names: Sequence[str], fold: Callable[[str], str]) -> Relation | None:
        """This relation with the names that its columns were seen to have; None when they do not fit."""
        holes = [index for index, item in enumerate(self.items) if isinstance(item, Hole)]
        if len(holes) > 1:
            return self._called_across(names, fold)
        if not holes:
            found = _fitted(self.items, names, fold)
            return None if found is None else Relation(tuple(found), self.rows)
        at, behind = holes[0], len(self.items) - holes[0] - 1
        if len(names) < at + behind:
            return None
        until = len(names) - behind
        before = _fitted(self.items[:at], names[:at], fold)
        after = _fitted(self.items[at + 1 :], names[until:], fold)
        if before is None or after is None:
            return None
        hole = self.holes[0]
        inside = names[at:until]
        if any(fold(name) in hole.left_out for name in inside):
            return None
        return Relation((*before, *(Named(name, hole.give(name)) for name in inside), *after), self.rows)

    def _called_across(self, names: Sequence[str], fold: Callable[[str], str]) -> Relation:
        """With several holes, only what stands before the first and behind the last can be told."""
        indexes = [index for index, item in enumerate(self.items) if isinstance(item, Hole)]
        first, behind = indexes[0], len(self.items) - indexes[-1] - 1
        reason = Influence.not_known("several tables give columns by a star, and their columns are not known")
        items = [Named(name, reason) for name in names]
        if len(names) >= first + behind:
            before = _fitted(self.items[:first], names[:first], fold)
            after = _fitted(self.items[len(self.items) - behind :], names[len(names) - behind :], fold)
            if before is not None and after is not None:
                items[:first] = before
                items[len(names) - behind :] = after
        return Relation(tuple(items), self.rows)

    def renamed(self, names: Sequence[str]) -> Relation:
        """This relation with its first columns called ``names`` (``t(a, b)``)."""
        if not names:
            return self
        if any(isinstance(item, Hole) for item in self.items[: len(names)]) or len(names) > len(self.items):
            return not_known("the columns that are renamed are not known")
        items = [
            Named(names[index], item.influence) if isinstance(item, Named) and index < len(names) else item
            for index, item in enumerate(self.items)
        ]
        return Relation(tuple(items), self.rows)

    def with_rows(self, more: Influence) -> Relation:
        """This relation with more that influences its rows."""
        return Relation(self.items, self.rows | more)


@attrs.frozen
class Found:
    """A column that was looked for; not ``sure`` when it may as well be another table's."""

    influence: Influence
    sure: bool


def not_known(reason: str) -> Relation:
    """Rows of which nothing can be said."""
    unknown = Influence.not_known(reason)
    return Relation((Hole(lambda _: unknown),), unknown)


def closed(columns: Iterable[tuple[str, Influence]], rows: Influence = NOTHING) -> Relation:
    """Rows whose columns are all known."""
    return Relation(tuple(Named(name, influence) for name, influence in columns), rows)


def without_doubles(items: Sequence[Named | Hole], fold: Callable[[str], str]) -> Iterator[Named | Hole]:
    """Columns of a sub-select, those with a name that is taken called as DuckDB does it (``a``, ``a_1``)."""
    taken: dict[str, int] = {}
    for item in items:
        if isinstance(item, Hole) or item.name is None:
            yield item
            continue
        name = item.name
        while fold(name) in taken:
            taken[fold(item.name)] += 1
            name = f"{item.name}_{taken[fold(item.name)]}"
        taken[fold(name)] = 0
        yield Named(name, item.influence)


def _fitted(items: Sequence[Named | Hole], names: Sequence[str], fold: Callable[[str], str]) -> list[Named] | None:
    if len(items) != len(names):
        return None
    found = []
    for item, name in zip(items, names, strict=True):
        assert isinstance(item, Named)
        if item.name is not None and fold(item.name) != fold(name):
            return None
        found.append(Named(name, item.influence))
    return found
