"""Connecting: what a dsn may say, what goes wrong by name, and what the doctor finds."""

from __future__ import annotations

import os
import subprocess

import pytest

from osiris_core.api import ConnectionUnusable, DriverError, OsirisError, SecretStr
from osiris_core.model.structure import structure
from osiris_supabase.connection import SupabaseConnection
from osiris_supabase.doctor import SupabaseDoctor
from osiris_supabase.postgres.endpoint import endpoint_of
from tests.servers.ports import free_port
from tests.servers.postgres import running
from tests.servers.postgrest import Standin
from tests.servers.rest_bench import ANON, FRESH, KEYS, ROLES, RestBench

CANARY = "c%40n:ary"


def connection(**config):
    value, found = structure(SupabaseConnection, config)
    assert value is not None, [finding.message for finding in found]
    return value


def endpoint(dsn, root=None, **config):
    return endpoint_of(connection(dsn=SecretStr(dsn), **config), root)


def check(bench, timeout=10.0):
    return SupabaseDoctor().check(bench.connection, project_root=bench.path, timeout=timeout)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({}, "give 'dsn'"),
        ({"url": "https://a.supabase.co"}, "needs 'key'"),
        ({"url": "http://a.supabase.co", "key": SecretStr("k")}, "must begin with https"),
        ({"url": "https://a.supabase.co/rest/v1", "key": SecretStr("k")}, "without a path"),
        ({"url": "https://u:p@a.supabase.co", "key": SecretStr("k")}, "holds a user"),  # pragma: allowlist secret
        ({"dsn": SecretStr("x"), "tls": "verify-full"}, "needs 'ca_file'"),
        ({"dsn": SecretStr("x"), "tls": "require", "ca_file": "a"}, "not looked at"),
        ({"url": "https://a.co", "key": SecretStr("k"), "tls": "require"}, "needs 'dsn'"),
        ({"url": "https://a.co", "key": SecretStr("k"), "statement_timeout": 5}, "'statement_timeout' is for the data"),
        ({"url": "https://a.co", "key": SecretStr("k"), "lock_timeout": 5}, "'lock_timeout' is for the data"),
    ],
)
def test_a_connection_that_cannot_be_meant(config, said):
    value, found = structure(SupabaseConnection, config)
    assert value is None
    assert any(said in finding.message for finding in found)


@pytest.mark.parametrize(
    ("dsn", "said"),
    [
        (f"host=db user=u password={CANARY}", "begin with postgresql://"),
        (f"postgresql://u:{CANARY}@:5432/db", "names no host"),
        (f"postgresql://:{CANARY}@db/x", "names no user"),
        (f"postgresql://u:{CANARY}#x@db/x", "#"),
        (f"postgresql://u:{CANARY}@db:99999/x", "no URL"),
        (f"postgresql://u:{CANARY}@db/x?options=-crole%3Dpostgres", "may have the options"),
        (f"postgresql://u:{CANARY}@db/x?connect_timeout=3", "may have the options"),
        (f"postgresql://u:{CANARY}@db/x?application_name=a", "may have the options"),
        (f"postgresql://u:{CANARY}@db/x?sslmode=prefer", "sslmode"),
        (f"postgresql://u:{CANARY}@db/x?sslmode=verify-full", "ca_file"),
        (f"postgresql://u:{CANARY}@a,b/x", "several hosts"),
        ("postgresql://u:x@canary@db/x", "percent-encoded"),
        ("postgresql://u:x/canary@db/x", "percent-encoded"),
        ("postgresql://u:5432/canary@db/x", "percent-encoded"),
        (f"postgresql://u:{CANARY}%00@a/x", "control characters"),  # pragma: allowlist secret
    ],
)
def test_a_dsn_that_cannot_be_used_is_not_quoted(dsn, said):
    with pytest.raises(ConnectionUnusable) as caught:
        endpoint(dsn)
    assert caught.value.code == "OSR-PG-005"
    assert said in caught.value.message
    assert "ary" not in caught.value.message


def test_what_a_dsn_says():
    found = endpoint("postgresql://postgres.ref:a%2Fb@aws-0-eu.pooler.supabase.com:6543/postgres?pgbouncer=true")
    assert (found.user, found.password, found.database) == ("postgres.ref", "a/b", "postgres")
    assert found.pooled
    assert found.tls == "require"
    assert "a/b" not in repr(found)
    assert endpoint("postgresql://u:p@127.0.0.1/x").tls == "disable"  # pragma: allowlist secret
    assert endpoint("postgresql://u:p@db/x?sslmode=disable").tls == "disable"  # pragma: allowlist secret
    assert endpoint("postgresql://u:p@db/x?sslmode=disable", tls="require").tls == "require"  # pragma: allowlist secret


@pytest.mark.parametrize(
    ("change", "code", "category"),
    [
        ({"password": CANARY}, "OSR-PG-002", "auth"),
        ({"user": "nobody_here"}, "OSR-PG-002", "auth"),
        ({"host": "no-such-host.invalid"}, "OSR-PG-001", "network"),
        ({"host": "no..host"}, "OSR-PG-005", "config"),
        ({"host": f"{'a' * 64}.invalid"}, "OSR-PG-005", "config"),
    ],
)
def test_what_keeps_a_session_from_coming_about(bench, change, code, category):
    bench.use(**change)
    with pytest.raises(OsirisError) as caught:
        bench.read("extractor", query="SELECT 1 AS a")
    assert caught.value.code == code
    assert CANARY not in caught.value.message
    health = check(bench)
    assert (health.ok, health.category) == (False, category)


def test_the_environment_sets_nothing(bench, monkeypatch):
    for name, value in {"PGOPTIONS": "-c search_path=nowhere", "PGTARGETSESSIONATTRS": "standby"}.items():
        monkeypatch.setenv(name, value)
    assert bench.rows("extractor", query="SELECT current_schema() AS s") == [("public",)]


def test_libpq_has_nothing_to_say_of_a_file_of_passwords(bench, capfd):
    bench.use(host="127.0.0.1")
    assert bench.rows("extractor", query="SELECT 1 AS a") == [(1,)]
    assert capfd.readouterr().err == ""


def test_a_database_and_a_port_that_are_not_there(bench):
    bench.use(port=free_port())
    assert check(bench).category == "network"
    bench.database = "no_such_database"
    bench.use()
    with pytest.raises(ConnectionUnusable) as caught:
        bench.read("extractor", query="SELECT 1 AS a")
    assert caught.value.code == "OSR-PG-006"
    assert check(bench).category == "missing"


def test_a_host_with_an_ipv6_address_only_is_told_of_the_pooler(bench):
    bench.use(host="[::1]", port=free_port())
    with pytest.raises(ConnectionUnusable) as caught:
        bench.read("extractor", query="SELECT 1 AS a")
    assert caught.value.code == "OSR-PG-001"
    assert "session pooler" in caught.value.hint
    assert "IPv6" in check(bench).hint


def test_a_server_that_refuses_tls_is_not_spoken_to_in_the_clear(bench):
    bench.use(tls="require")
    with pytest.raises(ConnectionUnusable) as caught:
        bench.read("extractor", query="SELECT 1 AS a")
    assert caught.value.code == "OSR-PG-004"
    assert check(bench).category == "network"


def test_the_doctor_says_what_the_role_may_do(bench):
    bench.server.execute("DROP ROLE IF EXISTS seer; CREATE ROLE seer LOGIN PASSWORD 'seer'")  # pragma: allowlist secret
    bench.sql("CREATE TABLE t (id int4); ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE TABLE s (id int4)")
    health = check(bench)
    assert health.ok
    assert health.details["superuser"]
    assert "superuser" in health.hint
    bench.use(user="seer", password="seer")  # pragma: allowlist secret
    assert check(bench).category == "ok"
    bench.sql("GRANT USAGE ON SCHEMA public TO seer; GRANT SELECT ON t, s TO seer")
    health = check(bench)
    assert (health.details["writable"], health.details["tables"]) == (False, 2)
    assert health.details["tables_behind_row_level_security"] == 1
    assert not health.details["pooler"]
    bench.sql("GRANT INSERT ON s TO seer")
    assert check(bench).details["writable"]
    bench.use(user="seer", password="seer", schema="nowhere")  # pragma: allowlist secret
    assert check(bench).category == "missing"
    bench.sql("DROP OWNED BY seer")
    bench.server.execute("DROP ROLE seer")


def test_a_statement_waits_for_a_lock_no_longer_than_it_is_told(bench):
    bench.sql("CREATE TABLE t (id int4)")
    bench.use(lock_timeout=1.0)
    with bench.server.connect(bench.database) as other:
        other.execute("BEGIN; LOCK TABLE t IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(DriverError) as caught:
            bench.write("writer", "SELECT 1 AS id", table="t", mode="append")
        other.execute("ROLLBACK")
    assert caught.value.code == "OSR-PG-010"
    assert caught.value.retriable


@pytest.fixture(scope="module")
def secured(tmp_path_factory):
    """A server that speaks TLS, and the authority that signed its certificate."""
    folder = tmp_path_factory.mktemp("tls")

    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    new = ("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    for name in ("ca", "other"):
        openssl(*new, "-x509", "-days", "2", "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.pem")
    openssl(*new, "-subj", "/CN=server", "-keyout", "server.key", "-out", "server.csr")
    (folder / "names").write_text("subjectAltName=DNS:localhost")
    openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
            "-extfile", "names", "-out", "server.pem")  # fmt: skip
    with running(settings="") as plain:
        data = plain.folder / "data"
        for name in ("server.pem", "server.key"):
            copy = data / name
            copy.write_bytes((folder / name).read_bytes())
            owner = data.stat()
            os.chown(copy, owner.st_uid, owner.st_gid)
            copy.chmod(0o600)
        plain.execute("ALTER SYSTEM SET ssl_cert_file = 'server.pem'")
        plain.execute("ALTER SYSTEM SET ssl_key_file = 'server.key'")
        plain.execute("ALTER SYSTEM SET ssl = on")
        plain.execute("SELECT pg_reload_conf()")
        yield plain, folder


@pytest.mark.parametrize(
    ("host", "config", "code"),
    [
        ("127.0.0.1", {"tls": "require"}, None),
        ("localhost", {"ca_file": "ca.pem"}, None),
        ("127.0.0.1", {"ca_file": "ca.pem"}, "OSR-PG-004"),
        ("127.0.0.1", {"ca_file": "ca.pem", "tls": "verify-ca"}, None),
        ("localhost", {"ca_file": "other.pem"}, "OSR-PG-004"),
        ("localhost", {"ca_file": "missing.pem"}, "OSR-PG-004"),
    ],
)
def test_tls_is_what_was_asked_for(tmp_path, secured, postgres_bench, host, config, code):
    server, folder = secured
    bench = postgres_bench(tmp_path, server, "postgres")
    for name in ("ca.pem", "other.pem"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    bench.use(host=host, **config)
    query = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
    if code is None:
        assert bench.rows("extractor", query=query) == [(True,)]
        assert check(bench).details["verified"] == ("ca_file" in config)
    else:
        with pytest.raises(ConnectionUnusable) as caught:
            bench.rows("extractor", query=query)
        assert caught.value.code == code


@pytest.fixture
def rest(tmp_path, postgres_server):
    with postgres_server.new_database("osiris_doctor") as name:
        postgres_server.execute(f"{ROLES}; {FRESH}", name)
        standin = Standin(postgres_server.dsn(database=name), KEYS, schemas=("public", "other"))
        try:
            yield RestBench(tmp_path, standin, postgres_server, name)
        finally:
            standin.close()


def test_the_doctor_of_the_data_api(rest):
    rest.make("CREATE TABLE t (id int4 PRIMARY KEY)")
    health = check(rest)
    assert (health.ok, health.details) == (True, {"tables": 1, "role": "secret"})
    rest.use(key=ANON)
    health = check(rest)
    assert "row level security" in health.hint
    assert health.details["role"] == "anon"
    rest.use(key="sb_secret_wrong")  # pragma: allowlist secret
    assert check(rest).category == "auth"
    rest.use(schema="hidden")
    assert check(rest).category == "missing"
    rest.use(url=f"http://127.0.0.1:{free_port()}")
    assert check(rest).category == "network"
