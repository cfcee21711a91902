"""A private PgBouncer in transaction mode before a PostgreSQL server: what Supabase's pooler on port 6543 is like.

Supavisor itself is not to be had here. PgBouncer too gives a client another server process with each transaction, knows
no session state, and refuses startup parameters it does not know.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from tests.servers.ports import free_port
from tests.servers.postgres import PostgresServer, _account

_CONF = """
[databases]
* = host={host} port={port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {own}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {folder}/users
pool_mode = transaction
default_pool_size = {size}
max_client_conn = 50
logfile = {folder}/log
"""


@contextmanager
def pooling(server, *, size=3):
    """A pooler of ``size`` server processes for each database; skips with a reason when it is not installed."""
    binary = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin:/usr/local/sbin")
    if binary is None:
        pytest.skip("pgbouncer is not installed")
    folder = Path(tempfile.mkdtemp(prefix="osiris-pooler-"))
    try:
        process, pooler = _start(binary, server, folder, size)
        try:
            yield pooler
        finally:
            process.terminate()
            process.wait(timeout=20)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _start(binary, server, folder, size):
    port = free_port()
    secret = server.password.replace('"', '""')
    (folder / "users").write_text(f'"{server.user}" "{secret}"\n')
    (folder / "conf").write_text(_CONF.format(host=server.host, port=server.port, own=port, folder=folder, size=size))
    as_user, account = {}, _account()
    if account is not None:  # it refuses to run as root, too
        for path in (folder, *folder.iterdir()):
            os.chown(path, account.pw_uid, account.pw_gid)
        as_user = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
    process = subprocess.Popen(
        [binary, "-q", folder / "conf"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **as_user
    )
    pooler = PostgresServer(
        host="127.0.0.1", port=port, user=server.user, password=server.password, database=server.database
    )
    for _ in range(100):
        try:
            pooler.connect().close()
        except psycopg.OperationalError:
            try:
                process.wait(timeout=0.1)
            except subprocess.TimeoutExpired:
                continue
            raise RuntimeError(f"pgbouncer ended: {(folder / 'log').read_text()[-2000:]}") from None
        return process, pooler
    process.kill()
    process.wait()
    raise RuntimeError("pgbouncer is not ready")
