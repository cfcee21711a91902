"""Reading a table through the Data API: every row once, every value exactly, whatever the server does to answers."""

from __future__ import annotations

import datetime as dt
import gc

import duckdb
import pytest

from osiris_core.api import DriverError, InvalidInput, Window
from osiris_supabase.rest.client import RestClient
from tests.bench import tuples, types
from tests.servers.rest_bench import ANON, SECRET, SERVICE, rest, standin, standin_database

__all__ = ["rest", "standin", "standin_database"]


def numbers(bench, rows, *, table="t"):
    bench.make(f"CREATE TABLE {table} (id bigint PRIMARY KEY, name text NOT NULL)", table=table)
    bench.sql(f"INSERT INTO {table} SELECT n, 'row ' || n FROM generate_series(1, {rows}) n")


def fails(bench, code, kind=DriverError, *, window=None, **config):
    with pytest.raises(kind) as caught:
        bench.read("extractor", window=window, **{"table": "t", **config})
    assert caught.value.code == code, caught.value
    return caught.value


@pytest.mark.parametrize("cap", [1000, 77])
def test_all_rows_come_in_the_order_of_the_key_though_the_server_cuts_every_answer(rest, cap):
    numbers(rest, 2500)
    rest.standin.max_rows = cap
    found = rest.rows("extractor", table="t")
    assert found == [(n, f"row {n}") for n in range(1, 2501)]
    pages = [request for request in rest.standin.requests if "order=" in request[1]]
    assert len(pages) == -(-2500 // cap) + 1  # and one without rows: a short page says nothing


def test_ten_thousand_rows_with_a_composite_key(rest):
    rest.make('CREATE TABLE t (a text, "b.c" int, d timestamptz, v int, PRIMARY KEY (a, "b.c", d))')
    rest.sql(
        "INSERT INTO t SELECT (array['', 'x,y', 'q\"u)o\\te', 'ä'])[1 + n % 4], n % 7, "
        "timestamptz '2026-01-01' + n * interval '1 s', n FROM generate_series(1, 10000) n"
    )
    found = rest.rows("extractor", table="t", columns=["v"])
    assert sorted(found) == [(n,) for n in range(1, 10_001)]


def test_rows_that_others_add_and_remove_meanwhile_disturb_no_other_row(rest):
    numbers(rest, 3000)
    seen = []

    def meddle(handler):
        if handler.command == "GET" and "order=" in handler.path:
            seen.append(1)
            if len(seen) == 2:
                rest.sql("INSERT INTO t VALUES (-1, 'behind'), (9000, 'ahead'); DELETE FROM t WHERE id IN (10, 2500)")

    rest.standin.before = meddle
    found = [row[0] for row in rest.rows("extractor", table="t")]
    assert found == [n for n in range(1, 3001) if n != 2500] + [9000]


def test_a_row_lost_on_the_way_is_an_error_and_not_fewer_rows(rest):
    numbers(rest, 1500)
    # A view that shows less to a read than to a count: what a cap, a cache or a policy can do.
    rest.sql("ALTER TABLE t RENAME TO u")
    rest.sql(
        "CREATE TABLE t (id bigint PRIMARY KEY, name text NOT NULL); INSERT INTO t SELECT * FROM u; "
        "GRANT SELECT ON t TO service_role; ALTER TABLE t ENABLE ROW LEVEL SECURITY; "
        "ALTER ROLE service_role NOBYPASSRLS; "
        "CREATE POLICY p ON t FOR SELECT USING (id <> 700 OR current_query() LIKE 'SELECT count(*) FROM %')"
    )
    try:
        error = fails(rest, "OSR-SUPA-116")
    finally:
        rest.sql("ALTER ROLE service_role BYPASSRLS")
    assert "1,499 rows came" in error.message
    assert error.retriable


def test_columns_and_limit(rest):
    numbers(rest, 1200)
    assert rest.rows("extractor", table="t", columns=["name"], limit=1100) == [(f"row {n}",) for n in range(1, 1101)]
    assert rest.rows("extractor", table="t", limit=0) == []
    assert list(types(rest.read("extractor", table="t", limit=5000))) == ["id", "name"]
    error = fails(rest, "OSR-SUPA-111", columns=["nmae"])
    assert "'id', 'name'" in error.message


VALUES = {
    "smallint": ("-32768", "32767"),
    "integer": ("-2147483648", "2147483647"),
    "bigint": ("-9223372036854775808", "9223372036854775807", "9007199254740993"),
    "numeric": ("1234567890.1234567891", "-0.00000000000000000000000000000000000001", "9" * 60, "NaN"),
    "numeric(12,2)": ("1234567890.10",),
    "real": ("1.1", "3.4028235e+38", "NaN", "-Infinity"),
    "double precision": ("0.1", "1.7976931348623157e+308", "5e-324", "Infinity"),
    "boolean": ("true", "false"),
    "text": ("", "NULL", "null", "tab\tnew\nline", 'quote" slash\\ ü 😀', "\x7f\x01"),
    "character(5)": ("ab",),
    "date": ("0001-01-01", "2026-02-28", "9999-12-31"),
    "timestamp": ("0001-01-01 01:02:03.000004", "2026-02-28 23:59:59.999999"),
    "timestamptz": ("1883-01-01 00:00:00.5+00", "2026-07-01 12:00:00.123456+05:30"),
    "time": ("00:00:00", "23:59:59.999999"),
    "timetz": ("12:00:00.5+02",),
    "interval": ("1 year 2 mons -3 days 04:05:06.7",),
    "uuid": ("00112233-4455-6677-8899-aabbccddeeff",),
    "json": ('{"b": 1, "a": 12345678901234567890.10, "b":  2}',),
    "jsonb": ('{"a": 12345678901234567890.10}', "null"),
    "bytea": ("\\x", "\\x00ff5c27"),
    "integer[]": ("{1,NULL,3}", "{{1,2},{3,4}}"),
    "text[]": ('{"a,b",NULL,"NULL"}',),
    "inet": ("10.0.0.1", "10.0.0.0/8"),
    "bit varying": ("101",),
    "int4range": ("[1,5)",),
    "money": ("$1,234.50",),
    "xml": ("<a>1</a>",),
    "point": ("(1.5,2)",),
    "oid": ("4294967295",),
}


@pytest.mark.parametrize(
    ("kind", "zoned"), [*((kind, True) for kind in VALUES), *((kind, False) for kind in VALUES if "time" in kind)]
)
def test_every_value_of_a_type_arrives_exactly(rest, kind, zoned):
    rest.standin.timezones = zoned  # older versions answer in the server's own zone
    rest.make(f"CREATE TABLE t (id int PRIMARY KEY, v {kind})")
    values = VALUES[kind]
    with rest.server.connect(rest.database) as connection:
        for at, value in enumerate(values):
            connection.execute(f"INSERT INTO t VALUES ({at}, %s::text::{kind})", (value,))
        connection.execute(f"INSERT INTO t VALUES ({len(values)}, NULL)")
    found = rest.rows("extractor", table="t")
    assert found[-1] == (len(values), None)
    assert len(found) == len(values) + 1
    # Written back as text, the server itself says whether the value is the same.
    with rest.server.connect(rest.database) as connection:
        for (_, value), given in zip(found[:-1], values, strict=True):
            assert same(connection, kind, value, given), (kind, value, given)


def same(connection, kind, value, given):
    if isinstance(value, bytes):
        return value == bytes.fromhex(given[2:])
    if isinstance(value, dt.datetime) and value.tzinfo is not None:
        value = value.astimezone(dt.UTC)
    if isinstance(value, bool):
        value = str(value).lower()
    query = f"SELECT (%s::text::{kind})::text, (%s::text::{kind})::text"
    ours, theirs = connection.execute(query, (str(value), given)).fetchone()
    return ours == theirs


def test_dates_before_christ(rest):
    rest.make("CREATE TABLE t (id int PRIMARY KEY, d date, m timestamp, z timestamptz)")
    rest.sql("INSERT INTO t VALUES (1, '0044-03-15 BC', '0044-03-15 01:02:03 BC', '0044-03-15 01:02:03+00 BC')")
    with duckdb.connect() as connection:
        connection.register("found", rest.read("extractor", table="t"))
        (row,) = connection.execute("SELECT d::VARCHAR, m::VARCHAR, epoch_us(z) - epoch_us(m) FROM found").fetchall()
    assert row == ("0044-03-15 (BC)", "0044-03-15 (BC) 01:02:03", 0)


@pytest.mark.parametrize(
    ("kind", "special", "plain"),
    [
        ("date", "infinity", "2026-01-02"),
        ("timestamp", "-infinity", "2026-01-02 00:00:00"),
        ("time", "24:00:00", "23:59:59"),
    ],
)
def test_a_moment_that_arrow_does_not_have_is_an_error_null_or_text(rest, kind, special, plain):
    rest.make(f"CREATE TABLE t (id int PRIMARY KEY, d {kind})")
    rest.sql(f"INSERT INTO t VALUES (1, '{special}'), (2, '{plain}')")
    error = fails(rest, "OSR-SUPA-117")
    assert f"'{special}' in column 'd'" in error.message
    assert [row[1] is None for row in rest.rows("extractor", table="t", special_values="null")] == [True, False]
    assert rest.rows("extractor", table="t", special_values="text") == [(1, special), (2, plain)]


def test_an_increment_is_read_by_its_window(rest):
    rest.make("CREATE TABLE t (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), n int, at timestamptz)")
    rest.sql(
        "INSERT INTO t (n, at) SELECT n, timestamptz '2026-01-01 00:00:00+00' + (n / 3) * interval '1 s' "
        "FROM generate_series(1, 4000) n; INSERT INTO t (n, at) SELECT n, NULL FROM generate_series(1, 1500) n"
    )
    whole = rest.read("extractor", table="t", columns=["n"], window=Window(cursor="at"))
    assert len(tuples(whole)) == 5500
    late = Window(cursor="at", lower="2026-01-01 00:20:00+00")
    assert sorted(tuples(rest.read("extractor", table="t", columns=["n"], window=late))) == [
        (n,) for n in range(3600, 4001)
    ]
    between = Window(cursor="at", lower="2026-01-01 00:20:00+00", upper="2026-01-01 00:21:00+00")
    assert sorted(tuples(rest.read("extractor", table="t", columns=["n"], window=between))) == [
        (n,) for n in range(3600, 3780)
    ]
    nothing = Window(cursor="at", lower="2027-01-01")
    assert tuples(rest.read("extractor", table="t", window=nothing)) == []


def test_a_row_changed_while_an_increment_is_read_comes_once(rest):
    rest.make("CREATE TABLE t (id int PRIMARY KEY, at timestamptz)")
    rest.sql("INSERT INTO t SELECT n, timestamptz '2026-01-01' + n * interval '1 s' FROM generate_series(1, 3000) n")
    seen = []

    def meddle(handler):
        if handler.command == "GET" and "osiris_1" in handler.path and "order=" in handler.path:
            seen.append(1)
            if len(seen) == 2:
                rest.sql("UPDATE t SET at = '2030-01-01' WHERE id IN (5, 2900)")

    rest.standin.before = meddle
    found = [row[0] for row in tuples(rest.read("extractor", table="t", window=Window(cursor="at")))]
    assert found == [n for n in range(1, 3001) if n != 2900]  # the next window begins before 2030
    assert len(seen) > 2


def test_a_cursor_whose_order_is_not_ours_is_refused(rest):
    rest.make("CREATE TABLE t (id int PRIMARY KEY, at text, n numeric)")
    assert "of type text" in fails(rest, "OSR-SUPA-115", window=Window(cursor="at")).message
    assert "of type numeric" in fails(rest, "OSR-SUPA-115", window=Window(cursor="n")).message


@pytest.mark.parametrize("option", [{"table": None, "query": "SELECT 1"}, {"where": "id > 1"}])
def test_sql_is_refused_with_the_way_out(rest, option):
    numbers(rest, 1)
    error = fails(rest, "OSR-SUPA-115", InvalidInput, **option)
    assert "dsn" in error.hint
    assert rest.standin.requests == []


def test_a_table_without_a_key_and_a_view_are_refused(rest):
    rest.make("CREATE TABLE t (id int)")
    rest.make("CREATE VIEW v AS SELECT * FROM t", table="v")
    assert "no primary key" in fails(rest, "OSR-SUPA-113").message
    fails(rest, "OSR-SUPA-113", table="v")


def test_a_missing_table_a_hidden_one_and_another_schema_are_told_apart(rest):
    numbers(rest, 3)
    rest.make("CREATE TABLE other.o (id int PRIMARY KEY)", table="other.o")
    rest.sql("CREATE TABLE secret (id int PRIMARY KEY)")  # as every new table of a project: granted to nobody
    assert rest.rows("extractor", table="o", schema="other") == []
    assert "reload schema" in fails(rest, "OSR-SUPA-110", table="tt").hint
    assert "GRANT SELECT" in fails(rest, "OSR-SUPA-103", table="secret").hint
    assert "hidden" in fails(rest, "OSR-SUPA-109", table="x", schema="hidden").message


def test_a_project_that_does_not_describe_its_tables_needs_a_dsn(rest):
    numbers(rest, 3)
    rest.standin.openapi = False
    assert fails(rest, "OSR-SUPA-114").hint is None  # the catalogue's remedy: add a dsn


def test_no_rows_by_a_key_that_row_level_security_binds_are_not_passed_over(rest):
    numbers(rest, 3)
    rest.sql("ALTER TABLE t ENABLE ROW LEVEL SECURITY")
    for key in (ANON, "sb_publishable_abc"):
        rest.use(key)
        assert rest.rows("extractor", table="t") == []
        (event,) = rest.events("supabase.no_rows_seen")
        assert event["role"] == "anon"
    for key in (SECRET, SERVICE):
        rest.use(key)
        assert len(rest.rows("extractor", table="t")) == 3
        assert rest.events("supabase.no_rows_seen") == []


def test_a_count_that_takes_too_long_is_noted(rest):
    numbers(rest, 3)
    body = b'{"code":"57014","message":"canceling statement due to statement timeout"}'
    rest.standin.fail("status", method="GET", skip=1, status=500, body=body)
    assert len(rest.rows("extractor", table="t")) == 3
    assert len(rest.events("supabase.not_counted")) == 1


def test_a_page_that_is_too_much_is_asked_for_again_with_half_the_rows(rest):
    numbers(rest, 100)
    body = b'{"code":"57014","message":"canceling statement due to statement timeout"}'
    rest.standin.fail("status", method="GET", skip=2, status=500, body=body, times=2)
    assert len(rest.rows("extractor", table="t")) == 100
    limits = [request[1].rpartition("limit=")[2] for request in rest.standin.requests if "order=" in request[1]]
    assert limits[:3] == ["1000", "500", "250"]


def test_what_was_read_how_is_recorded(rest):
    rest.make("CREATE TABLE t (id int PRIMARY KEY, n numeric(9,2), u uuid)")
    rest.use(ANON)
    rest.rows("extractor", table="t")
    (event,) = rest.events("supabase.read_plan")
    assert (event["way"], event["role"], event["key"]) == ("data api", "anon", ["id"])
    assert [column["read_as"] for column in event["columns"]] == ["INTEGER", "VARCHAR", "UUID"]


def still_open():
    # Those of earlier tests too, one that was refused in its making among them: it has no connection.
    found = (one for one in gc.get_objects() if type(one) is RestClient)
    return {one for one in found if "_client" in vars(one) and not one._client.is_closed}


def test_rows_nobody_asks_for_leave_nothing_open(rest):
    numbers(rest, 3)
    config = rest.configured("extractor", {"table": "t"})
    before = still_open()
    outputs = rest.driver("extractor").run(step_id="s", config=config, inputs={}, ctx=rest.context("extractor"))
    del outputs
    gc.collect()
    assert still_open() <= before


def test_a_read_that_fails_where_its_rows_are_used_ends_its_requests_at_once(rest):
    numbers(rest, 2000)
    config = rest.configured("extractor", {"table": "t"})
    before = still_open()
    outputs = rest.driver("extractor").run(step_id="s", config=config, inputs={}, ctx=rest.context("extractor"))
    batches = outputs["df"].batches()
    next(batches)
    assert len(still_open() - before) == 1
    with pytest.raises(ValueError, match="elsewhere") as caught:
        batches.throw(ValueError("elsewhere"))
    assert still_open() <= before
    assert caught.value.__traceback__ is not None  # which keeps the frames, and so what they hold


def test_bind_tells_the_columns_without_reading_rows(rest):
    rest.make("CREATE TABLE t (id bigint PRIMARY KEY, day date, raw bytea, j jsonb)")
    config = rest.configured("extractor", {"table": "t"})
    bound = rest.driver("extractor").bind(step_id="step", config=config, inputs={}, ctx=rest.context("extractor"))["df"]
    assert bound == rest.read("extractor", table="t").schema
    assert [request[1] for request in rest.standin.requests[:1]] == ["/rest/v1/"]
