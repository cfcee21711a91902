"""Reading and writing Parquet files."""

from __future__ import annotations

import datetime as dt
import hashlib
from decimal import Decimal

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from osiris_core.errors import DriverError

from .conftest import configured, findings, tuples, types


def refused(folder, code, component="parquet_extractor", **config):
    with pytest.raises(DriverError) as caught:
        folder.read(component, **config)
    assert caught.value.code == code, caught.value
    return caught.value.message


def put(folder, name, table, **options):
    target = folder.path / name
    target.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, target, **options)


ALL = pa.table(
    {
        "i8": pa.array([1, None], pa.int8()),
        "u64": pa.array([2**64 - 1, 0], pa.uint64()),
        "f": pa.array([1.5, None], pa.float32()),
        "dec": pa.array([Decimal("1.50"), None], pa.decimal128(38, 10)),
        "s": pa.array(["é", ""], pa.string()),
        "b": pa.array([b"\0\xff", None], pa.binary()),
        "d": pa.array([dt.date(2026, 1, 2), None], pa.date32()),
        "t": pa.array([dt.time(1, 2, 3, 4), None], pa.time64("us")),
        "ts": pa.array([dt.datetime(2026, 1, 2, 3, 4, 5, 6), None], pa.timestamp("us")),
        "tz": pa.array([dt.datetime(2026, 1, 2, tzinfo=dt.UTC), None], pa.timestamp("us", "UTC")),
        "ns": pa.array([1, None], pa.timestamp("ns")),
        "l": pa.array([[1, None], None], pa.list_(pa.int64())),
        "st": pa.array([{"a": 1, "b": "x"}, None], pa.struct([("a", pa.int32()), ("b", pa.string())])),
        "dict": pa.array(["x", "y"]).dictionary_encode(),
    }
)


def test_types_survive_a_round_trip(folder):
    put(folder, "a.parquet", ALL)
    table = folder.read("parquet_extractor", path="a.parquet")
    folder.write_stream("parquet_writer", table, path="b.parquet")
    again = pq.read_table(folder.path / "b.parquet")
    for column in ALL.schema.names:
        assert again[column].cast(ALL[column].type).equals(ALL[column]), column
    plain = pq.read_schema(folder.path / "a.parquet")
    written = pq.read_schema(folder.path / "b.parquet")
    for field in plain:
        if not pa.types.is_dictionary(field.type):
            assert written.field(field.name).type == field.type, field.name


def test_only_the_columns_asked_for(folder):
    put(folder, "a.parquet", ALL)
    assert folder.rows("parquet_extractor", path="a.parquet", columns=["s", "i8"]) == [("é", 1), ("", None)]
    with pytest.raises(DriverError) as caught:
        folder.read("parquet_extractor", path="a.parquet", columns=["dcit"])
    assert (caught.value.code, caught.value.hint) == ("OSR-FS-021", "did you mean 'dict'?")


def test_damaged_files_are_named(folder):
    table = pa.table({"a": list(range(100_000)), "s": [f"x{n * 7919 % 1000}" for n in range(100_000)]})
    put(folder, "a.parquet", table, compression="zstd")
    raw = folder.bytes("a.parquet")
    put(folder, "good.parquet", table)
    for name, damaged in {
        "half": raw[: len(raw) // 2],
        "tail": raw[:-4],
        "empty": b"",
        "csv": b"a,s\n1,x\n" * 10,
        "zeros": b"PAR1" + b"\0" * 5000 + b"PAR1",
        "pages": raw[:1000] + bytes(len(raw) // 2) + raw[1000 + len(raw) // 2 :],
        "footer": raw[:-300] + bytes(byte ^ 0x5A for byte in raw[-300:-10]) + raw[-10:],
    }.items():
        folder.file("bad.parquet", damaged)
        message = refused(folder, "OSR-FS-030", path="bad.parquet")
        assert message.startswith("'bad.parquet' is no sound Parquet file: "), name
        assert "/fd/" not in message, name
        assert refused(folder, "OSR-FS-030", path="*d.parquet").startswith("'bad.parquet'"), name


def test_columns_must_agree_unless_united(folder):
    put(folder, "a.parquet", pa.table({"n": pa.array([1], pa.int32()), "x": ["a"]}))
    put(folder, "b.parquet", pa.table({"n": pa.array([2**40], pa.int64()), "y": [1.5]}))
    assert refused(folder, "OSR-FS-020", path="*.parquet") == (
        "'b.parquet' lacks the column 'x' of and has the column 'y' beyond those of 'a.parquet'"
    )
    found = folder.rows("parquet_extractor", path="*.parquet", union_by_name=True)
    assert found == [(1, "a", None), (2**40, None, 1.5)]
    put(folder, "b.parquet", pa.table({"n": pa.array([2**40], pa.int64()), "x": ["b"]}))
    assert (
        refused(folder, "OSR-FS-020", path="*.parquet")
        == "the column 'n' is BIGINT in 'b.parquet' and INTEGER in 'a.parquet'"
    )
    put(folder, "b.parquet", pa.table({"n": ["x"], "x": ["b"]}))
    refused(folder, "OSR-FS-020", path="*.parquet", union_by_name=True)


def test_what_cannot_be_kept_is_refused(folder):
    put(folder, "a.parquet", pa.table({"d": pa.array([Decimal(1)], pa.decimal256(50, 2))}))
    assert "DECIMAL(50)" in refused(folder, "OSR-FS-050", path="a.parquet")
    put(folder, "a.parquet", pa.table({"a": [1], "A": [2]}))
    assert (
        refused(folder, "OSR-FS-028", path="a.parquet")
        == "'a.parquet': there is 'a' and 'A', which are one name to SQL"
    )
    with pytest.raises(DriverError) as caught:
        folder.write("parquet_writer", "SELECT INTERVAL 1 DAY i", path="o.parquet")
    assert caught.value.message == "the column 'i' is INTERVAL: Parquet keeps intervals to the millisecond only"


def test_partitions_and_file_names(folder):
    for year in (2025, 2026):
        put(folder, f"y={year}/p.parquet", pa.table({"n": [year]}))
    found = folder.rows("parquet_extractor", path="*/*.parquet", hive_partitioning=True, filename_column="f")
    assert found == [(2025, 2025, "y=2025/p.parquet"), (2026, 2026, "y=2026/p.parquet")]


def test_splits_cover_every_row_once(folder):
    for number in range(5):
        put(
            folder,
            f"d/{number}.parquet",
            pa.table({"n": list(range(number * 100, number * 100 + number * 7))}, pa.schema([("n", pa.int64())])),
        )
    config = configured("filesystem.parquet_extractor", {"path": "d/*.parquet"})
    ctx = folder.context("filesystem.parquet_extractor")
    for count in (1, 2, 3, 9):
        driver = folder.driver("filesystem.parquet_extractor")
        found = []
        for split in driver.splits(config=config, count=count, ctx=ctx):
            stream = driver.run_split(step_id="step", config=config, split=split, ctx=ctx)["df"]
            found += [value for batch in stream.batches() for value in batch.column(0).to_pylist()]
        assert found == [number * 100 + n for number in range(5) for n in range(number * 7)]


@pytest.mark.matrix
@pytest.mark.parametrize("rows", [0, 1, 2048, 5000, 300_000])
@pytest.mark.parametrize("group", [2048, 122_880])
def test_bytes_follow_from_rows_alone(folder, rows, group):
    sql = f"SELECT range n, 'x' || (range * 7919 % 1000) s, random_value FROM range({rows}), (SELECT 1.5 random_value)"
    sql = f"SELECT range n, 'x' || (range * 7919 % 1000) s, CASE WHEN range % 3 = 0 THEN NULL ELSE range / 7 END f FROM range({rows})"
    digests = set()
    for threads, batch in ((1, 1000), (2, 4096), (2, 100_000)):
        folder.threads = threads
        table = duckdb.connect().sql(sql).to_arrow_table()
        reader = pa.RecordBatchReader.from_batches(table.schema, table.to_batches(max_chunksize=batch))
        folder.write_stream("parquet_writer", reader, path="o.parquet", row_group_size=group)
        digests.add(hashlib.sha256(folder.bytes("o.parquet")).hexdigest())
    assert len(digests) == 1
    found = pq.ParquetFile(folder.path / "o.parquet")
    assert found.metadata.num_rows == rows
    assert [found.metadata.row_group(at).num_rows for at in range(found.num_row_groups)][:-1] == [group] * max(
        0, (rows - 1) // group
    )
    assert found.read().equals(duckdb.connect().sql(sql).to_arrow_table())


def test_joined_parts_equal_one_part(folder):
    whole = "SELECT range n FROM range(10000)"
    folder.write("parquet_writer", whole, path="one.parquet", row_group_size=4096)
    streams = [
        duckdb.connect().sql(f"SELECT range n FROM range({a}, {b})")
        for a, b in ((0, 3000), (3000, 3001), (3001, 10000))
    ]
    report = folder.write_stream("parquet_writer", *streams, path="many.parquet", row_group_size=4096)
    assert (report.rows, folder.bytes("many.parquet")) == (10000, folder.bytes("one.parquet"))


@pytest.mark.parametrize("compression", ["zstd", "snappy", "gzip", "lz4_raw", "uncompressed"])
def test_compression(folder, compression):
    folder.write("parquet_writer", "SELECT range n FROM range(10)", path="o.parquet", compression=compression)
    found = pq.ParquetFile(folder.path / "o.parquet").metadata.row_group(0).column(0).compression
    assert found.lower() == {"lz4_raw": "lz4"}.get(compression, compression)
    assert findings("filesystem.parquet_writer", {"path": "o", "compression": "snappy", "compression_level": 3}) == [
        "has a meaning for zstd only"
    ]


def test_columns_sorted_or_chosen(folder):
    folder.write("parquet_writer", "SELECT 1 b, 2 a, 3 C", path="o.parquet", sort_columns=True)
    assert pq.read_schema(folder.path / "o.parquet").names == ["C", "a", "b"]
    folder.write("parquet_writer", "SELECT 1 b, 2 a, 3 C", path="o.parquet", columns=["a", "b"])
    assert pq.read_schema(folder.path / "o.parquet").names == ["a", "b"]


def test_types_in_the_schema(folder):
    put(folder, "a.parquet", ALL.select(["i8", "u64"]))
    assert {name: kind.strip() for name, kind in types(folder.read("parquet_extractor", path="a.parquet")).items()} == {
        "i8": "arro3.core.DataType<Int8>",
        "u64": "arro3.core.DataType<UInt64>",
    }
    assert tuples(folder.read("parquet_extractor", path="a.parquet"))[0] == (1, 2**64 - 1)


# What the footer knows.

FACTS = """
    SELECT i, CASE WHEN i % 2 = 0 THEN i END AS n, (i / 7)::DECIMAL(12, 3) AS d, DATE '2026-01-01' + i::INTEGER AS day,
        TIMESTAMP '2026-01-01' + to_seconds(i) AS at, NULL::INTEGER AS nothing, 'x' || i AS text, sqrt(i) AS f,
        -i AS user_password, {i: i} AS s, [i] AS "s, i"
    FROM range(3, 10000) t(i)
"""


def test_the_least_and_the_greatest_where_values_may_be_recorded(folder):
    folder.data_values = True
    folder.write("parquet_writer", FACTS, path="f.parquet", row_group_size=2048)
    (event,) = folder.events("columns_observed")
    assert (event["basis"], event["rows"]) == ("statistics", 9997)
    found = {column.pop("name"): column for column in event["columns"]}
    witness = duckdb.sql(f"SELECT min(COLUMNS(*))::VARCHAR, max(COLUMNS(*))::VARCHAR FROM ({FACTS})")
    names, values = witness.columns, witness.fetchall()[0]
    for column in ("i", "n", "d", "day", "at"):
        least, greatest = (
            value for name, value in zip(names, values, strict=True) if name.removesuffix("_1") == column
        )
        assert found[column] == {"min": least, "max": greatest}
    # Nothing but NULL, texts, floats, nested values - and a name that says that it holds a secret.
    assert all(found[column] == {} for column in ("nothing", "text", "f", "s", "s, i", "user_password"))


def test_no_value_is_recorded_where_it_is_not_allowed(folder):
    folder.write("parquet_writer", FACTS, path="f.parquet")
    assert folder.events("columns_observed") == []
