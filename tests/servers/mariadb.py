"""A private MariaDB server, or the one that ``OSIRIS_TEST_MYSQL_URL`` names.

    def test_something(mariadb):
        with mariadb.database() as name:                # a new database, dropped at the end
            mariadb.execute("CREATE TABLE t (id INT)", database=name)
            config = mariadb.connection(database=name)  # the fields of a connection of family mysql

The private server listens on a free port of 127.0.0.1 and on a socket in its own folder, takes LOAD DATA LOCAL, speaks
TLS with a certificate of its own authority when OpenSSL is installed, and dies with the process that started it.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit
from uuid import uuid4

import pymysql
import pytest

from osiris_core.api import SecretStr
from tests.servers.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

_STARTED_SECONDS = 60
USER = "osiris"
PASSWORD = 'p@s:s/w%rd"ü'  # pragma: allowlist secret
READER = "osiris_reader"
READER_PASSWORD = "only-reads"  # pragma: allowlist secret


class MariaDB:
    """A running server. ``user`` may do everything; ``READER`` (private servers only) may read."""

    def __init__(self, host: str, port: int, user: str, password: str) -> None:
        self.host = host
        self.port = port
        self.user = user
        self.password = password

    def connect(self, database: str | None = None, **options: Any) -> Any:
        """A PyMySQL connection, as ``user`` unless ``options`` say otherwise."""
        wanted = {"user": self.user, "password": self.password.encode(), "charset": "utf8mb4", "autocommit": True}
        return pymysql.connect(host=self.host, port=self.port, database=database, **{**wanted, **options})

    def execute(self, *statements: str, database: str | None = None) -> Any:
        """Run statements; the rows of the last one."""
        with closing(self.connect(database)) as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            return cursor.fetchall()

    def connection(self, **fields: Any) -> dict[str, Any]:
        """The fields of a connection of family ``mysql`` to this server, its secret as a driver gets it."""
        given = {"host": self.host, "port": self.port, "user": self.user, "password": self.password, **fields}
        return {**given, "password": SecretStr(given["password"])}

    @contextmanager
    def database(self) -> Iterator[str]:
        """A new database, dropped at the end with what is in it."""
        name = f"osiris_test_{uuid4().hex[:12]}"
        self.execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
        try:
            yield name
        finally:
            self.execute(f"DROP DATABASE IF EXISTS {name}")


class PrivateMariaDB(MariaDB):
    """A server of this process's own, below ``folder``; its authority's certificate is ``ca`` (None without TLS)."""

    def __init__(self, folder: Path, *options: str) -> None:
        super().__init__("127.0.0.1", free_port(), USER, PASSWORD)
        self.folder = folder
        self.socket = folder / "s"
        self.ca = _certificates(folder)
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None
        run(
            "mariadb-install-db",
            "--no-defaults",
            f"--datadir={folder / 'data'}",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
            *(("--user=root",) if os.geteuid() == 0 else ()),
        )

    def start(self) -> None:
        """Start it (again), and wait until it answers."""
        arguments = [
            *(("setpriv", "--pdeathsig", "KILL") if shutil.which("setpriv") else ()),
            _found("mariadbd"),
            "--no-defaults",
            f"--datadir={self.folder / 'data'}",
            f"--socket={self.socket}",
            f"--pid-file={self.folder / 'pid'}",
            # Of its own: a server that starts removes what looks like a temporary table, another server's as well.
            f"--tmpdir={self.folder}",
            f"--port={self.port}",
            "--bind-address=127.0.0.1",
            "--skip-name-resolve",
            "--local-infile=ON",
            "--character-set-server=utf8mb4",
            "--max-allowed-packet=64M",
            "--innodb-buffer-pool-size=64M",
            "--innodb-log-file-size=64M",
            "--innodb-flush-log-at-trx-commit=2",
            "--performance-schema=OFF",
            *(("--user=root",) if os.geteuid() == 0 else ()),
            *((f"--ssl-ca={self.ca}", *_tls_options(self.folder)) if self.ca else ()),
            *self._options,
        ]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self._wait()

    def _wait(self) -> None:
        assert self._process is not None
        pause = threading.Event()
        for _ in range(_STARTED_SECONDS * 20):
            if self._process.poll() is not None:
                pytest.fail(f"mariadbd ended: {self._said()}")
            if self._listens():
                self._root().close()
                return
            pause.wait(0.05)
        pytest.fail(f"mariadbd does not answer: {self._said()}")

    def _listens(self) -> bool:
        # PyMySQL leaves a socket behind when nobody listens.
        with socket.socket(socket.AF_UNIX) as one:
            return one.connect_ex(str(self.socket)) == 0

    def connect(self, database: str | None = None, **options: Any) -> Any:
        """See :meth:`MariaDB.connect`; a server that is gone says why. Without TLS, as reading all authorities of the
        system takes longer than everything else that most tests ask.
        """
        if self._process is not None and self._process.poll() is not None:
            pytest.fail(f"mariadbd ended: {self._said()}")
        return super().connect(database, **{"ssl_disabled": True, **options})

    def _root(self) -> Any:
        return pymysql.connect(unix_socket=str(self.socket), user="root", autocommit=True)

    def _said(self) -> str:
        return (self.folder / "log").read_text(errors="replace")[-2000:]

    def create_users(self) -> None:
        """The two accounts; once in the server's life."""
        with closing(self._root()) as connection, connection.cursor() as cursor:
            for host in ("127.0.0.1", "localhost"):
                for user, password, rights in ((USER, PASSWORD, "ALL"), (READER, READER_PASSWORD, "SELECT")):
                    cursor.execute(f"CREATE USER %s@'{host}' IDENTIFIED BY %s", (user, password))
                    cursor.execute(
                        f"GRANT {rights} ON *.* TO %s@'{host}'{' WITH GRANT OPTION' * (user == USER)}", (user,)
                    )

    def kill(self) -> None:
        """End it at once, as a power cut would."""
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """Let it stand still: connections stay open and nothing answers."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Go on after :meth:`pause`."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """Shut it down."""
        self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            try:
                self._process.wait(30)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None


@contextmanager
def private_mariadb(*options: str) -> Iterator[PrivateMariaDB]:
    """A server with further command line ``options``; skips the test when its programs are not installed."""
    for program in ("mariadbd", "mariadb-install-db"):
        if _find(program) is None:
            pytest.skip(f"{program} is not installed")
    # A socket's path has room for about a hundred bytes: not pytest's folders.
    folder = Path(tempfile.mkdtemp(prefix="osiris-my-"))
    try:
        server = PrivateMariaDB(folder, *options)
        try:
            server.start()
            server.create_users()
            yield server
        finally:
            server.kill()
    finally:
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def mariadb() -> Iterator[MariaDB]:
    """The session's server."""
    url = os.environ.get("OSIRIS_TEST_MYSQL_URL")
    if url:
        parts = urlsplit(url)
        yield MariaDB(
            parts.hostname or "127.0.0.1",
            parts.port or 3306,
            unquote(parts.username or "root"),
            unquote(parts.password or ""),
        )
        return
    with private_mariadb() as server:
        yield server


@pytest.fixture(scope="session")
def own_mariadb(mariadb: MariaDB) -> PrivateMariaDB:
    """The session's server where a test needs more than a client can ask for: its socket, its certificates."""
    if not isinstance(mariadb, PrivateMariaDB):
        pytest.skip("needs a private server; OSIRIS_TEST_MYSQL_URL names another one")
    return mariadb


def run(*arguments: str, cwd: Path | None = None) -> None:
    """Run a program to its end; the test fails with what it said when it does."""
    program = _found(arguments[0])
    done = subprocess.run([program, *arguments[1:]], cwd=cwd, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode:
        pytest.fail(f"{arguments[0]}: {done.stdout[-1000:]}{done.stderr[-1000:]}")


def _find(program: str) -> str | None:
    return shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin:/usr/local/bin")


def _found(program: str) -> str:
    return _find(program) or program


def _certificates(folder: Path) -> Path | None:
    """An authority, and a certificate of its for 127.0.0.1; None where OpenSSL is missing."""
    if _find("openssl") is None:
        return None
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")
    run("openssl", "req", "-x509", *key, "-subj", "/CN=Osiris tests", "-keyout", "ca.key", "-out", "ca.pem", cwd=folder)
    run("openssl", "req", *key[:-2], "-subj", "/CN=127.0.0.1", "-keyout", "key.pem", "-out", "request.pem", cwd=folder)
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1")
    signing = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "names")
    run("openssl", "x509", "-req", "-in", "request.pem", *signing, "-out", "cert.pem", cwd=folder)
    return folder / "ca.pem"


def _tls_options(folder: Path) -> tuple[str, ...]:
    return (f"--ssl-cert={folder / 'cert.pem'}", f"--ssl-key={folder / 'key.pem'}")
