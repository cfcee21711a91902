"""How tables refer to each other: as they declare it, and as names, types, keys and values suggest it.

A suggestion has a confidence below 1 and says what it rests on. Names alone never make one certain; values that are
missing on the other side speak against one.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final

import attrs

from osiris_core.discovery.names import GENERIC, entity, family, words
from osiris_core.model.fields import config, field

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from osiris_core.spec.catalog import ColumnInfo, ColumnProfile, ForeignKey, Overlap, Table, TableProfile

    Place = tuple[str | None, str]
    Look = Callable[[Table, str, Table, str], Overlap | None]

LEAST: Final = 0.3
"""A suggestion with less confidence than this is none."""

_MOST: Final = 0.95
_MAX_LOOKS: Final = 300
_PER_COLUMN: Final = 3
"""Suggestions of one column; a name that fits more keys than that says little."""

_MANY: Final = 3
"""So many different values are the least that say anything."""

_NAMELESS: Final = "no name says so"
_DECLARED, _PROVED, _FIRST = "declared", "proved", "first"


@config
class Relation:
    """Columns of one table that refer to columns of another."""

    schema: str | None = field(default=None, doc="The schema of the table that refers.")
    table: str = field(doc="The table that refers.")
    columns: tuple[str, ...] = field(doc="Its columns.")
    to_schema: str | None = field(default=None, doc="The schema of the table referred to.")
    to_table: str = field(doc="The table referred to.")
    to_columns: tuple[str, ...] = field(doc="The columns referred to.")
    declared: bool = field(doc="Whether the server has it as a foreign key; otherwise it is a suggestion.")
    confidence: float = field(doc="From 0 to 1; a declared one has 1.", minimum=0, maximum=1)
    reasons: tuple[str, ...] = field(default=(), doc="What a suggestion rests on.")


@attrs.frozen
class _Key:
    """A column that may be referred to, and why: it is a key, its values are unique, or it just comes first."""

    table: Table
    column: ColumnInfo
    why: str


@attrs.frozen
class _Candidate:
    table: Table
    column: ColumnInfo
    key: _Key
    score: float
    reason: str


@attrs.frozen(kw_only=True)
class Related:
    """Relations, and what is missing: how many columns have more suggestions than are kept, and whether the time was
    over before all columns had been compared by name.
    """

    relations: tuple[Relation, ...]
    cut: int = 0
    late: bool = False


def relations(
    tables: Sequence[Table], profiles: Mapping[Place, TableProfile], look: Look | None = None
) -> tuple[Relation, ...]:
    """The relations of :func:`relate`, without a limit of time."""
    return relate(tables, profiles, look).relations


def relate(
    tables: Sequence[Table],
    profiles: Mapping[Place, TableProfile],
    look: Look | None = None,
    *,
    check: Callable[[], None] = lambda: None,
) -> Related:
    """Declared relations first, then suggestions, the most certain first.

    ``profiles`` are by schema and name. ``look`` counts values of one column that another has, and may raise
    TimeoutError; without it, values are not compared. ``check`` raises TimeoutError when the time is over.
    """
    known = {place_of(table): profiles.get(place_of(table)) for table in tables}
    found = [_declared(table, key) for table in tables for key in table.foreign_keys]
    taken = {(one.schema, one.table, one.columns) for one in found}
    candidates: list[_Candidate] = []
    cut, late = 0, False
    try:
        for each in _candidates(tables, known, check):
            if each and (*place_of(each[0].table), (each[0].column.name,)) not in taken:
                candidates += _likeliest(each)
                cut += len({id(one.key) for one in each}) > _PER_COLUMN
    except TimeoutError:
        late = True
    candidates.sort(key=lambda one: -one.score)
    if look is not None:
        looked = min(len(candidates), _MAX_LOOKS)
        judged = [
            _judged(one, look(one.table, one.column.name, one.key.table, one.key.column.name))
            for one in candidates[:looked]
        ]
        candidates = [*filter(None, judged), *candidates[looked:]]
    suggested = [_suggested(one) for one in candidates if one.score >= LEAST]
    suggested.sort(key=lambda one: (-one.confidence, one.schema or "", one.table, one.columns, one.to_table))
    return Related(relations=(*found, *suggested), cut=cut, late=late)


def place_of(table: Table) -> Place:
    """What identifies a table within a connection."""
    return table.schema, table.name


def _declared(table: Table, key: ForeignKey) -> Relation:
    return Relation(
        schema=table.schema,
        table=table.name,
        columns=key.columns,
        to_schema=key.to_schema,
        to_table=key.to_table,
        to_columns=key.to_columns,
        declared=True,
        confidence=1.0,
    )


def _suggested(one: _Candidate) -> Relation:
    reasons = {
        _DECLARED: f"'{one.key.column.name}' is a key",
        _PROVED: f"every row has its own '{one.key.column.name}'",
        _FIRST: f"'{one.key.column.name}' is the first column, though no key",
    }
    return Relation(
        schema=one.table.schema,
        table=one.table.name,
        columns=(one.column.name,),
        to_schema=one.key.table.schema,
        to_table=one.key.table.name,
        to_columns=(one.key.column.name,),
        declared=False,
        confidence=round(min(one.score, _MOST), 2),
        reasons=(*one.reason.split("; "), reasons[one.key.why]),
    )


def _candidates(
    tables: Sequence[Table], profiles: Mapping[Place, TableProfile | None], check: Callable[[], None]
) -> Iterator[list[_Candidate]]:
    """For each column, what names suggest, and, where profiles are at hand, what values might."""
    keys = []
    named: dict[str, list[tuple[_Key, float, str]]] = defaultdict(list)
    for table in tables:
        check()
        for key in _keys(table, profiles[place_of(table)]):
            keys.append(key)
            for name, score, reason in _names_for(key):
                named[name].append((key, score, reason))
    for table in tables:
        for column in table.columns:
            check()
            yield list(_by_name(table, column, named)) or list(_by_value(table, column, keys, profiles, check))


def _likeliest(each: list[_Candidate]) -> list[_Candidate]:
    """The best of the candidates of one column, of each key one; of those alike, the ones in the same schema."""
    kept: dict[int, _Candidate] = {}
    for one in sorted(each, key=lambda one: (-one.score, one.key.table.schema != one.table.schema)):
        kept.setdefault(id(one.key), one)
    return list(kept.values())[:_PER_COLUMN]


def _keys(table: Table, profile: TableProfile | None) -> Iterator[_Key]:
    """Single columns of ``table`` that others may refer to."""
    declared = {
        key.columns[0]
        for key in (*((table.primary_key,) if table.primary_key else ()), *table.unique_keys)
        if len(key.columns) == 1
    } | {index.columns[0] for index in table.indexes if index.unique and len(index.columns) == 1}
    measured = {one.name: one for one in profile.columns} if profile and profile.basis == "full" else {}
    rows = profile.examined or 0 if profile else 0
    for at, column in enumerate(table.columns):
        if family(column.type) is None:
            continue
        one = measured.get(column.name)
        if column.name in declared:
            yield _Key(table, column, _DECLARED)
        elif one is not None and rows >= _MANY and one.nulls == 0 and one.distinct == rows:
            yield _Key(table, column, _PROVED)
        elif at == 0 and one is None and not declared:
            yield _Key(table, column, _FIRST)


def _names_for(key: _Key) -> Iterator[tuple[str, float, str]]:
    """Names of columns that would refer to ``key``, with the confidence that lies in the name."""
    name, thing = words(key.column.name), entity(key.table)
    if key.why == _FIRST:
        if name not in GENERIC:
            yield name, 0.3, "the same name"
        elif thing:
            yield f"{thing}_{name}", 0.4, f"its name is '{thing}' and '{name}'"
        return
    if name not in GENERIC:
        yield name, 0.5, "the same name"
    if thing:
        yield f"{thing}_{name}", 0.6, f"its name is '{thing}' and '{name}'"
        yield f"{thing}{name}", 0.5, f"its name is '{thing}' and '{name}'"
        yield thing, 0.4, f"its name is what a row of '{key.table.name}' is"


def _by_name(
    table: Table, column: ColumnInfo, named: Mapping[str, Sequence[tuple[_Key, float, str]]]
) -> Iterator[_Candidate]:
    parts = words(column.name).split("_")
    for start in range(len(parts)):
        for key, score, reason in named.get("_".join(parts[start:]), ()):
            if key.table is table or family(column.type) != family(key.column.type):
                continue
            if key.why == _FIRST and (start > 0 or table.columns[0] is column):
                continue  # too little to go on: neither of the two is known to be a key
            certain = score - (0.1 if start else 0.0) + (0.15 if key.why == _DECLARED else 0.0)
            certain += 0.1 if key.why == _PROVED else 0.0
            certain += 0.1 if column.type == key.column.type and key.why != _FIRST else 0.0
            if _own_key(table, column):
                certain -= 0.2
            why = reason if start == 0 else f"{reason}, at its end"
            yield _Candidate(table, column, key, certain, why)


def _own_key(table: Table, column: ColumnInfo) -> bool:
    return table.primary_key is not None and table.primary_key.columns == (column.name,)


def _by_value(
    table: Table,
    column: ColumnInfo,
    keys: Iterable[_Key],
    profiles: Mapping[Place, TableProfile | None],
    check: Callable[[], None],
) -> Iterator[_Candidate]:
    """Texts that may be values of a key with another name; numbers of two tables overlap by chance."""
    mine = _measured(profiles[place_of(table)], column)
    if mine is None or family(column.type) not in ("text", "uuid") or (mine.distinct or 0) < _MANY:
        return
    for key in keys:
        check()
        theirs = _measured(profiles[place_of(key.table)], key.column)
        if key.table is table or key.why == _FIRST or theirs is None:
            continue
        if family(column.type) == family(key.column.type) and (mine.distinct or 0) <= (theirs.distinct or 0):
            yield _Candidate(table, column, key, 0.25, _NAMELESS)


def _measured(profile: TableProfile | None, column: ColumnInfo) -> ColumnProfile | None:
    return next((one for one in profile.columns if one.name == column.name), None) if profile else None


def _judged(one: _Candidate, overlap: Overlap | None) -> _Candidate | None:
    """The candidate in the light of its values; None when they speak against it."""
    if overlap is None or overlap.checked == 0:
        return one
    share = overlap.found / overlap.checked
    reason = f"{one.reason}; {overlap.found:,} of {overlap.checked:,} values are there"
    if share < 0.5:
        return attrs.evolve(one, score=one.score * 0.3, reason=reason)
    by_value = one.reason == _NAMELESS
    if by_value and share < 0.9:
        return None
    if overlap.checked < _MANY:
        return attrs.evolve(one, reason=reason)
    # Of what is missing to certainty, values give a part: less of it where no name speaks for the relation.
    part = (0.3 if by_value else 0.6) if share == 1 else (0.2 if by_value else 0.3) if share >= 0.9 else 0.0
    return attrs.evolve(one, score=one.score + (1 - one.score) * part, reason=reason)
