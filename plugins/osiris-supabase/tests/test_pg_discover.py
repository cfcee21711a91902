"""Discovery of a PostgreSQL database through the command."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from uuid import uuid4

import pytest
from click.testing import CliRunner

from osiris_core.cli import osiris

BUSY = (
    "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'osiris' AND state = 'active' "
    "AND datname = current_database() AND query LIKE '%\"endless\" AS osiris\\_rows'"
)
"""Whether the server counts all rows of the view now."""


class Database:
    """A database of its own behind @supabase.shop, and the command."""

    def __init__(self, server, name, folder, environment):
        self.server = server
        self.name = name
        self.folder = folder
        self.environment = environment
        (folder / "osiris.yaml").write_text("")
        self.connect()

    def connect(self, *, user=None, password=None, port=None, **fields):
        dsn = self.server.dsn(database=self.name, user=user, password=password, port=port)
        self.environment.setenv("SHOP_DSN", dsn)
        entry = {"dsn": "${SHOP_DSN}", **fields}
        text = json.dumps({"version": 1, "connections": {"supabase": {"shop": entry}}})
        (self.folder / "osiris_connections.yaml").write_text(text)

    def sql(self, statement):
        return self.server.execute(statement, self.name)

    def run(self, *arguments, code=0):
        done = CliRunner().invoke(osiris, ["discover", "@supabase.shop", *arguments])
        assert done.exit_code == code, done.output
        return done

    def found(self, *arguments, code=0):
        return json.loads(self.run(*arguments, "--json", code=code).stdout)

    def tables(self, *arguments):
        return {one["name"]: one for one in self.found(*arguments)["tables"]}

    def columns(self, name, *arguments):
        profile = self.tables("--table", name, "--profile", *arguments)[name]["profile"]
        return {column["name"]: column for column in profile["columns"]}


@pytest.fixture(scope="module")
def database(postgres_server):
    with postgres_server.new_database(f"osiris_discover_{uuid4().hex[:8]}") as name:
        yield name


@pytest.fixture
def shop(postgres_server, database, tmp_path, monkeypatch):
    """An empty schema ``public`` and no other."""
    monkeypatch.chdir(tmp_path)
    made = Database(postgres_server, database, tmp_path, monkeypatch)
    made.sql("DROP SCHEMA IF EXISTS public, other CASCADE; CREATE SCHEMA public")
    return made


CUSTOMERS = """
    CREATE TYPE mood AS ENUM ('sad', 'ok');
    CREATE DOMAIN euro AS numeric(30, 10) CHECK (VALUE >= 0);
    CREATE TABLE customers (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, email varchar(50) UNIQUE, mood mood NOT NULL DEFAULT 'ok',
        paid euro, loud text GENERATED ALWAYS AS (email || '!') STORED);
    COMMENT ON TABLE customers IS 'who buys';
    COMMENT ON COLUMN customers.email IS 'where';
"""
ORDERS = """
    CREATE TABLE orders (
        nr integer PRIMARY KEY, customer_id bigint CONSTRAINT buys REFERENCES customers, other_customer_id bigint,
        note text);
    CREATE INDEX part ON orders (lower(note), nr);
    CREATE UNIQUE INDEX noted ON orders (note) WHERE nr > 0;
"""


def test_tables_views_columns_keys_indexes_and_comments(shop):
    shop.sql(
        CUSTOMERS
        + ORDERS
        + """
        CREATE VIEW big AS SELECT nr FROM orders;
        CREATE MATERIALIZED VIEW kept AS SELECT 1 AS one;
        CREATE TABLE parted (a integer) PARTITION BY RANGE (a);
        CREATE TABLE part_of_it PARTITION OF parted FOR VALUES FROM (0) TO (9);
        CREATE SCHEMA other; CREATE TABLE other.a (x integer);
        INSERT INTO customers (email) VALUES ('a@x'), (NULL);
        ANALYZE customers;
        """
    )
    document = shop.found()
    # the connection's own schema first
    assert [(one["schema"], one["name"], one["kind"]) for one in document["tables"]] == [
        ("public", "big", "view"),
        ("public", "customers", "table"),
        ("public", "kept", "materialized view"),
        ("public", "orders", "table"),
        ("public", "parted", "partitioned table"),
        ("other", "a", "table"),
    ]
    found = {one["name"]: one for one in document["tables"]}
    customers, orders = found["customers"], found["orders"]
    assert (customers["comment"], customers["rows"], customers["rows_exact"]) == ("who buys", 2, False)
    assert customers["bytes"] == 8192
    assert orders["rows"] is None  # never analyzed
    assert [
        (one["name"], one["type"], one["nullable"], one["default"], one["generated"], one["comment"])
        for one in customers["columns"]
    ] == [
        ("id", "bigint", False, None, True, None),
        ("email", "character varying(50)", True, None, False, "where"),
        ("mood", "public.mood", False, "'ok'::public.mood", False, None),
        ("paid", "public.euro", True, None, False, None),
        ("loud", "text", True, None, True, None),
    ]
    assert customers["primary_key"] == {"columns": ["id"], "name": "customers_pkey"}
    assert customers["unique_keys"] == [{"columns": ["email"], "name": "customers_email_key"}]
    assert orders["indexes"] == [
        {"name": "noted", "columns": ["note"], "unique": False},  # of some rows only
        {"name": "part", "columns": ["lower(note)", "nr"], "unique": False},
    ]
    assert orders["foreign_keys"] == [
        {
            "name": "buys",
            "columns": ["customer_id"],
            "to_schema": "public",
            "to_table": "customers",
            "to_columns": ["id"],
        }
    ]


def test_profiles_are_exact_texts(shop):
    shop.sql(
        CUSTOMERS
        + """
        CREATE TABLE t (
            n numeric, f real, g double precision, ts timestamptz, i interval, b bytea, u uuid, m mood, e euro, j json,
            jb jsonb, a integer[], p point, x text);
        INSERT INTO t VALUES (
            '12345678901234567890123456789.0123456789', '0.1', 'NaN', '2024-03-31 02:30:00.000001+02', '1 mon -3 days',
            '\\x00ff', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 'sad', 1.5, '{"b": 1,  "a": 2}', '{"b": 1}', '{1,2}',
            '(1,2)', repeat('ü', 250));
        INSERT INTO t (n) VALUES ('NaN');
        INSERT INTO t (n, m) VALUES ('-Infinity', 'ok');
        """
    )
    found = shop.columns("t")
    assert {name: (one["nulls"], one["distinct"], one["minimum"], one["maximum"]) for name, one in found.items()} == {
        "n": (0, 3, "-Infinity", "NaN"),
        "f": (2, 1, "0.1", "0.1"),
        "g": (2, 1, "NaN", "NaN"),
        "ts": (2, 1, "2024-03-31 00:30:00.000001+00", "2024-03-31 00:30:00.000001+00"),
        "i": (2, 1, "1 mon -3 days", "1 mon -3 days"),
        "b": (2, 1, None, None),
        "u": (2, 1, None, None),
        "m": (1, 2, "sad", "ok"),
        "e": (2, 1, "1.5000000000", "1.5000000000"),
        "j": (2, None, None, None),  # the server cannot compare them
        "jb": (2, 1, None, None),
        "a": (2, None, None, None),
        "p": (2, None, None, None),
        "x": (2, 1, "ü" * 200 + "… (250 characters)", "ü" * 200 + "… (250 characters)"),
    }
    sample = shop.tables("--table", "t", "--sample", "1")["t"]["sample"]
    row = dict(zip(sample["columns"], sample["rows"][0], strict=True))
    assert (row["b"], row["j"], row["a"], row["p"]) == ("\\x00ff", '{"b": 1,  "a": 2}', "{1,2}", "(1,2)")


def test_stages_relations_and_the_planners_statistics(shop):
    shop.sql(
        CUSTOMERS
        + ORDERS.replace("UNIQUE", "")
        + """
        INSERT INTO customers (email) SELECT n || '@x' FROM generate_series(1, 100) n;
        INSERT INTO orders SELECT n, n % 100 + 1, n % 50 + 1, CASE WHEN n % 4 = 0 THEN NULL ELSE 'v' || n % 3 END
        FROM generate_series(1, 40000) n;
        ANALYZE;
        """
    )
    document = shop.found("--profile")
    tables = {one["name"]: one for one in document["tables"]}
    orders = tables["orders"]
    assert (orders["rows"], orders["profile"]["basis"], orders["profile"]["examined"]) == (40_000, "full", 40_000)
    columns = {one["name"]: one for one in orders["profile"]["columns"]}
    assert (columns["nr"]["minimum"], columns["nr"]["maximum"], columns["nr"]["distinct"]) == ("1", "40000", 40_000)
    assert (columns["note"]["nulls"], columns["note"]["top"]) == (
        10_000,
        [{"value": f"v{number}", "count": 10_000} for number in range(3)],
    )
    relations = {tuple(one["columns"]): one for one in document["relations"]}
    assert relations["customer_id",]["declared"] is True
    suggested = relations["other_customer_id",]
    assert (suggested["declared"], suggested["to_table"], suggested["to_columns"]) == (False, "customers", ["id"])
    assert "50 of 50 values are there" in suggested["reasons"]


def test_each_stage_says_what_it_rests_on(shop, tmp_path):
    from osiris_core.api import Deadline, SecretStr
    from osiris_supabase.connection import SupabaseConnection
    from osiris_supabase.postgres.discover import PostgresDiscoverer

    shop.sql(
        "CREATE TABLE t AS SELECT n, n % 4 AS k, CASE WHEN n % 2 = 0 THEN 'x' END AS v FROM generate_series(1, 50000) n;"
        "ANALYZE t"
    )
    connection = SupabaseConnection(dsn=SecretStr(shop.server.dsn(database=shop.name)))
    reader = PostgresDiscoverer().open(connection, project_root=tmp_path, deadline=Deadline.after(60))
    try:
        (table,) = reader.tables()
        estimate, sample, full = (reader.profile(table, basis=basis) for basis in ("estimate", "sample", "full"))
    finally:
        reader.close()
    assert (estimate.basis, estimate.examined) == ("estimate", None)
    known = {one.name: one for one in estimate.columns}
    assert known["k"].distinct == 4
    assert 20_000 < known["v"].nulls < 30_000
    assert [one.value for one in known["v"].top] == ["x"]
    assert sample.basis == "sample"
    assert 0 < sample.examined < 50_000
    assert {one.name: one.distinct for one in sample.columns if one.name != "n"} == {"k": 4, "v": 1}
    assert (full.basis, full.examined, full.columns[0].maximum) == ("full", 50_000, "50000")


@pytest.mark.slow
def test_what_takes_too_long_is_left_at_its_sample_and_ends_on_the_server(shop):
    shop.sql(
        "CREATE TABLE t AS SELECT n FROM generate_series(1, 1000) n;"
        "CREATE VIEW endless AS SELECT a.n FROM t AS a, t AS b, t AS c, t AS d"
    )
    endless = shop.tables("--table", "endless", "--profile", "--timeout", "2")["endless"]
    assert (endless["profile"]["basis"], endless["stopped"]) == ("sample", "the time was over (2 seconds)")
    assert any(shop.sql(BUSY) == [(0,)] for _ in range(500))


@pytest.mark.slow
def test_ctrl_c_ends_what_the_server_does(shop):
    shop.sql(
        "CREATE TABLE t AS SELECT n FROM generate_series(1, 1000) n;"
        "CREATE VIEW endless AS SELECT a.n FROM t AS a, t AS b, t AS c, t AS d"
    )
    command = [sys.executable, "-m", "osiris_core", "discover", "@supabase.shop", "--table", "endless", "--profile"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert any(shop.sql(BUSY) == [(1,)] for _ in range(5000))
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=50)
    assert (process.returncode, "interrupted" in said) == (130, True)
    assert any(shop.sql(BUSY) == [(0,)] for _ in range(500))


def test_the_list_is_kept_until_the_schema_changes(shop):
    shop.sql(CUSTOMERS)
    assert (shop.found()["cached"], shop.found()["cached"]) == (False, True)
    shop.sql("INSERT INTO customers (email) VALUES ('b@x'); ANALYZE")
    assert shop.found()["cached"] is True  # rows are no schema
    for change in (
        "ALTER TABLE customers ADD COLUMN more integer",
        "ALTER TABLE customers ALTER more TYPE bigint",
        "ALTER TABLE customers ALTER more SET DEFAULT 7",
        "COMMENT ON COLUMN customers.more IS 'anew'",
        "CREATE INDEX i ON customers (paid)",
        ORDERS,
        "ALTER TABLE orders DROP CONSTRAINT buys",
        "CREATE VIEW v AS SELECT 1 AS one",
    ):
        shop.sql(change)
        assert shop.found()["cached"] is False, change
        assert shop.found()["cached"] is True, change


def test_a_role_sees_what_it_may_read(shop):
    role = f"osiris_reader_{uuid4().hex[:8]}"
    shop.sql(
        f"""
        CREATE ROLE {role} LOGIN PASSWORD 'only-reads';  -- pragma: allowlist secret
        CREATE TABLE open (a integer); CREATE TABLE closed (b integer); CREATE TABLE partly (c integer, d integer);
        GRANT USAGE ON SCHEMA public TO {role}; GRANT SELECT ON open TO {role}; GRANT SELECT (d) ON partly TO {role};
        """
    )
    try:
        everything = shop.found()
        shop.connect(user=role, password="only-reads")  # pragma: allowlist secret
        document = shop.found("--profile", "--sample", "1")
        # the password is no part of the cache's key, and the other role's list is not taken for this one's
        assert document["cached"] is False
        assert document["fingerprint"] != everything["fingerprint"]
        assert {one["name"]: [column["name"] for column in one["columns"]] for one in document["tables"]} == {
            "open": ["a"],
            "partly": ["d"],
        }
    finally:
        shop.sql(f"DROP OWNED BY {role}; DROP ROLE {role}")


def test_hostile_names(shop):
    name, column = 'a"b\x1b[2J', "c'd`e$1\n%s"
    quoted = name.replace('"', '""')
    shop.sql(f'CREATE TABLE "{quoted}" ("{column}" text)')
    shop.sql(f"INSERT INTO \"{quoted}\" VALUES ('%s\\')")
    (table,) = shop.found("--profile", "--sample", "1")["tables"]
    assert (table["name"], table["columns"][0]["name"]) == (name, column)
    assert table["sample"]["rows"] == [["%s\\"]]
    assert table["profile"]["columns"][0]["maximum"] == "%s\\"
    assert "\x1b" not in shop.run("--profile").output


def test_a_server_that_says_nothing(shop):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        shop.connect(port=silent.getsockname()[1])
        assert shop.found("--timeout", "0.5", code=5)["error"]["code"] == "OSR-DSC-002"


def test_a_connection_that_does_not_work(shop):
    shop.connect(password="wrong-password")  # pragma: allowlist secret
    done = shop.found(code=5)
    assert done["error"]["code"] == "OSR-PG-002"
    assert "wrong-password" not in json.dumps(done)
    shop.connect(port=1)
    assert shop.found(code=5)["error"]["code"] == "OSR-PG-001"
    entry = {"url": "http://127.0.0.1:1", "key": "${SHOP_DSN}"}
    text = json.dumps({"version": 1, "connections": {"supabase": {"shop": entry}}})
    (shop.folder / "osiris_connections.yaml").write_text(text)
    assert shop.found(code=5)["error"]["code"] == "OSR-SUPA-101"


def test_nothing_is_written_and_no_lock_stays(shop):
    shop.sql(CUSTOMERS + "INSERT INTO customers (email) VALUES ('a@x')")
    before = shop.sql("SELECT xmin::text, * FROM customers")
    shop.found("--profile", "--sample", "1")
    assert shop.sql("SELECT xmin::text, * FROM customers") == before
    assert shop.sql(
        "SELECT count(*) FROM pg_locks l JOIN pg_class c ON c.oid = l.relation WHERE relname = 'customers'"
    ) == [(0,)]
