"""The client of the Data API: what becomes of broken answers, and where the key goes."""

from __future__ import annotations

import logging
import shutil
import socket
import ssl
import string
import subprocess
import threading
from contextlib import nullcontext, suppress
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osiris_core.api import Cancelled, ConnectionUnusable, DriverError, InvalidInput, OsirisError
from osiris_supabase.rest.client import Halting, RestClient
from osiris_supabase.rest.failures import Refusal, Refused
from osiris_supabase.rest.names import quoted, table_path
from tests.servers.postgrest import Standin
from tests.servers.postgrest_sql import Scanner
from tests.servers.rest_bench import KEYS, SECRET, SERVICE, rest, standin, standin_database

__all__ = ["rest", "standin", "standin_database"]

BUSY = b'{"code":"PGRST003","message":"Timed out acquiring connection from connection pool."}'


@pytest.fixture
def three(rest):
    rest.make("CREATE TABLE t (id int PRIMARY KEY, name text)")
    rest.sql("INSERT INTO t SELECT n, 'row ' || n FROM generate_series(1, 3) n")
    return rest


def fails(bench, code, kind=OsirisError, **config):
    with pytest.raises(kind) as caught:
        bench.read("extractor", **{"table": "t", **config})
    assert caught.value.code == code, caught.value
    assert SECRET not in f"{caught.value} {caught.value.hint}"
    return caught.value


@pytest.mark.parametrize("kind", ["reset_before", "reset_after", "cut"])
def test_a_connection_that_breaks_is_taken_up_again(three, kind):
    for skip in range(4):
        three.standin.fail(kind, skip=skip * 2)
    assert len(three.rows("extractor", table="t")) == 3


@pytest.mark.parametrize("status", [408, 425, 429, 502, 503, 504, 520, 524])
def test_a_busy_server_is_asked_again(three, status):
    three.standin.fail("status", status=status, body=BUSY)
    assert len(three.rows("extractor", table="t")) == 3


@pytest.mark.parametrize("code", ["40001", "40P01", "53300", "57P01"])
def test_a_passing_error_of_the_database_is_no_failure(three, code):
    three.standin.fail("status", status=500, body=f'{{"code":"{code}","message":"passes"}}'.encode())
    assert len(three.rows("extractor", table="t")) == 3


def test_the_wait_is_not_shorter_than_the_server_asks_for(three):
    three.standin.fail("status", status=429, headers={"Retry-After": "1"}, body=b"{}")
    waits = []
    client = RestClient(
        three.connection,
        schema="public",
        halting=Halting(check=lambda: waits.append(1), on_cancel=lambda _: nullcontext()),
        pause=0.0,
    )
    assert client.root().body.startswith(b"{")
    client.close()
    # It looks about ten times a second whether it shall go on; without the header it would not wait at all.
    assert len(waits) >= 8
    assert Refusal.of(429, b"", "Wed, 21 Oct 2026 07:28:00 GMT").retry_after is None
    assert Refusal.of(429, b"[[", "17").retry_after == 17


def test_an_answer_that_asks_for_too_long_a_wait_ends_the_step(three):
    three.standin.fail("status", status=429, headers={"Retry-After": "3600"}, body=b'{"message":"quota"}', times=9)
    error = fails(three, "OSR-SUPA-106", DriverError)
    assert error.retriable
    assert "quota" in error.message


def test_a_server_that_stays_busy_is_an_error_that_says_so(three):
    three.standin.fail("status", status=503, body=BUSY, times=99)
    client = RestClient(
        three.connection,
        schema="public",
        halting=Halting(check=lambda: None, on_cancel=lambda _: nullcontext()),
        pause=0.0,
    )
    with pytest.raises(Refused) as caught:
        client.read("t", ())
    client.close()
    assert caught.value.attempts == 5
    assert len(three.standin.requests) == 5


@pytest.mark.parametrize("kind", ["html", "truncated"])
def test_an_answer_that_is_no_json_is_never_data(three, kind):
    # The third request is the first page; the tables and the count came before.
    three.standin.fail(kind, skip=2, times=99)
    error = fails(three, "OSR-SUPA-105")
    assert "HTML" in error.message.upper() or "cut off" in error.message


def test_json_of_another_shape_is_never_data(three):
    for body in (b'"text"', b"null", b"[1]", b'[{"id": 1}]', b'[{"osiris_0": 1, "osiris_1": "x"}]', b"[" * 100_000):
        three.standin.clear()
        three.standin.fail("status", skip=2, times=99, status=200, body=body)
        fails(three, "OSR-SUPA-105", DriverError)
    three.standin.clear()
    for body in (b"[]", b'{"definitions": 3}', b'{"definitions": {"t": []}}'):
        three.standin.clear()
        three.standin.fail("status", status=200, body=body)
        fails(three, "OSR-SUPA-105", DriverError)


def test_a_redirect_is_an_error_and_takes_the_key_nowhere(three, postgres_server, standin_database):
    other = Standin(postgres_server.dsn(database=standin_database), KEYS)
    try:
        three.standin.fail("redirect", to=other.url, times=99)
        error = fails(three, "OSR-SUPA-104", ConnectionUnusable)
        with pytest.raises(ConnectionUnusable) as caught:
            three.upsert("SELECT 1 AS id, 'x' AS name")
        assert caught.value.code == "OSR-SUPA-104"
        assert three.standin.url in error.message
        assert other.url in error.message
        assert other.requests == []
        assert three.sql("SELECT count(*) FROM t") == [(3,)]
    finally:
        other.close()


def test_a_proxy_of_the_environment_gets_neither_key_nor_rows(three, monkeypatch):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{closed.getsockname()[1]}")
        assert len(three.rows("extractor", table="t")) == 3


def test_only_a_key_of_three_parts_is_a_bearer_token(three):
    three.rows("extractor", table="t")
    assert all(headers["apikey"] == SECRET for _, _, headers, _ in three.standin.requests)
    assert not any("Authorization" in headers for _, _, headers, _ in three.standin.requests)
    three.standin.requests.clear()
    three.use(SERVICE)
    three.rows("extractor", table="t")
    assert all(headers["Authorization"] == f"Bearer {SERVICE}" for _, _, headers, _ in three.standin.requests)


def test_a_key_that_is_not_taken(three):
    three.use("sb_secret_wrong")  # pragma: allowlist secret
    assert "Invalid API key" in fails(three, "OSR-SUPA-102", ConnectionUnusable).message
    for broken in ("two words", "line\nbreak", "ключ"):
        three.use(broken)
        assert broken not in fails(three, "OSR-SUPA-102", ConnectionUnusable).message


def test_no_url_is_logged(three, caplog):
    with caplog.at_level(logging.INFO):
        three.rows("extractor", table="t")
    assert caplog.text == ""


@pytest.mark.parametrize(
    "table",
    [
        "../../auth/v1/admin/users",
        "..",
        ".",
        "rpc/f",
        "t/",
        "a\\b",
        "t?select=*",
        "t#x",
        "%2e%2e%2fauth",
        "\u0085",
    ],
)
def test_a_table_name_is_never_a_path(three, table):
    with pytest.raises(OsirisError) as caught:
        three.read("extractor", table=table)
    assert caught.value.code in ("OSR-SUPA-110", "OSR-SUPA-112")
    for _, path, _, _ in three.standin.requests:
        assert path.startswith("/rest/v1/")
        segment = path.partition("?")[0].removeprefix("/rest/v1/")
        assert "/" not in segment
        assert segment not in (".", "..")


def test_names_that_are_words_of_the_protocol(rest):
    names = ["select", "order", "limit", "offset", "columns", "on_conflict", "and", "or", 'q"u\\o', "a.b", "x:y::text"]
    names += ["a,b", "(c)", "j->>k", "ä b", "osiris_0", "100%"]
    table = 'odd "name" & =?#%é'

    def quote(name):
        return '"' + name.replace('"', '""') + '"'

    key = ["select", "or", "a,b", 'q"u\\o']
    target = quote(table)
    listed = ", ".join(f"{quote(name)} bigint" for name in names)
    rest.make(f"CREATE TABLE {target} ({listed}, PRIMARY KEY ({', '.join(map(quote, key))}))", table=target)
    columns = ", ".join(f"n + {at} AS {quote(name)}" for at, name in enumerate(names))
    rest.upsert(f"SELECT {columns} FROM range(1500) r(n)", table=table, key=key)
    rest.standin.max_rows = 400
    assert rest.rows("extractor", table=table, columns=names) == [
        tuple(n + at for at in range(len(names))) for n in range(1500)
    ]


def test_an_unreachable_project(rest):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        rest.use(url=f"http://127.0.0.1:{closed.getsockname()[1]}")
        client = RestClient(
            rest.connection,
            schema="public",
            halting=Halting(check=lambda: None, on_cancel=lambda _: nullcontext()),
            pause=0.0,
        )
        with pytest.raises(ConnectionUnusable) as caught:
            client.root()
        client.close()
    assert caught.value.code == "OSR-SUPA-101"
    assert caught.value.retriable


def test_a_server_that_says_nothing_is_given_up_and_asked_again(three):
    three.use(stall_timeout=1)
    three.standin.fail("hang", skip=1)
    assert len(three.rows("extractor", table="t")) == 3
    three.standin.fail("hang", times=9)
    client = RestClient(
        three.connection,
        schema="public",
        halting=Halting(check=lambda: None, on_cancel=lambda _: nullcontext()),
        pause=0.0,
    )
    with pytest.raises(DriverError) as caught:
        client._once("GET", f"{three.standin.url}/rest/v1/", {}, None)
    client.close()
    assert caught.value.code == "OSR-SUPA-107"


def test_a_run_that_is_stopped_does_not_wait_for_an_answer(three):
    three.standin.fail("hang", skip=2)
    came = threading.Event()
    three.standin.before = lambda handler: came.set() if "order=" in handler.path else None
    stopper = threading.Thread(
        target=lambda: (came.wait(20), three.token.cancel(Cancelled("OSR-RUN-001", "stopped by the test")))
    )
    stopper.start()
    with pytest.raises(Cancelled):
        three.rows("extractor", table="t")
    stopper.join()


def test_a_load_that_is_stopped_does_not_wait_for_an_answer(three):
    three.standin.fail("hang", method="POST", skip=1)
    came = threading.Event()
    three.standin.before = lambda handler: came.set() if int(handler.headers.get("Content-Length") or 0) > 2 else None
    stopper = threading.Thread(
        target=lambda: (came.wait(20), three.token.cancel(Cancelled("OSR-RUN-001", "stopped by the test")))
    )
    stopper.start()
    with pytest.raises(Cancelled):
        three.upsert("SELECT n::INTEGER AS id, 'x' AS name FROM range(9) r(n)")
    stopper.join()
    assert list((three.path / "scratch").glob("*.duckdb*")) == []


@given(st.text(min_size=1), st.text())
def test_a_quoted_text_is_read_back_whatever_it_holds(name, value):
    scanner = Scanner(f"{quoted(name)}.eq.{quoted(value)},{quoted(name)}")
    assert scanner.name() == name
    scanner.expect(".eq.")
    assert scanner.value(",)") == value
    scanner.expect(",")
    assert scanner.name() == name
    assert scanner.done()


@given(st.text())
def test_a_table_name_is_one_segment_of_the_path_or_refused(name):
    try:
        path = table_path(name)
    except InvalidInput as error:
        assert error.code == "OSR-SUPA-112"
        return
    assert unquote(path) == name
    assert set(path) <= set(string.ascii_letters + string.digits + "%_.-~")
    assert path not in (".", "..")


def test_a_name_that_no_header_takes(rest):
    with pytest.raises(InvalidInput) as caught:
        rest.read("extractor", table="t", schema="größe")
    assert caught.value.code == "OSR-SUPA-112"


def test_a_lagging_schema_cache_is_waited_for(three):
    three.standin.hidden["t"] = 0
    lag = iter([1])
    three.standin.before = lambda handler: (
        three.standin.hidden.update(t=1) if "order=" in handler.path and next(lag, 0) else None
    )
    assert len(three.rows("extractor", table="t")) == 3


def test_an_answer_larger_than_memory_allows_is_asked_for_in_parts(rest):
    rest.memory = 8 << 20
    rest.make("CREATE TABLE t (id int PRIMARY KEY, v text)")
    rest.sql("INSERT INTO t SELECT n, repeat('x', 20000) FROM generate_series(1, 200) n")
    assert [row[0] for row in rest.rows("extractor", table="t")] == list(range(1, 201))


def test_a_column_that_the_protocol_takes_for_all_columns_is_refused(rest):
    rest.make('CREATE TABLE t (id int PRIMARY KEY, "*" int)')
    assert rest.rows("extractor", table="t", columns=["id"]) == []
    fails(rest, "OSR-SUPA-112")


def test_a_request_that_names_too_many_columns(three):
    three.standin.fail("status", method="GET", skip=1, status=414, body=b"", times=9)
    assert "columns" in fails(three, "OSR-SUPA-115").hint


def test_a_certificate_that_nobody_vouches_for_ends_the_step(rest, tmp_path):
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("openssl is not installed, so there is no certificate to be refused")
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    made = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate, "-days", "2"]
    subprocess.run(
        [program, *made, "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    came = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(20)

        def serve():
            plain, _ = server.accept()
            with plain, suppress(OSError):  # the client goes away in the middle of the handshake
                context.wrap_socket(plain, server_side=True).close()
                came.append("a whole handshake")

        thread = threading.Thread(target=serve)
        thread.start()
        rest.use(url=f"https://127.0.0.1:{server.getsockname()[1]}")
        error = fails(rest, "OSR-SUPA-101", ConnectionUnusable)
        thread.join()
    assert "CERTIFICATE_VERIFY_FAILED" in error.message
    assert not error.retriable
    assert came == []


def test_a_url_must_be_encrypted_and_hold_nothing_else(rest):
    for url in ("http://example.org", "ftp://127.0.0.1", "https://user@example.org", "https://example.org/path"):
        with pytest.raises(AssertionError, match="url"):
            rest.use(url=url)
