"""Whether a connection works, and what the account behind it may do. Nothing is changed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from osiris_core.api import Health, OsirisError
from osiris_mysql.connection import address, tls_mode
from osiris_mysql.session import open_session

if TYPE_CHECKING:
    from pathlib import Path

    from osiris_mysql.connection import MySQLConnection
    from osiris_mysql.session import Session

_CATEGORIES: Final = {
    "OSR-MYSQL-001": "network",
    "OSR-MYSQL-002": "auth",
    "OSR-MYSQL-003": "missing",
    "OSR-MYSQL-004": "config",
    "OSR-MYSQL-005": "permission",
    "OSR-MYSQL-006": "network",
    "OSR-MYSQL-007": "timeout",
    "OSR-MYSQL-008": "network",
    "OSR-MYSQL-029": "config",
}
_GRANT: Final = re.compile(r"GRANT (?P<rights>.+?) ON (?P<where>.+?) TO ", re.IGNORECASE | re.DOTALL)
_READING: Final = frozenset(
    {
        "USAGE",
        "SELECT",
        "SHOW VIEW",
        "SHOW DATABASES",
        "SHOW_ROUTINE",
        "PROCESS",
        "REFERENCES",
        "REPLICATION CLIENT",
        "REPLICATION SLAVE",
        "BINLOG MONITOR",
        "SLAVE MONITOR",
    }
)
"""Privileges with which nothing can be changed."""


class MySQLDoctor:
    """Checks a connection of the family ``mysql``."""

    def check(self, connection: MySQLConnection, *, project_root: Path, timeout: float) -> Health:
        """The health of the server, the account and the database, within about ``timeout`` seconds."""
        del project_root
        try:
            session = open_session(connection, timeout=timeout)
            try:
                return _healthy(session, connection)
            finally:
                session.close()
        except OsirisError as error:
            return Health(
                ok=False, category=_CATEGORIES.get(error.code, "internal"), message=error.message, hint=error.hint
            )


def _healthy(session: Session, connection: MySQLConnection) -> Health:
    found = session.run(
        "SELECT @@version, @@local_infile, @@global.sql_mode, @@global.time_zone, @@max_allowed_packet, @@read_only",
        "asking the server about itself",
    )[0]
    version, infile, mode, zone, packet, read_only = found
    writes = [right for right in rights(session) if right not in _READING]
    details: dict[str, Any] = {
        "server": f"{'MariaDB' if session.is_mariadb else 'MySQL'} {version}",
        "tls": session.cipher or "none",
        "tls_mode": tls_mode(connection),
        "can_write": bool(writes),
        "privileges_beyond_reading": writes,
        "local_infile": bool(infile),
        "sql_mode": mode,
        "time_zone": zone,
        "max_allowed_packet": packet,
        "read_only": bool(read_only),
    }
    hint = None
    if writes:
        hint = "for extraction, an account with SELECT and SHOW VIEW only is the best protection of the source"
    return Health(
        ok=True,
        category="ok",
        message=f"database '{connection.database}' on {address(connection)} can be used",
        hint=hint,
        details=details,
    )


def rights(session: Session) -> list[str]:
    """The names of the account's privileges, of whatever reach, as far as the server shows them."""
    named: set[str] = set()
    for (grant,) in session.run("SHOW GRANTS", "asking for the account's privileges"):
        match = _GRANT.match(str(grant))
        if match is not None:
            named |= {re.sub(r"\s*\(.*", "", one).strip().upper() for one in re.split(r",(?![^(]*\))", match["rights"])}
    return sorted(named)
