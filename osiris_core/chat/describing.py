"""What the model is told of tables and destinations, as lines of text: names, types, keys, what the values are like.

Everything in it that came from a server or a file is data and may be hostile: it is cut, shown on one line, quoted, and
stands between marks that the prompts name. With privacy ``strict`` no value is told, only names, types and counts.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final, Literal

from osiris_core.display import visible_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from osiris_core.chat.catalog import Source, Sources
    from osiris_core.chat.destinations import Destination
    from osiris_core.diagnostics import Diagnostic
    from osiris_core.discovery.relations import Relation
    from osiris_core.spec.catalog import ColumnInfo, ColumnProfile

Privacy = Literal["strict", "standard"]

BEGIN, END = "<<<DATA", "DATA>>>"
"""What the data stands between; neither can occur in it."""

_LONGEST_VALUE: Final = 40
_LONGEST_NAME: Final = 128
_LONGEST_COMMENT: Final = 160
_MOST_VALUES: Final = 8
_FEW_VALUES: Final = 30
"""A column with at most so many different values shows the most frequent ones."""
_MOST_OTHERS: Final = 100
_RUN: Final = re.compile("<{3,}|>{3,}")
"""What both marks have and nothing between them."""
_MEASURED: Final = re.compile(
    r"(?:u?(?:tiny|small|medium|big|huge)?int(?:eger)?\d*|decimal|numeric|float\d*|double|real|money"
    r"|year|date|datetime|time|timetz|timestamp\w*)\b",
    re.IGNORECASE,
)
"""The types of numbers, dates and times, in any server's words."""
_PLAIN_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


def tables_text(sources: Sources, privacy: Privacy) -> str:
    """The tables: each with its columns, then what refers to what, then the names of those not described."""
    lines = [line for source in sources.described for line in _table(source, privacy)]
    lines += [relation_text(one, sources, connection) for connection, one in sources.relations]
    for connection, labels in sources.others.items():
        some = ", ".join(name_text(label) for label in labels[:_MOST_OTHERS])
        more = f" and {len(labels) - _MOST_OTHERS} more" if len(labels) > _MOST_OTHERS else ""
        lines.append(f"other tables of {connection}, not described: {some}{more}")
    return enclosed(line for line in lines if line)


def destinations_text(destinations: Sequence[Destination]) -> str:
    """The destinations, with what each can do."""
    lines = []
    for one in destinations:
        what = "files" if one.path_field is not None else f"tables of {one.connection}"
        lines.append(f"{one.label}: {what}; mode {' or '.join(one.modes)}. {one.component.summary}")
    return "\n".join(lines)


def enclosed(lines: Iterable[str]) -> str:
    """Lines between the marks, which they cannot hold."""
    # Whole runs, not the marks: what is cut out of a mark may leave another.
    inside = _RUN.sub(lambda match: match.group()[:2], "\n".join(lines))
    return f"{BEGIN}\n{inside}\n{END}"


def _table(source: Source, privacy: Privacy) -> Iterator[str]:
    table, profile = source.found.table, source.found.profile
    rows = "" if table.rows is None else f", {table.rows:,} rows"
    place = f"{table.kind} {name_text(table.label)} of {source.connection}{rows}"
    yield f"table {source.name} ({place}){comment_text(table.comment)}"
    keys = set(table.primary_key.columns) if table.primary_key else set()
    profiles = {one.name: one for one in profile.columns} if profile else {}
    for column in table.columns:
        yield f"  {_column(column, profiles.get(column.name), is_key=column.name in keys, privacy=privacy)}"


def _column(column: ColumnInfo, profile: ColumnProfile | None, *, is_key: bool, privacy: Privacy) -> str:
    told = [name_text(column.name), visible_line(column.type)[:_LONGEST_NAME]]
    if is_key:
        told.append("key")
    if profile is not None:
        if profile.nulls:
            told.append(f"{profile.nulls:,} NULL")
        if profile.distinct is not None:
            told.append(f"{profile.distinct:,} distinct")
        if privacy == "standard" and not profile.withheld:
            told += _values(column, profile)
    return " ".join(told) + comment_text(column.comment)


def _values(column: ColumnInfo, profile: ColumnProfile) -> list[str]:
    """The values of a column of few, or their ends where nobody counted them; of others from where to where numbers and
    dates go. The ends of texts are values like any, somebody's address among them.
    """
    few = profile.distinct is not None and profile.distinct <= _FEW_VALUES
    if profile.top and few:
        return ["values " + ", ".join(quoted(one.value, _LONGEST_VALUE) for one in profile.top[:_MOST_VALUES])]
    if profile.minimum is not None and profile.maximum is not None and (few or _MEASURED.match(column.type)):
        return [f"from {quoted(profile.minimum, _LONGEST_VALUE)} to {quoted(profile.maximum, _LONGEST_VALUE)}"]
    return []


def relation_text(one: Relation, sources: Sources, connection: str) -> str:
    """What refers to what; empty when one of the tables is not described."""
    own = [source for source in sources.described if source.connection == connection]
    names = {(source.found.table.schema, source.found.table.name): source.name for source in own}
    here, there = names.get((one.schema, one.table)), names.get((one.to_schema, one.to_table))
    if here is None or there is None:
        return ""
    left = ", ".join(f"{here}.{name_text(column)}" for column in one.columns)
    right = ", ".join(f"{there}.{name_text(column)}" for column in one.to_columns)
    return f"{left} refers to {right}" + ("" if one.confidence >= 1 else f" (probably, {one.confidence:.0%})")


def name_text(name: str) -> str:
    """An identifier as SQL would write it."""
    shown = visible_line(name)[:_LONGEST_NAME]
    return shown if _PLAIN_NAME.match(shown) else '"' + shown.replace('"', '""') + '"'


def comment_text(comment: str | None) -> str:
    """A comment after what it is of; empty without one."""
    return f" -- {quoted(comment, _LONGEST_COMMENT)}" if comment else ""


def quoted(text: str, longest: int) -> str:
    """A text of the data as a JSON string, cut."""
    shown = visible_line(text)
    return json.dumps(shown if len(shown) <= longest else f"{shown[: longest - 1]}…", ensure_ascii=False)


def finding_line(one: Diagnostic) -> str:
    """A finding for the model, or in a message to the person: where in the document, what, what to do."""
    where = ".".join(str(part) for part in one.path) if one.path else ""
    hint = f" ({one.hint})" if one.hint else ""
    return visible_line(f"{f'{where}: ' if where else ''}{one.message}{hint}")
