"""The connection family ``mysql``: a MySQL or MariaDB server, a database on it, and an account."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import Literal

from osiris_core.api import Problem, Secret, config, field

_PLAIN = r"[^\x00-\x1f\x7f]+"
_PATH = r"[^\x00-\x1f\x7f]{1,4096}"

Tls = Literal["disable", "require", "verify-ca", "verify-full"]


@config
class MySQLConnection:
    """A MySQL or MariaDB server."""

    host: str = field(
        default="localhost", doc="The server's name or address.", pattern=_PLAIN, identity=True, override="warn"
    )
    port: int = field(default=3306, doc="The server's TCP port.", minimum=1, maximum=65535, identity=True)
    unix_socket: str | None = field(
        default=None,
        doc="The server's socket file on this machine, used instead of host and port.",
        pattern=_PATH,
        identity=True,
    )
    user: str = field(doc="The account's name.", min_length=1, pattern=_PLAIN, identity=True)
    password: Secret | None = field(default=None, doc="The account's password.")
    database: str = field(
        doc="The database whose tables are meant.", min_length=1, pattern=_PLAIN, identity=True, override="warn"
    )
    allow_functions: tuple[str, ...] = field(
        default=(),
        doc="Stored or loadable functions that queries may call, as 'name' or 'database.name'. A read-only transaction "
        "keeps them from writing to tables, and from nothing else.",
    )
    tls: Tls | None = field(
        default=None,
        doc="'disable' sends everything in the clear; 'require' encrypts without asking who answers; 'verify-ca' wants "
        "a certificate of a trusted authority; 'verify-full' wants one made for this host. Not given: 'require', "
        "or 'disable' to this machine. There is no silent way back to an unencrypted connection.",
        identity=True,
    )
    tls_ca: str | None = field(
        default=None,
        doc="A PEM file of the authorities to trust, instead of the system's; for 'verify-ca' and 'verify-full'.",
        pattern=_PATH,
    )
    tls_cert: str | None = field(default=None, doc="A PEM file of the client's certificate.", pattern=_PATH)
    tls_key: str | None = field(default=None, doc="A PEM file of the certificate's private key.", pattern=_PATH)
    connect_timeout: float = field(
        default=10.0,
        doc="Seconds within which the server must answer while a connection is made.",
        exclusive_minimum=0,
        maximum=3600,
        override="allowed",
    )
    read_timeout: float = field(
        default=600.0,
        doc="Seconds without a single byte from the server after which the connection counts as lost. A query must "
        "send its first row within it.",
        exclusive_minimum=0,
        maximum=86_400,
        override="allowed",
    )

    def check(self) -> Iterable[Problem]:
        """TLS fields that agree with each other."""
        mode = tls_mode(self)
        if self.unix_socket is not None and self.tls not in (None, "disable"):
            yield Problem(field=("tls",), message="a socket file of this machine is used without TLS")
        if self.tls_ca is not None and mode not in ("verify-ca", "verify-full"):
            yield Problem(field=("tls_ca",), message="'tls_ca' is used by 'tls: verify-ca' and 'tls: verify-full' only")
        if mode == "disable" and (self.tls_cert or self.tls_key):
            yield Problem(field=("tls",), message="a client certificate needs TLS", hint="tls: verify-full")
        if (self.tls_cert is None) != (self.tls_key is None):
            yield Problem(field=("tls_cert",), message="give 'tls_cert' and 'tls_key' together")


def tls_mode(connection: MySQLConnection) -> Tls:
    """The TLS mode that ``connection`` means."""
    if connection.unix_socket is not None:
        return "disable"
    return connection.tls or ("disable" if is_local(connection.host) else "require")


def is_local(host: str) -> bool:
    """Whether ``host`` is this machine by its very name."""
    if host.casefold().rstrip(".") == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def address(connection: MySQLConnection) -> str:
    """Where the server is, for messages."""
    return f"socket '{connection.unix_socket}'" if connection.unix_socket else f"{connection.host}:{connection.port}"
