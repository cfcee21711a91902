"""Reading tables and queries: what is chosen, from one state of the database, in parts, and what is refused."""

from __future__ import annotations

import threading

import pytest

from osiris_core.api import Cancelled, DriverError, OsirisError, Window
from osiris_core.run.cstream import Pull
from osiris_supabase.postgres.begin import begin
from osiris_supabase.postgres.extractor import reading_session
from tests.bench import tuples


@pytest.fixture
def orders(bench):
    bench.sql(
        'CREATE TABLE orders (id int4, "At Time" timestamp, name text);'
        "INSERT INTO orders VALUES (1, '2024-01-01', 'a'), (2, '2024-01-02', 'B'), (3, '2024-01-03', 'b'), (4, NULL, NULL)"
    )
    return bench


def ids(bench, **config):
    return [row[0] for row in bench.rows("extractor", **{"table": "orders", "columns": ["id"], **config})]


def test_columns_where_and_limit(orders):
    assert orders.rows("extractor", table="orders", columns=["name", "id"], where="id < 3") == [("a", 1), ("B", 2)]
    assert len(ids(orders, limit=3)) == 3
    assert ids(orders, limit=0) == []
    assert ids(orders, where="name = :n OR id = :i", query_params={"n": "b", "i": 4}) == [3, 4]
    assert ids(orders, where="id = 1 OR true", limit=10) == [1, 2, 3, 4]


def test_values_are_bound_as_what_they_are(bench):
    nasty = "'); DELETE FROM t; -- \\ \n %s $1 :a"
    found = bench.rows(
        "extractor",
        query="SELECT :text AS text, :none::text AS none, 5 - :minus AS minus, :real AS r, :yes AS yes, :nan AS nan, "
        "':text' AS quoted, 1::int AS cast",
        query_params={"text": nasty, "none": None, "minus": -1, "real": 0.1, "yes": True, "nan": float("inf")},
    )
    assert [found[0][at] for at in (0, 1, 2, 4, 5, 6, 7)] == [nasty, None, 6, True, float("inf"), ":text", 1]
    with pytest.raises(DriverError) as caught:
        bench.read("extractor", query="SELECT :text AS a", query_params={"text": "a\0b"})
    assert caught.value.code == "OSR-PG-012"


@pytest.mark.parametrize(
    ("config", "code"),
    [
        ({"table": "nothing"}, "OSR-PG-024"),
        ({"table": "orders", "schema": "elsewhere"}, "OSR-PG-024"),
        ({"table": "orders", "columns": ["ID"]}, "OSR-PG-025"),
        ({"query": "SELECT nothing FROM orders"}, "OSR-PG-021"),
        ({"query": "SELECT * FROM nothing"}, "OSR-PG-021"),
        ({"query": "SELECT id, id FROM orders"}, "OSR-PG-023"),
        ({"query": "SELECT 1/(id - 1) AS a FROM orders"}, "OSR-PG-022"),
        ({"query": "SELECT :a AS a"}, "OSR-PG-027"),
    ],
)
def test_what_cannot_be_read_is_named(orders, config, code):
    with pytest.raises(OsirisError) as caught:
        orders.read("extractor", **config)
    assert caught.value.code == code


def test_a_config_that_cannot_be_meant(bench):
    assert bench.findings("extractor", {}) == ["give either 'query' or 'table'"]
    assert "not both" in bench.findings("extractor", {"query": "SELECT 1", "table": "t"})[0]
    assert bench.findings("extractor", {"query": "SELECT 1", "where": "true"}) == [
        "'where' belongs to 'table'; say it in the query"
    ]
    assert bench.findings("extractor", {"table": "t", "columns": ["a", "a"]}) == ["'columns' names a column twice"]


def test_binding_tells_the_columns_without_reading(orders):
    ctx = orders.context("extractor")
    config = orders.configured("extractor", {"query": "SELECT id, pg_typeof(id)::text AS kind FROM orders"})
    bound = orders.driver("extractor").bind(step_id="s", config=config, inputs={}, ctx=ctx)
    assert bound["df"].names == ["id", "kind"]


def test_a_read_sees_one_state_of_the_database(orders):
    config = orders.configured("extractor", {"table": "orders", "columns": ["id"]})
    outputs = orders.driver("extractor").run(step_id="s", config=config, inputs={}, ctx=orders.context("extractor"))
    orders.sql("INSERT INTO orders VALUES (5, NULL, NULL); DELETE FROM orders WHERE id = 1")
    assert sorted(row[0] for batch in Pull(outputs["df"]) for row in tuples_of(batch)) == [1, 2, 3, 4]


def tuples_of(batch):
    return list(zip(*(batch.column(at).to_pylist() for at in range(batch.num_columns)), strict=True))


@pytest.mark.parametrize("source", [{"table": "orders"}, {"query": "SELECT * FROM orders ORDER BY id DESC"}])
@pytest.mark.parametrize(
    ("cursor", "lower", "upper", "expected"),
    [
        ("id", None, None, [1, 2, 3, 4]),
        ("id", "2", None, [2, 3, 4]),
        ("id", "2", "4", [2, 3]),
        ("At Time", "2024-01-02 00:00:00", None, [2, 3]),
        ("At Time", None, "2024-01-02 00:00:00.000001", [1, 2]),
        ("At Time", None, None, [1, 2, 3, 4]),
        ("name", "a", None, [1, 3]),  # byte by byte, as 'B' < 'a' < 'b'
        ("name", None, "a", [2]),
    ],
)
def test_a_window_is_compared_as_the_cursors_own_type(orders, source, cursor, lower, upper, expected):
    found = orders.read("extractor", window=Window(cursor=cursor, lower=lower, upper=upper), **source)
    assert sorted(row[0] for row in tuples(found)) == expected


@pytest.mark.parametrize(
    ("kind", "values", "lower", "upper"),
    [
        ("char(5)", ["a", "a\t", "b", "c"], "a    ", "c    "),
        ("char(5)", ["a", "b", "b", "c"], "b    ", None),
        ("varchar(5)", ["a", "b ", "b  "], "b ", None),
        ("name", ["a", "B"], "a", None),
        ('"char"', ["a", "B"], "B", "a"),
        ("bytea", ["\\x00ff", "\\x61", "\\x3631"], "61", None),
        ("bytea", ["\\x00ff", "\\x61", "\\x3631"], "00ff", "61"),
        ("uuid", ["0" * 31 + "9", "a" * 32, "f" * 32], "aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa", None),
        ("numeric(9,2)", ["9", "10", "100"], "10.00", "100"),
        ("oid", ["9", "10", "4294967295"], "10", None),
        ("real", ["0.1", "0.2", "10"], "0.2", None),
    ],
)
def test_rows_of_a_window_are_those_that_are_within_it_once_read(bench, kind, values, lower, upper):
    """A full read, sorted out here by the values that arrive, is the witness."""
    listed = ", ".join(f"({at}, $q${value}$q$)" for at, value in enumerate(values))
    bench.sql(
        f"CREATE TABLE t (id int4, v {kind}); INSERT INTO t SELECT i, v::{kind} FROM (VALUES {listed}) AS r(i, v)"
    )
    bench.sql("INSERT INTO t VALUES (99, NULL)")

    def value(text):
        if kind == "bytea":
            return bytes.fromhex(text)
        return float(text) if kind in ("numeric(9,2)", "oid", "real") else text.encode()

    def seen(arrived):
        if isinstance(arrived, bytes):
            return arrived
        return arrived.encode() if isinstance(arrived, str) else round(float(arrived), 6)

    everything = [(number, seen(v)) for number, v in bench.rows("extractor", table="t") if v is not None]
    expected = [number for number, v in everything if v >= value(lower) and (upper is None or v < value(upper))]
    assert 0 < len(expected) < len(values)
    found = tuples(bench.read("extractor", table="t", window=Window(cursor="v", lower=lower, upper=upper)))
    assert sorted(row[0] for row in found) == expected


@pytest.mark.parametrize(
    ("kind", "value", "named"),
    [
        ("numeric", "1", "numeric"),
        ("numeric(50,2)", "1", r"numeric\(50,2\)"),
        ("xid8", "1", "xid8"),
        ("mood", "sad", "mood"),
        ("timetz", "01:00:00+02", "time with time zone"),
        ("interval", "1 day", "interval"),
        ("inet", "10.0.0.1", "inet"),
        ("int4range", "[1,2)", "int4range"),
        ("bit(3)", "101", r"bit\(3\)"),
        ("int4[]", "{1}", r"integer\[\]"),
        ("boolean", "true", "boolean"),
        ("money", "1", "money"),
        ("jsonb", "1", "jsonb"),
    ],
)
@pytest.mark.parametrize("lower", [None, "1"])
def test_a_cursor_whose_order_is_lost_on_the_way_is_refused(bench, kind, value, named, lower):
    bench.sql("CREATE TYPE mood AS ENUM ('sad', 'happy')")
    bench.sql(f"CREATE TABLE t (v {kind}); INSERT INTO t VALUES ('{value}')")
    for source in ({"table": "t"}, {"query": "SELECT v FROM t"}):
        with pytest.raises(DriverError, match=f"'v' is of type {named},") as caught:
            bench.read("extractor", window=Window(cursor="v", lower=lower), **source)
        assert caught.value.code == "OSR-PG-029"


def test_a_cursor_that_special_values_make_a_text_is_refused(bench):
    bench.sql("CREATE TABLE t AS SELECT DATE 'infinity' AS d, 1::numeric(5,2) AS n")
    for cursor in ("d", "n"):
        with pytest.raises(DriverError) as caught:
            bench.read("extractor", table="t", special_values="text", window=Window(cursor=cursor, lower="1"))
        assert caught.value.code == "OSR-PG-029"


@pytest.mark.parametrize(("kind", "bound"), [("bytea", "xyz"), ("int4", "one"), ("date", "tomorrow-ish")])
def test_a_bound_that_is_no_value_of_the_cursor_is_an_error(bench, kind, bound):
    bench.sql(f"CREATE TABLE t (v {kind}); INSERT INTO t VALUES (NULL)")
    with pytest.raises(DriverError) as caught:
        bench.read("extractor", table="t", window=Window(cursor="v", lower=bound))
    assert caught.value.code == "OSR-PG-022"


def test_nothing_is_compiled_while_rows_are_read(bench):
    bench.sql(f"ALTER DATABASE {bench.database} SET jit = on")
    session = reading_session(bench.context("extractor"))
    try:
        begin(session, bench.connection, read_only=True)
        assert session.rows("SHOW jit") == [("off",)]
    finally:
        session.close()
        bench.sql(f"ALTER DATABASE {bench.database} RESET jit")


def test_a_cursor_that_is_no_column_is_named(orders):
    with pytest.raises(DriverError, match="no column 'when'") as caught:
        orders.read("extractor", table="orders", window=Window(cursor="when", lower="1"))
    assert caught.value.code == "OSR-PG-025"


@pytest.fixture
def large(bench):
    bench.sql(
        "CREATE TABLE large AS SELECT i AS id, CASE WHEN i % 3 = 0 THEN NULL ELSE i % 5 END AS k, repeat('x', 500) AS pad "
        "FROM generate_series(1, 40000) AS i"
    )
    return bench


def test_parts_hold_every_row_once_and_see_one_state(large):
    config = large.configured("extractor", {"table": "large", "columns": ["id"], "where": "id % 2 = 0"})
    ctx = large.context("extractor")
    splits = large.driver("extractor").splits(config=config, count=4, ctx=ctx)
    assert len(splits) == 4
    large.sql(
        "INSERT INTO large SELECT 2, 2, repeat('x', 500) FROM generate_series(1, 5000); DELETE FROM large WHERE id < 9"
    )
    found = []
    for split in splits:
        outputs = large.driver("extractor").run_split(step_id="s", config=config, split=split, ctx=ctx)
        part = [row[0] for batch in Pull(outputs["df"]) for row in tuples_of(batch)]
        assert part
        found += part
    assert sorted(found) == list(range(2, 40001, 2))
    assert large.sql("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'osiris' AND state <> 'idle'") == [
        (0,)
    ]


def test_parts_read_at_the_same_time_are_the_whole(large):
    parts = large.rows("extractor", table="large", parts=3)
    assert sorted(row[0] for row in parts) == list(range(1, 40001))


def test_a_part_that_fails_lets_the_snapshot_go_and_the_others_may_be_tried_again(large):
    config = large.configured("extractor", {"table": "large"})
    splits = large.driver("extractor").splits(config=config, count=3, ctx=large.context("extractor"))
    held = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'osiris' AND state <> 'idle'"
    assert large.sql(held) == [(1,)]
    wrong = large.configured("extractor", {"table": "large", "columns": ["nothing"]})
    for value, code, retriable in ((wrong, "OSR-PG-025", False), (config, "OSR-PG-003", True)):
        with pytest.raises(DriverError) as caught:
            large.driver("extractor").run_split(
                step_id="s", config=value, split=splits[0], ctx=large.context("extractor")
            )
        assert (caught.value.code, caught.value.retriable) == (code, retriable)
    assert large.sql(f"{held} AND state LIKE 'idle in%'") == [(0,)]


@pytest.mark.parametrize("config", [{"query": "SELECT * FROM large"}, {"table": "large", "limit": 5}, {"table": "v"}])
def test_what_is_read_as_one(large, config):
    large.sql("CREATE VIEW v AS SELECT * FROM large")
    value = large.configured("extractor", config)
    assert large.driver("extractor").splits(config=value, count=4, ctx=large.context("extractor")) == ()
    assert large.sql("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'osiris' AND state <> 'idle'") == [
        (0,)
    ]


def test_row_level_security_that_hides_rows_is_recorded(orders):
    orders.server.execute("DROP ROLE IF EXISTS web; CREATE ROLE web LOGIN PASSWORD 'web'")  # pragma: allowlist secret
    orders.sql("GRANT USAGE ON SCHEMA public TO web; GRANT SELECT ON orders TO web")
    orders.sql("ALTER TABLE orders ENABLE ROW LEVEL SECURITY")
    assert len(ids(orders)) == 4
    assert orders.events("supabase.read_plan")[0]["row_level_security"] is False
    orders.read("extractor", query="SELECT id FROM orders")
    assert orders.events("supabase.read_plan")[-1]["row_level_security"] is None
    orders.use(user="web", password="web")  # pragma: allowlist secret
    assert ids(orders) == []
    assert orders.events("supabase.read_plan")[0]["row_level_security"]
    orders.sql("DROP OWNED BY web")
    orders.server.execute("DROP ROLE web")


def test_names_are_quoted_wherever_they_stand(bench):
    bench.sql("""CREATE TABLE "a""b; DROP TABLE x" ("Id" int4 PRIMARY KEY, "sel""ect" text, "a b.c" int4)""")
    odd = '''SELECT 1 AS "Id", 'x' AS "sel""ect", 2 AS "a b.c"'''
    for mode in ({"mode": "append"}, {"mode": "upsert", "primary_key": ["Id"]},
                 {"mode": "delete_insert", "replace_keys": ['sel"ect', "a b.c"]}):  # fmt: skip
        bench.write("writer", odd, table='a"b; DROP TABLE x', **mode)
    found = bench.rows("extractor", table='a"b; DROP TABLE x', columns=['sel"ect', "a b.c"])
    assert found == [("x", 2)]
    window = Window(cursor="a b.c", lower="2")
    assert bench.read("extractor", table='a"b; DROP TABLE x', window=window).num_rows == 1


def test_names_that_differ_in_case_only_are_both_read(bench):
    bench.sql('CREATE TABLE t ("Id" int4, id int4); INSERT INTO t VALUES (1, 2)')
    assert bench.rows("extractor", table="t") == [(1, 2)]


def test_rows_of_many_megabytes(bench):
    bench.sql(r"CREATE TABLE t AS SELECT i AS id, repeat(E'\t\\\n', 3000000 * i) AS v FROM generate_series(0, 2) AS i")
    found = bench.rows("extractor", table="t")
    assert [(number, len(text), set(text)) for number, text in found] == [
        (0, 0, set()),
        (1, 9000000, {"\t", "\\", "\n"}),
        (2, 18000000, {"\t", "\\", "\n"}),
    ]


def test_an_error_amid_the_rows_ends_the_read(bench):
    with pytest.raises(DriverError, match="division by zero") as caught:
        bench.read("extractor", query="SELECT 1/(500000 - i) AS a FROM generate_series(1, 600000) AS i")
    assert caught.value.code == "OSR-PG-022"


def test_a_read_that_is_given_up_ends_its_session_and_thread(bench):
    config = bench.configured("extractor", {"query": "SELECT i AS i FROM generate_series(1, 3000000) AS i"})
    outputs = bench.driver("extractor").run(step_id="s", config=config, inputs={}, ctx=bench.context("extractor"))
    batches = outputs["df"].batches()
    next(batches)
    batches.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "osiris-postgres"]
    query = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'osiris'"
    assert any(bench.sql(query) == [(0,)] for _ in range(2000))


def test_cancelling_ends_the_statement_on_the_server(bench):
    config = bench.configured("extractor", {"query": "SELECT count(*) AS n FROM generate_series(1, 10000000000) AS i"})
    ctx = bench.context("extractor")
    outputs = bench.driver("extractor").run(step_id="s", config=config, inputs={}, ctx=ctx)
    timer = threading.Timer(0.3, lambda: bench.token.cancel(Cancelled("OSR-RUN-001", "stopped")))
    timer.start()
    with pytest.raises(Cancelled):
        list(Pull(outputs["df"]))
    timer.join()
    for _ in range(2000):
        busy = bench.sql("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'osiris' AND state = 'active'")
        if busy == [(0,)]:
            break
    assert busy == [(0,)]
