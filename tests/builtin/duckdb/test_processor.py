"""The processor: what it gives, that a stream is read once, that it streams, spills, stops and says what went wrong."""

from __future__ import annotations

import threading
import time

import duckdb
import pytest
from arro3.core import RecordBatchReader, Schema

from osiris_core.builtin.duckdb.config import Processor
from osiris_core.builtin.duckdb.processor import ProcessorDriver
from osiris_core.builtin.duckdb.stream import RelationStream
from osiris_core.errors import Cancelled, DriverError

A = "SELECT range AS i, range % 7 AS k, 'x' || range AS s FROM range(5000)"
B = "SELECT range * 2 AS i, range % 5 AS k, 'y' || range AS s FROM range(3000)"

ONCE = [
    "SELECT count(*) AS n, sum(i) AS t FROM a",
    "SELECT a.i, b.s FROM a JOIN b USING (i) ORDER BY a.i",
    "WITH c AS (SELECT * FROM a WHERE i > 9) SELECT (SELECT count(*) FROM c) AS n, (SELECT sum(i) FROM c) AS t",
    "WITH c AS MATERIALIZED (SELECT * FROM a) SELECT count(*) AS n FROM c x JOIN c y USING (i)",
    "SELECT i, (SELECT max(b.i) FROM b WHERE b.k = a.k) AS m FROM a ORDER BY i",
    "SELECT count(*) AS n FROM a WHERE EXISTS (SELECT 1 FROM b WHERE b.k = a.k AND b.i > a.i)",
    "SELECT count(*) AS n FROM a WHERE i NOT IN (SELECT i FROM b)",
    "SELECT a.*, b.i AS j FROM a ASOF JOIN b ON a.i >= b.i ORDER BY ALL LIMIT 50",
    "SELECT k, count(*) AS n FROM (SELECT k FROM a UNION ALL SELECT k FROM b) GROUP BY k ORDER BY k",
    "FROM a PIVOT (count(i) FOR k IN (0, 1, 2)) ORDER BY ALL LIMIT 20",
    "SELECT i, row_number() OVER (PARTITION BY k ORDER BY i DESC) AS r FROM a QUALIFY r = 3 ORDER BY i",
    "SELECT k, list(i ORDER BY i) AS l FROM a GROUP BY k ORDER BY k",
    "SELECT count(*) AS n FROM a LEFT JOIN b ON a.i < b.i AND a.k = b.k",
    "SELECT a.* FROM a POSITIONAL JOIN b ORDER BY i LIMIT 9",
    "SELECT 1 AS one",
]

TWICE = [
    "SELECT count(*) AS n FROM a x JOIN a y USING (i)",
    "SELECT (SELECT count(*) FROM a) AS n, (SELECT sum(i) FROM a) AS t",
    "SELECT count(*) AS n FROM (SELECT * FROM a UNION ALL SELECT * FROM a)",
    "SELECT count(*) AS n FROM (SELECT * FROM a UNION ALL SELECT * FROM b UNION ALL SELECT * FROM A)",
    "SELECT i FROM a WHERE i IN (SELECT max(i) FROM a GROUP BY k) ORDER BY i",
    "SELECT count(*) AS n FROM a o WHERE EXISTS (SELECT 1 FROM a p WHERE p.k = o.k AND p.i > o.i)",
    "SELECT count(*) AS n FROM a o WHERE o.i > (SELECT avg(p.i) FROM a p WHERE p.k = o.k)",
    (
        "WITH RECURSIVE r(n) AS (SELECT 1::BIGINT UNION ALL SELECT r.n + 1 FROM r JOIN a ON a.i = r.n + 1 WHERE r.n < 50) "
        "SELECT count(*) AS n, sum(n) AS t FROM r"
    ),
    (
        "WITH RECURSIVE r(n) USING KEY (n) AS (SELECT 1::BIGINT UNION SELECT a.i FROM r JOIN a ON a.i = r.n + 1 "
        "WHERE r.n < 9) SELECT count(*) AS n FROM r"
    ),
    "SELECT a.i FROM a, LATERAL (SELECT count(*) AS c FROM a b WHERE b.k = a.k) AS l ORDER BY i LIMIT 9",
    "SELECT a.*, b.i AS j FROM a ASOF JOIN a AS b ON a.i > b.i ORDER BY ALL LIMIT 50",
    "(SELECT * FROM a WHERE k = 1) EXCEPT (SELECT * FROM a WHERE i > 99) ORDER BY ALL",
    "SELECT count(*) AS n FROM a CROSS JOIN (SELECT max(i) AS m FROM a) WHERE a.i = m",
    "SELECT count(*) AS n FROM b WHERE i IN (SELECT i FROM a) OR k IN (SELECT k FROM a)",
]

EITHER = [
    # DuckDB shares one scan between the two today; whether it does is its business.
    "WITH c AS NOT MATERIALIZED (SELECT * FROM a) SELECT count(*) AS n FROM c x JOIN c y ON x.i = y.i + 1",
]


def expected(query):
    """What the query gives over real tables."""
    connection = duckdb.connect()
    connection.execute(f"CREATE TABLE a AS {A}")
    connection.execute(f"CREATE TABLE b AS {B}")
    connection.execute("CREATE VIEW df AS FROM a")
    return connection.sql(query).fetchall()


@pytest.mark.extra
@pytest.mark.parametrize("query", [*ONCE, *TWICE, *EITHER])
def test_a_query_over_streams_gives_what_it_gives_over_tables(bench, query):
    assert bench.query(query, a=A, b=B) == expected(query)


@pytest.mark.parametrize("query", ONCE)
def test_an_input_that_is_read_once_is_not_held(bench, query):
    ctx = bench.ctx()
    bench.process(query, ctx=ctx, a=A, b=B)
    assert ctx.events == []


@pytest.mark.parametrize("query", TWICE)
def test_an_input_that_is_read_more_than_once_is_held(bench, query):
    ctx = bench.ctx()
    bench.process(query, ctx=ctx, a=A, b=B)
    assert ("duckdb.inputs_held", {"inputs": ["a"]}) in ctx.events


def test_one_input_under_two_names_is_one_stream(bench):
    query = "SELECT count(*) AS n FROM a JOIN df USING (i)"
    ctx = bench.ctx()
    stream = bench.process(query, ctx=ctx, a=A)
    assert ctx.events == [("duckdb.inputs_held", {"inputs": ["a"]})]
    assert [batch.column("n").to_pylist() for batch in stream.batches()] == [[5000]]


def test_a_plan_that_reads_twice_after_all_is_refused(bench, monkeypatch, rows):
    """Should the plan's scans ever be miscounted, the step fails; it never gives a part of the rows."""
    from osiris_core.builtin.duckdb.inputs import Inputs

    monkeypatch.setattr(Inputs, "read_more_than_once", lambda *_: {})
    stream = bench.process("SELECT count(*) AS n FROM a x JOIN a y USING (i)", a=A)
    with pytest.raises(DriverError, match="read its input 'a' twice"):
        list(stream.batches())


def test_an_unknown_scan_holds_every_input(bench, monkeypatch):
    import re

    from osiris_core.builtin.duckdb import inputs

    monkeypatch.setattr(inputs, "_NUMBERED", re.compile("(never)(matches)"))
    ctx = bench.ctx()
    stream = bench.process("SELECT count(*) AS n FROM a JOIN b USING (i)", ctx=ctx, a=A, b=B)
    assert ctx.events == [("duckdb.inputs_held", {"inputs": ["a", "b"]})]
    assert [batch.column("n").to_pylist() for batch in stream.batches()] == [[2500]]


def test_only_the_columns_that_are_read_are_held(bench, monkeypatch):
    from osiris_core.builtin.duckdb.inputs import Inputs

    held = []
    original = Inputs.connect
    monkeypatch.setattr(Inputs, "connect", lambda self, con, hold: (held.append(hold), original(self, con, hold)))
    query = "SELECT x.k, count(*) AS n FROM a x JOIN a y USING (i) WHERE x.s <> 'x1' GROUP BY x.k ORDER BY x.k"
    wide = f"SELECT *, i AS p1, s AS p2, [i] AS p3 FROM ({A})"
    assert bench.query(query, a=wide)[:2] == [(0, 715), (1, 714)]
    assert held == [{0: {0, 1, 2}}]
    held.clear()
    assert bench.query("SELECT (SELECT count(*) FROM a) AS n, (SELECT count(*) FROM a WHERE k = 1) AS m", a=wide) == [
        (5000, 715)
    ]
    assert held == [{0: {0, 1}}]


def test_a_column_that_is_read_but_not_held_fails_and_is_never_null(bench, monkeypatch):
    from osiris_core.builtin.duckdb.inputs import Inputs

    monkeypatch.setattr(Inputs, "read_more_than_once", lambda *_: {0: frozenset({0})})
    stream = bench.process("SELECT x.i, y.s FROM a x JOIN a y USING (i)", a=A)
    with pytest.raises(DriverError, match=r"1\.23e\+?300"):
        list(stream.batches())


def test_rows_keep_the_order_of_their_input(bench):
    stream = bench.process("SELECT i FROM a WHERE i % 3 <> 1", a="SELECT range AS i FROM range(400000)")
    values = [value for batch in stream.batches() for value in batch.column("i").to_pylist()]
    assert values == [i for i in range(400000) if i % 3 != 1]


@pytest.mark.parametrize("size", [3, 6, 200])
def test_a_filter_by_a_list_keeps_the_order_of_rows_too(bench, size):
    rows = "SELECT range AS i, 'k' || (range * 7919 % 1000) AS k FROM range(300000)"
    listed = ", ".join(f"'k{number}'" for number in range(size))
    query = f"SELECT i FROM {{}} WHERE k IN ({listed})"
    bench.sql(f"CREATE TABLE t AS {rows}")
    for stream in (
        bench.process(query.format("a"), a=rows),
        bench.process(query.format("a"), a=rows),  # also on an instance that has served before
        bench.extract(query=query.format("t")),
    ):
        found = [value for batch in stream.batches() for value in batch.column("i").to_pylist()]
        assert len(found) == 300 * size
        assert found == sorted(found)


def test_rows_flow_before_the_input_has_ended(bench, rows):
    """DuckDB may be some megabytes ahead of whoever reads, and no more."""
    source = rows("SELECT range AS i FROM range(8000000)")
    batches = bench.process("SELECT i + 1 AS j FROM a", a=source).batches()
    assert next(batches).num_rows
    assert not source.meter.ended
    assert source.meter.rows < 4_000_000
    batches.close()


def test_batches_stay_small_so_that_wide_rows_pass(bench):
    """DuckDB's default batch of 131,072 rows would overflow Arrow's text offsets at 16 KB a row."""
    batches = bench.process("SELECT repeat(s, 17000) AS t FROM a", a="SELECT 'x' AS s FROM range(140000)").batches()
    assert 0 < next(batches).num_rows <= 16_384
    batches.close()


def test_values_are_bound(bench):
    got = bench.query(
        "SELECT i, :word AS w, :none IS NULL AS n, $real AS r, :yes AS y FROM a WHERE s = :key",
        a=A,
        params={"key": "x7", "word": "'; DROP TABLE a; --", "none": None, "real": 1.5, "yes": True},
    )
    assert got == [(7, "'; DROP TABLE a; --", True, 1.5, True)]


def test_results_that_vary_are_said_to(bench):
    ctx = bench.ctx()
    bench.process("SELECT i, random() AS r, now() AS t FROM a", ctx=ctx, a=A)
    assert ctx.events == [("duckdb.result_varies", {"because": ["now", "random"]})]


def test_times_are_utc_wherever_the_machine_is(bench, monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        query = "SELECT t::TIMESTAMPTZ::VARCHAR AS u, strftime(t::TIMESTAMPTZ, '%H') AS h FROM a"
        assert bench.query(query, a="SELECT TIMESTAMP '2024-05-01 10:00:00' AS t") == [("2024-05-01 10:00:00+00", "10")]
    finally:
        monkeypatch.undo()
        time.tzset()


def test_odd_names_are_names(bench):
    a = """SELECT 1 AS "select", 2 AS "a""b", 3 AS "0:1", 4 AS "ž", 5 AS " ", 6 AS "a.b" """
    assert bench.query('SELECT "select", "a""b", "0:1", "ž", " ", "a.b" FROM my_step', my_step=a) == [
        (1, 2, 3, 4, 5, 6)
    ]


@pytest.mark.parametrize(
    ("query", "code", "words"),
    [
        ("SELECT nope FROM a", "OSR-DUCKDB-006", 'column "nope" not found'),
        ("SELECT nofunc(i) AS x FROM a", "OSR-DUCKDB-006", "nofunc"),
        ("SELECT i, I FROM a", "OSR-DUCKDB-007", "gives two columns named 'i'"),
        ("SELECT a.i, b.i FROM a JOIN b USING (i)", "OSR-DUCKDB-007", "gives two columns named 'i'"),
        ("SELECT i + 'x'::DATE AS x FROM a WHERE s::DATE > 1", "OSR-DUCKDB-006", ""),
    ],
)
def test_a_query_that_does_not_fit_fails_before_a_row_moves(bench, rows, query, code, words):
    a, b = rows(A), rows(B)
    with pytest.raises(DriverError) as caught:
        bench.process(query, a=a, b=b)
    assert caught.value.code == code
    assert words in caught.value.message
    assert not a.taken
    assert not b.taken


def test_columns_that_differ_in_case_only_are_refused(bench, rows):
    class Odd:
        schema = Schema.from_arrow(RecordBatchReader.from_stream(duckdb.connect().sql("SELECT 1 AS a, 2 AS b")).schema)

    odd = Odd()
    odd.schema = Schema([odd.schema.field(0), odd.schema.field(1).with_name("A")])
    with pytest.raises(DriverError, match="columns 'a' and 'A', which are one name in SQL"):
        bench.process("SELECT * FROM x", x=odd)


def test_a_value_that_does_not_convert_fails_in_words(bench):
    stream = bench.process("SELECT CAST(s AS INTEGER) AS n FROM a", a=A)
    with pytest.raises(DriverError) as caught:
        list(stream.batches())
    assert caught.value.code == "OSR-DUCKDB-010"
    assert "Could not convert string 'x0' to INT32" in caught.value.message
    assert "the query of step 'step' failed" in caught.value.message


def test_the_failure_of_an_input_stays_its_own(bench, rows):
    source = rows(A)
    own = DriverError("OSR-RUN-003", "the disk of the source is gone")

    def fail():
        source._feed.failure = own
        raise own

    source._feed.next_batch = fail
    stream = bench.process("SELECT count(*) AS n FROM a", a=source)
    with pytest.raises(DriverError) as caught:
        list(stream.batches())
    assert caught.value is own


def test_cancelling_stops_a_query_that_runs(bench):
    ctx = bench.ctx()
    stream = bench.process("SELECT count(*) AS n FROM a x, a y, a z, a w", ctx=ctx, a=A)
    timer = threading.Timer(0.5, ctx.cancel)
    timer.start()
    started = time.monotonic()
    with pytest.raises(Cancelled):
        list(stream.batches())
    assert time.monotonic() - started < 10  # the query itself would take days
    assert ctx.actions == []


def test_cancelling_before_the_first_row_runs_nothing(bench, rows):
    ctx = bench.ctx()
    source = rows(A)
    stream = bench.process("SELECT count(*) AS n FROM a", ctx=ctx, a=source)
    ctx.cancel()
    with pytest.raises(Cancelled):
        list(stream.batches())
    assert not source.taken


def test_a_sort_that_exceeds_memory_spills_into_scratch(bench):
    ctx = bench.ctx()
    ctx.memory_limit = 100 * 1024 * 1024
    big = "SELECT hash(range) AS h, repeat('payload', 20) || range AS p FROM range(1200000)"
    batches = bench.process("SELECT h, p FROM a ORDER BY h", ctx=ctx, a=big).batches()
    first = next(batches)
    spilled = sum(file.stat().st_size for file in (ctx.scratch / "duckdb").rglob("*") if file.is_file())
    assert spilled > 50_000_000
    count, last, ordered = first.num_rows, first.column("h").to_pylist()[-1], True
    for batch in batches:
        values = batch.column("h").to_pylist()
        ordered = ordered and last <= values[0] and values == sorted(values)
        count, last = count + batch.num_rows, values[-1]
    assert (count, ordered) == (1_200_000, True)


def test_a_held_input_spills_too(bench):
    ctx = bench.ctx()
    ctx.memory_limit = 80 * 1024 * 1024
    big = "SELECT range AS i, md5(range::VARCHAR) || md5((range + 1)::VARCHAR) AS p FROM range(1200000)"
    query = "SELECT count(*) AS n, sum(length(x.p)) AS l FROM a x JOIN a y ON x.i = y.i + 1"
    batches = bench.process(query, ctx=ctx, a=big).batches()
    first = next(batches)
    assert any((ctx.scratch / "duckdb").iterdir())
    assert (first.column("n").to_pylist(), int(first.column("l").to_pylist()[0])) == ([1_199_999], 76_799_936)
    assert next(batches, None) is None


def test_what_cannot_spill_fails_in_words(bench):
    ctx = bench.ctx()
    ctx.memory_limit = 64 * 1024 * 1024
    stream = bench.process("SELECT list(repeat('x', 100) || i) AS l FROM a, range(400)", ctx=ctx, a=A)
    with pytest.raises(DriverError) as caught:
        list(stream.batches())
    assert caught.value.code == "OSR-DUCKDB-011"
    assert "SET " not in caught.value.message


def test_the_config_may_lower_the_limits_of_the_run_but_not_raise_them(bench, rows):
    ctx = bench.ctx()
    config = Processor(query="SELECT list(i) AS l FROM a, range(4000)", memory_limit=64 * 1024 * 1024, threads=64)
    stream = ProcessorDriver().run(step_id="step", config=config, inputs={"a": rows(A)}, ctx=ctx)["df"]
    ((threads, memory),) = stream._connection.execute(
        "SELECT current_setting('threads'), current_setting('memory_limit')"
    ).fetchall()
    assert (threads, memory) == (2, "64.0 MiB")
    with pytest.raises(DriverError, match="ran out of memory"):
        list(stream.batches())


def test_the_columns_are_known_without_rows(bench, rows):
    query = "SELECT k, count(*) AS n, avg(i) AS m, sum(i) AS t, list(s) AS l FROM a GROUP BY k"
    inputs = {"a": rows(A).schema}
    bound = ProcessorDriver().bind(step_id="step", config=Processor(query=query), inputs=inputs, ctx=bench.ctx())["df"]
    assert bound == bench.process(query, a=A).schema
    assert bound.names == ["k", "n", "m", "t", "l"]


def test_binding_looks_at_no_rows_and_leaves_nothing_open(bench, rows):
    ctx = bench.ctx()
    with pytest.raises(DriverError, match='"nope" not found'):
        ProcessorDriver().bind(
            step_id="s", config=Processor(query="SELECT nope FROM a"), inputs={"a": rows(A).schema}, ctx=ctx
        )
    assert ctx.actions == []
    assert ctx.events == []


def test_an_empty_input_gives_the_columns_and_no_rows(bench):
    stream = bench.process("SELECT i, s FROM a", a=f"{A} WHERE i < 0")
    assert stream.schema.names == ["i", "s"]
    assert sum(batch.num_rows for batch in stream.batches()) == 0


def test_foreign_readers_read_the_stream_too(bench):
    import polars as pl
    import pyarrow as pa

    assert pl.DataFrame(bench.process("SELECT k, count(*) AS n FROM a GROUP BY k ORDER BY k", a=A)).height == 7
    table = pa.table(bench.process("SELECT k, count(*) AS n FROM a GROUP BY k ORDER BY k", a=A))
    assert table.column("n").to_pylist() == [715, 715, 714, 714, 714, 714, 714]


# Instances


def test_steps_of_a_run_share_an_instance_one_after_the_other_and_find_nothing_in_it(bench, monkeypatch):
    from osiris_core.builtin.duckdb import instances

    made = []
    original = instances.closed_connection
    monkeypatch.setattr(instances, "closed_connection", lambda *a, **k: made.append(1) or original(*a, **k))
    ctx = bench.ctx()
    for _ in range(3):
        stream = bench.process("SELECT count(*) AS n FROM a x JOIN a y USING (i)", ctx=ctx, a=A)
        assert [batch.column("n").to_pylist() for batch in stream.batches()] == [[5000]]
    assert len(made) == 1
    leased = instances.lease(ctx, memory_limit=None, threads=None)
    assert len(made) == 1
    left = "SELECT count(*) FROM duckdb_views() WHERE NOT internal UNION ALL SELECT count(*) FROM duckdb_tables()"
    assert leased.connection.execute(left).fetchall() == [(0,), (0,)]
    ((locked, outside, zone),) = leased.connection.execute(
        "SELECT current_setting('lock_configuration'), current_setting('enable_external_access'), "
        "current_setting('TimeZone')"
    ).fetchall()
    assert (locked, outside, zone) == (True, False, "UTC")
    leased.close()
    together = [bench.process("SELECT i FROM a", ctx=ctx, a=A) for _ in range(2)]
    assert len(made) == 3  # the lease did not end well, and two at once need two
    assert all(list(stream.batches()) for stream in together)


def test_what_failed_or_has_other_limits_or_belongs_to_another_run_is_not_shared(bench, monkeypatch):
    from osiris_core.builtin.duckdb import instances

    made = []
    original = instances.closed_connection
    monkeypatch.setattr(instances, "closed_connection", lambda *a, **k: made.append(1) or original(*a, **k))
    ctx = bench.ctx()
    with pytest.raises(DriverError):
        list(bench.process("SELECT CAST(s AS INTEGER) AS n FROM a", ctx=ctx, a=A).batches())
    list(bench.process("SELECT 1 AS n", ctx=ctx).batches())
    assert len(made) == 2
    ctx.memory_limit += 1
    list(bench.process("SELECT 1 AS n", ctx=ctx).batches())
    assert len(made) == 3
    ctx.run_id = "another"
    list(bench.process("SELECT 1 AS n", ctx=ctx).batches())
    assert len(made) == 4
    batches = bench.process("SELECT i FROM a", ctx=ctx, a="SELECT range AS i FROM range(100000)").batches()
    next(batches)
    batches.close()
    list(bench.process("SELECT 1 AS n", ctx=ctx).batches())
    assert len(made) == 5


def test_an_interrupt_before_the_query_has_begun_is_not_lost(ctx):
    """DuckDB forgets it: what is cancelled at that moment is interrupted again."""
    with duckdb.connect() as connection:

        def start():
            ctx.cancel()  # the query has not begun
            return connection.sql(
                "SELECT count(*) AS n FROM range(1000000000) a, range(1000000000) b WHERE a.range = -b.range"
            )

        stream = RelationStream(
            schema=Schema([]), start=start, connection=connection, close=lambda _ended: None, ctx=ctx, what="it"
        )
        with pytest.raises(Cancelled):
            list(stream.batches())
        # Nothing interrupts what the connection is used for next.
        assert not ctx.actions
        assert connection.sql("SELECT count(*) FROM range(50000000)").fetchall() == [(50_000_000,)]
