"""A private PostgreSQL server: own data folder, own port, loopback only, gone with the test session.

``OSIRIS_TEST_POSTGRES_URL`` names a server to use instead (a role that may create databases and roles).
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

import psycopg
import pytest

from tests.servers.ports import free_port

PASSWORD = "pg:p@ss/word"  # pragma: allowlist secret
_CONF = """
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
fsync = off
full_page_writes = off
synchronous_commit = off
shared_buffers = 64MB
max_wal_size = 2GB
max_connections = 60
autovacuum = off
timezone = 'America/New_York'
log_min_messages = warning
"""


class PostgresServer:
    """Where a server is, and how to start, stop and ask it."""

    def __init__(self, *, host, port, user, password, database="postgres", process=None, folder=None):
        self.host = host
        self.port = port
        self.user = user
        self.password = password
        self.database = database
        self.folder = folder
        self._process = process

    def dsn(self, *, database=None, user=None, password=None, host=None, port=None):
        """The URL of a database, as a connection's ``dsn``."""
        name, secret = quote(user or self.user, safe=""), quote(password or self.password, safe="")
        return f"postgresql://{name}:{secret}@{host or self.host}:{port or self.port}/{database or self.database}"

    def connect(self, database=None, *, user=None, password=None):
        """A connection in autocommit mode."""
        return psycopg.connect(
            host=self.host,
            port=self.port,
            user=user or self.user,
            password=password or self.password,
            dbname=database or self.database,
            autocommit=True,
            connect_timeout=10,
        )

    def execute(self, sql, database=None):
        """Run statements, and the rows of the last one if it has any."""
        with self.connect(database) as connection:
            cursor = connection.execute(sql)
            return cursor.fetchall() if cursor.description else None

    @contextmanager
    def new_database(self, name, *, template=None):
        """A database of this name, dropped at the end whoever is still in it."""
        options = f" TEMPLATE {template}" if template else ""
        self.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        self.execute(f'CREATE DATABASE "{name}"{options}')
        try:
            yield name
        finally:
            self.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def stop(self):
        """End the process this object started."""
        if self._process is not None:
            self._process.terminate()  # a smart shutdown would wait for clients
            try:
                self._process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                self._process.send_signal(2)  # fast: ends the sessions
                self._process.wait(timeout=30)


def binaries():
    """The folder of ``initdb`` and ``postgres``, newest version first; None when there is none."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name), reverse=True)
    found = shutil.which("initdb")
    if found:
        folders.append(Path(found).resolve().parent)
    return next((folder for folder in folders if (folder / "initdb").exists() and (folder / "postgres").exists()), None)


def _account():
    """The account the server runs as: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    return None


def start(folder, *, settings=""):
    """A new server in ``folder``, ready for connections."""
    binary = binaries()
    account = _account()
    data = Path(folder) / "data"
    secret = Path(folder) / "password"
    secret.write_text(PASSWORD)
    as_user = {}
    if account is not None:
        os.chown(folder, account.pw_uid, account.pw_gid)
        os.chown(secret, account.pw_uid, account.pw_gid)
        as_user = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
    environment = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8", "HOME": str(folder)}
    subprocess.run(
        [
            binary / "initdb",
            *("-D", data, "-U", "osiris", "--pwfile", secret, "--auth=scram-sha-256"),
            *("--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"),
        ],
        check=True,
        capture_output=True,
        cwd=folder,
        env=environment,
        **as_user,
    )
    port = free_port()
    with (data / "postgresql.conf").open("a") as conf:
        conf.write(f"{_CONF}port = {port}\n{settings}")
    log = (Path(folder) / "server.log").open("wb")
    with log:
        process = subprocess.Popen(
            [binary / "postgres", "-D", data], stdout=log, stderr=log, cwd=folder, env=environment, **as_user
        )
    server = PostgresServer(
        host="127.0.0.1", port=port, user="osiris", password=PASSWORD, process=process, folder=Path(folder)
    )
    try:
        _await(server, process, Path(folder) / "server.log")
    except BaseException:
        server.stop()
        raise
    return server


def _await(server, process, log):
    for _ in range(600):
        try:
            server.connect().close()
        except psycopg.OperationalError:
            # What the server does next is either to end or to be ready.
            try:
                process.wait(timeout=0.1)
            except subprocess.TimeoutExpired:
                continue
            raise RuntimeError(f"the server ended: {log.read_text(errors='replace')[-2000:]}") from None
        return
    raise RuntimeError("the server is not ready")


def _given(url):
    parts = urlsplit(url)
    return PostgresServer(
        host=parts.hostname,
        port=parts.port or 5432,
        user=unquote(parts.username or "postgres"),
        password=unquote(parts.password or ""),
        database=parts.path.lstrip("/") or "postgres",
    )


@contextmanager
def running(*, settings=""):
    """A private server, or the one of ``OSIRIS_TEST_POSTGRES_URL``; skips with a reason when there is neither."""
    given = os.environ.get("OSIRIS_TEST_POSTGRES_URL")
    if given and not settings:
        yield _given(given)
        return
    if binaries() is None:
        pytest.skip("no PostgreSQL server is installed (initdb and postgres), nor is OSIRIS_TEST_POSTGRES_URL set")
    folder = tempfile.mkdtemp(prefix="osiris-pg-")
    try:
        server = start(folder, settings=settings)
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_server():
    """The session's server."""
    with running() as server:
        yield server
