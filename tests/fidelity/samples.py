"""Every column type of each source with its extreme values: the SQL that makes them, and what they are in Python."""

from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal
from uuid import UUID

import attrs
import pyarrow as pa

_UTC = dt.UTC
_DAYS_BC = dt.date(1957, 3, 15).toordinal() - dt.date(1970, 1, 1).toordinal() - 5 * 146097
"""15 March 44 BC in days since 1970: two thousand years, five cycles of the calendar, before 15 March 1957."""
_NANOSECONDS = "2024-01-02 03:04:05.123456789"
_NASTY = (
    "",
    "NULL",
    "\\N",
    'a "quoted", cell',
    "line\r\nbreak\ttab",
    "back\\slash'",
    "\x1a \U0001f600 žluť",
    " spaces ",
)


@attrs.frozen
class Sample:
    """A column type, and pairs of an SQL expression (a file's text) and the value that an extractor must give for it.

    One with ``options`` for the extractor is in a table of its own; with ``refused``, the extractor must not take it.
    """

    type: str
    values: tuple[tuple[str, object], ...]
    label: str = ""
    options: tuple[tuple[str, str], ...] = ()
    refused: bool = False
    arrow: pa.DataType | None = None

    @property
    def name(self) -> str:
        """What the matrix calls it; a sample with a label holds values that some destinations refuse."""
        return f"{self.type} {self.label}".strip()


def _sample(kind: str, *values: tuple[str, object]) -> Sample:
    return Sample(kind, (*values, ("NULL", None)))


def _plain(kind: str, *values: object) -> Sample:
    return _sample(kind, *((str(value), value) for value in values))


def _texts(kind: str, escape: bool, *values: str) -> Sample:
    def quoted(text: str) -> str:
        text = text.replace("\\", "\\\\") if escape else text
        return "'" + text.replace("'", "''") + "'"

    return _sample(kind, *((quoted(value), value) for value in values))


def _decimals(kind: str, *values: str) -> Sample:
    return _sample(kind, *((value, Decimal(value)) for value in values))


def _special(kind: str, label: str, option: str, *texts: str) -> tuple[Sample, Sample]:
    """Texts that Arrow has no value for: refused, and as text when ``option`` says so."""
    return (
        Sample(kind, tuple((f"'{text}'", None) for text in texts), label, refused=True),
        Sample(kind, tuple((f"'{text}'", text) for text in texts), f"{label}, as text", ((option, "text"),)),
    )


def _arrow(kind: pa.DataType, *values: object, label: str = "") -> Sample:
    return Sample(str(kind), (*(("", value) for value in values), ("", None)), label, arrow=kind)


def _moments(kind: str, *values: tuple[str, object]) -> Sample:
    return _sample(kind, *((f"'{text}'", value) for text, value in values))


MYSQL = (
    _plain("TINYINT", -128, 0, 127),
    _plain("TINYINT UNSIGNED", 0, 255),
    _plain("TINYINT(1)", 0, 1, 2),
    _plain("SMALLINT", -32768, 32767),
    _plain("SMALLINT UNSIGNED", 65535),
    _plain("MEDIUMINT", -8388608, 8388607),
    _plain("MEDIUMINT UNSIGNED", 16777215),
    _plain("INT", -(2**31), 2**31 - 1),
    _plain("INT UNSIGNED", 2**32 - 1),
    _plain("BIGINT", -(2**63), 2**63 - 1),
    _plain("BIGINT UNSIGNED", 2**63, 2**64 - 1),
    _decimals("DECIMAL(10,2)", "-99999999.99", "0.01"),
    _decimals("DECIMAL(30,12)", "123456789012345678.123456789012"),
    _decimals("DECIMAL(38,20)", "-123456789012345678.12345678901234567890"),
    _sample(
        "DECIMAL(65,30)",
        *((text, text) for text in ("12345678901234567890123456789012345.123456789012345678901234567890",)),
    ),
    _sample("FLOAT", ("16777216", 16777216.0), ("1234567.875", 1234567.875), ("-0.5", -0.5)),
    _sample("DOUBLE", ("1e-12", 1e-12), ("1e300", 1e300), ("0.1", 0.1), ("-2.5", -2.5)),
    _sample("BIT(1)", ("b'0'", 0), ("b'1'", 1)),
    _sample("BIT(8)", ("b'10000001'", 129), ("b'0'", 0)),
    _sample("BIT(64)", ("18446744073709551615", 2**64 - 1), ("1", 1)),
    _moments("DATE", ("1000-01-01", dt.date(1000, 1, 1)), ("9999-12-31", dt.date(9999, 12, 31))),
    _moments("DATETIME", ("1969-12-31 23:59:59", dt.datetime(1969, 12, 31, 23, 59, 59))),
    _moments(
        "DATETIME(6)",
        ("1000-01-01 00:00:00.000001", dt.datetime(1000, 1, 1, 0, 0, 0, 1)),
        ("9999-12-31 23:59:59.999999", dt.datetime(9999, 12, 31, 23, 59, 59, 999999)),
    ),
    _moments(
        "TIMESTAMP(6)",
        ("1970-01-01 00:00:01.000000", dt.datetime(1970, 1, 1, 0, 0, 1, tzinfo=_UTC)),
        ("2038-01-19 03:14:07.999999", dt.datetime(2038, 1, 19, 3, 14, 7, 999999, tzinfo=_UTC)),
    ),
    _moments("TIME(6)", ("00:00:00", dt.time()), ("23:59:59.999999", dt.time(23, 59, 59, 999999))),
    *_special("TIME", "beyond a day", "long_times", "-838:59:59", "25:00:00"),
    *_special("DATE", "zero", "zero_dates", "0000-00-00", "2024-00-10"),
    _plain("YEAR", 1901, 2155),
    _texts("CHAR(5)", True, "ab", ""),
    _texts("VARCHAR(60)", True, *_NASTY),
    _texts("LONGTEXT", True, "x" * 70_000, ""),
    _sample("BINARY(4)", ("x'00ff0a27'", b"\x00\xff\n'")),
    _sample("VARBINARY(20)", ("x''", b""), ("x'00ff2c225c'", b'\x00\xff,"\\')),
    _sample("LONGBLOB", ("repeat(x'00ff', 40000)", b"\x00\xff" * 40000)),
    _texts("ENUM('a','b c')", True, "a", "b c"),
    _texts("SET('x','y','z')", True, "", "x,z"),
    _texts("JSON", True, '{"b": 1, "a": 1.10}'),
    _sample("POINT", ("ST_GeomFromText('POINT(1 2)')", bytes.fromhex("0101000000000000000000f03f0000000000000040"))),
    _sample(
        "GEOMETRY",
        (
            "ST_GeomFromText('LINESTRING(0 0,1 2)')",
            bytes.fromhex("010200000002000000" + "00" * 16 + "000000000000f03f0000000000000040"),
        ),
    ),
)

POSTGRES_TYPES = (
    "CREATE TYPE enum_of_texts AS ENUM ('sad', 'a b')",
    "CREATE DOMAIN domain_of_integer AS integer CHECK (VALUE > 0)",
)

POSTGRES = (
    _plain("boolean", True, False),
    _plain("smallint", -32768, 32767),
    _plain("integer", -(2**31), 2**31 - 1),
    _plain("bigint", -(2**63), 2**63 - 1),
    _decimals("numeric(10,2)", "-99999999.99", "0.01"),
    _decimals("numeric(38,20)", "-123456789012345678.12345678901234567890"),
    _sample(
        "numeric",
        ("1234567890123456789012345678901234567890.5", "1234567890123456789012345678901234567890.5"),
        ("1.10", "1.10"),
        ("-1e-40", "-0." + "0" * 39 + "1"),
        ("'NaN'", "NaN"),
        ("'-Infinity'", "-Infinity"),
    ),
    _sample("real", ("16777216", 16777216.0), ("0.1", 0.10000000149011612), ("3.4028235e38", 3.4028234663852886e38)),
    _sample("double precision", ("1e-12", 1e-12), ("1e300", 1e300), ("0.1", 0.1)),
    Sample("double precision", (("'Infinity'", math.inf), ("'NaN'", math.nan)), "not finite"),
    _texts("text", False, *_NASTY),
    _texts("varchar(60)", False, *_NASTY),
    _texts("char(5)", False, "ab   "),
    _sample("bytea", ("'\\x'", b""), ("'\\x00ff2c225c'", b'\x00\xff,"\\')),
    _moments("date", ("0001-01-01", dt.date(1, 1, 1)), ("9999-12-31", dt.date(9999, 12, 31))),
    _moments("timestamp", ("1969-12-31 23:59:59.999999", dt.datetime(1969, 12, 31, 23, 59, 59, 999999))),
    _moments(
        "timestamptz",
        ("2024-03-31 00:30:00+02", dt.datetime(2024, 3, 30, 22, 30, tzinfo=_UTC)),
        ("2024-03-31 00:30:00.000001+02", dt.datetime(2024, 3, 30, 22, 30, 0, 1, tzinfo=_UTC)),
    ),
    _moments("time", ("00:00:00", dt.time()), ("23:59:59.999999", dt.time(23, 59, 59, 999999))),
    _moments("timetz", ("12:30:00+02", "12:30:00+02")),
    _sample("uuid", ("'00000000-0000-4000-8000-00000000000f'", UUID("00000000-0000-4000-8000-00000000000f"))),
    _texts("json", False, '{"b":1, "a":1.10}'),
    _texts("jsonb", False, '{"a": 1.10, "b": 1}'),
    Sample("jsonb", (("'null'", "null"), ("'{}'", "{}")), "null"),
    _moments("inet", ("10.0.0.1/8", "10.0.0.1/8"), ("10.0.0.1", "10.0.0.1")),
    _moments("macaddr", ("08:00:2b:01:02:03", "08:00:2b:01:02:03")),
    _sample("bit(3)", ("B'101'", "101")),
    _sample("oid", ("4294967295", 4294967295)),
    _moments("int4range", ("[1,5)", "[1,5)")),
    _moments("point", ("(1,2)", "(1,2)")),
    _moments(
        "interval",
        ("-1 year 2 mons -3 days 04:05:06.7", "-10 mons -3 days +04:05:06.7"),
        ("178000000 years 0.000001 s", "178000000 years 00:00:00.000001"),
    ),
    _sample("money", ("1234.56", "$1,234.56"), ("-0.01", "-$0.01")),
    _moments("int[][]", ("{{1,2},{3,NULL}}", "{{1,2},{3,NULL}}")),
    _moments("text[]", ('{"",NULL,"NULL","a,\\"b"}', '{"",NULL,"NULL","a,\\"b"}'), ("{}", "{}")),
    _moments("timestamptz[]", ("{2024-03-31 00:30:00+02,NULL}", '{"2024-03-30 22:30:00+00",NULL}')),
    _plain("domain_of_integer", 1, 2**31 - 1),
    _moments("enum_of_texts", ("sad", "sad"), ("a b", "a b")),
    _moments("xml", ('<a b="1">x &amp; y</a>', '<a b="1">x &amp; y</a>')),
    Sample("date", (("'0044-03-15 BC'", _DAYS_BC),), "before Christ"),
    *_special("date", "infinite", "special_values", "infinity", "-infinity"),
    *_special("timestamptz", "infinite", "special_values", "infinity", "-infinity"),
    *_special("time", "24:00", "special_values", "24:00:00"),
    *_special("numeric(10,2)", "not a number", "special_values", "NaN"),
)

_TELLS_DIGITS = "numeric(10,2) not a number"
DATA_API = (
    *(sample for sample in POSTGRES if not sample.name.startswith(_TELLS_DIGITS)),
    # The Data API does not tell how many digits there are, so every numeric is text, and none is special.
    Sample("numeric(10,2)", (("'NaN'", "NaN"),), "not a number"),
)

DUCKDB = (
    _plain("BOOLEAN", True, False),
    _plain("TINYINT", -128, 127),
    _plain("SMALLINT", -32768, 32767),
    _plain("INTEGER", -(2**31), 2**31 - 1),
    _plain("BIGINT", -(2**63), 2**63 - 1),
    _plain("UTINYINT", 255),
    _plain("USMALLINT", 65535),
    _plain("UINTEGER", 2**32 - 1),
    _plain("UBIGINT", 2**64 - 1),
    _sample("FLOAT", ("16777216", 16777216.0), ("0.5", 0.5)),
    _sample("DOUBLE", ("1e-12", 1e-12), ("1e300", 1e300), ("0.1", 0.1)),
    _decimals("DECIMAL(10,2)", "-99999999.99", "0.01"),
    _decimals("DECIMAL(38,20)", "-123456789012345678.12345678901234567890"),
    _texts("VARCHAR", False, *_NASTY),
    _sample("BLOB", ("''::BLOB", b""), ("unhex('00ff2c225c')", b'\x00\xff,"\\')),
    _moments("DATE", ("1000-01-01", dt.date(1000, 1, 1)), ("9999-12-31", dt.date(9999, 12, 31))),
    _moments("TIMESTAMP", ("1969-12-31 23:59:59.999999", dt.datetime(1969, 12, 31, 23, 59, 59, 999999))),
    _moments("TIMESTAMPTZ", ("2024-03-31 00:30:00+02", dt.datetime(2024, 3, 30, 22, 30, tzinfo=_UTC))),
    _moments("TIME", ("00:00:00", dt.time()), ("23:59:59.999999", dt.time(23, 59, 59, 999999))),
    _sample("UUID", ("'00000000-0000-4000-8000-00000000000f'", UUID("00000000-0000-4000-8000-00000000000f"))),
    _sample("INTERVAL", ("INTERVAL '1 month 2 days'", pa.MonthDayNano((1, 2, 0)))),
    Sample("DOUBLE", (("'-Infinity'", -math.inf), ("'NaN'", math.nan)), "not finite"),
    _sample("INTEGER[]", ("[1, 2]", [1, 2])),
    _sample("HUGEINT", *((str(value), Decimal(value)) for value in (1 - 10**38, 10**38 - 1))),
    Sample("HUGEINT", ((str(2**127 - 1), None),), "of 39 digits", refused=True),
    _sample("STRUCT(a INTEGER, b VARCHAR)", ("{'a': 1, 'b': 'x'}", {"a": 1, "b": "x"})),
    _sample("MAP(VARCHAR, INTEGER)", ("MAP {'k': 1}", [("k", 1)])),
    _sample("ENUM('a', 'b c')", ("'a'", "a"), ("'b c'", "b c")),
    _moments("TIMETZ", ("12:30:00+02", "12:30:00+02")),
    Sample("TIMESTAMP_NS", ((f"'{_NANOSECONDS}'", _NANOSECONDS),), "below microseconds"),
)

_MOMENT = dt.datetime(1969, 12, 31, 23, 59, 59, 999999)

PARQUET = (
    _arrow(pa.bool_(), True, False),
    _arrow(pa.int8(), -128, 127),
    _arrow(pa.int16(), -32768, 32767),
    _arrow(pa.int32(), -(2**31), 2**31 - 1),
    _arrow(pa.int64(), -(2**63), 2**63 - 1),
    _arrow(pa.uint8(), 255),
    _arrow(pa.uint16(), 65535),
    _arrow(pa.uint32(), 2**32 - 1),
    _arrow(pa.uint64(), 2**64 - 1),
    _arrow(pa.float32(), 16777216.0, 0.5, 0.10000000149011612),
    _arrow(pa.float64(), 1e-12, 1e300, 0.1),
    _arrow(pa.float64(), math.inf, math.nan, label="not finite"),
    _arrow(pa.decimal128(10, 2), Decimal("-99999999.99"), Decimal("0.01")),
    _arrow(pa.decimal128(38, 20), Decimal("-123456789012345678.12345678901234567890")),
    _arrow(pa.string(), *_NASTY),
    _arrow(pa.dictionary(pa.int32(), pa.string()), "a", "b c"),
    _arrow(pa.binary(), b"", b'\x00\xff,"\\'),
    _arrow(pa.binary(4), b"\x00\xff\n'"),
    _arrow(pa.date32(), dt.date(1000, 1, 1), dt.date(9999, 12, 31)),
    _arrow(pa.timestamp("ms"), dt.datetime(1969, 12, 31, 23, 59, 59, 999000)),
    _arrow(pa.timestamp("us"), _MOMENT),
    _arrow(pa.timestamp("us", tz="UTC"), dt.datetime(2024, 3, 30, 22, 30, tzinfo=_UTC)),
    _arrow(pa.timestamp("ns"), _NANOSECONDS, label="below microseconds"),
    _arrow(pa.time32("ms"), dt.time(), dt.time(23, 59, 59, 999000)),
    _arrow(pa.time64("us"), dt.time(), dt.time(23, 59, 59, 999999)),
    _arrow(pa.list_(pa.int32()), [1, 2]),
    _arrow(pa.struct({"a": pa.int32(), "b": pa.string()}), {"a": 1, "b": "x"}),
)

CSV = (
    _plain("BIGINT", -(2**63), 2**63 - 1),
    _plain("UBIGINT", 2**64 - 1),
    _sample("BOOLEAN", ("true", True), ("false", False)),
    _sample("DOUBLE", ("1e-12", 1e-12), ("1e300", 1e300), ("0.1", 0.1)),
    Sample("DOUBLE", (("-inf", -math.inf), ("nan", math.nan)), "not finite"),
    _decimals("DECIMAL(10,2)", "-99999999.99", "0.01"),
    _decimals("DECIMAL(38,20)", "-123456789012345678.12345678901234567890"),
    _sample("VARCHAR", *((text, text) for text in _NASTY)),
    _sample("DATE", ("1000-01-01", dt.date(1000, 1, 1)), ("9999-12-31", dt.date(9999, 12, 31))),
    _sample("TIMESTAMP", ("1969-12-31 23:59:59.999999", _MOMENT)),
    _sample("TIMESTAMPTZ", ("2024-03-31 00:30:00+02", dt.datetime(2024, 3, 30, 22, 30, tzinfo=_UTC))),
    _sample("TIME", ("00:00:00", dt.time()), ("23:59:59.999999", dt.time(23, 59, 59, 999999))),
)
