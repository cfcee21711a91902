"""Connecting, and what may go wrong on the way: TLS, accounts, silent and broken networks, cancellation, the doctor."""

from __future__ import annotations

import contextlib
import os
import pwd
import socket
import struct
import sys
import threading
from pathlib import Path

import attrs
import pytest
from pymysql.err import OperationalError

from osiris_core.api import Cancelled, ConnectionUnusable, DriverError, SecretStr
from osiris_mysql.connection import MySQLConnection, is_local, tls_mode
from osiris_mysql.doctor import MySQLDoctor
from osiris_mysql.session import open_session
from tests.servers.mariadb import READER, READER_PASSWORD
from tests.servers.ports import free_port


class Wire:
    """A way to the server that can be frozen or cut."""

    def __init__(self, host, port):
        self.target = (host, port)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.frozen = threading.Event()
        self.limit = None
        self.passed = 0
        self.sockets = []
        self.threads = [threading.Thread(target=self._accept, daemon=True)]
        self.threads[0].start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                server = socket.create_connection(self.target)
                self.sockets += [client, server]
                for source, sink in ((client, server), (server, client)):
                    thread = threading.Thread(target=self._pump, args=(source, sink, source is server), daemon=True)
                    self.threads.append(thread)
                    thread.start()

    def _pump(self, source, sink, counts):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if counts:
                    self.passed += len(data)
                    if self.limit is not None and self.passed > self.limit:
                        self.frozen.set()
                if self.frozen.is_set():
                    return
                sink.sendall(data)

    def cut(self):
        for one in self.sockets:
            with contextlib.suppress(OSError):
                one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def close(self):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.cut()
        for thread in self.threads:
            thread.join(10)


@pytest.fixture
def wire(mariadb):
    made = Wire(mariadb.host, mariadb.port)
    yield made
    made.close()


def connection_of(server, **fields):
    """A connection's config, not through the project's files."""
    values = server.connection(**{"database": "mysql", **fields})
    if isinstance(values["password"], str):
        values["password"] = SecretStr(values["password"])
    return MySQLConnection(**values)


def refusal(connection):
    with pytest.raises(ConnectionUnusable) as caught:
        open_session(connection).close()
    return caught.value


# -- who is asked, and how


@pytest.mark.parametrize(
    ("fields", "mode"),
    [
        ({"host": "localhost"}, "disable"),
        ({"host": "127.0.0.1"}, "disable"),
        ({"host": "127.9.9.9"}, "disable"),
        ({"host": "::1"}, "disable"),
        ({"host": "db.example.org"}, "require"),
        ({"host": "10.0.0.1"}, "require"),
        ({"host": "localhost.example.org"}, "require"),
        ({"host": "127.0.0.1.example.org"}, "require"),
        ({"host": "db.example.org", "tls": "disable"}, "disable"),
        ({"host": "localhost", "tls": "verify-full"}, "verify-full"),
        ({"unix_socket": "/run/s"}, "disable"),
    ],
)
def test_tls_is_on_unless_it_is_this_machine(fields, mode):
    assert tls_mode(MySQLConnection(user="u", database="d", **fields)) == mode


def test_a_name_that_may_be_elsewhere_is_not_this_machine():
    assert [host for host in ("localhost", "LOCALHOST.", "[::1]", "127.0.0.1") if not is_local(host)] == []
    assert [host for host in ("localhost6x", "0.0.0.0", "", "example.org") if is_local(host)] == []


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"tls": "require", "tls_ca": "ca.pem"}, "'tls_ca' is used by"),
        ({"unix_socket": "/run/s", "tls": "require"}, "without TLS"),
        ({"tls": "require", "tls_cert": "c.pem"}, "together"),
        ({"tls": "disable", "tls_cert": "c.pem", "tls_key": "k.pem"}, "needs TLS"),
    ],
)
def test_tls_fields_agree(fields, said):
    connection = MySQLConnection(user="u", database="d", **fields)
    assert any(said in problem.message for problem in connection.check())


def test_sessions_are_set_up_alike(mariadb):
    session = open_session(connection_of(mariadb))
    try:
        ((zone, mode, charset, write, limit),) = session.run(
            "SELECT @@time_zone, @@sql_mode, @@character_set_results, @@net_write_timeout, @@sql_select_limit"
        )
        assert (zone, charset, write, limit) == ("+00:00", "utf8mb4", 86400, 2**64 - 1)
        assert "STRICT_TRANS_TABLES" in mode
        assert session.cipher is None
    finally:
        session.close()


def test_tls_modes(own_mariadb):
    if own_mariadb.ca is None:
        pytest.skip("needs openssl")
    ca = str(own_mariadb.ca)
    for fields in (
        {"tls": "require"},
        {"tls": "verify-ca", "tls_ca": ca},
        {"tls": "verify-full", "tls_ca": ca},
        {"tls": "verify-ca", "tls_ca": ca, "host": "localhost"},
    ):
        session = open_session(connection_of(own_mariadb, **fields))
        try:
            assert session.cipher.startswith("TLSv1")
            assert session.run("SHOW STATUS LIKE 'Ssl_cipher'")[0][1]
        finally:
            session.close()
    for fields, said in (
        ({"tls": "verify-ca"}, "self-signed|unable to get"),
        ({"tls": "verify-full"}, "self-signed|unable to get"),
        ({"tls": "verify-full", "tls_ca": ca, "host": "localhost"}, "Hostname mismatch"),
        ({"tls": "verify-ca", "tls_ca": str(own_mariadb.folder / "key.pem")}, "certificates cannot be used"),
        ({"tls": "verify-ca", "tls_ca": "/no/such.pem"}, "there is no file '/no/such.pem'"),
    ):
        error = refusal(connection_of(own_mariadb, **fields))
        assert error.code == "OSR-MYSQL-004", fields
        assert any(part in error.message for part in said.split("|")), error.message


def test_rows_arrive_through_tls_too(own_mariadb, bench, numbers):
    bench.use(tls="require")
    table = bench.read("extractor", query=f"SELECT seq, REPEAT('x', seq % 300) AS t FROM {numbers(100_000)}")
    assert table.num_rows == 100_000
    assert sum(len(text) for text in table.column(1).to_pylist()) == sum(n % 300 for n in range(1, 100_001))
    assert bench.events("mysql.read_plan")[0]["tls"].startswith("TLSv1")


def test_a_socket_file(own_mariadb, bench):
    bench.use(unix_socket=str(own_mariadb.socket))
    assert bench.rows("extractor", query="SELECT 1 AS one") == [(1,)]
    error = refusal(connection_of(own_mariadb, unix_socket="/no/such/socket"))
    assert (error.code, "/no/such/socket" in error.message) == ("OSR-MYSQL-001", True)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"password": "wrong"}, "OSR-MYSQL-002"),  # pragma: allowlist secret
        ({"user": "nobody"}, "OSR-MYSQL-002"),
        ({"password": ""}, "OSR-MYSQL-002"),
        ({"database": "no_such_database"}, "OSR-MYSQL-003"),
        ({"host": "no-such-host.invalid", "tls": "disable"}, "OSR-MYSQL-001"),
    ],
)
def test_why_there_is_no_connection(mariadb, fields, code):
    error = refusal(connection_of(mariadb, **fields))
    assert error.code == code
    assert mariadb.password not in f"{error}{error.hint}"


def test_nobody_listens(mariadb):
    error = refusal(connection_of(mariadb, port=free_port()))
    assert (error.code, error.retriable) == ("OSR-MYSQL-001", True)


# -- ways to log in


GUEST = {"user": "guest", "password": "guest-s3cret", "database": "information_schema"}  # pragma: allowlist secret


@pytest.fixture
def guest(own_mariadb):
    """Makes an account that logs in by an authentication plugin; a connection as that account."""

    def make(via):
        own_mariadb.execute(f"CREATE USER guest@'127.0.0.1' IDENTIFIED VIA {via} USING PASSWORD('{GUEST['password']}')")
        return lambda **fields: connection_of(own_mariadb, **{**GUEST, **fields})

    yield make
    own_mariadb.execute("DROP USER IF EXISTS guest@'127.0.0.1'")


@pytest.fixture
def ed25519(own_mariadb):
    """The server's plugin of that name."""
    try:
        own_mariadb.execute("INSTALL SONAME 'auth_ed25519'")
    except OperationalError as error:
        pytest.skip(f"the server has no ed25519: {error}")
    yield
    own_mariadb.execute("UNINSTALL SONAME 'auth_ed25519'")


@pytest.fixture
def no_nacl(monkeypatch):
    """As if pynacl were not installed; PyMySQL keeps it once it has found it."""
    monkeypatch.setitem(sys.modules, "nacl", None)
    monkeypatch.setattr("pymysql._auth._nacl_bindings", None)


def who(connection):
    session = open_session(connection)
    try:
        return session.run("SELECT CURRENT_USER()")[0][0]
    finally:
        session.close()


def refuses_a_wrong_password(connect):
    for wrong in ("not-the-s3cret", ""):
        error = refusal(connect(password=wrong))
        assert (error.code, error.retriable) == ("OSR-MYSQL-002", False)
        assert "Access denied for user 'guest'@'127.0.0.1'" in error.message
        assert "s3cret" not in f"{error}{error.hint}"


@pytest.mark.parametrize("tls", ["disable", "require"])
def test_an_account_of_mysql_native_password(guest, tls):
    connect = guest("mysql_native_password")
    assert who(connect(tls=tls)) == "guest@127.0.0.1"
    refuses_a_wrong_password(connect)


@pytest.mark.parametrize("tls", ["disable", "require"])
def test_an_account_of_ed25519(ed25519, guest, tls):
    pytest.importorskip("nacl", reason="pynacl is not installed")
    connect = guest("ed25519")
    assert who(connect(tls=tls)) == "guest@127.0.0.1"
    refuses_a_wrong_password(connect)


def test_an_account_of_ed25519_without_pynacl(ed25519, guest, no_nacl):
    error = refusal(guest("ed25519")())
    assert (error.code, "pynacl" in error.hint) == ("OSR-MYSQL-004", True)


def test_an_account_of_the_machine(mortal_bench):
    """By unix_socket the server takes the user of the process for the account; a password is not asked for."""
    server, name = mortal_bench.server, pwd.getpwuid(os.geteuid()).pw_name
    server.execute(
        f"CREATE USER IF NOT EXISTS `{name}`@localhost",
        f"ALTER USER `{name}`@localhost IDENTIFIED VIA unix_socket",
        "CREATE USER guest@localhost IDENTIFIED VIA unix_socket",
    )
    fields = {"unix_socket": str(server.socket), "password": "", "database": "information_schema"}
    assert who(connection_of(server, user=name, **fields)) == f"{name}@localhost"
    error = refusal(connection_of(server, user="guest", **fields))
    assert (error.code, "Access denied for user 'guest'@'localhost'" in error.message) == ("OSR-MYSQL-002", True)


# -- servers that are not what they should be


class Impostor:
    """A server that sends ``greeting`` and then ``answer``, and keeps what it is told."""

    def __init__(self, *packets):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.packets = packets
        self.heard = b""
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self):
        with contextlib.suppress(OSError), self.listener.accept()[0] as client:
            client.settimeout(10)
            for packet in self.packets:
                client.sendall(packet)
                heard = client.recv(4096)
                if not heard:
                    return
                self.heard += heard

    def close(self):
        self.thread.join(20)
        self.listener.close()


def packet(number, content):
    return len(content).to_bytes(3, "little") + bytes([number]) + content


def greeting(capabilities):
    low, high = capabilities & 0xFFFF, capabilities >> 16
    return packet(
        0,
        b"\x0a8.0.0\0"
        + struct.pack("<I", 1)
        + b"12345678\0"
        + struct.pack("<HBHHB", low, 45, 2, high, 21)
        + bytes(10)
        + b"123456789012\0mysql_native_password\0",  # pragma: allowlist secret
    )


NO_TLS = 0x000FA685 & ~0x800 | 0x80000
"""What a server of our time can do, but for TLS."""


def test_no_way_back_from_tls():
    """A server, or somebody in between, that claims to have no TLS gets nothing."""
    impostor = Impostor(greeting(NO_TLS))
    try:
        connection = MySQLConnection(
            host="127.0.0.1", port=impostor.port, user="u", password=SecretStr("s3cret"), database="d", tls="require"
        )
        error = refusal(connection)
        assert (error.code, "no TLS" in error.message) == ("OSR-MYSQL-004", True)
    finally:
        impostor.close()
    assert impostor.heard == b""


@pytest.mark.parametrize("plugin", [b"mysql_clear_password", b"dialog", b"mysql_old_password"])
def test_the_password_is_not_sent_in_the_clear(plugin):
    switch = packet(2, b"\xfe" + plugin + b"\0" + b"12345678\0")
    impostor = Impostor(greeting(NO_TLS), switch)
    try:
        connection = MySQLConnection(
            host="127.0.0.1", port=impostor.port, user="u", password=SecretStr("s3cret"), database="d", tls="disable"
        )
        assert refusal(connection).code == "OSR-MYSQL-002"
    finally:
        impostor.close()
    assert impostor.heard
    assert b"s3cret" not in impostor.heard


def test_the_package_that_is_missing_for_a_way_to_log_in_is_named(no_nacl):
    impostor = Impostor(greeting(NO_TLS), packet(2, b"\xfeclient_ed25519\0" + b"1" * 32))
    try:
        connection = MySQLConnection(
            host="127.0.0.1", port=impostor.port, user="u", password=SecretStr("s3cret"), database="d", tls="disable"
        )
        error = refusal(connection)
        assert (error.code, "pynacl" in error.hint, "rsa" in error.hint) == ("OSR-MYSQL-004", True, False)
    finally:
        impostor.close()


def test_a_server_that_accepts_and_says_nothing():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        connection = MySQLConnection(
            host="127.0.0.1", port=silent.getsockname()[1], user="u", database="d", connect_timeout=0.2
        )
        error = refusal(connection)
    assert (error.code, error.retriable) == ("OSR-MYSQL-007", True)


@pytest.mark.parametrize(
    "said", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x01\x00\x00\x00\xff", b"\x00\x00\x00\x00", b""]
)
def test_a_server_of_another_kind(said):
    impostor = Impostor(said)
    try:
        connection = MySQLConnection(host="127.0.0.1", port=impostor.port, user="u", database="d", connect_timeout=0.5)
        error = refusal(connection)
        assert error.code in {"OSR-MYSQL-001", "OSR-MYSQL-006", "OSR-MYSQL-007", "OSR-MYSQL-029"}
    finally:
        impostor.close()


# -- a read that does not come to its end


@pytest.fixture
def many(numbers):
    """A query of some 400 MB: more than any buffer on the way holds."""
    return f"SELECT seq, REPEAT('x', 200) AS t FROM {numbers(2_000_000, 'millions')}"


@pytest.fixture
def endless(numbers):
    """A query that the server computes for hours."""
    return f"SELECT COUNT(*) AS n FROM {numbers(2_000_000, 'millions')}, {numbers(2_000_000, 'others')}"


def reading(bench, **config):
    """The batches of a read under way."""
    value = bench.configured("extractor", config)
    outputs = bench.driver("extractor").run(step_id="step", config=value, inputs={}, ctx=bench.context("extractor"))
    return outputs["df"].batches()


def none_left(bench, pattern="AS millions"):
    """Wait until the server runs no statement like ``pattern``."""
    pause = threading.Event()
    for _ in range(400):
        if not bench.sql(
            f"SELECT 1 FROM information_schema.PROCESSLIST WHERE INFO LIKE '%{pattern}%' AND ID <> CONNECTION_ID()"
        ):
            return True
        pause.wait(0.05)
    return False


def test_a_network_that_goes_silent(bench, wire, many):
    wire.limit = 3 << 20
    bench.use(port=wire.port, read_timeout=0.3)
    with pytest.raises(ConnectionUnusable) as caught:
        sum(batch.num_rows for batch in reading(bench, query=many))
    assert (caught.value.code, caught.value.retriable) == ("OSR-MYSQL-007", True)


def test_a_connection_that_is_cut(bench, wire, many):
    bench.use(port=wire.port)
    batches = reading(bench, query=many)
    next(batches)
    wire.cut()
    with pytest.raises(ConnectionUnusable) as caught:
        sum(batch.num_rows for batch in batches)
    assert (caught.value.code, caught.value.retriable) == ("OSR-MYSQL-006", True)


def test_a_connection_that_is_killed(bench, many):
    batches = reading(bench, query=many)
    next(batches)
    ((thread,),) = bench.sql(
        "SELECT ID FROM information_schema.PROCESSLIST WHERE INFO LIKE '%AS millions%' AND ID <> CONNECTION_ID()"
    )
    bench.sql(f"KILL {thread}")
    with pytest.raises(ConnectionUnusable) as caught:
        sum(batch.num_rows for batch in batches)
    assert caught.value.code == "OSR-MYSQL-006"


def test_an_error_in_the_middle_of_the_rows(bench):
    query = "SELECT seq, EXP(IF(seq = 250000, 10000, 0)) AS e FROM seq_1_to_300000"
    seen = []
    with pytest.raises(DriverError) as caught:
        seen.extend(batch.num_rows for batch in reading(bench, query=query))
    assert 0 < sum(seen) < 250_000
    assert "out of range" in caught.value.message


@pytest.mark.parametrize("timeout", [0.2, 0.0004])
def test_a_query_that_takes_too_long(bench, timeout, endless):
    with pytest.raises(DriverError) as caught:
        bench.rows("extractor", query=endless, timeout=timeout)
    assert caught.value.code == "OSR-MYSQL-025"


def test_a_value_that_would_be_cut_off(bench, numbers):
    with pytest.raises(DriverError) as caught:
        bench.rows("extractor", query="SELECT REPEAT('x', 70 * 1024 * 1024) AS t")
    assert caught.value.code == "OSR-MYSQL-030"
    assert "max_allowed_packet" in caught.value.message
    ((text,),) = bench.rows("extractor", query=f"SELECT GROUP_CONCAT(seq) AS t FROM {numbers(500_000)}")
    assert len(text) == 3_388_894


def test_a_cut_value_is_found_behind_other_warnings(bench):
    query = "SELECT IF(seq < 5000, 1 / (seq - seq), REPEAT('x', 70 * 1024 * 1024)) AS t FROM seq_1_to_5000"
    with pytest.raises(DriverError) as caught:
        bench.read("extractor", query=query)
    assert caught.value.code == "OSR-MYSQL-030"


def test_other_warnings_are_counted(bench, numbers):
    assert bench.rows("extractor", query=f"SELECT seq / 0 AS q FROM {numbers(3)}") == [(None,)] * 3
    (event,) = bench.events("mysql.warnings")
    assert event["numbers"] == {"1365": 3}


def cancelled_while(bench, start):
    """Cancel the run while ``start`` is under way on another thread; what it raised."""
    raised = []

    def work():
        try:
            start()
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    pause = threading.Event()
    for _ in range(400):
        if bench.sql(
            "SELECT 1 FROM information_schema.PROCESSLIST WHERE INFO LIKE '%AS millions%' AND ID <> CONNECTION_ID()"
        ):
            break
        pause.wait(0.02)
    bench.token.cancel(Cancelled("OSR-RUN-001", "stopped"))
    thread.join(20)
    assert not thread.is_alive()
    return raised[0]


def test_cancelling_a_query_that_computes(bench, endless):
    error = cancelled_while(bench, lambda: list(reading(bench, query=endless)))
    assert isinstance(error, Cancelled)
    assert none_left(bench)


def test_cancelling_a_query_whose_rows_come(bench, many):
    error = cancelled_while(bench, lambda: [batch.num_rows for batch in reading(bench, query=many)])
    assert isinstance(error, Cancelled)
    assert none_left(bench)


def test_a_reader_that_leaves_early_leaves_nothing_behind(bench, many):
    batches = reading(bench, query=many)
    next(batches)
    batches.close()
    assert none_left(bench)


def test_a_read_sees_one_moment(bench, numbers):
    bench.sql("CREATE TABLE t (a INT PRIMARY KEY) ENGINE=InnoDB", f"INSERT INTO t SELECT seq FROM {numbers(1000)}")
    batches = reading(bench, table="t")
    bench.sql("INSERT INTO t VALUES (5000)", "DELETE FROM t WHERE a = 1")
    values = [value for batch in batches for value in batch.column(0).to_pylist()]
    assert values == list(range(1, 1001))


# -- the doctor


def health(connection, timeout=5.0):
    return MySQLDoctor().check(connection, project_root=Path(), timeout=timeout)


def test_the_doctor_says_what_the_account_may_do(own_mariadb):
    found = health(connection_of(own_mariadb))
    assert (found.ok, found.category, found.details["can_write"]) == (True, "ok", True)
    assert "SELECT" in found.hint
    reader = health(connection_of(own_mariadb, user=READER, password=READER_PASSWORD))
    assert (reader.ok, reader.details["can_write"], reader.hint) == (True, False, None)
    assert reader.details["server"].startswith("MariaDB 1")
    assert reader.details["local_infile"] is True


def test_the_doctor_says_what_is_wrong(mariadb):
    cases = [
        ({"password": "wrong"}, "auth"),  # pragma: allowlist secret
        ({"database": "no_such_database"}, "missing"),
        ({"port": free_port()}, "network"),
        ({"tls": "verify-ca", "tls_ca": "/no/such.pem"}, "config"),
    ]
    for fields, category in cases:
        found = health(connection_of(mariadb, **fields))
        assert (found.ok, found.category) == (False, category), fields
    with socket.create_server(("127.0.0.1", 0)) as silent:
        found = health(attrs.evolve(connection_of(mariadb), port=silent.getsockname()[1]), timeout=0.2)
    assert (found.ok, found.category) == (False, "timeout")
