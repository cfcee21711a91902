"""Sessions on a server: opened with explicit TLS, with settings that leave nothing to the server's defaults."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pymysql
from pymysql.constants import CR

from osiris_core.api import ConnectionUnusable, DriverError, OsirisError, SecretStr
from osiris_mysql.connection import MySQLConnection, address, tls_mode
from osiris_mysql.errors import failure, meaning, said

if TYPE_CHECKING:
    from collections.abc import Sequence

READ_MODE: Final = "STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION"
"""The sql_mode of sessions that read: it fixes what quotes and backslashes mean, as the parser before it takes them."""

_SETTINGS: Final = (
    "time_zone = '+00:00'",
    "net_write_timeout = 86400",
    "net_read_timeout = 86400",
    "wait_timeout = 86400",
    # All that a server keeps: what was cut off is known by its warning only.
    "max_error_count = 65535",
    "sql_select_limit = 18446744073709551615",
    # A server takes as much of it as it can.
    "group_concat_max_len = 4294967295",
)
NONSENSE: Final = (AssertionError, AttributeError, IndexError, KeyError, TypeError, ValueError, struct.error)
"""What PyMySQL raises where an answer is not of the protocol."""

_KILL_SECONDS: Final = 2.0


class Session:
    """One connection to a server, used by one thread; :meth:`interrupt` may come from another."""

    def __init__(self, raw: Any, connection: MySQLConnection) -> None:
        self.raw = raw
        self.connection = connection
        self.version: str = raw.get_server_info().removeprefix("5.5.5-")
        self.is_mariadb = "mariadb" in self.version.casefold()
        self._interrupted = False

    @property
    def thread(self) -> int:
        """The server's number of this connection."""
        return int(self.raw.thread_id())

    @property
    def interrupted(self) -> bool:
        """Whether :meth:`interrupt` has been called."""
        return self._interrupted

    @property
    def cipher(self) -> str | None:
        """The TLS version and cipher in use, None without TLS."""
        sock = self.raw._sock  # noqa: SLF001
        if not isinstance(sock, ssl.SSLSocket):
            return None
        used = sock.cipher()
        return f"{sock.version()} {used[0] if used else ''}".strip()

    def run(self, sql: str, what: str = "a statement of the session") -> tuple[tuple[Any, ...], ...]:
        """The rows of one statement, all of them in memory; a failure is about ``what``."""
        try:
            with self.raw.cursor() as cursor:
                cursor.execute(sql)
                return tuple(cursor.fetchall())
        except (pymysql.err.Error, OSError) as error:
            raise failure(error, what) from error
        except NONSENSE as error:
            raise DriverError("OSR-MYSQL-029", f"{what}: the server's answer cannot be understood") from error

    def escape(self, value: str) -> str:
        """``value`` as an SQL string in this session's sql_mode."""
        return str(self.raw.escape(value))

    def interrupt(self) -> None:
        """Stop whatever the session does, at once on this side and soon on the server's; the session is then lost."""
        self._interrupted = True
        shut(self.raw)
        with contextlib.suppress(OsirisError, pymysql.err.Error, OSError):
            killer = open_raw(self.connection, timeout=_KILL_SECONDS)
            try:
                killer.query(f"KILL CONNECTION {self.thread}")
            finally:
                killer._force_close()  # noqa: SLF001

    def close(self) -> None:
        """Let go of the connection without waiting for rows that nobody reads."""
        self.raw._force_close()  # noqa: SLF001


def open_session(
    connection: MySQLConnection,
    *,
    sql_mode: str = READ_MODE,
    settings: Sequence[str] = (),
    local_infile: bool = False,
    timeout: float | None = None,
) -> Session:
    """A session in UTC and utf8mb4 with ``sql_mode`` and further ``settings`` (``name = value``); ConnectionUnusable
    says why there is none. ``timeout`` is instead of the connection's own for connecting.
    """
    raw = open_raw(connection, local_infile=local_infile, timeout=timeout)
    session = Session(raw, connection)
    try:
        wanted = ", ".join((f"sql_mode = '{sql_mode}'", *_SETTINGS, *settings))
        session.run(f"SET SESSION {wanted}", "setting up the session")
    except BaseException:
        session.close()
        raise
    return session


def open_raw(connection: MySQLConnection, *, local_infile: bool = False, timeout: float | None = None) -> Any:
    """PyMySQL's connection, logged in; the deadline for progress is the connection's once it stands."""
    password = connection.password.reveal() if isinstance(connection.password, SecretStr) else ""
    context = tls_context(connection)
    seconds = connection.connect_timeout if timeout is None else timeout
    plain = context is None and connection.unix_socket is None
    what = f"connecting to {address(connection)}"
    try:
        raw = pymysql.connect(
            defer_connect=True,
            host=connection.host,
            port=connection.port,
            unix_socket=connection.unix_socket,
            user=connection.user,
            # Text would be sent as Latin-1.
            password=password.encode(),
            database=connection.database,
            charset="utf8mb4",
            autocommit=True,
            local_infile=local_infile,
            connect_timeout=seconds,
            read_timeout=seconds,
            write_timeout=seconds,
            program_name="osiris",
            ssl=context,
            ssl_disabled=context is None,
            auth_plugin_map=dict.fromkeys(_READABLE, _NotInTheClear) if plain else {},
        )
        # The server is told that it can be done, but PyMySQL must not open whatever file a server asks for.
        raw._local_infile = False  # noqa: SLF001
        _connect(raw, connection.unix_socket, seconds)
    except pymysql.err.Error as error:
        raise _refusal(error, what, connection) from error
    except RuntimeError as error:
        # Raised where a way to log in needs a package that is missing.
        raise ConnectionUnusable("OSR-MYSQL-004", f"{what}: {said(error)}", hint=_missing(said(error))) from error
    except NONSENSE as error:
        raise ConnectionUnusable(
            "OSR-MYSQL-029", f"{what}: what answers there does not speak as a MySQL server does"
        ) from error
    if timeout is None:
        raw._read_timeout = raw._write_timeout = connection.read_timeout  # noqa: SLF001
    return raw


def _missing(text: str) -> str:
    """What to do about the missing package that PyMySQL names."""
    if "nacl" in text:
        return "install the package: pip install pynacl"
    return "use TLS (tls: require), or install the package: pip install 'osiris-mysql[rsa]'"


def _connect(raw: Any, path: str | None, seconds: float) -> None:
    """Connect; by a socket file ourselves, as PyMySQL leaves its socket open when that fails."""
    if path is None:
        raw.connect()
        return
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.settimeout(seconds)
        sock.connect(path)
    except BaseException as error:
        sock.close()
        if isinstance(error, OSError):
            raise pymysql.err.OperationalError(CR.CR_CONNECTION_ERROR, str(error)) from error
        raise
    raw._secure = True  # noqa: SLF001 - nobody listens on a socket file
    raw.connect(sock)


def tls_context(connection: MySQLConnection) -> ssl.SSLContext | None:
    """How TLS is done with ``connection``, None for not at all. PyMySQL's own way drops the check of the host's name
    where no authority is named, and of the whole certificate where the server offers no TLS.
    """
    mode = tls_mode(connection)
    if mode == "disable":
        return None
    try:
        context = ssl.create_default_context(cafile=connection.tls_ca)
        # Certificates that servers make for themselves do not pass it.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        context.check_hostname = mode == "verify-full"
        context.verify_mode = ssl.CERT_NONE if mode == "require" else ssl.CERT_REQUIRED
        if connection.tls_cert is not None:
            context.load_cert_chain(connection.tls_cert, connection.tls_key)
    except (OSError, ValueError) as error:
        files = [name for name in (connection.tls_ca, connection.tls_cert, connection.tls_key) if name]
        missing = next((name for name in files if not Path(name).is_file()), None)
        why = f"there is no file '{missing}'" if missing else f"{', '.join(files)}: {error}"
        raise ConnectionUnusable("OSR-MYSQL-004", f"the certificates cannot be used: {why}") from error
    return context


def shut(raw: Any) -> None:
    """Close both directions of a connection's socket, so that whoever waits for it wakes."""
    sock = raw._sock  # noqa: SLF001
    if sock is not None:
        with contextlib.suppress(OSError):
            # The TLS socket's own way would have the other thread go on without TLS.
            socket.socket.shutdown(sock, socket.SHUT_RDWR)


def _refusal(error: pymysql.err.Error, what: str, connection: MySQLConnection) -> ConnectionUnusable:
    """Why no connection was made."""
    cause = getattr(error, "original_exception", None) or error.__cause__ or error.__context__
    if isinstance(cause, ssl.SSLError):
        reason = getattr(cause, "verify_message", None) or cause.reason or str(cause)
        return ConnectionUnusable("OSR-MYSQL-004", f"{what}: TLS: {reason}")
    if isinstance(cause, TimeoutError) or "timed out" in str(error):
        return ConnectionUnusable("OSR-MYSQL-007", f"{what}: no answer in time", retriable=True)
    if "doesn't support it" in str(error) and "SSL" in str(error):
        return ConnectionUnusable(
            "OSR-MYSQL-004",
            f"{what}: 'tls: {tls_mode(connection)}' is wanted, and the server has no TLS",
            hint="have TLS enabled on the server; 'tls: disable' sends password proof and rows in the clear",
        )
    if isinstance(cause, socket.gaierror):
        return ConnectionUnusable("OSR-MYSQL-001", f"{what}: the host's name is not known")
    if isinstance(cause, OSError):
        return ConnectionUnusable("OSR-MYSQL-001", f"{what}: {cause.strerror or cause}", retriable=True)
    found = meaning(error)
    code = found.code if found.connection or found.code == "OSR-MYSQL-005" else "OSR-MYSQL-001"
    return ConnectionUnusable(code, f"{what}: {said(error)}", retriable=found.retriable)


_READABLE: Final = ("mysql_clear_password", "dialog", "mysql_old_password")
"""Ways to log in that show the password to whoever listens."""


class _NotInTheClear:
    """Refuses such a way on a connection without TLS, whoever asks for it."""

    def __init__(self, raw: Any) -> None:
        del raw

    def authenticate(self, packet: Any) -> Any:
        """Raise."""
        del packet
        raise pymysql.err.OperationalError(
            CR.CR_AUTH_PLUGIN_ERR, "the server wants the password in the clear, on a connection without TLS"
        )
