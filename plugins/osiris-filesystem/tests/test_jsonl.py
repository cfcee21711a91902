"""Reading and writing JSON Lines files."""

from __future__ import annotations

import datetime as dt
import gzip
import json
from decimal import Decimal

import pytest

from osiris_core.errors import DriverError

from .conftest import tuples, zstd

UTC = dt.UTC


def refused(folder, code, **config):
    with pytest.raises(DriverError) as caught:
        folder.read("jsonl_extractor", **config)
    assert caught.value.code == code, caught.value
    return caught.value.message


def lines(*objects):
    return "".join((one if isinstance(one, str) else json.dumps(one)) + "\n" for one in objects)


def test_types_follow_json_and_are_recorded(folder):
    folder.file(
        "a.jsonl",
        lines(
            {
                "i": 1,
                "f": 1.5,
                "s": "007",
                "b": True,
                "o": {"k": [1]},
                "m": 1,
                "u": 2**63,
                "h": 10**30,
                "n": None,
                "d": "2026-01-01",
            },
            {"i": -2, "f": 2, "s": "", "b": None, "o": [1], "m": "x", "u": 0, "h": -1},
        ),
    )
    table = folder.read("jsonl_extractor", path="a.jsonl")
    [event] = folder.events("schema_inferred")
    assert {one["name"]: one["type"] for one in event["columns"]} == {
        "i": "BIGINT",
        "f": "DOUBLE",
        "s": "VARCHAR",
        "b": "BOOLEAN",
        "o": "JSON",
        "m": "JSON",
        "u": "UBIGINT",
        "h": "DECIMAL(38,0)",
        "n": "JSON",
        "d": "VARCHAR",
    }
    assert event["details"]["sample_rows"] == 2
    assert tuples(table) == [
        (1, 1.5, "007", True, '{"k":[1]}', "1", 2**63, Decimal(10**30), None, "2026-01-01"),
        (-2, 2.0, "", None, "[1]", '"x"', 0, Decimal(-1), None, None),
    ]


@pytest.mark.parametrize(
    ("type_", "value", "expected"),
    [
        ("DECIMAL(38,20)", "0.12345678901234567890", Decimal("0.12345678901234567890")),
        ("DECIMAL(38,2)", "12345678901234567890.12", Decimal("12345678901234567890.12")),
        ("DECIMAL(10,2)", "1.50", Decimal("1.50")),
        ("DECIMAL(10,2)", '"1.50"', Decimal("1.50")),
        ("DECIMAL(20,0)", "18446744073709551616", Decimal(2**64)),
        ("BIGINT", '"7"', 7),
        ("DOUBLE", "1", 1.0),
        ("DATE", '"2026-01-02"', dt.date(2026, 1, 2)),
        ("TIMESTAMPTZ", '"2026-01-02T03:04:05+02:00"', dt.datetime(2026, 1, 2, 1, 4, 5, tzinfo=UTC)),
        ("VARCHAR", "5", "5"),
        ("BLOB", '"00ff"', b"\0\xff"),
        ("INTEGER[]", "[1, null, 3]", [1, None, 3]),
        ("STRUCT(a INTEGER, b VARCHAR[])", '{"b": ["x"]}', {"a": None, "b": ["x"]}),
        ("MAP(VARCHAR, DOUBLE)", '{"x/y": 1, "z~": null}', [("x/y", 1.0), ("z~", None)]),
        ("JSON", '{"a":[1,2]}', '{"a":[1,2]}'),
        ("BIGINT", "null", None),
    ],
)
def test_stated_types(folder, type_, value, expected):
    folder.file("a.jsonl", f'{{"k": 1, "v": {value}}}\n{{"k": 2}}\n')
    found = folder.rows("jsonl_extractor", path="a.jsonl", types={"v": type_})
    assert found == [(1, expected), (2, None)]


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        ("INTEGER", "1.5"),
        ("INTEGER", '"x"'),
        ("INTEGER", "2147483648"),
        ("DECIMAL(10,2)", "1.239"),
        ("DECIMAL(10,2)", "0.10000000000000000001"),
        ("BOOLEAN", "1"),
        ("DATE", "20260102"),
        ("DATE", '"2026-01-02 10:00"'),
        ("VARCHAR", "[1]"),
        ("VARCHAR", "1.5"),
        ("INTEGER[]", "[1.7]"),
        ("INTEGER[]", "5"),
        ("STRUCT(a INTEGER)", '{"a": 1, "z": 2}'),
        ("STRUCT(a INTEGER)", '{"a": "x"}'),
        ("MAP(VARCHAR, INTEGER)", '{"a": 1.5}'),
    ],
)
def test_stated_types_take_no_value_they_cannot_hold(folder, type_, value):
    folder.file("a.jsonl", f'{{"v": null}}\n\n{{"v": {value}}}\n')
    message = refused(folder, "OSR-FS-022", path="a.jsonl", types={"v": type_})
    from osiris_filesystem.typenames import canonical_type

    assert message.startswith(f"'a.jsonl' line 3: the key 'v' is {canonical_type(type_)}, and ")


@pytest.mark.parametrize(
    ("good", "bad"), [("1", "1.5"), ("1", '"x"'), ("1.5", '"1"'), ('"x"', "1"), ("true", "1"), ("1", str(2**63))]
)
def test_a_later_line_that_contradicts_the_sample(folder, good, bad):
    folder.file("a.jsonl", f'{{"v": {good}}}\n' * 5000 + f'{{"v": {bad}}}\n' + f'{{"v": {good}}}\n' * 5000)
    message = refused(folder, "OSR-FS-022", path="a.jsonl", sample_rows=100)
    assert "'a.jsonl' line 5,001: the key 'v' is " in message
    assert message.endswith(f"which was inferred from a sample, and {bad} is not")


@pytest.mark.parametrize("at", [0, 3000])
@pytest.mark.parametrize(
    ("line", "code", "message"),
    [
        ("{", "OSR-FS-031", "line {n}, column 2 is no JSON: Expecting property name enclosed in double quotes"),
        ('{"v": 1', "OSR-FS-031", "line {n}, column 8 is no JSON: Expecting ',' delimiter"),
        ('{"v": 1}{"v": 2}', "OSR-FS-031", "line {n}, column 9 is no JSON: Extra data"),
        ("not json", "OSR-FS-031", "line {n}, column 1 is no JSON: Expecting value"),
        ("[1]", "OSR-FS-031", "line {n} is an array; each line must be an object"),
        ("5", "OSR-FS-031", "line {n} is no object; each line must be an object"),
        ('{"v": 1, "v": 2}', "OSR-FS-031", "line {n} has the key 'v' twice"),
        ('{"v": "\0"}', "OSR-FS-031", "line {n}, column 8 is no JSON: Invalid control character at"),
        ('{"v": NaN}', "OSR-FS-031", "line {n} is no JSON: NaN is not JSON"),
        ('{"v": "\\ud800"}', "OSR-FS-031", "line {n} has a text with half a surrogate pair"),
        ('{"": 1}', "OSR-FS-031", "line {n} has an empty key, which names no column"),
        ('{"v": "' + "x" * 5000 + '"}', "OSR-FS-027", "line {n} is longer than 2,048 bytes"),
    ],
)
def test_a_bad_line_is_named(folder, line, code, message, at):
    folder.file("a.jsonl", '{"v": 1}\n' * at + line + "\n" + '{"v": 1}\n' * 10)
    found = refused(folder, code, path="a.jsonl", sample_rows=100, max_line_bytes=2048)
    assert found == f"'a.jsonl' {message.format(n=f'{at + 1:,}')}"


def test_lines_of_ten_megabytes_are_read_whole(folder):
    long = "x" * (10 << 20)
    folder.file("a.jsonl", f'{{"id": 1, "text": "a"}}\n{{"id": 2, "text": "{long}"}}\n{{"id": 3, "text": "b"}}\n')
    assert folder.rows("jsonl_extractor", path="a.jsonl") == [(1, "a"), (2, long), (3, "b")]


def test_bad_utf8_is_named(folder):
    folder.file("a.jsonl", b'{"v": "x"}\n' * 500 + b'{"v": "\xff"}\n')
    assert (
        refused(folder, "OSR-FS-025", path="a.jsonl", sample_rows=10)
        == "'a.jsonl' line 501 is not utf-8: invalid start byte"
    )


def test_an_unknown_key_is_an_error_unless_ignored(folder):
    folder.file("a.jsonl", '{"price": 1}\n' * 200 + '{"price": 1, "prize": 2}\n')
    with pytest.raises(DriverError) as caught:
        folder.read("jsonl_extractor", path="a.jsonl", sample_rows=100)
    assert (caught.value.code, caught.value.message) == (
        "OSR-FS-032",
        "'a.jsonl' line 201 has the key 'prize', which the sample lacks",
    )
    assert "did you mean 'price'?" in caught.value.hint
    assert folder.read("jsonl_extractor", path="a.jsonl", sample_rows=100, unknown_keys="ignore").num_rows == 201
    found = folder.rows("jsonl_extractor", path="a.jsonl", sample_rows=100, types={"prize": "INTEGER"})
    assert found[-1] == (1, 2)


@pytest.mark.parametrize("key", ["a b", "a.b", 'a"b', "a/b", "a~b", "ä", "$", "'", "x\\y"])
def test_any_key_can_be_a_column(folder, key):
    folder.file("a.jsonl", lines({key: 1.25, "z": 2}))
    table = folder.read("jsonl_extractor", path="a.jsonl", types={key: "DECIMAL(10,3)"})
    assert (table.schema.names, tuples(table)) == ([key, "z"], [(Decimal("1.250"), 2)])


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ('{"o": {"k": 1.25}, "k": 2.5}', "2.500"),
        ('{"o": [{"k": 7}, {"k": -1.5}], "t": "\\"k\\": 3.5", "k": 2.5}', "2.500"),
        ('{"k": 2.5, "o": {"k": 2.5}}', "2.500"),
        ('{"o": {"k": 12345678901234567890.5}, "k": 12345678901234567890.123}', None),
    ],
)
def test_a_decimal_is_the_number_of_its_own_key(folder, line, value):
    folder.file("a.jsonl", line + "\n")
    config = {"path": "a.jsonl", "types": {"k": "DECIMAL(30,3)"}, "columns": ["k"]}
    if value is None:  # the two are one DOUBLE: which of them it is cannot be told
        refused(folder, "OSR-FS-022", **config)
    else:
        assert folder.rows("jsonl_extractor", **config) == [(Decimal(value),)]


def test_packed_encoded_and_many(folder):
    folder.file("d/1.jsonl.gz", gzip.compress(lines({"a": 1, "t": "é"}).encode()))
    folder.file("d/2.jsonl.gz", gzip.compress(lines({"a": 2, "t": "ž"}).encode()))
    assert folder.rows("jsonl_extractor", path="d/*", filename_column="f") == [
        (1, "é", "d/1.jsonl.gz"),
        (2, "ž", "d/2.jsonl.gz"),
    ]
    folder.file("d/3.jsonl.zst", zstd.compress(lines({"a": 3, "t": "ř"}).encode("utf-16-le")))
    assert folder.rows("jsonl_extractor", path="d/3*", encoding="utf-16-le") == [(3, "ř")]
    folder.file("u.jsonl", lines({"a": 1}).encode("utf-16"))
    assert folder.rows("jsonl_extractor", path="u.jsonl", encoding="utf-16") == [(1,)]
    folder.file("b.jsonl", lines({"a": 1}).encode("utf-8-sig"))
    assert folder.rows("jsonl_extractor", path="b.jsonl", encoding="utf-8-sig") == [(1,)]
    assert folder.rows("jsonl_extractor", path="b.jsonl") == [(1,)]


NASTY = [
    "",
    "x",
    '"',
    "\\",
    "\n\r\t\b\f",
    "\x01\x1f\x7f",
    "é\U0001f600\u2028",
    "null",
    "</script>",
]


def test_what_is_written_is_json_with_every_value(folder):
    written = folder.write(
        "jsonl_writer",
        "SELECT * FROM source",
        setup=[
            "CREATE OR REPLACE TABLE source AS SELECT 1::BIGINT i, 1.50::DECIMAL(10,3) d, 0.1::DOUBLE f, 1e300::DOUBLE big,"
            " 'NaN' s, NULL::INTEGER n, true b, DATE '2026-01-02' da, TIMESTAMP '2026-01-02 03:04:05.5' ts,"
            " TIMESTAMPTZ '2026-01-02 03:04:05+02' tz, '\\xAA\\x01'::BLOB bl, [1, NULL] l,"
            " {'x': 1.10::DECIMAL(5,2), 'y': [TIMESTAMP '2026-01-02 00:00:00']} st, MAP {'k\"': 1} m,"
            " 18446744073709551615::UBIGINT u",
        ],
        path="o.jsonl",
    )
    assert written.rows == 1
    raw = folder.bytes("o.jsonl").decode()
    assert '"d":1.500,' in raw
    assert '"x":1.10,' in raw
    assert json.loads(raw) == {
        "i": 1,
        "d": 1.5,
        "f": 0.1,
        "big": 1e300,
        "s": "NaN",
        "n": None,
        "b": True,
        "da": "2026-01-02",
        "ts": "2026-01-02T03:04:05.5",
        "tz": "2026-01-02T01:04:05Z",
        "bl": "aa01",
        "l": [1, None],
        "st": {"x": 1.1, "y": ["2026-01-02T00:00:00"]},
        "m": {'k"': 1},
        "u": 2**64 - 1,
    }


def test_texts_survive(folder):
    values = ", ".join(f"({number}, '{text.replace(chr(39), chr(39) * 2)}')" for number, text in enumerate(NASTY))
    folder.write("jsonl_writer", f"SELECT * FROM (VALUES {values}) v(n, t) ORDER BY n", path="o.jsonl")
    written = folder.bytes("o.jsonl").decode().removesuffix("\n").split("\n")
    assert [json.loads(line)["t"] for line in written] == NASTY
    assert folder.rows("jsonl_extractor", path="o.jsonl") == list(enumerate(NASTY))


def test_omitted_nulls_and_not_a_number(folder):
    folder.write("jsonl_writer", "SELECT 1 a, NULL::INT b, 2 c", path="o.jsonl", nulls="omit")
    assert folder.bytes("o.jsonl") == b'{"a":1,"c":2}\n'
    folder.write("jsonl_writer", "SELECT NULL::INT b", path="o.jsonl", nulls="omit")
    assert folder.bytes("o.jsonl") == b"{}\n"
    with pytest.raises(DriverError) as caught:
        folder.write("jsonl_writer", "SELECT 'nan'::DOUBLE a", path="p.jsonl")
    assert caught.value.code == "OSR-FS-050"
    assert folder.names() == ["o.jsonl"]
    folder.write(
        "jsonl_writer", "SELECT 'nan'::DOUBLE a, 'inf'::FLOAT b, ['-inf'::DOUBLE] c", path="p.jsonl", non_finite="text"
    )
    assert folder.bytes("p.jsonl") == b'{"a":"NaN","b":"Infinity","c":["-Infinity"]}\n'


@pytest.mark.slow
@pytest.mark.parametrize("pack", [bytes, gzip.compress, zstd.compress])
def test_packed_lines_are_read_whole_or_refused(folder, pack):
    text = lines(*({"a": n, "t": f"x{n}"} for n in range(20_000))).encode()
    folder.file("a.jsonl", pack(text))
    assert folder.read("jsonl_extractor", path="a.jsonl").num_rows == 20_000
    for last in (b'{"a":1,"t":"' + b"x" * (40 << 20) + b'"}', b'{"a":1,"t":"\0"}', b'{"a":1,"t":', b"\0"):
        folder.file("a.jsonl", pack(text + last))
        with pytest.raises(DriverError) as caught:
            folder.read("jsonl_extractor", path="a.jsonl")
        assert caught.value.code in ("OSR-FS-027", "OSR-FS-031")
        assert "line 20,001" in caught.value.message
    if pack is not bytes:
        folder.file("a.jsonl", pack(text)[:-1])
        with pytest.raises(DriverError) as caught:
            folder.read("jsonl_extractor", path="a.jsonl")
        assert caught.value.code == "OSR-FS-029"
