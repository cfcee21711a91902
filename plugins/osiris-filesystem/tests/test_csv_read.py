"""Reading CSV files: what is inferred, what is refused, and with which words."""

from __future__ import annotations

import codecs
import datetime as dt
import gzip
import tracemalloc
from decimal import Decimal

import pytest

from osiris_core.errors import DriverError
from osiris_filesystem.csv_records import Dialect, head_of, lines_of, records

from .conftest import findings, tuples, types, zstd

UTC = dt.UTC
SAMPLE = (
    "id,price,day,at,zoned,ok,code,long,note\n"
    "1,1.5,2026-01-02,2026-01-02 03:04:05,2026-01-02T03:04:05+02:00,true,007,0.12345678901234567890,x\n"
    "-2,20,,,,false,008,1,\n"
)


def refused(folder, code, **config):
    with pytest.raises(DriverError) as caught:
        folder.read("csv_extractor", **config)
    assert caught.value.code == code, caught.value
    return caught.value.message


def test_types_are_inferred_strictly_and_recorded(folder):
    folder.file("a.csv", SAMPLE)
    table = folder.read("csv_extractor", path="a.csv")
    assert {name: type_.strip() for name, type_ in types(table).items()} == {
        "id": "arro3.core.DataType<Int64>",
        "price": "arro3.core.DataType<Float64>",
        "day": "arro3.core.DataType<Date32>",
        "at": "arro3.core.DataType<Timestamp(µs)>",
        "zoned": 'arro3.core.DataType<Timestamp(µs, "UTC")>',
        "ok": "arro3.core.DataType<Boolean>",
        "code": "arro3.core.DataType<Utf8>",
        "long": "arro3.core.DataType<Utf8>",
        "note": "arro3.core.DataType<Utf8>",
    }
    zoned = dt.datetime(2026, 1, 2, 1, 4, 5, tzinfo=UTC)
    assert tuples(table) == [
        (
            1,
            1.5,
            dt.date(2026, 1, 2),
            dt.datetime(2026, 1, 2, 3, 4, 5),
            zoned,
            True,
            "007",
            "0.12345678901234567890",
            "x",
        ),
        (-2, 20.0, None, None, None, False, "008", "1", None),
    ]
    [event] = folder.events("schema_inferred")
    assert event["source"] == "a.csv"
    assert event["columns"][0] == {"name": "id", "type": "BIGINT", "inferred": True}
    assert event["details"]["sample_rows"] == 2
    assert event["details"]["delimiter"] == ","
    assert [one["files"] for one in folder.events("files_read")] == [[{"path": "a.csv", "bytes": len(SAMPLE)}]]


@pytest.mark.matrix
@pytest.mark.parametrize(
    ("good", "bad", "type_"),
    [
        ("1", "1.5", "BIGINT"),
        ("1", "007", "BIGINT"),
        ("1", "1e3", "BIGINT"),
        ("1", "0x10", "BIGINT"),
        ("1", "1_000", "BIGINT"),
        ("1", "x", "BIGINT"),
        ("1", " 7", "BIGINT"),
        ("1", "9223372036854775808", "BIGINT"),
        ("1.5", "1e400", "DOUBLE"),
        ("1.5", "1_0", "DOUBLE"),
        ("1.5", "00.5", "DOUBLE"),
        ("1.5", "0.1234567890123456789", "DOUBLE"),
        ("1.5", "9007199254740993", "DOUBLE"),
        ("1.5", "x", "DOUBLE"),
        ("2026-01-02", "2026-01-02 10:00:00", "DATE"),
        ("2026-01-02", "2026-1-2 x", "DATE"),
        ("2026-01-02", "2026-02-30", "DATE"),
        ("2026-01-02 10:00:00", "2026-01-02 10:00:00.1234567", "TIMESTAMP"),
        ("2026-01-02 10:00:00", "2026-01-02T10:00:00Z", "TIMESTAMP"),
        ("2026-01-02 10:00:00", "2026-01-02 10:00+02", "TIMESTAMP"),
        ("2026-01-02T10:00:00Z", "2026-01-02T10:00:00", "TIMESTAMPTZ"),
        ("10:00:00", "25:00:00", "TIME"),
        ("true", "yes", "BOOLEAN"),
        ("true", "1", "BOOLEAN"),
    ],
)
@pytest.mark.extra
@pytest.mark.parametrize("threads", [1, 2])
def test_a_later_row_that_contradicts_the_inferred_type_is_an_error_with_file_line_and_column(
    folder, good, bad, type_, threads
):
    folder.threads = threads
    folder.file("a.csv", "k,v\n" + f"a,{good}\n" * 5000 + f"b,{bad}\n" + f"a,{good}\n" * 5000)
    message = refused(folder, "OSR-FS-022", path="a.csv", sample_rows=100)
    assert message == (
        f"'a.csv' line 5,002: the column 'v' is {type_}, which was inferred from a sample, and '{bad}' is not"
    )


@pytest.mark.parametrize(
    ("type_", "text", "value"),
    [
        ("INTEGER", "007", 7),
        ("INTEGER", " +7 ", 7),
        ("INTEGER", '""', None),
        ("UBIGINT", "18446744073709551615", 2**64 - 1),
        ("BIGINT", "-9223372036854775808", -(2**63)),
        ("TINYINT", "-128", -128),
        (
            "DECIMAL(38,10)",
            "1234567890123456789012345678.0123456789",
            Decimal("1234567890123456789012345678.0123456789"),
        ),
        ("DECIMAL(10,2)", "1.5", Decimal("1.50")),
        ("DECIMAL(10,2)", "1.500", Decimal("1.50")),
        ("DECIMAL(10,2)", "17", Decimal(17)),
        ("DECIMAL(10,2)", "-0.5", Decimal("-0.50")),
        ("DECIMAL(10,2)", ".5", Decimal("0.50")),
        ("DECIMAL(10,0)", "17.", Decimal(17)),
        ("DOUBLE", "0.12345678901234567890", 0.12345678901234568),
        ("DOUBLE", "nan", "nan"),
        ("DOUBLE", "-inf", float("-inf")),
        ("BOOLEAN", "f", False),
        ("BOOLEAN", "TRUE", True),
        ("DATE", "0044-03-15", dt.date(44, 3, 15)),
        ("TIMESTAMP_NS", "2026-01-02 03:04:05.000000123", None),
        ("TIMESTAMP", "2026-01-02 03:04", dt.datetime(2026, 1, 2, 3, 4)),
        ("TIMESTAMPTZ", "2026-01-02 03:04:05.5-0330", dt.datetime(2026, 1, 2, 6, 34, 5, 500000, tzinfo=UTC)),
        ("TIME", "23:59:59.999999", dt.time(23, 59, 59, 999999)),
        ("BLOB", "00ff", b"\x00\xff"),
        ("UUID", "6f9619ff-8b86-d011-b42d-00cf4fc964ff", "6f9619ff-8b86-d011-b42d-00cf4fc964ff"),
        ("JSON", '"{""a"": [1]}"', '{"a": [1]}'),
        ("VARCHAR", '""', ""),
        ("VARCHAR", "", None),
    ],
)
def test_stated_types(folder, type_, text, value):
    folder.file("a.csv", f"k,v\n1,{text}\n")
    [(_, found)] = folder.rows("csv_extractor", path="a.csv", types={"v": type_}, infer_types=False)
    if type_ == "TIMESTAMP_NS":
        return  # Python has no nanoseconds; that the type is kept is enough
    assert (str(found) if value == "nan" else found) == value


@pytest.mark.parametrize(
    ("type_", "text"),
    [
        ("INTEGER", "1.0"),
        ("INTEGER", "2147483648"),
        ("UINTEGER", "-1"),
        ("DECIMAL(10,2)", "1.239"),
        ("DECIMAL(10,2)", "1.2e-5"),
        ("DECIMAL(4,2)", "100"),
        ("DECIMAL(10,2)", "1_0"),
        ("FLOAT", "1e39"),
        ("TIMESTAMP_S", "2026-01-02 03:04:05.5"),
        ("TIMESTAMP_MS", "2026-01-02 03:04:05.0001"),
        ("TIMESTAMP", "2026-01-02"),
        ("BLOB", "0"),
        ("BLOB", "zz"),
        ("UUID", "x"),
        ("JSON", "{"),
        ("BOOLEAN", "2"),
    ],
)
def test_stated_types_take_no_value_they_cannot_hold(folder, type_, text):
    folder.file("a.csv", f"k,v\n1,{text}\n")
    assert refused(folder, "OSR-FS-022", path="a.csv", types={"v": type_}) == (
        f"'a.csv' line 2: the column 'v' is {type_}, and '{text}' is not"
    )


def test_formats_are_exact(folder):
    folder.file("a.csv", "d,t\n31.12.2025,31/12/2025 23:59\n")
    config = {"types": {"d": "DATE", "t": "TIMESTAMP"}, "date_format": "%d.%m.%Y", "timestamp_format": "%d/%m/%Y %H:%M"}
    assert folder.rows("csv_extractor", path="a.csv", **config) == [
        (dt.date(2025, 12, 31), dt.datetime(2025, 12, 31, 23, 59))
    ]
    folder.file("b.csv", "d,t\n31.12.2025x,\n")
    refused(folder, "OSR-FS-022", path="b.csv", **config)


@pytest.mark.matrix
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(
    ("rows", "code", "message"),
    [
        ("1,2\n3\n4,5\n", "OSR-FS-023", "line 3 has 1 cell where 2 were expected"),
        ("1,2\n3,4,5\n", "OSR-FS-023", "line 3 has 3 cells where 2 were expected"),
        ('1,"a\nb"\n3\n', "OSR-FS-023", "line 4 has 1 cell where 2 were expected"),
        ('1,2\n3,"x\n4,5\n', "OSR-FS-024", "line 3 is not well quoted: a quoted cell is never closed"),
        ('1,2\n3,"x"y\n4,5\n', "OSR-FS-024", "line 3 is not well quoted: a quoted cell is followed by text"),
        ("1,2\n3,a\0b\n", "OSR-FS-026", "line 3 holds a NUL byte"),
        (b"1,2\n3,\xff\n", "OSR-FS-025", "line 3 is not utf-8: invalid start byte"),
        ("1," + "x" * 5000 + "\n", "OSR-FS-027", "line 2 is longer than 2,048 bytes"),
    ],
)
def test_broken_structure_names_file_line_and_reason(folder, rows, code, message, threads):
    folder.threads = threads
    raw = rows if isinstance(rows, bytes) else rows.encode()
    folder.file("a.csv", b"a,b\n" + raw)
    assert refused(folder, code, path="a.csv", max_line_bytes=2048) == f"'a.csv' {message}"
    # The same far behind the sample.
    folder.file("b.csv", b"a,b\n" + b"1,2\n" * 30_000 + raw)
    far = refused(folder, code, path="b.csv", max_line_bytes=2048)
    line = int(message.split()[1])
    assert far == f"'b.csv' {message.replace(f'line {line}', f'line {line + 30_000:,}')}"
    # And packed.
    for pack in (gzip.compress, zstd.compress):
        folder.file("c.csv.x", pack(b"a,b\n" + raw))
        assert refused(folder, code, path="c.csv.x", max_line_bytes=2048) == f"'c.csv.x' {message}"


@pytest.mark.parametrize("parallel", [True, False])
@pytest.mark.parametrize("surplus", ["x", ",x", ",,x", ",x,,", '""', ',""', " ", "NA,x", "NA ", "0"])
def test_no_surplus_cell_that_holds_anything_is_left_out(folder, surplus, parallel):
    folder.file("a.csv", "a,b\n" + "1,2\n" * 20 + f"1,2,{surplus}\n3,4\n")
    for columns in (["a"], ["a", "b"]):
        config = {"path": "a.csv", "null_values": ["", "NA"], "delimiter": ",", "columns": columns}
        assert "line 22 has" in refused(folder, "OSR-FS-023", parallel=parallel, **config)


@pytest.mark.parametrize("surplus", ["", ",", "NA", ",NA"])
def test_surplus_cells_that_read_like_null_may_pass_but_lose_nothing(folder, surplus):
    folder.file("a.csv", f"a,b\n1,2,{surplus}\n3,4\n")
    config = {"path": "a.csv", "null_values": ["", "NA"], "delimiter": ","}
    assert folder.rows("csv_extractor", **config) == [(1, 2), (3, 4)]
    assert "line 2 has" in refused(folder, "OSR-FS-023", parallel=False, **config)


def test_rows_of_ten_megabytes_are_read_whole(folder):
    long = "x" * (10 << 20)
    folder.file("a.csv", f"id,text\n1,a\n2,{long}\n3,b\n")
    assert folder.rows("csv_extractor", path="a.csv") == [(1, "a"), (2, long), (3, "b")]


@pytest.mark.slow
def test_long_cells_with_line_breaks_are_read_whole_or_refused_with_the_setting(folder):
    long, lines = "x" * (10 << 20), 'a"b,\n' * (2 << 20)
    folder.file("a.csv", f'id,text\n1,a\n2,{long}\n3,"{lines.replace(chr(34), chr(34) * 2)}"\n4,b\n')
    with pytest.raises(DriverError, match="several threads") as caught:
        folder.read("csv_extractor", path="a.csv")
    assert (caught.value.code, caught.value.hint) == ("OSR-FS-034", "set parallel: false")
    found = folder.rows("csv_extractor", path="a.csv", parallel=False)
    assert found == [(1, "a"), (2, long), (3, lines), (4, "b")]


@pytest.mark.matrix
@pytest.mark.parametrize("end", ["", "\n"])
@pytest.mark.parametrize("parallel", [True, False])
@pytest.mark.parametrize("pack", [bytes, gzip.compress, zstd.compress])
def test_a_last_row_longer_than_the_buffer_is_not_left_out(folder, end, parallel, pack):
    # DuckDB takes the data for ended there.
    folder.file("a.csv", pack(b"id,text\n1,a\n2," + b"x" * (40 << 20) + end.encode()))
    message = refused(folder, "OSR-FS-027", path="a.csv", parallel=parallel, types={"id": "BIGINT", "text": "VARCHAR"})
    assert message == "'a.csv' line 3 is longer than 16,777,216 bytes"


def test_line_ends_of_several_kinds_are_not_taken_for_lost_rows(folder):
    folder.file("a.csv", "id,t\r\n1,a\n2,b\r3,c\n")
    assert "threads" not in refused(folder, "OSR-FS-034", path="a.csv")


def test_a_cell_that_is_never_closed_is_refused_by_one_thread_too(folder):
    folder.file("a.csv", 'id,text\n1,a\n2,"' + ("x" * 999 + "\n") * 17_000)
    for parallel in (True, False):
        message = refused(folder, "OSR-FS-027", path="a.csv", parallel=parallel, infer_types=False)
        assert message == "'a.csv' line 3 is longer than 16,777,216 bytes"
    folder.file("b.csv", 'id,text\n1,a\n2,"' + "x\n" * 10)
    assert "never closed" in refused(folder, "OSR-FS-024", path="b.csv", parallel=False)


def test_a_text_without_line_breaks_ends_at_the_longest_row():
    taken = 0

    def endless():
        nonlocal taken
        while True:
            taken += 1
            yield "x" * 1000

    (line,) = lines_of(endless(), 5000)
    assert (len(line), taken) == (6000, 6)
    (record,) = records(["short\n", line], Dialect(), skip=2, limit=5000)
    assert (record.line, record.fault) == (2, "is longer than 5,000 bytes")


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
def test_lines_are_the_same_however_the_text_is_cut(size):
    text = "a\rb\r\n\nlong line\r\r\nend\r"
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    assert list(lines_of(pieces, 100)) == ["a\r", "b\r\n", "\n", "long line\r", "\r\n", "end\r"]


def test_the_delimiter_is_guessed_from_few_long_lines():
    taken = sum(1 for _ in head_of("x" * (1 << 20) for _ in range(1000)))
    assert taken == 5


def test_null_and_empty_text_differ(folder):
    folder.file("a.csv", 'a,b\n,""\nNULL,"NULL"\n')
    assert folder.rows("csv_extractor", path="a.csv") == [(None, ""), ("NULL", "NULL")]
    assert folder.rows("csv_extractor", path="a.csv", null_values=["", "NULL"]) == [(None, ""), (None, "NULL")]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found(folder, delimiter):
    folder.file("a.csv", delimiter.join(("a", "b", "c")) + "\n" + delimiter.join(('"x,;|\t"', "1.5", "z")) + "\n")
    assert folder.rows("csv_extractor", path="a.csv") == [("x,;|\t", 1.5, "z")]
    [event] = folder.events("schema_inferred")
    assert (event["details"]["delimiter"], event["details"]["delimiter_inferred"]) == (delimiter, True)


def test_a_delimiter_that_cannot_be_told_is_an_error(folder):
    folder.file("a.csv", "a,b;c\n1,2;3\n")
    assert refused(folder, "OSR-FS-033", path="a.csv").startswith("the delimiter of 'a.csv' could not be told")
    assert folder.rows("csv_extractor", path="a.csv", delimiter=";") == [("1,2", 3)]


def test_one_column(folder):
    folder.file("a.csv", "a\nx\n\ny\n")
    assert folder.rows("csv_extractor", path="a.csv") == [("x",), (None,), ("y",)]


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_line_ends(folder, newline):
    folder.file("a.csv", newline.join(("a,b", "1,x", '2,"p' + newline + 'q"', "3,z")))
    assert folder.rows("csv_extractor", path="a.csv") == [(1, "x"), (2, f"p{newline}q"), (3, "z")]


@pytest.mark.parametrize(
    ("encoding", "codec"),
    [
        ("utf-8", "utf-8"),
        ("utf-8", "utf-8-sig"),
        ("utf-8-sig", "utf-8-sig"),
        ("utf-16", "utf-16"),
        ("utf-16-le", "utf-16-le"),
        ("utf-16-be", "utf-16-be"),
        ("latin-1", "latin-1"),
        ("cp1250", "cp1250"),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_encodings(folder, encoding, codec, packed):
    text = "čas,b\n1,é\n" if codec != "latin-1" else "cas,b\n1,é\n"
    raw = text.encode(codec)
    folder.file("a.csv", gzip.compress(raw) if packed else raw)
    table = folder.read("csv_extractor", path="a.csv", encoding=encoding)
    assert (tuple(table.schema.names), tuples(table)) == (tuple(text.splitlines()[0].split(",")), [(1, "é")])


def test_big_endian_utf16_by_its_mark(folder):
    folder.file("a.csv", codecs.BOM_UTF16_BE + "a,b\n1,é\n".encode("utf-16-be"))
    assert folder.rows("csv_extractor", path="a.csv", encoding="utf-16") == [(1, "é")]


def test_the_wrong_encoding_names_the_line(folder):
    folder.file("a.csv", "a,b\n1,x\n2,é\n".encode("latin-1"))
    assert refused(folder, "OSR-FS-025", path="a.csv") == "'a.csv' line 3 is not utf-8: invalid continuation byte"
    folder.file("b.csv", "a,b\n1,x\n2,é\n".encode())
    assert (
        refused(folder, "OSR-FS-025", path="b.csv", encoding="ascii")
        == "'b.csv' line 3 is not ascii: ordinal not in range(128)"
    )
    folder.file("c.csv", "a,b\n1,x\n".encode("utf-16"))
    assert refused(folder, "OSR-FS-025", path="c.csv") == "'c.csv' line 1 is not utf-8: invalid start byte"


@pytest.mark.slow
def test_zstd(folder):
    text = b"a,b\n" + b"".join(b"%d,x%d\n" % (n, n) for n in range(100_000))
    raw = zstd.compress(text, options={zstd.CompressionParameter.checksum_flag: 1})
    skippable = (0x184D2A50).to_bytes(4, "little") + (3).to_bytes(4, "little") + b"abc"
    for name, packed, count in (
        ("one", raw, 100_000),
        ("two", raw + zstd.compress(b"7,y\n"), 100_001),
        (
            "tiny",
            b"".join(zstd.compress(text[at : at + 1]) for at in range(400)) + zstd.compress(text[400:]),
            100_000,
        ),
        ("skippable", skippable + raw + skippable, 100_000),
    ):
        folder.file(name, packed)
        assert folder.read("csv_extractor", path=name, compression="zstd").num_rows == count
    flipped = raw[: len(raw) // 2] + bytes([raw[len(raw) // 2] ^ 0x55]) + raw[len(raw) // 2 + 1 :]
    cuts = [raw[:size] for size in (len(raw) // 2, len(raw) - 1, 10, 5, 3)]
    for damaged in (*cuts, flipped, raw + b"r", raw + b"the rest", raw + b"\0" * 9, b"plain,text\n1,2\n"):
        folder.file("bad.zst", damaged)
        assert refused(folder, "OSR-FS-029", path="bad.zst", compression="zstd").startswith("'bad.zst' is")


def test_a_zstd_bomb_is_refused_without_being_unpacked_into_memory(folder):
    packer = zstd.ZstdCompressor()
    bomb = b"".join(
        [packer.compress(b"a,b\n1,"), *(packer.compress(bytes(1 << 20)) for _ in range(500)), packer.flush()]
    )
    folder.file("a.zst", bomb)
    assert len(bomb) < 1 << 20
    tracemalloc.start()
    try:
        refused(folder, "OSR-FS-026", path="a.zst", types={"a": "BIGINT", "b": "VARCHAR"})
        assert tracemalloc.get_traced_memory()[1] < 100 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.slow
def test_damaged_gzip(folder):
    raw = gzip.compress(b"a,b\n" + b"".join(b"%d,%d\n" % (n, n * 7919 % 1000) for n in range(50_000)))
    folder.file("a.gz", raw)
    assert folder.read("csv_extractor", path="a.gz").num_rows == 50_000
    folder.file("two.gz", raw + gzip.compress(b"7,7\n"))
    assert folder.read("csv_extractor", path="two.gz").num_rows == 50_001
    for name, damaged in {
        "half": raw[: len(raw) // 2],
        "tail": raw[:-8],
        "crc": raw[:-6] + bytes([raw[-6] ^ 1]) + raw[-5:],
        "flip": raw[: len(raw) // 2] + bytes([raw[len(raw) // 2] ^ 0x55]) + raw[len(raw) // 2 + 1 :],
        "rest": raw + b"rest",
    }.items():
        folder.file("bad.gz", damaged)
        assert refused(folder, "OSR-FS-029", path="bad.gz").startswith("'bad.gz' is"), name


def test_columns_are_chosen_and_ordered(folder):
    folder.file("a.csv", "a,b,c\n1,2,3\n")
    assert folder.rows("csv_extractor", path="a.csv", columns=["c", "a"]) == [(3, 1)]
    with pytest.raises(DriverError) as caught:
        folder.read("csv_extractor", path="a.csv", columns=["aa"])
    assert (caught.value.code, caught.value.message, caught.value.hint) == (
        "OSR-FS-021",
        "'columns' names the column 'aa', which 'a.csv' lacks",
        "did you mean 'a'?",
    )
    refused(folder, "OSR-FS-021", path="a.csv", types={"z": "DATE"})


def test_many_files_in_the_order_of_their_paths(folder):
    for number in (10, 9, 2, 33):
        folder.file(f"d/part-{number}.csv", f"n\n{number}\n")
    folder.file("d/.hidden.csv", "n\n-1\n")
    folder.file("d/_SUCCESS", "")
    assert folder.rows("csv_extractor", path="d/*.csv") == [(10,), (2,), (33,), (9,)]
    assert folder.rows("csv_extractor", path="d") == [(10,), (2,), (33,), (9,)]
    assert folder.rows("csv_extractor", path="**/part-[29]*.csv", filename_column="f") == [
        (2, "d/part-2.csv"),
        (9, "d/part-9.csv"),
    ]


def test_more_files_than_one_statement_reads(folder):
    for number in range(40):
        folder.file(f"d/{number:02}.csv", f"n\n{number}\n")
    assert folder.rows("csv_extractor", path="d/*.csv") == [(n,) for n in range(40)]
    folder.file("d/37.csv", "n\nx\n")
    assert refused(folder, "OSR-FS-022", path="d/*.csv", sample_rows=0, types={"n": "INTEGER"}) == (
        "'d/37.csv' line 2: the column 'n' is INTEGER, and 'x' is not"
    )


def test_headers_must_agree_unless_united(folder):
    folder.file("a.csv", "a,b\n1,2\n")
    folder.file("b.csv", "b,c\n3,4\n")
    assert refused(folder, "OSR-FS-020", path="*.csv") == (
        "'b.csv' lacks the column 'a' of and has the column 'c' beyond those of 'a.csv'"
    )
    assert folder.rows("csv_extractor", path="*.csv", union_by_name=True) == [(1, 2, None), (None, 3, 4)]
    folder.file("b.csv", "b,a\n3,4\n")
    assert folder.rows("csv_extractor", path="*.csv") == [(1, 2), (4, 3)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "'a.csv' is empty: it has no header"),
        ("a,,c\n1,2,3\n", "column 2 in the header of 'a.csv' has no name"),
        ("a,b,a\n1,2,3\n", "the header of 'a.csv': there is 'a' twice"),
        ("a,A\n1,2\n", "the header of 'a.csv': there is 'a' and 'A', which are one name to SQL"),
        ('a,"b\n', "the header of 'a.csv' (line 1) is unusable: a quoted cell is never closed"),
    ],
)
def test_unusable_headers(folder, text, message):
    folder.file("a.csv", text)
    assert refused(folder, "OSR-FS-028", path="a.csv", delimiter=",") == message


def test_without_header(folder):
    folder.file("a.csv", "1,x\n2,y\n")
    assert folder.rows("csv_extractor", path="a.csv", header=False, names=["n", "t"]) == [(1, "x"), (2, "y")]
    assert findings("filesystem.csv_extractor", {"path": "a.csv", "header": False}) == [
        "is required when 'header' is false"
    ]


def test_header_only(folder):
    folder.file("a.csv", "a,b\n")
    table = folder.read("csv_extractor", path="a.csv")
    assert (table.num_rows, table.schema.names) == (0, ["a", "b"])


def test_skipped_rows_and_comments(folder):
    folder.file("a.csv", "made by x\n\n#c\na,b\n1,2\n# more\n3,4\n")
    assert folder.rows("csv_extractor", path="a.csv", skip_rows=1, comment="#") == [(1, 2), (3, 4)]


def test_hive_partitions(folder):
    for year, month in ((2025, 12), (2026, 1)):
        folder.file(f"y={year}/m={month:02}/k=a%2Fb/p.csv", f"n\n{month}\n")
    found = folder.rows("csv_extractor", path="**/*.csv", hive_partitioning=True)
    assert found == [(12, 2025, "12", "a/b"), (1, 2026, "01", "a/b")]
    found = folder.rows("csv_extractor", path="**/*.csv", hive_partitioning=True, types={"m": "INTEGER"}, columns=["m"])
    assert found == [(12,), (1,)]
    folder.file("y=2026/p.csv", "n\n1\n")
    refused(folder, "OSR-FS-008", path="**/*.csv", hive_partitioning=True)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ("k=1/k=2", "'k=1/k=2/p.csv' has the partition column 'k' twice"),
        ("k=1/%6B=2", "'k=1/%6B=2/p.csv' has the partition column 'k' twice"),
        ("k=50%", "'k=50%/p.csv': '%' in the folder name '50%' begins no percent escape"),
        ("k=%zz", "'k=%zz/p.csv': '%' in the folder name '%zz' begins no percent escape"),
        ("k=%ff", "'k=%ff/p.csv': '%ff' in a folder's name is no UTF-8"),
    ],
)
def test_partitions_that_say_two_things_or_nothing_are_refused(folder, parts, message):
    folder.file(f"{parts}/p.csv", "n\n1\n")
    assert refused(folder, "OSR-FS-008", path="**/*.csv", hive_partitioning=True) == message
    assert folder.rows("csv_extractor", path="**/*.csv") == [(1,)]  # a folder's name is a name, otherwise


def test_splits_cover_every_row_once(folder):
    for number in range(7):
        folder.file(f"d/{number}.csv", "n\n" + "".join(f"{number * 100 + n}\n" for n in range(number * 10)))
    from .conftest import configured

    config = configured("filesystem.csv_extractor", {"path": "d/*.csv"})
    for count in (1, 2, 3, 7, 20):
        ctx = folder.context("filesystem.csv_extractor")
        driver = folder.driver("filesystem.csv_extractor")
        found = []
        splits = driver.splits(config=config, count=count, ctx=ctx)
        assert 1 <= len(splits) <= count
        for split in splits:
            import json

            assert json.loads(json.dumps(split.spec, default=list)) is not None
            stream = driver.run_split(step_id="step", config=config, split=split, ctx=ctx)["df"]
            found.extend(value for batch in stream.batches() for value in batch.column(0).to_pylist())
        assert found == [number * 100 + n for number in range(7) for n in range(number * 10)]


@pytest.mark.parametrize("row", ["3", "3,4,5", '3,"x'])
def test_structure_is_checked_in_columns_that_nobody_asked_for(folder, row):
    folder.file("a.csv", "a,b\n" + "1,2\n" * 10 + row + "\n" + ("1,2\n" * 10 if '"' not in row else ""))
    for columns in (["a"], ["b"]):
        with pytest.raises(DriverError):
            folder.read("csv_extractor", path="a.csv", columns=columns)


def test_rows_keep_their_order_whatever_is_tested_on_the_way(folder):
    """DuckDB makes a join of a long IN, and a join loses the order: no plan of ours may hold one."""
    folder.file("a.csv", "n,f,t\n" + "".join(f"{n},{n / 7},x{n}\n" for n in range(400_000)))
    nulls = ["", *(f"null{n}" for n in range(50))]
    table = folder.read("csv_extractor", path="a.csv", null_values=nulls)
    assert table.column("n").to_pylist() == list(range(400_000))
