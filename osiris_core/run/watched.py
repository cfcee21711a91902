"""The rows of an incremental extract on their way to the next step."""

from __future__ import annotations

from typing import TYPE_CHECKING

from osiris_core.run.layout import plain_batch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from arro3.core import RecordBatch, Schema

    from osiris_core.builtin.duckdb.cursor import CursorMeter
    from osiris_core.run.context import StepContext
    from osiris_core.run.producer import Batches


class Watched:
    """The batches of an extract on their way, looked at by a meter; ``ended`` is told once the last one has passed."""

    def __init__(
        self, source: Batches, schema: Schema, meter: CursorMeter, ended: Callable[[CursorMeter, int], None]
    ) -> None:
        self._source = source
        self._meter = meter
        self._ended = ended
        self._plain = schema if source.schema != schema else None
        self.schema = schema

    def __iter__(self) -> Iterator[RecordBatch]:
        given = 0
        for batch in self._source:
            if not batch.num_rows:
                continue
            kept = self._meter.take(batch if self._plain is None else plain_batch(batch, self._plain))
            if kept.num_rows:
                given += kept.num_rows
                yield kept
        self._ended(self._meter, given)

    def close(self) -> None:
        """Let go of the source and of the meter."""
        try:
            self._source.close()
        finally:
            self._meter.close()


class Share:
    """What the meter may use of an extract's share: one thread, and a scratch folder of its own."""

    threads = 1

    def __init__(self, ctx: StepContext) -> None:
        self.memory_limit = min(ctx.memory_limit, 256 << 20)
        self.scratch = ctx.scratch / "cursor"
