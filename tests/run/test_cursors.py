"""The kinds of cursors: each type of value, exactly; ties, lag, and values that nothing comes after."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osiris_core.run.cursors import MEASURED, Kind, before, canonical, order
from tests.run.test_incremental import Ledger

TYPES = {
    "TINYINT": ("integer", ("-3", "5", "7"), ("-3", "5", "7")),
    "UBIGINT": ("integer", ("0", "18446744073709551614", "18446744073709551615"), None),
    "HUGEINT": ("integer", ("-5", "99999999999999999999999999999999999998", "99999999999999999999999999999999999999"), None),
    "DECIMAL(38,10)": ("decimal", ("-1.5", "1234567890123456789012345678.0000000001", "1234567890123456789012345678.0000000002"), None),
    "DOUBLE": ("float", ("-0.1", "0.30000000000000004", "1e300"), None),
    "FLOAT": ("float", ("-1", "0.1", "0.2"), None),
    "DATE": ("date", ("0001-01-01", "2026-02-28", "9999-12-31"), None),
    "TIMESTAMP": ("timestamp", ("1969-12-31 23:59:59.999999", "2026-03-01 07:00:00", "2026-03-01 07:00:00.000001"), None),
    "TIMESTAMP_S": ("timestamp", ("1969-12-31 23:59:59", "2026-03-01 07:00:00", "2026-03-01 07:00:01"), None),
    "TIMESTAMP_MS": ("timestamp", ("1969-12-31 23:59:59.999", "2026-03-01 07:00:00", "2026-03-01 07:00:00.001"), None),
    "TIMESTAMP_NS": ("timestamp", ("1969-12-31 23:59:59.999999999", "2026-03-01 07:00:00", "2026-03-01 07:00:00.000000001"), None),
    "TIMESTAMPTZ": ("timestamptz", ("2026-03-01 07:00:00+00", "2026-03-01 07:00:00.5+00", "2026-03-01 10:00:00.25+02"), None),
    "VARCHAR": ("text", ("B", "a'\\", "ä€\U0001f600"), None),
    "UUID": ("uuid", ("00000000-0000-0000-0000-000000000001", "7fffffff-ffff-ffff-ffff-ffffffffffff", "ffffffff-ffff-ffff-ffff-ffffffffffff"), None),
    "BLOB": ("binary", ("\\x00", "\\x7F\\xFF", "\\xFF\\x00'"), None),
}  # fmt: skip
"""For each type, its kind and three values that grow."""


@pytest.fixture
def ledger(shop):
    return Ledger(shop)


@pytest.mark.extra
@pytest.mark.slow
@pytest.mark.parametrize("kind", TYPES)
def test_a_type_is_kept_exactly_and_ties_are_told_apart(ledger, kind):
    known, values, _ = TYPES[kind]
    ledger.make(kind, (1, values[0], "a"), (2, values[1], "b"))
    ledger.loaded()
    assert ledger.states()[-1]["type"] == known
    ledger.insert((3, values[1], "tie"), (4, values[2], "new"))
    ran = ledger.loaded()
    (read,) = ran.events("incremental_read")
    assert (read["rows"], read["dropped"]) == (3, 1)
    ledger.loaded()
    assert [row[0] for row in ledger.target("SELECT id FROM copy ORDER BY id")] == [1, 2, 3, 4]
    ((same,),) = ledger.target(
        f"SELECT count(*) FROM copy WHERE (id, ts) IN (SELECT (id, ts::{kind}) FROM (VALUES "
        + ", ".join(f"({at + 1}, '{value}')" for at, value in enumerate(v.replace("'", "''") for v in values[:2]))
        + ") t(id, ts))"
    )
    assert same == 2


@pytest.mark.matrix
@pytest.mark.parametrize(
    ("kind", "value", "words"),
    [
        ("DOUBLE", "NaN", "NaN or infinity"),
        ("FLOAT", "-infinity", "NaN or infinity"),
        ("TIMESTAMP", "infinity", "'infinity', which cannot be the last value"),
        ("DATE", "10000-01-01", "'10000-01-01', which cannot be the last value"),
        ("TIMESTAMPTZ", "0044-03-15 (BC)", "cannot be the last value"),
        ("VARCHAR", "x" * 5000, "more than 4096 characters"),
        ("BOOLEAN", "true", "has the type BOOLEAN"),
        ("TIME", "07:00:00", "has the type TIME"),
        ("INTERVAL", "1 day", "has the type INTERVAL"),
        ("INTEGER[]", "[1]", "has the type INTEGER[]"),
        ("JSON", "1", "has the type JSON"),
        ("STRUCT(a INTEGER)", "{'a': 1}", "has the type STRUCT"),
        ("ENUM('b', 'a')", "a", "has the type ENUM('b', 'a')"),
    ],
)
def test_a_value_that_nothing_comes_after_is_refused_by_name(ledger, kind, value, words):
    ledger.make(kind, (1, value, "a"))
    error = ledger.refused("OSR-RUN-083")
    assert words in error.message
    assert "'ts' of 'read'" in error.message


def test_columns_that_the_rows_lack_are_named(ledger):
    ledger.make("INTEGER", (1, 1, "a"))
    ledger.incremental = {"cursor": "tz", "primary_key": ["id"]}
    assert "no column 'tz', which 'incremental' names" in ledger.refused("OSR-DUCKDB-006").message
    ledger.incremental = {"cursor": "ts", "primary_key": ["it"]}
    error = ledger.refused("OSR-RUN-082")
    assert ("no column 'it'" in error.message, error.hint) == (True, "they have 'id', 'ts', 'v'")
    ledger.incremental = {"cursor": "TS", "primary_key": ["ID"]}
    ledger.loaded()
    ledger.loaded()
    assert len(ledger.target()) == 1


def test_rows_without_a_cursor_are_read_by_the_first_load_only(ledger):
    ledger.make("INTEGER", (1, 1, "a"), (2, None, "b"))
    ledger.loaded()
    ledger.insert((3, None, "c"), (4, 2, "d"))
    ledger.loaded()
    assert sorted(row[0] for row in ledger.target()) == [1, 2, 4]


def test_a_first_append_of_rows_without_any_cursor_is_refused(ledger):
    ledger.make("INTEGER", (1, None, "a"))
    ledger.refused("OSR-RUN-088")
    ledger.mode, ledger.incremental = "upsert", {"cursor": "ts"}
    ledger.loaded()
    ledger.loaded()
    assert len(ledger.target()) == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "lag", "last", "late", "too_late"),
    [
        ("INTEGER", 10, "100", "90", "89"),
        ("DECIMAL(9,2)", 0.5, "100.00", "99.50", "99.49"),
        ("DOUBLE", 0.5, "100", "99.5", "99.25"),
        ("DATE", 2, "2026-03-01", "2026-02-27", "2026-02-26"),
        ("TIMESTAMP", 3600, "2026-03-01 00:30:00", "2026-02-28 23:30:00", "2026-02-28 23:29:59.999999"),
        ("TIMESTAMPTZ", 0.5, "2026-03-01 00:30:00+00", "2026-03-01 00:29:59.5+00", "2026-03-01 00:29:59.4+00"),
    ],
)
def test_rows_that_come_late_within_the_lag_are_appended_once(ledger, kind, lag, last, late, too_late):
    ledger.incremental = {"cursor": "ts", "primary_key": ["id"], "lag": lag}
    ledger.make(kind, (1, last, "a"), (2, late, "b"))
    ledger.loaded()
    ledger.insert((3, late, "late"), (4, too_late, "too late"))
    ledger.loaded()
    ran = ledger.loaded()
    assert ran.events("incremental_read")[0]["dropped"] == 3
    assert [row[0] for row in ledger.target("SELECT id FROM copy ORDER BY id")] == [1, 2, 3]
    ledger.insert((2, last, "changed since"))  # a new version of a row is a row of its own to an append
    ledger.loaded()
    assert ledger.target("SELECT count(*) FROM copy") == [(4,)]


def test_a_lag_that_has_become_longer_appends_nothing_twice(ledger):
    ledger.make("INTEGER", *((at, at, "v") for at in range(1, 11)))
    ledger.loaded()
    ledger.incremental = ledger.incremental | {"lag": 5}
    ran = ledger.loaded()  # what it does not remember it does not read again: the lag holds from the next load on
    assert ran.events("incremental_started")[0]["lower"] == "10"
    ledger.insert((11, 12, "v"))
    ledger.loaded()
    ledger.insert((12, 11, "late"))
    ran = ledger.loaded()
    assert ran.events("incremental_started")[0]["lower"] == "10"
    assert [row[0] for row in ledger.target("SELECT id FROM copy ORDER BY id")] == list(range(1, 13))
    ledger.mode, ledger.incremental = "upsert", {"cursor": "ts", "lag": 5}
    assert ledger.loaded().events("incremental_started")[0]["lower"] == "10"
    assert ledger.loaded().events("incremental_started")[0]["lower"] == "7"


def test_no_lag_leads_before_where_the_first_load_began(ledger):
    ledger.incremental = ledger.incremental | {"lag": 5, "initial": 10}
    ledger.make("INTEGER", (1, 9, "before"), (2, 11, "a"))
    ledger.loaded()
    ledger.loaded()
    assert [row[0] for row in ledger.target()] == [2]


def test_a_lag_wants_a_distance(ledger):
    ledger.incremental = {"cursor": "ts", "primary_key": ["id"], "lag": 1}
    ledger.make("VARCHAR", (1, "a", "a"))
    assert "there is nothing a lag before it" in ledger.refused("OSR-RUN-083").message


def test_a_lag_longer_than_the_calendar_reads_from_the_beginning(ledger):
    ledger.incremental = {"cursor": "ts", "primary_key": ["id"], "lag": 1e12}
    ledger.make("DATE", (1, "2026-03-01", "a"))
    ledger.loaded()
    ledger.insert((2, "0001-01-01", "b"))
    ledger.loaded()
    assert len(ledger.target()) == 2


def test_more_rows_at_the_end_than_can_be_remembered(ledger):
    ledger.source("CREATE TABLE orders AS SELECT range::INTEGER AS id, 1 AS ts, 'v' AS v FROM range(100_001)")
    error = ledger.refused("OSR-RUN-085")
    assert "100,001 rows of 'read'" in error.message
    ledger.source(
        "UPDATE orders SET ts = 2 WHERE id = 1",
        "INSERT INTO orders SELECT range + 200_000, range, 'v' FROM range(300_000)",
    )
    ledger.loaded()
    assert len(ledger.states()[-1]["keys"]) == 1
    ledger.mode, ledger.incremental = "upsert", {"cursor": "ts"}
    ledger.loaded()


@pytest.mark.matrix
@pytest.mark.parametrize(
    ("kind", "value"),
    [("UINTEGER", "5"), ("TINYINT", "-100"), ("DECIMAL(4,1)", "-500"), ("TIMESTAMP_NS", "1700-01-01 00:00:00")],
)
def test_a_lag_that_leads_out_of_the_type_reads_from_its_first_value_on(ledger, kind, value):
    ledger.incremental["lag"] = 10_000_000_000
    ledger.make(kind, (1, value, "a"))
    ledger.loaded()
    ledger.insert((2, value, "b"))
    ledger.loaded()
    assert [row[0] for row in ledger.target("SELECT id FROM copy ORDER BY ALL")] == [1, 2]


def test_where_the_first_load_begins(ledger):
    ledger.incremental["initial"] = 2
    ledger.make("INTEGER", (1, 1, "a"), (2, 2, "b"), (3, None, "c"))
    ran = ledger.loaded()
    assert ran.events("incremental_started")[0]["origin"] == "initial"
    assert [row[0] for row in ledger.target()] == [2]
    ledger.incremental["initial"] = 1  # which a state overrules
    ledger.loaded()
    assert [row[0] for row in ledger.target()] == [2]


def test_an_initial_value_of_another_type_is_refused(ledger):
    ledger.incremental["initial"] = "first of May"
    ledger.make("DATE", (1, "2026-03-01", "a"))
    assert "'first of May' is no value of the cursor 'ts'" in ledger.refused("OSR-RUN-083").message


# The values themselves.

INTEGERS = st.integers(-(2**130), 2**130).map(str)
DECIMALS = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**30), max_value=10**30).map(
    lambda d: format(d, "f")
)
MOMENTS = st.datetimes().map(lambda moment: moment.isoformat(sep=" "))
VALUES = {
    Kind.INTEGER: INTEGERS,
    Kind.DECIMAL: DECIMALS,
    Kind.FLOAT: st.floats(allow_nan=False, allow_infinity=False).map(repr),
    Kind.DATE: st.dates().map(str),
    Kind.TIMESTAMP: MOMENTS,
    Kind.TIMESTAMPTZ: MOMENTS.map(lambda text: f"{text}+00:00"),
    Kind.TEXT: st.text(),
    Kind.UUID: st.uuids().map(str),
    Kind.BINARY: st.binary().map(bytes.hex),
}


@given(st.data(), st.sampled_from(list(Kind)))
def test_a_value_has_one_form_which_orders_as_the_value(data, kind):
    one, other = data.draw(VALUES[kind]), data.draw(VALUES[kind])
    assert canonical(kind, canonical(kind, one)) == canonical(kind, one)
    assert order(kind, canonical(kind, one)) == order(kind, one)
    if order(kind, one) == order(kind, other):
        if kind not in (Kind.FLOAT, Kind.DECIMAL):  # 0.0 and -0.0, 1.0 and 1.00
            assert canonical(kind, one) == canonical(kind, other)
    else:
        assert canonical(kind, one) != canonical(kind, other)


@given(st.data(), st.sampled_from(sorted(MEASURED)), st.floats(min_value=1e-9, max_value=1e9))
def test_a_lag_leads_back_and_never_forward(data, kind, lag):
    value = data.draw(VALUES[kind])
    found = before(kind, value, lag)
    assert found is None or order(kind, found) <= order(kind, value)
    if kind is Kind.INTEGER:
        assert int(value) - int(found) >= lag


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("integer", "1.5"),
        ("integer", "one"),
        ("decimal", "1e5"),
        ("decimal", "NaN"),
        ("float", "inf"),
        ("float", "x"),
        ("date", "2026-02-30"),
        ("date", "20260301"),
        ("timestamp", "2026-03-01 07:00:00+00:00"),
        ("timestamp", "2026-03-01 25:00:00"),
        ("timestamptz", "tomorrow"),
        ("uuid", "1"),
        ("binary", "0x1"),
    ],
)
def test_a_text_that_states_no_value(kind, text):
    with pytest.raises(ValueError, match=r"."):
        canonical(Kind(kind), text)
