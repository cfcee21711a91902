"""Whether a result is the one that was wanted, and if not, what differs, in one sentence.

A result is right when some of its columns hold the wanted ones, whatever their names and order, and its rows are the
wanted ones as often as wanted: in any order, unless the order was asked for. Columns beside the wanted ones are a
difference, unless they are allowed. When two cells are the same is said by :mod:`osiris_core.chat.evaluation.values`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from math import copysign, isfinite, isnan
from typing import TYPE_CHECKING, Any, Final

import attrs

from osiris_core.chat.evaluation.values import ABSOLUTE, RELATIVE, as_float, exact, is_inexact, is_number, same, shown
from osiris_core.display import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

Row = tuple[Any, ...]

_MOST_COLUMNS: Final = 5
"""So many columns, or cells of a row, are named in a sentence."""


_Weight = tuple[int, float]


@attrs.frozen
class _Cluster:
    """Values that hang together; ``loose`` when the first and the last of them are not the same."""

    number: int
    loose: bool


@attrs.frozen
class Table:
    """Column names and rows of plain Python values."""

    columns: tuple[str, ...]
    rows: tuple[Row, ...]

    def only(self, columns: Sequence[int]) -> tuple[Row, ...]:
        """The rows with these columns, in this order."""
        return tuple(tuple(row[index] for index in columns) for row in self.rows)


def difference(found: Table, wanted: Table, *, ordered: bool = False, extra_columns: bool = False) -> str | None:
    """What is wrong with the rows that were found, or None when they are those that were wanted."""
    if len(found.rows) != len(wanted.rows):
        return f"the result has {counted(len(found.rows), 'row')} instead of {len(wanted.rows):,}"
    if len(found.columns) < len(wanted.columns):
        return (
            f"the result has {counted(len(found.columns), 'column')} ({_names(found)}) for {len(wanted.columns)} wanted"
        )
    candidates = _candidates(found, wanted)
    for index, fitting in enumerate(candidates):
        if not fitting:
            return _no_column(found, wanted, index)
    chosen = _assignment(found, wanted, candidates, ordered=False)
    if chosen is None:
        return _wrong_rows(found, wanted, candidates)
    if ordered and _assignment(found, wanted, candidates, ordered=True) is None:
        return _wrong_order(found, wanted, chosen)
    extra = [name for index, name in enumerate(found.columns) if index not in chosen]
    if extra and not extra_columns:
        return f"there {'is a column' if len(extra) == 1 else 'are columns'} too many: {_listed(extra)}"
    return None


def same_rows(some: Sequence[Row], others: Sequence[Row]) -> bool:
    """Whether two lists hold the same rows, each as often as in the other, in any order."""
    return len(some) == len(others) and _unmatched(some, others) is None


def _candidates(found: Table, wanted: Table) -> list[list[int]]:
    """For each wanted column those of the result that hold its values; a column of the same name comes first."""
    columns = [found.only([index]) for index in range(len(found.columns))]
    listed = []
    for index, name in enumerate(wanted.columns):
        column = wanted.only([index])
        fitting = [other for other, values in enumerate(columns) if same_rows(values, column)]
        listed.append(sorted(fitting, key=lambda other: found.columns[other].casefold() != name.casefold()))
    return listed


def _assignment(
    found: Table, wanted: Table, candidates: list[list[int]], *, ordered: bool, chosen: tuple[int, ...] = ()
) -> tuple[int, ...] | None:
    """A column of the result for each wanted one so that the rows are the wanted ones; None when there is no such."""
    at = len(chosen)
    if at == len(candidates):
        return chosen
    wanted_rows = wanted.only(range(at + 1))
    for column in candidates[at]:
        if column in chosen:
            continue
        rows = found.only((*chosen, column))
        fits = all(map(same, rows, wanted_rows)) if ordered else same_rows(rows, wanted_rows)
        if fits:
            whole = _assignment(found, wanted, candidates, ordered=ordered, chosen=(*chosen, column))
            if whole is not None:
                return whole
    return None


def _unmatched(some: Sequence[Row], others: Sequence[Row]) -> Row | None:
    """A row of ``some`` that is not, or not as often, among ``others``; both are equally many."""
    missing = _unequal(some, others)
    if missing is None:
        return None
    columns = range(len(missing))
    inexact = [index for index in columns if any(is_inexact(row[index]) for rows in (some, others) for row in rows)]
    if not inexact:
        return missing
    clusters = {index: _clusters(row[index] for rows in (some, others) for row in rows) for index in inexact}
    left, right = _grouped(some, clusters), _grouped(others, clusters)
    for key, group in left.items():
        loose = [index for index in inexact if clusters[index][_weight(group[0][index])].loose]
        missing = _unpaired(group, right.get(key, []), loose)
        if missing is not None:
            return missing
    return None


def _unequal(some: Sequence[Row], others: Sequence[Row]) -> Row | None:
    left = Counter(tuple(map(exact, row)) for row in others)
    for row in some:
        key = tuple(map(exact, row))
        if not left[key]:
            return row
        left[key] -= 1
    return None


def _grouped(rows: Sequence[Row], clusters: Mapping[int, Mapping[_Weight, _Cluster]]) -> Mapping[Any, list[Row]]:
    """The rows by all that is sure of them: a row's partner can only be in the group of the same key."""
    groups: defaultdict[Any, list[Row]] = defaultdict(list)
    for row in rows:
        key = (clusters[at][_weight(cell)].number if at in clusters else exact(cell) for at, cell in enumerate(row))
        groups[tuple(key)].append(row)
    return groups


def _clusters(values: Iterable[Any]) -> Mapping[_Weight, _Cluster]:
    """The cluster of each value: from one to the next the values are too far apart to be the same."""
    found: dict[_Weight, _Cluster] = {}
    members: list[_Weight] = []
    for weight in [*sorted({_weight(value) for value in values}), None]:
        last = members[-1] if members else None
        together = last and weight and last[0] == weight[0] == _NUMBER and same(last[1], weight[1])
        if members and not together:
            ends = members[0], members[-1]
            loose = ends[0] == _NESTED or (ends[0] != ends[1] and not same(ends[0][1], ends[1][1]))
            found |= dict.fromkeys(members, _Cluster(len(found), loose))
            members = []
        if weight is not None:
            members.append(weight)
    return found


def _unpaired(some: Sequence[Row], others: Sequence[Row], inexact: Sequence[int]) -> Row | None:
    """A row for which no partner is left when the rows are paired as well as can be.

    Without ``inexact`` columns every row goes with every other. With them, to be nearly equal does not carry over from
    one pair to the next, so that it has to be sought whose partner a row is. On a line the order says it; else it takes
    augmenting paths, along rows that lie close together in the column that tells most of them apart.
    """
    if len(some) > len(others):
        return some[-1]
    if not inexact:
        return None
    leading = max(inexact, key=lambda index: len({_weight(row[index]) for row in others}))
    ordered = sorted(others, key=lambda row: _weight(row[leading]))
    weights = [_weight(row[leading]) for row in ordered]
    if len(inexact) == 1 and _NESTED not in weights:
        line = sorted(some, key=lambda row: _weight(row[leading]))
        return next(
            (row for row, other in zip(line, ordered, strict=False) if not same(row[leading], other[leading])), None
        )

    def partners(row: Row) -> Iterator[int]:
        kind, number = _weight(row[leading])
        # Twice what is forgiven, for it is measured at the larger of two.
        reach = 2 * max(ABSOLUTE, RELATIVE * abs(number)) if kind == _NUMBER else 0.0
        at = bisect_left(weights, (kind, number - reach))
        while at < len(ordered) and weights[at] <= (kind, number + reach):
            if all(same(row[index], ordered[at][index]) for index in inexact):
                yield at
            at += 1

    owners: dict[int, Row] = {}
    return next((row for row in some if not _place(row, owners, partners)), None)


def _place(row: Row, owners: dict[int, Row], partners: Callable[[Row], Iterator[int]]) -> bool:
    """Give ``row`` a partner, moving those that have one to others where that helps; False when nothing does."""
    seen: set[int] = set()
    path, taken = [(row, partners(row))], list[int]()
    while path:
        at = next((one for one in path[-1][1] if one not in seen), None)
        if at is None:
            path.pop()
            del taken[-1:]
            continue
        seen.add(at)
        taken.append(at)
        if at not in owners:
            owners |= {slot: owner for (owner, _), slot in zip(path, taken, strict=True)}
            return True
        path.append((owners[at], partners(owners[at])))
    return False


_NUMBER: Final = 1
_NESTED: Final = (4, 0.0)


def _weight(value: Any) -> _Weight:
    """Where a value stands on the line: NULL, the numbers by size, NaN, the infinities; what is no number apart."""
    if value is None:
        return (0, 0.0)
    if not is_number(value):
        return _NESTED
    number = as_float(value)
    if isfinite(number):
        return (_NUMBER, number)
    return (2, 0.0) if isnan(number) else (3, copysign(1.0, number))


def _no_column(found: Table, wanted: Table, index: int) -> str:
    """That no column holds what a wanted one holds, with the one of the same name or the closest beside it."""
    column = wanted.only([index])
    name = wanted.columns[index]
    closest, missing = -1, len(column) + 1
    for other, other_name in enumerate(found.columns):
        absent = _absent(found.only([other]), column)
        if other_name.casefold() == name.casefold():
            absent = -1
        if absent < missing:
            closest, missing = other, absent
    value = _unmatched(column, found.only([closest]))
    assert value is not None
    return f"no column holds the wanted '{name}': '{found.columns[closest]}' does not have {shown(value[0])} as often"


def _absent(some: Sequence[Row], others: Sequence[Row]) -> int:
    """How many rows of ``some`` have no equal among ``others``, roughly: what is inexact is rounded."""

    def rough(row: Row) -> Any:
        return tuple(f"{as_float(value):.4g}" if is_number(value) else exact(value) for value in row)

    return (Counter(map(rough, others)) - Counter(map(rough, some))).total()


def _wrong_rows(found: Table, wanted: Table, candidates: list[list[int]]) -> str:
    """That each column is there, and the rows are not."""
    chosen: list[int] = []
    for fitting in candidates:
        chosen.append(next((column for column in fitting if column not in chosen), fitting[0]))
    missing = _unmatched(wanted.rows, found.only(chosen))
    if missing is None:  # one column would have to serve for two
        return f"the columns do not hold what is wanted: {_names(found)}"
    return f"each column is there, but no row, or too few, with {_row(wanted, missing)}"


def _wrong_order(found: Table, wanted: Table, chosen: tuple[int, ...]) -> str:
    rows = found.only(chosen)
    at = next((n for n, (row, other) in enumerate(zip(rows, wanted.rows, strict=True)) if not same(row, other)), 0)
    return f"the rows are in another order: row {at + 1} should have {_row(wanted, wanted.rows[at])}"


def _row(table: Table, row: Row) -> str:
    cells = [f"{name} = {shown(value)}" for name, value in zip(table.columns, row, strict=True)]
    return ", ".join(cells[:_MOST_COLUMNS]) + (", …" if len(cells) > _MOST_COLUMNS else "")


def _names(table: Table) -> str:
    return _listed(table.columns) or "none"


def _listed(names: Sequence[str]) -> str:
    quoted = [shown(name) for name in names]
    return ", ".join(quoted[:_MOST_COLUMNS]) + (", …" if len(quoted) > _MOST_COLUMNS else "")
