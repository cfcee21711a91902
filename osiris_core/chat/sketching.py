"""The tables as a small model reads them best: CREATE TABLE statements, with what the values are like as comments.

The facts that :mod:`osiris_core.chat.describing` gives, under the same rules: text of servers and files is cut, shown
on one line and stands between marks; with privacy ``strict`` no value is told.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from osiris_core.chat.describing import comment_text, enclosed, name_text, relation_text
from osiris_core.display import visible_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from osiris_core.chat.catalog import Source, Sources
    from osiris_core.chat.describing import Privacy
    from osiris_core.spec.catalog import ColumnInfo, ColumnProfile

_LONGEST_TYPE: Final = 60
_MOST_VALUES: Final = 6
"""A text column with at most so many different values shows all of them; of others only the least and the greatest."""
_NUMBER: Final = re.compile(r"-?\d{1,9}\Z")
_CODE: Final = 6
"""A text of at most so many characters is a code."""
DATE_PARTS: Final = ("year", "month", "day")
_WHOLE: Final = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT")


def sketch(sources: Sources, privacy: Privacy) -> str:
    """The tables, and how they hang together."""
    lines = [line for source in sources.described for line in _table(source, privacy)]
    notes = [relation_text(one, sources, connection) for connection, one in sources.relations]
    notes += [_date_note(source) for source in sources.described]
    return enclosed([*lines, *(f"-- {note}" for note in notes if note)])


def _table(source: Source, privacy: Privacy) -> Iterator[str]:
    table, profile = source.found.table, source.found.profile
    rows = "" if table.rows is None else f" -- {table.rows:,} rows"
    yield f"CREATE TABLE {source.name} ({rows}{comment_text(table.comment)}"
    keys = set(table.primary_key.columns) if table.primary_key else set()
    profiles = {one.name: one for one in profile.columns} if profile else {}
    last = len(table.columns) - 1
    for at, column in enumerate(table.columns):
        yield _column(column, profiles.get(column.name), is_key=column.name in keys, last=at == last, privacy=privacy)
    yield ");"


def _column(column: ColumnInfo, profile: ColumnProfile | None, *, is_key: bool, last: bool, privacy: Privacy) -> str:
    kind = visible_line(column.type)[:_LONGEST_TYPE]
    facts = []
    if profile is not None and profile.nulls:
        facts.append(f"{profile.nulls:,} NULL")
    if profile is not None and privacy == "standard" and not profile.withheld:
        facts += _values(profile)
    told = f" -- {', '.join(facts)}" if facts else ""
    key = " PRIMARY KEY" if is_key else ""
    return f"  {name_text(column.name)} {kind}{key}{'' if last else ','}{told}{comment_text(column.comment)}"


def _values(profile: ColumnProfile) -> Sequence[str]:
    """The values of a column of few codes, and from where to where whole numbers go. No more: a small model takes what
    it sees here for what is asked for.
    """
    if profile.top and profile.distinct is not None and profile.distinct == len(profile.top) <= _MOST_VALUES:
        shown = [one.value for one in profile.top]
        if all(len(one) <= _CODE for one in shown):
            return ["values " + ", ".join(map(_literal, shown))]
        return []
    ends = [one for one in (profile.minimum, profile.maximum) if one is not None and _NUMBER.match(one)]
    return [" to ".join(ends)] if len(ends) == 2 else []


def _literal(value: str) -> str:
    """A value as SQL would write it: a number as it is, all else between quotes."""
    if _NUMBER.match(value):
        return value
    return "'" + visible_line(value).replace("'", "''") + "'"


def has_date_parts(source: Source) -> bool:
    """Whether the table holds a date as three columns of whole numbers, ``DATE_PARTS``."""
    columns = {one.name.lower(): one for one in source.found.table.columns}
    return all(name in columns and columns[name].type.upper() in _WHOLE for name in DATE_PARTS)


def _date_note(source: Source) -> str:
    if not has_date_parts(source):
        return ""
    return f"the date of a row of {source.name} is make_date({', '.join(DATE_PARTS)}); it has no column for it"
