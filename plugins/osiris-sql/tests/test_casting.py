"""Text cells made into typed rows: exactly, or with an error that names column and cell; streaming, and let go of."""

from __future__ import annotations

import datetime as dt
import decimal
from contextlib import contextmanager

import attrs
import numpy as np
import pyarrow as pa
import pytest

from osiris_core.api import DriverError
from osiris_sql.casting import Cast, Plan, cast_rows, cast_schema
from osiris_sql.views import Cells, padded, view_batch


class Context:
    """As much of a step's context as casting uses."""

    memory_limit = 256 << 20
    threads = 2

    def __init__(self, scratch):
        self.scratch = scratch

    def check(self):
        """Nothing cancels here."""

    @contextmanager
    def on_cancel(self, action):
        yield


def plan_of(*casts):
    return Plan(
        casts=casts,
        refused=lambda cast, cell: DriverError("OSR-TEST-001", f"{cast.name}: {cell}"),
        failed=lambda text: DriverError("OSR-TEST-002", text),
    )


@attrs.define
class Source:
    """Batches of the same rows, counted as they are taken."""

    plan: Plan
    rows: list
    times: int = 1
    taken: int = 0
    closed: bool = False

    def batches(self):
        try:
            for _ in range(self.times):
                self.taken += 1
                data, columns = bytearray(), []
                for column in zip(*self.rows, strict=True):
                    cells = [
                        None if cell is None else cell if isinstance(cell, bytes) else cell.encode() for cell in column
                    ]
                    starts = np.cumsum([len(data), *(len(cell or b"") for cell in cells[:-1])])
                    columns.append(
                        Cells(
                            starts,
                            np.array([len(cell or b"") for cell in cells]),
                            np.array([c is not None for c in cells]),
                        )
                    )
                    data += b"".join(cell or b"" for cell in cells)
                yield view_batch(self.plan.raw_schema(), padded(data), columns, rows=len(self.rows))
        finally:
            self.closed = True


def values(stream):
    return [
        row for batch in stream.batches() for row in zip(*(column.to_pylist() for column in batch.columns), strict=True)
    ]


def test_cells_become_values(tmp_path):
    plan = plan_of(
        Cast(name="n", type="DECIMAL(38,10)"),
        Cast(name="t", expression="{cell} || '+00'", type="TIMESTAMPTZ"),
        Cast(name="raw", is_text=False),
        Cast(name="same"),
        Cast(name='odd "name"', type="UBIGINT"),
    )
    source = Source(
        plan,
        [
            (
                "1234567890123456789012345678.0123456789",
                "2024-05-06 07:08:09.123456",
                b"\x00\xff",
                "",
                "18446744073709551615",
            ),
            (None, None, None, None, None),
        ],
    )
    assert values(cast_rows(plan, source.batches(), Context(tmp_path))) == [
        (
            decimal.Decimal("1234567890123456789012345678.0123456789"),
            dt.datetime(2024, 5, 6, 7, 8, 9, 123456, tzinfo=dt.UTC),
            b"\x00\xff",
            "",
            18446744073709551615,
        ),
        (None,) * 5,
    ]
    schema = cast_schema(plan, Context(tmp_path))
    assert [pa.field(field).type for field in schema] == [
        pa.decimal128(38, 10),
        pa.timestamp("us", "UTC"),
        pa.binary(),
        pa.string(),
        pa.uint64(),
    ]
    assert source.closed


@pytest.mark.parametrize(
    ("cell", "type_"), [("256", "UTINYINT"), ("x", "INTEGER"), ("2024-02-30", "DATE"), ("", "DOUBLE")]
)
def test_a_cell_that_is_no_value_is_named(tmp_path, cell, type_):
    plan = plan_of(Cast(name="fine", type="INTEGER"), Cast(name="wrong", type=type_))
    source = Source(plan, [("1", None), ("2", cell)], times=3)
    with pytest.raises(DriverError) as caught:
        values(cast_rows(plan, source.batches(), Context(tmp_path)))
    assert str(caught.value) == f"OSR-TEST-001: wrong: {cell}"
    assert source.closed


def test_a_long_cell_is_shown_in_part(tmp_path):
    plan = plan_of(Cast(name="n", type="INTEGER"))
    with pytest.raises(DriverError) as caught:
        values(cast_rows(plan, Source(plan, [("9" * 5000,)]).batches(), Context(tmp_path)))
    assert caught.value.message == f"n: {'9' * 80}…"


def test_what_the_source_raises_arrives_as_itself(tmp_path):
    plan = plan_of(Cast(name="n", type="INTEGER"))
    gone = DriverError("OSR-TEST-003", "the server went away")

    def failing():
        yield from Source(plan, [("1",)]).batches()
        raise gone

    with pytest.raises(DriverError) as caught:
        values(cast_rows(plan, failing(), Context(tmp_path)))
    assert caught.value is gone


def test_an_expression_that_fails_is_an_error_of_the_plugin(tmp_path):
    plan = plan_of(Cast(name="n", expression="CAST({cell} AS INTEGER)"))
    with pytest.raises(DriverError) as caught:
        values(cast_rows(plan, Source(plan, [("x",)]).batches(), Context(tmp_path)))
    assert caught.value.code == "OSR-TEST-002"


def test_rows_are_made_as_they_are_read(tmp_path):
    plan = plan_of(Cast(name="n", type="INTEGER"))
    source = Source(plan, [("1",)] * 20_000, times=500)
    batches = cast_rows(plan, source.batches(), Context(tmp_path)).batches()
    first = next(batches)
    assert first.num_rows <= 16_384
    assert source.taken == 1
    batches.close()
    assert source.closed
    assert source.taken == 1


def test_the_order_of_rows_is_kept(tmp_path):
    plan = plan_of(Cast(name="n", type="INTEGER"))
    rows = [(str(at),) for at in range(40_000)]
    found = values(cast_rows(plan, Source(plan, rows, times=3).batches(), Context(tmp_path)))
    assert found == [(at,) for _ in range(3) for at in range(40_000)]
