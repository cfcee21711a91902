"""A table in parts by an indexed column: each row in exactly one of them, and each part of like size, however skewed.

Where parts begin is found by walking the index once, as many rows at a time as a part shall have. So the parts follow
the rows and not the values; one value never lies in two parts. NULLs are in the first.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from osiris_core.api import DriverError
from osiris_mysql.query import KEPT, charset_of, name, table_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from osiris_mysql.reader_config import MySQLExtractor
    from osiris_mysql.session import Session

_KINDS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("tinyint", "smallint", "mediumint", "int", "bigint", "decimal", "year"), "number"),
    **dict.fromkeys(("date", "datetime", "timestamp"), "moment"),
    **dict.fromkeys(("char", "varchar"), "text"),
    **dict.fromkeys(("binary", "varbinary"), "bytes"),
}
"""How the values of a type are written as literals that compare as the column does. Text that may have no Unicode is
written by its bytes; its kind is ``_`` and its character set.
"""

_LEAST_ROWS: Final = 10_000
"""A part with fewer rows costs more than it saves."""
_WHOLE_DATE: Final = re.compile(r"(?!0000)\d{4}-(?!00)\d\d-(?!00)\d\d(?: .*)?", re.DOTALL)


def plan_parts(session: Session, config: MySQLExtractor, count: int) -> list[dict[str, Any]]:
    """At most ``count`` parts as plain data, none for "as one"."""
    assert config.partition_on is not None
    what = f"reading table '{config.table}' in parts"
    target = table_name(session, config, what)
    column, kind = _column(session, target, config, what)
    rows = int(session.run(f"SELECT COUNT({name(column)}) FROM {target}", what)[0][0])
    count = min(count, rows // _LEAST_ROWS)
    if count < 2:
        return []
    starts: list[str] = []
    last = _only(session.run(f"SELECT {_whole(f'MIN({name(column)})', kind)} FROM {target}", what), kind)
    while len(starts) < count - 1:
        last = _next_start(session, target, column, kind, rows // count, last, what)
        if last is None:
            break
        starts.append(last)
    if not starts:
        return []
    common = {"column": column, "kind": kind}
    return [
        {**common, "lower": lower, "upper": upper}
        for lower, upper in zip([None, *starts], [*starts, None], strict=True)
    ]


def part_conditions(session: Session, part: Mapping[str, Any]) -> list[str]:
    """The conditions for the rows of a part."""
    column, kind = name(part["column"]), part["kind"]
    lower, upper = part["lower"], part["upper"]
    conditions = [] if lower is None else [f"{column} >= {_literal(session, kind, lower)}"]
    if upper is not None:
        below = f"{column} < {_literal(session, kind, upper)}"
        conditions.append(f"({below} OR {column} IS NULL)" if lower is None else below)
    return conditions


def _column(session: Session, target: str, config: MySQLExtractor, what: str) -> tuple[str, str]:
    """The column's own name, and how its values are written."""
    wanted = str(config.partition_on)
    shown = {row[0].lower(): row for row in session.run(f"SHOW FULL COLUMNS FROM {target}", what)}
    row = shown.get(wanted.lower())
    if row is None:
        raise DriverError("OSR-MYSQL-020", f"table '{config.table}' has no column '{wanted}'")
    column, type_ = str(row[0]), str(row[1])
    kind = _KINDS.get(re.split(r"\W", type_.casefold(), maxsplit=1)[0])
    if kind is None:
        raise DriverError("OSR-MYSQL-028", f"column '{column}' of table '{config.table}' is a {type_}")
    indexes = session.run(f"SHOW INDEX FROM {target}", what)
    if not any(row[3] == 1 and str(row[4]).lower() == column.lower() and row[7] is None for row in indexes):
        raise DriverError(
            "OSR-MYSQL-028",
            f"no index of table '{config.table}' begins with column '{column}'",
            hint="choose a column that one begins with, such as the primary key's first",
        )
    if kind == "text" and (charset := charset_of(row[2])) not in KEPT:
        kind = f"_{charset}"
    return column, kind


def _next_start(
    session: Session, target: str, column: str, kind: str, step: int, last: str | None, what: str
) -> str | None:
    """Where the part after the one that begins at ``last`` begins; None when too few rows are left."""
    key = name(column)
    after = "" if last is None else f" AND {key} >= {_literal(session, kind, last)}"
    rows = f"{target} WHERE {key} IS NOT NULL{after} ORDER BY {key} LIMIT 1 OFFSET {step}"
    walk = f"SELECT {_whole(key, kind)} FROM {rows}"
    value = _only(session.run(walk, what), kind)
    if value is not None and value == last:
        # One value has more rows than a part: the next part begins with the next value.
        least = _whole(f"MIN({key})", kind)
        walk = f"SELECT {least} FROM {target} WHERE {key} > {_literal(session, kind, value)}"
        value = _only(session.run(walk, what), kind)
    return value


def _whole(value: str, kind: str) -> str:
    """A value in the list of a SELECT, as what the server sends unchanged."""
    return f"CAST({value} AS BINARY)" if kind.startswith("_") else value


def _only(rows: tuple[tuple[Any, ...], ...], kind: str) -> str | None:
    value = rows[0][0] if rows else None
    if value is None:
        return None
    text = value.hex() if isinstance(value, bytes) else str(value)
    if kind == "moment" and not _WHOLE_DATE.fullmatch(text):
        # A zero date is no date to compare with.
        return None
    return text


def _literal(session: Session, kind: str, text: str) -> str:
    if kind == "number":
        return f"({text})"
    if kind == "moment":
        return f"CAST({session.escape(text)} AS DATETIME(6))"
    if kind == "bytes":
        return f"X'{text}'"
    if kind.startswith("_"):
        return f"{kind} X'{text}'"
    return session.escape(text)
