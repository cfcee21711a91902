"""The SQL of a read: the pipeline's own query, or one made for a table; with values bound, in a window."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any, Final

import attrs

from osiris_core.api import DriverError, InvalidInput, placeholders, quote_identifier, rewrite
from osiris_mysql.functions import RULES
from osiris_mysql.private import refuse_hidden, refuse_private
from osiris_mysql.reading import WIDENED
from osiris_sql.readonly import Refused, check_condition, read_only, without_comments

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from osiris_mysql.reader_config import MySQLExtractor
    from osiris_mysql.session import Session
    from osiris_sql.readonly import Query

DIALECT: Final = "mysql"
_ALL: Final = 2**64 - 1
_ALLOWABLE: Final = "a person may name it in the connection's 'allow_functions'"
_CONVERTED: Final = frozenset({"CHAR", "VARCHAR", "TINYTEXT", "TEXT", "MEDIUMTEXT", "LONGTEXT", "ENUM", "SET"})
_WHOLE: Final = "cp850 cp852 cp866 keybcs2 koi8r koi8u latin1 latin2 latin5 latin7 macce macroman"
"""Character sets in which each byte is a character that Unicode has."""
KEPT: Final = frozenset({"binary", "utf8mb4", *_WHOLE.split()})
"""Character sets whose text the server sends whole, as utf8mb4."""


@attrs.frozen(kw_only=True)
class Base:
    """A query before any window: its SQL, what messages call it, the table's types of those columns that the query
    makes another type, and the character sets of those that are made Unicode, by it or by what is ``listed`` in the
    SELECT around it. ``ordered`` says whether it puts its rows in an order without a LIMIT, ``limited`` whether it
    has one. ``query`` is the pipeline's own, as it was parsed.
    """

    sql: str
    what: str
    widened: Mapping[str, str] = attrs.field(factory=dict)
    charsets: Mapping[str, str] = attrs.field(factory=dict)
    listed: str = "*"
    ordered: bool = False
    limited: bool = False
    query: Query | None = None


def name(text: str) -> str:
    """``text`` as a quoted identifier."""
    return quote_identifier(text, dialect=DIALECT)


def base_query(session: Session, config: MySQLExtractor, step_id: str, extra: Sequence[str] = ()) -> Base:
    """The query of ``config``; ``extra`` are further conditions on the rows of a table, of our own making."""
    if config.query is not None:
        what = f"the query of step '{step_id}'"
        query = _fenced(session, bound(session, config.query, config.query_params, what), what)
        ordered, limited = _order_and_limit(query)
        return Base(sql=query.sql, what=what, ordered=ordered and not limited, limited=limited, query=query)
    return _table_query(session, config, extra)


def _table_query(session: Session, config: MySQLExtractor, extra: Sequence[str]) -> Base:
    what = f"reading table '{config.table}'"
    target = table_name(session, config, what)
    shown = session.run(f"SHOW FULL COLUMNS FROM {target}", what)
    known = {row[0].lower(): row for row in shown}
    if config.columns is None:
        wanted = [row for row in shown if "INVISIBLE" not in row[6].upper()]
    else:
        missing = [one for one in config.columns if one.lower() not in known]
        if missing:
            listed = ", ".join(f"'{row[0]}'" for row in shown)
            raise DriverError("OSR-MYSQL-020", f"table '{config.table}' has no column '{missing[0]}'; it has {listed}")
        wanted = [known[one.lower()] for one in config.columns]
    kinds = {row[0]: re.split(r"\W", row[1].upper(), maxsplit=1)[0] for row in wanted}
    widened = {column: kind for column, kind in kinds.items() if kind in WIDENED}
    charsets = {row[0]: charset_of(row[2]) for row in wanted if kinds[row[0]] in _CONVERTED and row[2] is not None}
    charsets = {column: charset for column, charset in charsets.items() if charset not in KEPT}
    listed = ", ".join(_of_table(row[0], widened.get(row[0]), converted=row[0] in charsets) for row in wanted)
    conditions = list(extra)
    if config.where is not None:
        conditions.insert(0, _condition(session, target, config))
    return Base(sql=f"SELECT {listed} FROM {target}{_where(conditions)}", what=what, widened=widened, charsets=charsets)


def table_name(session: Session, config: MySQLExtractor, what: str) -> str:
    """The table to read, as the server's SQL names it; refuses one that no pipeline reads."""
    assert config.table is not None
    database = config.database or session.connection.database
    refuse_hidden(what, database, config.table)
    return f"{name(database)}.{name(config.table)}"


def charset_of(collation: str) -> str:
    """The character set of a collation, by its name."""
    return collation.split("_", maxsplit=1)[0]


def selected(column: str) -> str:
    """A column of text, made Unicode, in the list of a SELECT."""
    return f"CONVERT({name(column)} USING utf8mb4) AS {name(column)}"


def _of_table(column: str, kind: str | None, *, converted: bool) -> str:
    if converted:
        return selected(column)
    return name(column) if kind is None else f"{name(column)} {WIDENED[kind].how} AS {name(column)}"


def _condition(session: Session, target: str, config: MySQLExtractor) -> str:
    """``where`` between parentheses, once it has been looked at alone and in a query."""
    what = f"'where' of table '{config.table}'"
    assert config.where is not None
    text = bound(session, config.where, config.query_params, what)
    try:
        check_condition(text, DIALECT)
        condition = f"(\n{without_comments(text, DIALECT)}\n)"
    except Refused as error:
        raise DriverError("OSR-MYSQL-021", f"{what} is refused: {error}") from error
    _fenced(session, f"SELECT 1 FROM {target} WHERE {condition}", what)
    return condition


def _where(conditions: Sequence[str]) -> str:
    return f" WHERE {' AND '.join(conditions)}" if conditions else ""


def around(base: Base, conditions: Sequence[str]) -> str:
    """The rows of a query that meet ``conditions`` on its columns; their order is the server's choice."""
    return f"SELECT {base.listed} FROM (\n{base.sql}\n) AS osiris_rows{_where(conditions)}"


def in_its_order(base: Base) -> str:
    """The rows of a query with what is listed around it, in its order."""
    # The server drops the order of a query within another one, unless it has a LIMIT. It then runs to its end first.
    return around(attrs.evolve(base, sql=f"{base.sql}\nLIMIT {_ALL}") if base.ordered else base, ())


def _order_and_limit(query: Query) -> tuple[bool, bool]:
    """Whether the rows come in an order, which the server would drop if the query stood within another one, unless it
    has a LIMIT; and whether it has.
    """
    part = query.tree
    while not part.args.get("order") and not part.args.get("limit") and part.key == "subquery":
        part = part.this
    return bool(part.args.get("order")), bool(part.args.get("limit"))


def _fenced(session: Session, sql: str, what: str) -> Query:
    """``sql``, which only reads."""
    try:
        query = read_only(sql, RULES, also=session.connection.allow_functions)
    except Refused as error:
        hint = _ALLOWABLE if "not known" in str(error) else None
        raise DriverError("OSR-MYSQL-021", f"{what} is refused: {error}", hint=hint) from error
    refuse_private(session, query, what)
    _refuse_stored(session, query, what)
    return query


def _refuse_stored(session: Session, query: Query, what: str) -> None:
    """Refuse stored functions with a name of the server's own: of those, each server has some and not all."""
    allowed = {name.casefold() for name in session.connection.allow_functions}
    names = sorted(name for name in query.calls - allowed if "." not in name)
    if not names:
        return
    listed = ", ".join(map(session.escape, names))
    found = session.run(
        "SELECT ROUTINE_NAME FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = DATABASE() "
        f"AND ROUTINE_TYPE = 'FUNCTION' AND ROUTINE_NAME IN ({listed})",
        f"looking for stored functions in {what}",
    )
    if found:
        why = f"'{found[0][0]}' is a stored function of this database"
        raise DriverError("OSR-MYSQL-021", f"{what} is refused: {why}", hint=_ALLOWABLE)


def bound(session: Session, sql: str, values: Mapping[str, Any], what: str) -> str:
    """``sql`` with its placeholders replaced by values, as the server's literals."""
    wanted = placeholders(sql, dialect=DIALECT)
    missing = [one for one in wanted if one not in values]
    unused = [one for one in values if one not in wanted]
    if missing or unused:
        said = f"has no value for ':{missing[0]}'" if missing else f"has no placeholder ':{unused[0]}'"
        raise InvalidInput("OSR-MYSQL-026", f"{what} {said}")
    literals = {one: literal(session, values[one], f"':{one}' of {what}") for one in wanted}
    return rewrite(sql, literals.__getitem__, dialect=DIALECT)


def literal(session: Session, value: Any, what: str) -> str:
    """``value`` as the server's literal."""
    match value:
        case None:
            return "NULL"
        case bool():
            return "TRUE" if value else "FALSE"
        case int():
            return str(value) if value >= 0 else f"({value})"
        case float():
            if not math.isfinite(value):
                raise InvalidInput("OSR-MYSQL-026", f"{what} is {value}, which the server has not")
            shown = repr(value) if "e" in repr(value) else f"{value!r}e0"
            return shown if value >= 0 else f"({shown})"
        case str():
            if "\x00" in value:
                raise InvalidInput("OSR-MYSQL-026", f"{what} holds a NUL character")
            return session.escape(value)
    raise InvalidInput("OSR-MYSQL-026", f"{what} is of a kind that cannot be bound")
