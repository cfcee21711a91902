"""Arrow's durations and intervals count nanoseconds, and DuckDB, which writes them as text, only whole microseconds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from arro3.core import DataType, RecordBatch, Table

from osiris_core.api import DriverError, quote_identifier

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_FINER: Final = r"\.[0-9]{6}[0-9]*[1-9]"


def refuse_nanoseconds(batches: Iterable[RecordBatch], engine: Any) -> Iterator[RecordBatch]:
    """The batches as they are; DriverError names a column of which a value has a part below microseconds."""
    for batch in batches:
        fine = [name for name in batch.schema.names if _counts_nanoseconds(batch.schema.field(name).type)]
        if fine and batch.num_rows:
            _look(batch, fine, engine)
        yield batch


def _counts_nanoseconds(kind: Any) -> bool:
    if DataType.is_duration(kind):
        return str(kind.time_unit) == "ns"
    return bool(DataType.is_interval(kind)) and kind == DataType.month_day_nano_interval()


def _look(batch: RecordBatch, names: list[str], engine: Any) -> None:
    texts = [batch.column(name).cast(DataType.string()) for name in names]
    conditions = ", ".join(f"count(*) FILTER (regexp_matches({quote_identifier(name)}, '{_FINER}'))" for name in names)
    cursor = engine.cursor()
    try:
        cursor.register("osiris_fine", Table.from_batches([RecordBatch.from_arrays(texts, names=names)]))
        (counts,) = cursor.execute(f"SELECT {conditions} FROM osiris_fine").fetchall()
    finally:
        cursor.close()
    for name, count in zip(names, counts, strict=True):
        if count:
            raise DriverError(
                "OSR-PG-041",
                f"column '{name}': {count} values have a part below microseconds, which PostgreSQL cannot hold",
            )
