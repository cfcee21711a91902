"""The error codes of the MySQL components, and what a server's error number means."""

from __future__ import annotations

from typing import Final

import attrs

from osiris_core.api import ConnectionUnusable, DriverError, ErrorEntry, OsirisError

CONNECTING: Final = (
    ErrorEntry("OSR-MYSQL-001", "the server cannot be reached", "check host, port, firewall, and that it runs"),
    ErrorEntry(
        "OSR-MYSQL-002", "the server refused the account", "check user and password, and from where it may log in"
    ),
    ErrorEntry("OSR-MYSQL-003", "no such database", "correct 'database', or have it created"),
    ErrorEntry("OSR-MYSQL-004", "the encrypted connection could not be made", "check 'tls' and the certificates"),
    ErrorEntry("OSR-MYSQL-005", "the account may not do that", "have the missing privilege granted"),
    ErrorEntry("OSR-MYSQL-006", "the connection was lost", "run again when the server is back"),
    ErrorEntry("OSR-MYSQL-007", "the server did not answer in time", "raise the timeout, or check the network"),
    ErrorEntry("OSR-MYSQL-008", "the server takes no more connections", "run again later, or with less parallelism"),
    ErrorEntry("OSR-MYSQL-009", "another transaction was in the way", "run again"),
    ErrorEntry("OSR-MYSQL-010", "the server reported an error", "read its message"),
)

READING: Final = (
    ErrorEntry("OSR-MYSQL-020", "no such table or column", "correct the name, or check the account's privileges"),
    ErrorEntry("OSR-MYSQL-021", "the SQL is not a plain read", "write one SELECT without side effects"),
    ErrorEntry("OSR-MYSQL-022", "the server cannot run the SQL", "correct the SQL"),
    ErrorEntry(
        "OSR-MYSQL-023", "a value does not fit its column's type", "set the policy for it, or cast it in a query"
    ),
    ErrorEntry("OSR-MYSQL-024", "a column cannot be read exactly as it is", "cast it in the query"),
    ErrorEntry("OSR-MYSQL-025", "the query ran longer than allowed", "raise 'timeout', or make the query faster"),
    ErrorEntry("OSR-MYSQL-026", "the placeholders and 'query_params' do not agree", "give each placeholder a value"),
    ErrorEntry("OSR-MYSQL-027", "the cursor column cannot be used", "choose a number, date, datetime or text column"),
    ErrorEntry("OSR-MYSQL-028", "the table cannot be read in parts by that column", "choose another 'partition_on'"),
    ErrorEntry("OSR-MYSQL-029", "the server's answer made no sense", "run again; report it if it happens again"),
    ErrorEntry(
        "OSR-MYSQL-030", "the server would have cut values off", "raise the server's limit that the message names"
    ),
)

WRITING: Final = (
    ErrorEntry("OSR-MYSQL-050", "there is no such table", "create it, or set create_if_missing: true"),
    ErrorEntry("OSR-MYSQL-051", "the columns of rows and table differ", "say in on_schema_change what to do about it"),
    ErrorEntry("OSR-MYSQL-052", "the table cannot hold every value", "cast the column in a step before"),
    ErrorEntry("OSR-MYSQL-053", "a key column is missing", "correct primary_key or replace_keys"),
    ErrorEntry("OSR-MYSQL-054", "the table would not keep a value as it is", "correct the value in a step before"),
    ErrorEntry("OSR-MYSQL-055", "rows without a primary key", "leave them out in a step before"),
    ErrorEntry("OSR-MYSQL-056", "rows of one load have the same key", "make them one, or set on_duplicate: last"),
    ErrorEntry("OSR-MYSQL-057", "the table has several rows of a key", "remove them, or choose another primary_key"),
    ErrorEntry("OSR-MYSQL-058", "the table cannot be written safely", "read the message"),
    ErrorEntry("OSR-MYSQL-059", "the counts of a load do not agree", "nothing was changed; report this as a defect"),
    ErrorEntry("OSR-MYSQL-060", "MySQL has no such type", "cast the column in a step before"),
    ErrorEntry("OSR-MYSQL-061", "another load is at work", "run again when it has ended, or raise lock_timeout"),
    ErrorEntry("OSR-MYSQL-062", "the table refuses a row", "correct the rows; nothing was changed"),
    ErrorEntry("OSR-MYSQL-063", "the table was altered meanwhile", "run again"),
    ErrorEntry("OSR-MYSQL-064", "a column's name cannot be used", "rename the column in a step before"),
)


@attrs.frozen
class Meaning:
    """What an error number means: the code, whether the connection (not the work) is at fault, whether to retry."""

    code: str
    connection: bool = False
    retriable: bool = False


_REFUSED = Meaning("OSR-MYSQL-002", connection=True)
_PRIVILEGE = Meaning("OSR-MYSQL-005")
_LOST = Meaning("OSR-MYSQL-006", connection=True, retriable=True)
_BUSY = Meaning("OSR-MYSQL-008", connection=True, retriable=True)
_LOCKED = Meaning("OSR-MYSQL-009", retriable=True)
_MISSING = Meaning("OSR-MYSQL-020")
_SQL = Meaning("OSR-MYSQL-022")
_TIME = Meaning("OSR-MYSQL-025")
_OTHER = Meaning("OSR-MYSQL-010")

MEANINGS: Final = {
    **dict.fromkeys((1045, 1698, 1129, 1130, 1251, 1275, 1820, 1862, 2049, 2054, 2059, 2061, 3118, 4151), _REFUSED),
    1049: Meaning("OSR-MYSQL-003", connection=True),
    **dict.fromkeys((2026, 3159), Meaning("OSR-MYSQL-004", connection=True)),
    **dict.fromkeys((1044, 1142, 1143, 1227, 1370, 1410), _PRIVILEGE),
    2002: Meaning("OSR-MYSQL-001", connection=True, retriable=True),
    2003: Meaning("OSR-MYSQL-001", connection=True, retriable=True),
    2005: Meaning("OSR-MYSQL-001", connection=True),
    **dict.fromkeys((1053, 1152, 1158, 1159, 1160, 1161, 1927, 2006, 2013, 2055), _LOST),
    **dict.fromkeys((1040, 1203, 1226), _BUSY),
    **dict.fromkeys((1020, 1205, 1213, 1614), _LOCKED),
    **dict.fromkeys((1146, 1054, 1109, 1347), _MISSING),
    **dict.fromkeys(
        (1052, 1055, 1064, 1060, 1140, 1149, 1210, 1222, 1241, 1248, 1267, 1270, 1271, 1305, 1582, 1630, 2036), _SQL
    ),
    **dict.fromkeys((1969, 3024), _TIME),
    1792: Meaning("OSR-MYSQL-021"),
}
"""Error numbers of MySQL, MariaDB and the client library that mean something of their own to a user."""


def meaning(error: BaseException) -> Meaning:
    """What an error of PyMySQL means."""
    number = error.args[0] if error.args else None
    if number == 0:
        return _LOST
    return MEANINGS.get(number, _OTHER) if isinstance(number, int) else _OTHER


def failure(error: BaseException, what: str) -> OsirisError:
    """The error to raise for ``error`` of PyMySQL while doing ``what``; never text of a traceback or a password."""
    if isinstance(error, OsirisError):
        return error
    found = _LOST if isinstance(error, OSError) else meaning(error)
    if any(isinstance(one, TimeoutError) for one in (error, error.__cause__, error.__context__)):
        found = Meaning("OSR-MYSQL-007", connection=True, retriable=True)
    kind = ConnectionUnusable if found.connection else DriverError
    return kind(found.code, f"{what}: {said(error)}", retriable=found.retriable)


def said(error: BaseException) -> str:
    """What the server or PyMySQL said, on one line, without the number."""
    text = str(error.args[1]) if len(error.args) > 1 else str(error.args[0]) if error.args else type(error).__name__
    return " ".join(text.split()) or "the connection is closed"
