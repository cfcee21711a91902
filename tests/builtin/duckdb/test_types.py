"""Every type of DuckDB, from table to table: equal on the other side, or refused by name.

The list is DuckDB's own, so a type that a new version brings fails here until somebody has looked at it.
"""

from __future__ import annotations

import duckdb
import pyarrow as pa
import pytest

from osiris_core.builtin.duckdb.widening import holds
from osiris_core.errors import DriverError
from osiris_core.run.spool import SpoolFeed

pytestmark = pytest.mark.slow

VALUES = {
    "BOOLEAN": ["true", "false"],
    "TINYINT": ["-128", "127"],
    "SMALLINT": ["-32768", "32767"],
    "INTEGER": ["-2147483648", "2147483647"],
    "BIGINT": ["-9223372036854775808", "9223372036854775807"],
    "HUGEINT": ["-99999999999999999999999999999999999999", "99999999999999999999999999999999999999"],
    "UTINYINT": ["0", "255"],
    "USMALLINT": ["65535"],
    "UINTEGER": ["4294967295"],
    "UBIGINT": ["18446744073709551615"],
    "UHUGEINT": ["99999999999999999999999999999999999999"],
    "BIGNUM": ["-123456789012345678901234567890123456789012345678901234567890", "0"],
    "FLOAT": ["nan", "-inf", "1.17549435e-38", "-0.0"],
    "DOUBLE": ["nan", "inf", "5e-324", "1.7976931348623157e308", "0.1"],
    "DECIMAL(4,2)": ["-99.99", "0.01"],
    "DECIMAL(9,3)": ["999999.999"],
    "DECIMAL(18,6)": ["-123456789012.123456"],
    "DECIMAL(38,10)": ["1234567890123456789012345678.0123456789"],
    "DECIMAL(38,0)": ["99999999999999999999999999999999999999"],
    "VARCHAR": ["", "žluť 🎉", "a\tb\nc", "NULL", " x "],
    "BLOB": ["\\x00\\xFF", ""],
    "BIT": ["0", "0101101110", "1" * 70],
    "DATE": ["0001-01-01", "9999-12-31", "infinity", "-infinity", "5877642-06-25 (BC)"],
    "TIME": ["00:00:00", "23:59:59.999999", "24:00:00"],
    "TIME_NS": ["23:59:59.999999999"],
    "TIMETZ": ["12:34:56.789+05:30", "00:00:00-15:59:59"],
    "TIMESTAMP": ["0001-01-01 00:00:00", "294247-01-10 04:00:54.775806", "infinity", "2020-01-01 01:02:03.000004"],
    "TIMESTAMP_S": ["2020-01-01 01:02:03"],
    "TIMESTAMP_MS": ["2020-01-01 01:02:03.004"],
    "TIMESTAMP_NS": ["2020-01-01 01:02:03.123456789", "1677-09-22 00:12:43.145224193"],
    "TIMESTAMPTZ": ["2020-01-01 01:02:03.5+02", "infinity"],
    "TIMESTAMPTZ_NS": ["2020-01-01 01:02:03.123456789+02"],
    "INTERVAL": ["1 year 2 months 3 days 04:05:06.123456", "-5 days", "00:00:00"],
    "UUID": ["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "ffffffff-ffff-ffff-ffff-ffffffffffff"],
    "ENUM('b', 'a', 'ž ''quoted''')": ["a", "ž 'quoted'"],
    "JSON": ['{"b":1,"a":[1.10, 1e400], "a": null}', "  [ ]"],
    "GEOMETRY": ["POINT (1 2)", "POLYGON ((0 0, 1 0, 1 1, 0 0))"],
    "INTEGER[]": ["[1, NULL, 3]", "[]"],
    "INTEGER[3]": ["[1, NULL, 3]"],
    "VARCHAR[][]": ["[['a', NULL], [], NULL]"],
    "UUID[]": ["['a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', NULL]"],
    "TIMETZ[]": ["['12:34:56.789+05:30']"],
    "ENUM('a', 'b')[]": ["[a, b, NULL]", "[]"],
    "ENUM('a', 'b')[2]": ["[a, NULL]"],
    'STRUCT(a INTEGER, "B c" VARCHAR)': ["{'a': 1, 'B c': x}", "{'a': NULL, 'B c': NULL}"],
    "STRUCT(e ENUM('x', 'y'), u UUID, h HUGEINT, j JSON, n STRUCT(b BIT))": [
        "{'e': y, 'u': a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11, 'h': 5, 'j': '{}', 'n': {'b': 101}}"
    ],
    "MAP(VARCHAR, INTEGER)": ["{a=1, b=NULL}", "{}"],
    "MAP(UUID, HUGEINT[])": ["{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11=[1, 2]}"],
}

EXPRESSIONS = {
    "UNION(num INTEGER, str VARCHAR)": ["union_value(str := 'x')", "union_value(num := 7)"],
    "UNION(u UUID, i INTEGER)": ["union_value(u := UUID 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11')"],
    "VARIANT": ["{'a': 1, 'b': [1, 2]}::VARIANT", "5::VARIANT", "'x'::VARIANT"],
}

SAME_AS = {  # names that are other spellings, or no column types
    "NULL", "LIST", "ARRAY", "STRUCT", "MAP", "ENUM", "UNION", "DECIMAL", "TYPE",
}  # fmt: skip


def values_of(kind):
    texts = [f"{text!s}" for text in VALUES.get(kind, [])]
    quoted = ["'" + text.replace("'", "''") + "'" for text in texts]
    return quoted or EXPRESSIONS[kind]


KINDS = [*VALUES, *EXPRESSIONS]
COLUMNS = {f"c{number}": kind for number, kind in enumerate(KINDS)}
"""One column for each type."""


@pytest.fixture
def source(bench):
    """A table ``source`` with a column of every type, its values from the first row on, NULL below them."""
    columns = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
    texts = {name: values_of(kind) for name, kind in COLUMNS.items()}
    height = max(map(len, texts.values())) + 1
    rows = (
        ", ".join([str(row), *(texts[name][row] if row < len(texts[name]) else "NULL" for name in COLUMNS)])
        for row in range(height)
    )
    inserts = [f"INSERT INTO source VALUES ({row})" for row in rows]
    bench.sql("SET TimeZone = 'UTC'", f"CREATE TABLE source (n INTEGER, {columns})", *inserts)
    return look(bench, "source")


def look(bench, table):
    """Every column's values as text with the type, by the type it should have."""
    return {
        kind: bench.sql("SET TimeZone = 'UTC'", f"SELECT {name}::VARCHAR, typeof({name}) FROM {table} ORDER BY n")
        for name, kind in COLUMNS.items()
    }


def differences(one, other):
    return {kind: (one[kind], other[kind]) for kind in KINDS if one[kind] != other[kind]}


def test_the_source_holds_what_the_tables_above_say(source):
    for kind, texts in VALUES.items():
        found = [text for text, _ in source[kind]]
        assert found[len(texts) :] == [None] * (len(found) - len(texts)), kind
        assert None not in found[: len(texts)], kind
    assert len({typeof for values in source.values() for _, typeof in values}) == len(KINDS)


def test_a_table_arrives_as_it_was(bench, source):
    bench.write([as_rows(bench.extract(table="source"))])
    assert differences(look(bench, "t"), source) == {}
    # And once more into the table that is there.
    bench.write([as_rows(bench.extract(table="source"))], mode="replace")
    assert differences(look(bench, "t"), source) == {}


def test_a_transform_sees_the_types_and_passes_them_on(bench, source):
    seen = ", ".join(f"typeof({name}) AS t{name}" for name in COLUMNS)
    stream = bench.process(f"SELECT *, {seen} FROM df", source=as_rows(bench.extract(table="source")))
    bench.write([as_rows(stream)])
    assert differences(look(bench, "t"), source) == {}
    for name, kind in COLUMNS.items():
        assert bench.sql(f"SELECT DISTINCT t{name} FROM t") == [(source[kind][0][1],)]


def test_a_held_input_keeps_the_types(bench, source):
    query = "SELECT a.* FROM df AS a JOIN df AS b USING (n) WHERE b.c0 IS NOT DISTINCT FROM a.c0"
    ctx = bench.ctx()
    stream = bench.process(query, ctx=ctx, source=as_rows(bench.extract(table="source")))
    assert ctx.events == [("duckdb.inputs_held", {"inputs": ["source"]})]
    bench.write([as_rows(stream)])
    assert differences(look(bench, "t"), source) == {}


def test_a_column_of_any_type_may_be_left_out_of_what_is_held(bench, source):
    """Those that the plan does not read stand in the view with their types all the same."""
    query = "SELECT count(*) AS n FROM df AS a JOIN df AS b USING (n)"
    stream = bench.process(query, source=as_rows(bench.extract(table="source")))
    assert [batch.column("n").to_pylist() for batch in stream.batches()] == [[len(source["BOOLEAN"])]]


def test_what_was_left_out_can_never_be_read(bench, source, monkeypatch):
    from osiris_core.builtin.duckdb.inputs import Inputs

    monkeypatch.setattr(Inputs, "read_more_than_once", lambda *_: {0: frozenset({0})})
    spooled = as_rows(bench.extract(table="source")).spool(bench.root)
    for name in COLUMNS:
        for query in (
            f"SELECT {name} FROM df",
            f"SELECT {name} IS NULL AS nothing, count(*) AS c FROM df GROUP BY nothing",
        ):
            stream = bench.process(query, source=as_rows(spooled))
            with pytest.raises(DriverError, match=r"1\.23e\+?300"):
                list(stream.batches())


def test_a_spool_keeps_the_types(bench, source):
    spooled = as_rows(bench.extract(table="source")).spool(bench.root)
    bench.write([as_rows(spooled)])
    assert differences(look(bench, "t"), source) == {}


def as_rows(stream):
    """A stream as the runtime hands it on: decoded, metered, read once."""
    from osiris_core.run.dataset import RowStream
    from osiris_core.run.layout import plain_batch, plain_schema
    from osiris_core.run.spool import SpooledRows

    if isinstance(stream, SpooledRows):
        return RowStream(SpoolFeed(stream), name="rows")
    plain = plain_schema(stream.schema)
    source = stream.batches() if hasattr(stream, "batches") else stream

    class Feed:
        schema = plain or stream.schema
        failure = None

        def next_batch(self):
            batch = next(source, None)
            return batch if batch is None or plain is None else plain_batch(batch, plain)

        def close(self):
            source.close()

    return RowStream(Feed(), name="rows")


def test_the_list_of_types_is_complete():
    engine = {
        name.upper()
        for (name,) in duckdb.sql(
            "SELECT DISTINCT logical_type FROM duckdb_types() WHERE database_name = 'system'"
        ).fetchall()
    }
    connection = duckdb.connect()
    covered = {str(connection.sqltype(kind)).partition("(")[0] for kind in KINDS}
    covered.add("TUPLE")  # refused, below
    aliases = {"TIMESTAMP WITH TIME ZONE": "TIMESTAMPTZ", "TIME WITH TIME ZONE": "TIMETZ"}
    covered |= {aliases.get(name, name) for name in covered}
    assert engine - covered - SAME_AS == set()


def test_a_tuple_is_refused_by_name(bench):
    bench.sql("CREATE TABLE source (x TUPLE(INTEGER, VARCHAR), y TUPLE(INTEGER)[])")
    with pytest.raises(DriverError) as caught:
        bench.extract(table="source")
    assert caught.value.code == "OSR-DUCKDB-008"
    assert "column 'x' has the type TUPLE(INTEGER, VARCHAR), which cannot be passed on: its parts have no names" in (
        caught.value.message
    )
    with pytest.raises(DriverError, match="column 'y' has the type TUPLE"):
        bench.extract(table="source", columns=("y",))


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("HUGEINT", "170141183460469231731687303715884105727"),
        ("HUGEINT", "-170141183460469231731687303715884105728"),
        ("UHUGEINT", "340282366920938463463374607431768211455"),
    ],
)
def test_an_integer_of_39_digits_is_refused_not_changed(bench, kind, value):
    bench.sql(f"CREATE TABLE source (x {kind})", f"INSERT INTO source VALUES ('{value}')")
    with pytest.raises(DriverError) as caught:
        list(bench.extract(table="source").batches())
    assert caught.value.code == "OSR-DUCKDB-010"
    assert "DECIMAL(38,0)" in caught.value.message


def test_a_column_of_nothing_but_null_needs_a_type(bench):
    with pytest.raises(DriverError, match="column 'x' of 't' would have no type"):
        bench.write("SELECT 1 AS n, NULL AS x")
    with pytest.raises(DriverError, match="column 'x' of 't' would have no type"):
        bench.write("SELECT 1 AS n, [NULL] AS x")
    bench.sql("CREATE TABLE t (n INTEGER, x DATE)")
    bench.write("SELECT 1 AS n, NULL AS x")
    assert bench.sql("FROM t") == [(1, None)]


FITS = [
    ("TINYINT", "BIGINT"), ("UTINYINT", "SMALLINT"), ("UBIGINT", "HUGEINT"), ("BIGINT", "DECIMAL(19,0)"),
    ("INTEGER", "DECIMAL(12,2)"), ("INTEGER", "DOUBLE"), ("SMALLINT", "FLOAT"), ("BIGINT", "BIGNUM"),
    ("FLOAT", "DOUBLE"), ("DECIMAL(9,2)", "DECIMAL(18,4)"), ("DECIMAL(18,0)", "BIGINT"), ("DATE", "TIMESTAMP"),
    ("TIMESTAMP_S", "TIMESTAMP_MS"), ("TIMESTAMP_MS", "TIMESTAMP"), ("TIMESTAMP", "TIMESTAMP_NS"), ("TIME", "TIME_NS"),
    ("TIMESTAMPTZ", "TIMESTAMPTZ_NS"), ("JSON", "VARCHAR"), ("VARCHAR", "JSON"), ("UUID", "VARCHAR"),
    ("ENUM('a')", "VARCHAR"), ("ENUM('a')", "ENUM('b', 'a')"), ("VARCHAR", "ENUM('a')"), ("INTEGER[]", "BIGINT[]"),
    ("INTEGER[3]", "BIGINT[3]"), ("INTEGER[3]", "INTEGER[]"), ("STRUCT(a INTEGER, b DATE)", "STRUCT(B DATE, a BIGINT)"),
    ("MAP(VARCHAR, INTEGER)", "MAP(VARCHAR, BIGINT)"), ("INTEGER", "INTEGER"), ("VARIANT", "VARIANT"),
]  # fmt: skip

LOSES = [
    ("BIGINT", "INTEGER"), ("BIGINT", "UBIGINT"), ("UBIGINT", "BIGINT"), ("INTEGER", "DECIMAL(11,2)"),
    ("BIGINT", "DOUBLE"), ("INTEGER", "FLOAT"), ("DOUBLE", "FLOAT"), ("DOUBLE", "DECIMAL(18,2)"),
    ("DECIMAL(18,4)", "DECIMAL(18,2)"), ("DECIMAL(18,2)", "DECIMAL(18,4)"), ("DECIMAL(18,2)", "DOUBLE"),
    ("DECIMAL(19,0)", "BIGINT"), ("TIMESTAMP", "DATE"), ("TIMESTAMP", "TIMESTAMPTZ"), ("TIMESTAMPTZ", "TIMESTAMP"),
    ("TIMESTAMP_NS", "TIMESTAMP"), ("TIME_NS", "TIME"), ("TIMETZ", "TIME"), ("VARCHAR", "INTEGER"), ("VARCHAR", "DATE"),
    ("VARCHAR", "UUID"), ("VARCHAR", "BLOB"), ("BLOB", "VARCHAR"), ("INTEGER", "VARCHAR"), ("BOOLEAN", "INTEGER"),
    ("ENUM('a', 'b')", "ENUM('a')"), ("INTEGER[]", "INTEGER[3]"), ("INTEGER[2]", "INTEGER[3]"), ("BIGINT[]", "INTEGER[]"),
    ("STRUCT(a INTEGER)", "STRUCT(a INTEGER, b INTEGER)"), ("STRUCT(a INTEGER, b INTEGER)", "STRUCT(a INTEGER)"),
    ("STRUCT(a BIGINT)", "STRUCT(a INTEGER)"), ("MAP(VARCHAR, BIGINT)", "MAP(VARCHAR, INTEGER)"), ("JSON", "INTEGER"),
    ("INTERVAL", "TIME"), ("UUID", "BLOB"), ("VARIANT", "VARCHAR"), ("INTEGER", "BOOLEAN"), ("JSON", "ENUM('a')"),
]  # fmt: skip


@pytest.mark.parametrize(("source", "target"), FITS)
def test_a_column_takes_what_it_holds_exactly(bench, source, target):
    connection = duckdb.connect()
    assert holds(connection.sqltype(source), connection.sqltype(target))
    bench.sql(f"CREATE TABLE t (n INTEGER, x {target})")
    bench.write(f"SELECT 1 AS n, NULL::{source} AS x")
    assert bench.sql("FROM t") == [(1, None)]


@pytest.mark.parametrize(("source", "target"), LOSES)
def test_a_column_that_would_lose_is_refused_by_name(source, target):
    connection = duckdb.connect()
    assert not holds(connection.sqltype(source), connection.sqltype(target))


def test_a_refusal_names_all_columns_and_types_and_reads_nothing(bench, rows):
    bench.sql("CREATE TABLE t (a INTEGER, b DECIMAL(9,2), c DATE)")
    source = rows("SELECT 1::BIGINT AS a, 1.5::DOUBLE AS b, DATE '2024-01-01' AS c")
    with pytest.raises(DriverError) as caught:
        bench.write([source])
    assert caught.value.code == "OSR-DUCKDB-032"
    assert "'a': BIGINT into INTEGER; 'b': DOUBLE into DECIMAL(9,2)" in caught.value.message
    assert not source.taken
    assert bench.sql("SELECT count(*) FROM t") == [(0,)]


@pytest.mark.parametrize(
    ("source", "target", "value"),
    [("VARCHAR", "ENUM('a')", "b"), ("VARCHAR", "JSON", "{oops"), ("TIMESTAMP", "TIMESTAMP_NS", "9999-01-01")],
)
def test_a_value_that_a_checked_type_cannot_hold_fails_and_changes_nothing(bench, source, target, value):
    bench.sql(f"CREATE TABLE t (x {target})")
    with pytest.raises(DriverError) as caught:
        bench.write(f"SELECT '{value}'::{source} AS x")
    assert caught.value.code == "OSR-DUCKDB-010"
    assert bench.sql("SELECT count(*) FROM t") == [(0,)]


def test_a_forged_note_is_only_a_type(bench, rows):
    """Metadata of a stream names a type for a cast; it cannot carry SQL."""
    from arro3.core import Schema

    source = rows("SELECT 'x' AS a")
    forged = source.schema.field(0).with_metadata({b"osiris:duckdb_type": b"VARCHAR) FROM (DROP TABLE t) --"})
    source._feed.schema = Schema([forged])
    with pytest.raises(DriverError, match="column 'a' is noted to have an unknown type"):
        bench.write([source])


DENSE = pa.UnionArray.from_dense(
    pa.array([0, 1], pa.int8()), pa.array([0, 0], pa.int32()), [pa.array([1]), pa.array(["x"])]
)


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (pa.array([1.5], pa.float16()), "a floating point number of 16 bits"),
        (pa.array([[1.5]], pa.list_(pa.float16())), "a floating point number of 16 bits"),
        (pa.array([1], pa.decimal256(50, 2)), "a decimal of 256 bits"),
        (pa.array([5], pa.duration("ns")), "a duration in nanoseconds"),
        (pa.array([{"a": 5}], pa.struct([("a", pa.duration("ns"))])), "a duration in nanoseconds"),
        (DENSE, "a dense union"),
    ],
)
def test_what_duckdb_cannot_read_from_arrow_is_refused_by_name(bench, array, words):
    from osiris_core.run.cstream import Pull

    for attempt in (
        lambda rows: bench.process("SELECT n FROM df", step=rows),
        lambda rows: bench.write([rows]),
    ):
        source = Pull(pa.table({"n": range(len(array)), "odd": array}))
        with pytest.raises(DriverError) as caught:
            attempt(as_rows(source))
        assert caught.value.code == "OSR-DUCKDB-008"
        assert f"column 'odd' has an Arrow type that DuckDB cannot hold: {words}" in caught.value.message
    assert not bench.file.exists()


@pytest.mark.parametrize(
    ("array", "kind"),
    [
        (pa.array(["x", None, "y"]).dictionary_encode(), "VARCHAR"),
        (pa.RunEndEncodedArray.from_arrays(pa.array([2, 3], pa.int32()), pa.array(["x", None])), "VARCHAR"),
        (pa.array(["longer than twelve bytes", None, ""], pa.string_view()), "VARCHAR"),
        (pa.array([[("k", "v")], None, []], pa.map_(pa.string(), pa.string_view())), "MAP(VARCHAR, VARCHAR)"),
        (pa.array([{}, None, {}], pa.struct([])), "STRUCT"),
        (pa.array([[], None, [None]], pa.list_(pa.int8())), "TINYINT[]"),
        (pa.array([1, None, 2], pa.timestamp("ns", "Europe/Prague")), "TIMESTAMPTZ_NS"),
        (pa.array([1, None, 2], pa.duration("us")), "INTERVAL"),
        (pa.array([b"x" * 16, None, b"y" * 16], pa.uuid()), "UUID"),
        (pa.array([1, None, 2], pa.decimal64(15, 2)), "DECIMAL(15,2)"),
    ],
)
def test_rows_of_other_producers_pass_through_a_query_into_a_table(bench, array, kind):
    from osiris_core.run.cstream import Pull

    given = pa.table({"n": [1, 2, 3], "x": array})
    bench.write([as_rows(Pull(given))], table="direct")
    bench.write([as_rows(bench.process("FROM df", step=as_rows(Pull(given))))], table="through")
    assert bench.sql("SELECT DISTINCT typeof(x) FROM direct") == [(kind,)]
    assert bench.sql("SELECT count(*), count(x) FROM direct") == [(3, sum(scalar.is_valid for scalar in array))]
    assert bench.sql("(FROM direct EXCEPT FROM through) UNION ALL (FROM through EXCEPT FROM direct)") == []
