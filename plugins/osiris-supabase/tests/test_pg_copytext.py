"""The text format of COPY, taken apart for all cells at once, against the plain reading of its rules."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osiris_supabase.postgres.copytext import BrokenRowsError, take_apart

ESCAPES = {b"\\": rb"\\", b"\n": rb"\n", b"\t": rb"\t", b"\r": rb"\r", b"\b": rb"\b", b"\f": rb"\f", b"\v": rb"\v"}


def written(cell):
    if cell is None:
        return rb"\N"
    for byte, escape in ESCAPES.items():
        cell = cell.replace(byte, escape)
    return cell


def read(data, columns):
    cells = take_apart(bytearray(data), columns)
    return [
        tuple(
            bytes(cells.data[start : start + length]) if valid else None
            for start, length, valid in zip(*row, strict=True)
        )
        for row in zip(cells.starts.T, cells.lengths.T, cells.valid.T, strict=True)
    ]


cell = st.none() | st.text(alphabet="ab\\N\n\t\r\b\f\vnbž", max_size=8).map(str.encode)


@given(st.integers(1, 4).flatmap(lambda columns: st.lists(st.tuples(*[cell] * columns), min_size=1, max_size=6)))
def test_cells_are_what_was_written(rows):
    data = b"".join(b"\t".join(map(written, row)) + b"\n" for row in rows)
    assert read(data, len(rows[0])) == rows


@pytest.mark.parametrize("data", [b"a\tb\nc\n", b"a\nb\tc\n\n", b"a\tb\tc\n", b"a\tb\tc\td\n"])
def test_rows_of_other_widths_are_noticed(data):
    with pytest.raises(BrokenRowsError):
        take_apart(bytearray(data), 2)
