"""The foreign keys that refer to a table, those of other databases too as far as the account can see them.

InnoDB's own list has the keys of all databases, is read without opening a table, and is shown to accounts with the
PROCESS privilege. Others are shown the keys of databases in which they may do more than SELECT. For that, MariaDB opens
every table of what it is asked about; as it was seen to crash when asked about all databases at once, each that the
account knows is asked about by its name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs
import pymysql

from osiris_core.api import DriverError
from osiris_mysql.private import SYSTEM
from osiris_mysql.statements import text

if TYPE_CHECKING:
    from osiris_mysql.session import Session

_NOT_SHOWN: Final = frozenset({1109, 1227})
"""What the server says of the list when it has none, and when PROCESS is missing."""
_DELETES, _EMPTIES = 1, 2
"""Bits of InnoDB's ``TYPE``: ON DELETE CASCADE, ON DELETE SET NULL."""
_DESTRUCTIVE: Final = frozenset({"CASCADE", "SET NULL", "SET DEFAULT"})


@attrs.frozen(kw_only=True)
class Reference:
    """A foreign key of ``table`` (with its database, where that is another one); ``destructive``: it changes rows there
    when those that it refers to are deleted.
    """

    table: str
    destructive: bool


def references(session: Session, name: str, what: str) -> tuple[Reference, ...]:
    """The foreign keys that refer to the table ``name`` of the session's database."""
    found = _of_innodb(session, name, what)
    return _of_visible(session, name, what) if found is None else found


def _of_innodb(session: Session, name: str, what: str) -> tuple[Reference, ...] | None:
    """All there are; None when the account is not shown InnoDB's list."""
    try:
        rows = session.run(_innodb_query(session, name), what)
    except DriverError as error:
        cause = error.__cause__
        if isinstance(cause, pymysql.err.Error) and cause.args[0] in _NOT_SHOWN:
            return None
        raise
    return tuple(
        Reference(table=str(table), destructive=bool(int(kind) & (_DELETES | _EMPTIES))) for table, kind in rows
    )


def _innodb_query(session: Session, name: str) -> str:
    if not session.is_mariadb and int(session.version.split(".")[0]) >= 8:
        # A view of the dictionary, with names as they are.
        database, table = "SUBSTRING_INDEX(FOR_NAME, '/', 1)", "SUBSTR(FOR_NAME, INSTR(FOR_NAME, '/') + 1)"
        source, where = "INNODB_FOREIGN", f"REF_NAME = CONCAT(DATABASE(), '/', {text(name)})"
    else:
        # Names are as those of files.
        database, table = (_as_text(f"SUBSTRING_INDEX(CAST(FOR_NAME AS BINARY), '/', {at})") for at in (1, -1))
        wanted = ", '/', ".join(_as_file(one) for one in ("DATABASE()", text(name)))
        source, where = "INNODB_SYS_FOREIGN", f"CAST(REF_NAME AS BINARY) = CONCAT({wanted})"
    shown = f"IF({database} = DATABASE(), {table}, CONCAT({database}, '.', {table}))"
    return f"SELECT {shown}, TYPE FROM information_schema.{source} WHERE {where}"


def _as_file(name: str) -> str:
    """The bytes of the file's name of a table or database; they are in lower case where the server keeps them so."""
    kept = f"IF(@@lower_case_table_names = 0, {name}, LOWER({name}))"
    return f"CAST(CONVERT({kept} USING filename) AS BINARY)"


def _as_text(name: str) -> str:
    return f"CONVERT(CONVERT({name} USING filename) USING utf8mb4)"


def _of_visible(session: Session, name: str, what: str) -> tuple[Reference, ...]:
    """Those of databases in which the account has rights beyond SELECT."""
    ((here,),) = session.run("SELECT DATABASE()", what)
    found = []
    for (database,) in session.run("SELECT SCHEMA_NAME FROM information_schema.SCHEMATA", what):
        if str(database).casefold() in SYSTEM:
            continue
        rows = session.run(
            "SELECT TABLE_NAME, DELETE_RULE FROM information_schema.REFERENTIAL_CONSTRAINTS "
            f"WHERE CONSTRAINT_SCHEMA = {text(database)} AND UNIQUE_CONSTRAINT_SCHEMA = DATABASE() "
            f"AND REFERENCED_TABLE_NAME = {text(name)}",
            what,
        )
        place = "" if database == here else f"{database}."
        found += [Reference(table=f"{place}{table}", destructive=rule in _DESTRUCTIVE) for table, rule in rows]
    return tuple(found)
