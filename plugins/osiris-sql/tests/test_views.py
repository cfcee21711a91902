"""Cells in a buffer as Arrow views: every length, NULLs, two buffers, and the memory let go in the end."""

from __future__ import annotations

import gc
import itertools

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from osiris_sql import views
from osiris_sql.views import Cells, padded, view_batch, view_schema

CELLS = st.lists(st.none() | st.binary(max_size=14) | st.binary(min_size=250, max_size=300), max_size=40)


def laid_out(cells):
    """A buffer that holds ``cells`` with something between them, and where they lie."""
    data = bytearray(b"\xff")
    starts = []
    for cell in cells:
        starts.append(len(data))
        data += (cell or b"") + b"\xee"
    lengths = np.array([3 if cell is None else len(cell) for cell in cells], dtype=np.int64)
    return padded(data), np.array(starts, dtype=np.int64), lengths, np.array([cell is not None for cell in cells], bool)


def read(batch):
    arrow = pa.record_batch(batch)
    arrow.validate(full=True)
    return [column.to_pylist() for column in arrow.columns]


@given(CELLS)
def test_cells_arrive_as_they_lie(cells):
    buffer, starts, lengths, valid = laid_out(cells)
    schema = view_schema([("a", False), ("b", False)])
    batch = view_batch(schema, buffer, [Cells(starts, lengths, valid)] * 2, rows=len(cells))
    assert read(batch) == [cells, cells]


@pytest.mark.parametrize("text", ["", "é", "twelve bytes", "thirteen byte", "ĳ" * 500])
def test_text_is_utf8(text):
    buffer, starts, lengths, _ = laid_out([text.encode()])
    batch = view_batch(view_schema([("t", True)]), buffer, [Cells(starts, lengths)], rows=1)
    assert read(batch) == [[text]]


def test_a_batch_keeps_its_buffer_and_lets_go_of_it():
    gc.collect()
    before = len(views._held)
    buffer, starts, lengths, valid = laid_out([b"a long cell that is not in the view", None, b"short"])
    batch = view_batch(view_schema([("a", False)]), buffer, [Cells(starts, lengths, valid)], rows=3)
    del buffer
    gc.collect()
    noise = [np.full(100, 7, dtype=np.uint8) for _ in range(100)]
    assert read(batch) == [[b"a long cell that is not in the view", None, b"short"]]
    assert len(views._held) == before + 2
    del batch, noise
    gc.collect()
    assert len(views._held) == before


def test_columns_taken_one_by_one_stay_valid():
    buffer, starts, lengths, valid = laid_out([b"first and long enough", b"x"])
    schema = view_schema((name, False) for name in "abc")
    columns = [
        pa.record_batch(view_batch(schema, buffer, [Cells(starts, lengths, valid)] * 3, rows=2)).column(at)
        for at in range(3)
    ]
    gc.collect()
    assert (
        list(itertools.chain.from_iterable(column.to_pylist() for column in columns))
        == [
            b"first and long enough",
            b"x",
        ]
        * 3
    )
