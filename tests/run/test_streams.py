"""Streams below the drivers: exported, pulled, spooled and decoded without losing a value or an error."""

from __future__ import annotations

import gc
import threading

import duckdb
import pyarrow as pa
import pytest
from arro3.core import DataType, RecordBatch, RecordBatchReader, Table
from hypothesis import given, settings
from hypothesis import strategies as st

from osiris_core.errors import DriverError, RunFailed
from osiris_core.run import cancel
from osiris_core.run.cancel import CancelToken
from osiris_core.run.cstream import Pull, export_stream
from osiris_core.run.dataset import RowStream
from osiris_core.run.feed import ConsumerGone, QueueFeed
from osiris_core.run.layout import plain_batch, plain_schema
from osiris_core.run.spool import write_spool

EVERY_TYPE = """
SELECT i, (i % 100)::TINYINT AS a, (i % 200)::UTINYINT AS b, i::UBIGINT AS c, i::HUGEINT AS d, i / 3.0 AS e, (i / 7)::FLOAT AS f,
  (i % 100)::DECIMAL(4, 1) AS g, i::DECIMAL(38, 10) AS h, 'text ' || i AS k, ('\\x0' || (i % 8))::BLOB AS l, i % 2 = 0 AS m,
  DATE '2020-01-01' + i::INTEGER AS n, TIME '10:00' AS o, TIMESTAMP '2020-01-01' AS p, TIMESTAMPTZ '2020-01-01' AS q,
  TIMESTAMP_S '2020-01-01' AS r, TIMESTAMP_NS '2020-01-01' AS s, INTERVAL 1 MONTH AS t, [i, NULL, 3] AS u,
  {'x': i, 'y': 'z'} AS v, MAP {'k': i} AS w, array_value(i, 2) AS x, uuid() AS y, NULL AS z, union_value(n := i) AS ua
FROM range({rows}) t(i)
"""


class Exported:
    """Batches as a C stream, through our own callbacks."""

    def __init__(self, schema, batches):
        self.schema = schema
        self.batches_given = batches
        self.closed = 0

    def __arrow_c_schema__(self):
        return self.schema.__arrow_c_schema__()

    def __arrow_c_stream__(self, requested_schema=None):
        return export_stream(self.schema, iter(self.batches_given), self.close)

    def close(self):
        self.closed += 1


def rows_of(rows=10, sql=EVERY_TYPE):
    with duckdb.connect() as connection:
        pull = Pull(connection.sql(sql.replace("{rows}", str(rows))))
        return pull.schema, list(pull)


def feed_of(schema, batches):
    feed = QueueFeed(CancelToken(), capacity=len(batches) + 1)
    feed.open(schema)
    for batch in batches:
        feed.put(batch)
    feed.end()
    return feed


def arrow(batches):
    return pa.Table.from_batches([pa.record_batch(batch) for batch in batches])


@pytest.mark.parametrize("rows", [0, 1, 3000])
def test_every_type_survives_export_pull_and_spool(tmp_path, rows):
    schema, batches = rows_of(rows)
    pulled = Pull(Exported(schema, batches))
    assert pulled.schema == schema
    assert list(pulled) == batches
    spooled = write_spool(schema, iter(batches), folder=tmp_path, name="x")
    assert spooled.rows == rows
    for _ in range(2):
        again = Pull(spooled)
        assert again.schema == schema
        assert list(again) == batches
    spooled.remove()
    assert list(tmp_path.iterdir()) == []


def test_a_stream_is_released_once_whoever_lets_go():
    schema, batches = rows_of(1, "SELECT 1 AS a FROM range({rows})")
    unread = Exported(schema, batches)
    capsule = unread.__arrow_c_stream__()
    del capsule
    gc.collect()
    assert unread.closed == 1

    read = Exported(schema, batches)
    assert sum(batch.num_rows for batch in Pull(read)) == 1
    gc.collect()
    assert read.closed == 1

    half = Exported(schema, batches * 5)
    with duckdb.connect() as connection:
        assert connection.from_arrow(half).limit(1).fetchall() == [(1,)]
    gc.collect()
    assert half.closed == 1


def test_an_error_under_duckdb_is_kept():
    schema, batches = rows_of(1, "SELECT 1 AS a FROM range({rows})")

    def produce():
        yield batches[0]
        raise DriverError("OSR-X-001", "as told")

    feed = QueueFeed(CancelToken(), capacity=5)
    feed.open(schema)
    feed.put(batches[0])
    failure = DriverError("OSR-X-001", "as told")
    feed.fail(failure)
    rows = RowStream(feed, name="x")
    with duckdb.connect() as connection, pytest.raises(duckdb.Error, match="as told"):
        rows.relation(connection).fetchall()
    assert rows.failure is failure
    assert rows.own_failure is None
    with pytest.raises(DriverError, match="the driver's stream failed: DriverError: OSR-X-001: as told"):
        list(Pull(RecordBatchReader.from_batches(schema, produce())))


def test_rows_can_be_had_in_every_form_but_once():
    schema, batches = rows_of(10)
    make = lambda: RowStream(feed_of(schema, batches), name="x")  # noqa: E731
    assert make().to_arrow() == Table.from_batches(batches, schema=schema)
    assert make().columns[:3] == ("i", "a", "b")
    narrow, few = rows_of(10, "SELECT i, 'n' || i AS s FROM range({rows}) t(i)")
    assert RowStream(feed_of(narrow, few), name="x").to_polars().shape == (10, 2)
    with duckdb.connect() as connection:
        rows = make()
        assert rows.relation(connection).aggregate("count(*), sum(i)").fetchall() == [(10, 45)]
        assert (rows.meter.rows, rows.meter.ended, rows.taken) == (10, True, True)
    with pytest.raises(DriverError, match="read twice"):
        rows.batches()
    assert rows.own_failure.code == "OSR-RUN-010"


def test_spooled_rows_can_be_read_by_one_query_twice(tmp_path):
    schema, batches = rows_of(10, "SELECT i FROM range({rows}) t(i)")
    spooled = RowStream(feed_of(schema, batches), name="x").spool(tmp_path)
    with duckdb.connect() as connection:
        connection.register("df", spooled)
        assert connection.sql("SELECT count(*) FROM df a JOIN df b USING (i)").fetchall() == [(10,)]


def test_a_spool_that_fails_leaves_nothing(tmp_path):
    schema, batches = rows_of(10)

    def fails():
        yield batches[0]
        raise DriverError("OSR-X-001", "as told")

    with pytest.raises(DriverError, match="as told"):
        write_spool(schema, fails(), folder=tmp_path, name="x")
    with pytest.raises(RunFailed, match="cannot spool the rows of 'x'"):
        write_spool(schema, iter(batches), folder=tmp_path / "nowhere", name="x")
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_spool_is_an_error_not_fewer_rows(tmp_path):
    schema, batches = rows_of(3000, "SELECT i FROM range({rows}) t(i)")
    spooled = write_spool(schema, iter(batches), folder=tmp_path, name="x")
    data = spooled.path.read_bytes()
    (schema_only,) = (write_spool(schema, iter(()), folder=tmp_path, name="y").bytes - 8,)
    for cut in (10, schema_only, len(data) // 2, len(data) - 20):
        spooled.path.write_bytes(data[:cut])
        feed = spooled.feed()
        with pytest.raises(RunFailed, match="cannot read back"):
            list(iter(feed.next_batch, None))
        assert feed.failure.code == "OSR-RUN-012"


# Layouts.

words = st.none() | st.text(max_size=5)
shapes = st.recursive(
    st.sampled_from(
        [
            pa.int8(),
            pa.string(),
            pa.string_view(),
            pa.binary_view(),
            pa.dictionary(pa.int8(), pa.string()),
            pa.dictionary(pa.int32(), pa.int64()),
            pa.run_end_encoded(pa.int32(), pa.string()),
            pa.decimal128(10, 2),
            pa.timestamp("us", "UTC"),
        ]
    ),
    lambda inner: st.one_of(
        inner.map(pa.list_),
        inner.map(pa.large_list),
        inner.map(pa.list_view),
        inner.map(pa.large_list_view),
        inner.map(lambda kind: pa.list_(kind, 2)),
        inner.map(lambda kind: pa.struct([pa.field("f", kind)])),
        inner.map(lambda kind: pa.map_(pa.string(), kind)),
        inner.map(lambda kind: pa.map_(kind, pa.int8())),
    ),
    max_leaves=3,
)
ENCODED = ("dictionary", "run_end_encoded", "string_view", "binary_view", "list_view")


@given(shapes)
@settings(max_examples=200)
def test_plain_schemas_have_no_encoding_left(kind):
    schema = pa.schema([pa.field("c", kind, metadata={"k": "v"}), pa.field("d", pa.int64(), nullable=False)])
    plain = plain_schema(RecordBatchReader.from_batches(schema, []).schema)
    encoded = any(word in str(kind) for word in ENCODED)
    assert (plain is not None) is encoded
    if plain is not None:
        text = str(pa.schema(plain).field("c").type)
        assert not any(word in text for word in ENCODED)
        assert pa.schema(plain).field("c").metadata == {b"k": b"v"}
        assert pa.schema(plain).field("d") == schema.field("d")


@pytest.mark.parametrize(
    "array",
    [
        pa.array(["x", None, "x", "y"]).dictionary_encode(),
        pa.array([["a"], None, [], ["b", None]], pa.list_(pa.dictionary(pa.int8(), pa.string()))),
        pa.array(
            [{"f": "x"}, None, {"f": None}, {"f": "y"}], pa.struct([("f", pa.dictionary(pa.int8(), pa.string()))])
        ),
        pa.RunEndEncodedArray.from_arrays(pa.array([2, 4], pa.int32()), pa.array(["p", None])),
        pa.array(["a", None, "", "a text that is longer than twelve bytes"], pa.string_view()),
        pa.array([b"a", None, b"", b"a value longer than twelve bytes"], pa.binary_view()),
        pa.array([[1], [2, 3], None, []], pa.list_view(pa.int8())),
        pa.array([["a", "b"], None, ["c", "c"], ["d", None]], pa.list_(pa.dictionary(pa.int8(), pa.string()), 2)),
        pa.MapArray.from_arrays(
            pa.array([0, 2, None, 2, 3], pa.int32()),
            pa.array(["k", "l", "m"]).dictionary_encode(),
            pa.array(["x", None, "y"]).dictionary_encode(),
        ),
    ],
)
def test_decoding_keeps_every_value(array, tmp_path):
    batch = RecordBatch.from_arrow(pa.record_batch({"c": array, "n": pa.array([1, 2, 3, 4])}))
    schema = plain_schema(batch.schema)
    decoded = plain_batch(batch, schema)
    assert pa.record_batch(decoded).to_pydict() == {"c": array.to_pylist(), "n": [1, 2, 3, 4]}
    spooled = write_spool(schema, iter([decoded]), folder=tmp_path, name="x")
    assert list(Pull(spooled)) == [decoded]


def test_views_of_other_producers_arrive_and_are_let_go():
    """Polars gives text as views; arrays of those have as many buffers as they like."""
    import polars as pl

    texts = ["a text that is longer than twelve bytes", None, "", *(f"{n} and twelve bytes more" for n in range(5000))]
    assert [
        row["t"] for batch in Pull(pl.DataFrame({"t": texts})) for row in batch.to_struct_array().to_pylist()
    ] == texts
    chunks = pa.chunked_array([pa.array(texts, pa.string_view()), pa.array(texts, pa.string_view())])
    table = pa.table(
        {"t": chunks, "m": pa.array([[(text or "", text)] for text in texts * 2], pa.map_("string", "string"))}
    )
    before = pa.total_allocated_bytes()
    for _ in range(3):
        found = [batch.column("t").cast(DataType.large_string()).to_pylist() for batch in Pull(table)]
        assert found == [texts, texts]
        next(Pull(table.to_reader(100)))
    gc.collect()
    assert pa.total_allocated_bytes() == before


# Hand-over.


def test_a_producer_is_at_most_two_batches_ahead():
    schema, (batch,) = rows_of(1, "SELECT 1 AS a FROM range({rows})")
    feed = QueueFeed(CancelToken())
    feed.open(schema)
    given_on = []
    done = threading.Event()

    def produce():
        try:
            for number in range(10):
                feed.put(batch)
                given_on.append(number)
        except ConsumerGone:
            given_on.append("gone")
        done.set()

    thread = threading.Thread(target=produce)
    thread.start()
    assert not done.wait(0.2)
    assert given_on == [0, 1]
    feed.next_batch()
    assert not done.wait(0.2)
    assert given_on == [0, 1, 2]
    feed.close()
    assert done.wait(5)
    thread.join()
    assert given_on[-1] == "gone"


def test_cancelling_wakes_both_sides():
    from osiris_core.errors import Cancelled

    token = CancelToken()
    child = CancelToken(token)
    feed = QueueFeed(child)
    seen = []

    def consume():
        try:
            feed.schema  # noqa: B018 - waits
        except Cancelled as error:
            seen.append(error.message)

    thread = threading.Thread(target=consume)
    thread.start()
    token.cancel(RunFailed("OSR-RUN-002", "because"))
    thread.join(5)
    assert seen == ["stopped: because"]
    assert token.cancel(RunFailed("OSR-RUN-002", "again")) is False
    late = threading.Event()
    with child.on_cancel(late.set):
        assert late.wait(5), "an action that comes too late is taken at once"


def test_actions_on_cancellation_do_not_hold_each_other_up():
    complaints = []
    said = threading.Event()

    def complain(error):
        complaints.append(str(error))
        said.set()

    token = CancelToken(complain=complain)
    stuck, reached = threading.Event(), threading.Event()

    def fails():
        raise ValueError("cannot")

    with token.on_cancel(lambda: stuck.wait(10)), CancelToken(token).on_cancel(fails), token.on_cancel(reached.set):
        token.cancel(RunFailed("OSR-RUN-002", "because"))
        assert reached.wait(5)
        assert said.wait(5)
        stuck.set()
    assert complaints == ["cannot"]
    closed = CancelToken()
    with closed.on_cancel(lambda: complaints.append("never")):
        pass
    closed.cancel(RunFailed("OSR-RUN-002", "because"))
    assert complaints == ["cannot"]


@pytest.mark.parametrize("wanted", ["next_batch", "schema"])
def test_closing_wakes_whoever_waits_for_rows(wanted):
    """The token does not any more: closing has detached the feed from it."""
    feed = QueueFeed(CancelToken())
    waits = threading.Event()
    met = []

    def consume():
        waits.set()
        try:
            feed.schema if wanted == "schema" else feed.next_batch()
        except ConsumerGone as gone:
            met.append(gone)

    consumer = threading.Thread(target=consume, daemon=True)
    consumer.start()
    waits.wait()
    feed.close()
    consumer.join(10)
    assert len(met) == 1


def test_an_action_on_cancellation_is_over_when_its_registration_is(monkeypatch):
    """It must not interrupt what its owner does next: the same connection removes what was staged."""
    monkeypatch.setattr(cancel, "ACTION_SECONDS", 30)
    token = CancelToken()
    begun, order = threading.Event(), []

    def act():
        begun.set()
        threading.Event().wait(0.1)
        order.append("acted")

    with token.on_cancel(act):
        token.cancel(RunFailed("OSR-RUN-007", "for a test"))
        begun.wait()
    order.append("left")
    assert order == ["acted", "left"]


def test_an_action_that_hangs_holds_nobody_up(monkeypatch):
    monkeypatch.setattr(cancel, "ACTION_SECONDS", 0.01)
    token = CancelToken()
    begun = threading.Event()

    def act():
        begun.set()
        threading.Event().wait()

    with token.on_cancel(act):
        token.cancel(RunFailed("OSR-RUN-007", "for a test"))
        begun.wait()
