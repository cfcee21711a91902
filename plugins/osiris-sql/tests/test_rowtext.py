"""Rows as text for bulk loads: every value comes back from it, refusals name the value, sums do not depend on batches."""

from __future__ import annotations

import csv
import io

import duckdb
import pytest
from arro3.core import Table

from osiris_core.errors import DriverError
from osiris_sql.engine import engine_types, open_engine
from osiris_sql.rowtext import Cell, Form, Guard, RowText, quoted

NASTY = [
    "",
    "NULL",
    "\\N",
    'a"b',
    '"',
    '","',
    "a,b",
    "line\nbreak",
    "\r\n",
    "tab\t",
    "nul\0l",
    "\x1a",
    "😀é",
    "'",
    "\\",
]
PLAIN = Form(null="NULL")


@pytest.fixture
def engine(tmp_path):
    connection = open_engine(threads=1, memory_limit=256 << 20, scratch=tmp_path)
    yield connection
    connection.close()


def table(sql):
    with duckdb.connect(config={"python_enable_replacements": False}) as connection:
        return Table.from_arrow(connection.sql(sql))


def written(engine, rows, cells, form=PLAIN):
    text = RowText(engine, rows.schema, cells, form, code="OSR-X-001")
    return b"".join(bytes(chunk.data) for chunk in text.chunks(rows.to_batches())), text


def test_text_comes_back_as_it_was(engine):
    values = ", ".join("(" + "||".join(f"chr({ord(c)})" for c in v) + ")" if v else "('')" for v in NASTY)
    rows = table(f'SELECT * FROM (VALUES {values}, (NULL)) t("co""l")')
    found, text = written(engine, rows, [Cell(column='co"l', text=quoted('co"l'))])
    back = list(csv.reader(io.StringIO(found.decode(), newline=""), strict=True))
    assert [row[0] if row else "" for row in back] == [*NASTY, "NULL"]
    assert found.endswith(b"\nNULL\n")
    assert b'"NULL"\n' in found
    assert text.rows == len(NASTY) + 1


def test_what_stands_around_cells_is_the_callers(engine):
    rows = table("SELECT 1 AS a, NULL::INT AS b UNION ALL SELECT 2, 3 ORDER BY a")
    cells = [Cell(column=name, text=f'CAST("{name}" AS VARCHAR)') for name in "ba"]
    form = Form(null="DEFAULT", before="(", between="; ", after="),")
    assert written(engine, rows, cells, form)[0] == b"(DEFAULT; 1),(3; 2),"


@pytest.mark.parametrize("count", [0, 1, 63, 16_384, 16_385, 40_000])
def test_all_rows_in_order_whatever_the_batches(engine, count):
    rows = table(f"SELECT i, repeat('x', (i % 50)::INT) AS t FROM range({count}) r(i)")
    found, text = written(engine, rows, [Cell(column="i", text="CAST(i AS VARCHAR)")])
    assert found.decode().split() == [str(i) for i in range(count)]
    assert text.rows == count
    with duckdb.connect(config={"python_enable_replacements": False}) as connection:
        wanted = f"SELECT coalesce(sum(hash(i, repeat('x', (i % 50)::INT))), 0)::VARCHAR FROM range({count}) r(i)"
        assert connection.execute(wanted).fetchall() == [(str(text.hash),)]


def test_pieces_are_whole_rows(engine):
    rows = table("SELECT repeat('x', (i % 90)::INT) AS t FROM range(3000) r(i)")
    (chunk,) = RowText(engine, rows.schema, [Cell(column="t", text="t")], PLAIN, code="X").chunks(rows.to_batches())
    for size in (1, 50, 1000, 1 << 20):
        pieces = [(bytes(data), count) for data, count in chunk.pieces(size)]
        assert b"".join(data for data, _ in pieces) == bytes(chunk.data)
        assert all(data.count(b"\n") == count and data.endswith(b"\n") for data, count in pieces)
        assert all(len(data) <= size or count == 1 for data, count in pieces)


def test_wide_rows_are_written_in_small_pieces(engine):
    rows = table("SELECT repeat('y', 300_000) AS t FROM range(400) r(i)")
    chunks = RowText(engine, rows.schema, [Cell(column="t", text="t")], PLAIN, code="X").chunks(rows.to_batches())
    sizes = [len(chunk.data) for chunk in chunks]
    assert sum(sizes) == 400 * 300_001
    assert max(sizes) < 40 << 20


def test_rows_of_which_few_fit_into_memory(engine):
    rows = table("SELECT repeat('y', 5_000_000 + i::INT) AS t FROM range(64) r(i)")
    text = RowText(engine, rows.schema, [Cell(column="t", text="t")], PLAIN, code="X")
    sizes = [len(chunk.data) for chunk in text.chunks(rows.to_batches())]
    assert sum(sizes) == sum(5_000_001 + i for i in range(64))
    assert text.rows == 64
    # A value that does not fit by itself ends the load.
    huge = table("SELECT repeat('y', 200_000_000) AS t")
    with pytest.raises(DriverError, match="Out of Memory"):
        list(RowText(engine, huge.schema, [Cell(column="t", text="t || t")], PLAIN, code="X").chunks(huge.to_batches()))


def test_a_refused_value_is_named(engine):
    rows = table("SELECT i::DOUBLE / 7 AS d FROM range(20000) r(i) UNION ALL SELECT 'nan'::DOUBLE")
    cell = Cell(column="d", text="CAST(d AS VARCHAR)", guards=(Guard("d < 0", "is low"), Guard("isnan(d)", "is odd")))
    with pytest.raises(DriverError, match="column 'd': nan is odd") as caught:
        written(engine, rows, [cell])
    assert caught.value.code == "OSR-X-001"
    # The connection is as usable as before.
    assert written(engine, table("SELECT 1.5::DOUBLE AS d"), [cell])[0] == b"1.5\n"


def test_what_the_source_raises_passes_through(engine):
    rows = table("SELECT 1 AS i")

    def broken():
        yield from rows.to_batches()
        raise ConnectionError("gone")

    text = RowText(engine, rows.schema, [Cell(column="i", text="CAST(i AS VARCHAR)")], PLAIN, code="X")
    with pytest.raises(ConnectionError, match="gone"):
        list(text.chunks(broken()))


def test_types_are_the_engines(engine):
    rows = table("SELECT 1::UBIGINT AS u, 1.5::DECIMAL(9,2) AS d, now() AS t, 'x' AS s")
    assert [(name, str(kind)) for name, kind in engine_types(engine, rows.schema)] == [
        ("u", "UBIGINT"),
        ("d", "DECIMAL(9,2)"),
        ("t", "TIMESTAMP WITH TIME ZONE"),
        ("s", "VARCHAR"),
    ]
