"""Where a ``dsn`` leads, taken apart here so that no message ever quotes it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

import attrs

from osiris_core.api import ConnectionUnusable, SecretStr

if TYPE_CHECKING:
    from pathlib import Path

    from osiris_supabase.connection import SupabaseConnection

LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
TRANSACTION_POOLER_PORT: Final = 6543
"""The port on which Supabase's pooler hands out a server for one transaction only."""

_MODES: Final = ("disable", "require", "verify-ca", "verify-full")
_OPTIONS: Final = frozenset({"sslmode", "pgbouncer", "host", "port"})
_NO_FILE: Final = "/dev/null/none"
"""A path at which nothing can be: libpq warns of a file of passwords that is none."""
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")


@attrs.frozen(kw_only=True)
class Endpoint:
    """A database on a server; ``host`` beginning with a slash is a folder of Unix sockets. No secret is shown."""

    host: str
    port: int
    user: str
    password: str | None = attrs.field(repr=False)
    database: str
    tls: str
    ca_file: str | None
    pooled: bool
    """Whether each transaction may run in another server process."""

    @property
    def shown(self) -> str:
        """The endpoint as messages name it."""
        return f"{self.host}:{self.port}/{self.database}"

    @property
    def is_local(self) -> bool:
        """Whether it is on this machine."""
        return self.host in LOOPBACK or self.host.startswith("/")

    def keywords(self) -> dict[str, Any]:
        """What libpq is told; everything it would else take from the environment or home folder is stated."""
        told = {
            "host": self.host,
            "port": self.port,
            "user": self.user,
            "dbname": self.database,
            "sslmode": self.tls,
            "sslcertmode": "disable",
            "gssencmode": "disable",
            "passfile": _NO_FILE,
            "hostaddr": "",
            "options": "",
            "target_session_attrs": "any",
            "client_encoding": "utf8",
            "application_name": "osiris",
            "keepalives_idle": 30,
            "keepalives_interval": 10,
            "keepalives_count": 3,
            "tcp_user_timeout": 60_000,
        }
        if self.password is not None:
            told["password"] = self.password
        if self.ca_file is not None:
            told["sslrootcert"] = self.ca_file
        return told


def endpoint_of(connection: SupabaseConnection, project_root: Path) -> Endpoint:
    """The endpoint of a connection with a dsn; ConnectionUnusable says what is wrong with it."""
    assert isinstance(connection.dsn, SecretStr)
    host, port, user, password, database, options = _take_apart(connection.dsn.reveal().strip())
    tls = connection.tls or options.get("sslmode")
    ca_file = _ca_file(connection, project_root)
    if tls is None:
        local = host in LOOPBACK or host.startswith("/")
        tls = "verify-full" if ca_file else "disable" if local else "require"
    if tls not in _MODES:
        raise _unusable(f"its 'sslmode' is none of {', '.join(_MODES)}")
    if tls.startswith("verify") and ca_file is None:
        raise _unusable(f"'sslmode={tls}' needs 'ca_file' on the connection")
    return Endpoint(
        host=host,
        port=port,
        user=user,
        password=password,
        database=database,
        tls=tls,
        ca_file=ca_file,
        pooled=port == TRANSACTION_POOLER_PORT or options.get("pgbouncer") == "true",
    )


def _ca_file(connection: SupabaseConnection, project_root: Path) -> str | None:
    if connection.ca_file is None:
        return None
    path = project_root / connection.ca_file
    if not path.is_file():
        raise ConnectionUnusable("OSR-PG-004", f"there is no file '{connection.ca_file}' (ca_file)")
    return str(path)


def _take_apart(dsn: str) -> tuple[str, int, str, str | None, str, dict[str, str]]:
    if not dsn.startswith(("postgresql://", "postgres://")):
        raise _unusable("it does not begin with postgresql://")
    if "#" in dsn:
        raise _unusable("it has a '#'; in the password that is %23")
    if dsn.count("@") > 1 or "@" in dsn.partition("://")[2].partition("/")[2]:
        raise _unusable("special characters of the user and password, such as '@' and '/', must be percent-encoded")
    try:
        parts = urlsplit(dsn)
        host, port = parts.hostname, parts.port
        pairs = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    except ValueError:
        raise _unusable("it is no URL; special characters of the password must be percent-encoded") from None
    options = dict(pairs)
    foreign = sorted(name for name in options if name not in _OPTIONS)
    if foreign or len(options) < len(pairs):
        raise _unusable(f"it may have the options {', '.join(sorted(_OPTIONS))} only, each once")
    user, password = unquote(parts.username or ""), None if parts.password is None else unquote(parts.password)
    database = unquote(parts.path.removeprefix("/")) or "postgres"
    host = options.get("host") or unquote(host or "")
    if not host or not user:
        raise _unusable(f"it names no {'user' if host else 'host'}")
    if any(_CONTROL.search(text) for text in (host, user, password or "", database)) or "," in host:
        raise _unusable("it holds control characters, or several hosts")
    given = options.get("port", "")
    if given and not (given.isascii() and given.isdigit() and 0 < int(given) < 65536):
        raise _unusable("its port is no port number")
    return host, port or int(given or 5432), user, password, database, options


def _unusable(why: str) -> ConnectionUnusable:
    return ConnectionUnusable("OSR-PG-005", f"the connection's dsn is unusable: {why}")
