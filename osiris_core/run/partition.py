"""An extract read in parts at the same time, given on as one stream in a fixed order.

Batches are taken from the parts in turn, one from each that has any left: the order depends on the split plan and on
the parts' own batches only, never on which part is faster.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from osiris_core.errors import DriverError
from osiris_core.run.cstream import Pull
from osiris_core.run.producer import Producer, only_output
from osiris_core.spec.behave import Split

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from arro3.core import RecordBatch, Schema

    from osiris_core.run.cancel import CancelToken
    from osiris_core.run.context import StepContext
    from osiris_core.run.producer import Batches
    from osiris_core.run.state import PreparedStep

MAX_PARTS = 64


def open_parts(
    prepared: PreparedStep, *, config: Any, ctx: StepContext, count: int, token: CancelToken
) -> Merged | None:
    """The parts of a ``Partitioned`` driver, at most ``count``; None when it chooses to be read as one."""
    splits = _checked(prepared.driver().splits(config=config, count=count, ctx=ctx), prepared.id)
    if len(splits) < 2:
        return None
    parts = [
        Producer(
            f"{prepared.id}-{split.part}",
            start=partial(_open_part, prepared, config, split, ctx),
            inputs=(),
            token=token,
            on_schema=lambda _: None,
        )
        for split in splits
    ]
    for part in parts:
        part.start()
    merged = Merged(parts)
    try:
        merged.open(prepared.id)
    except BaseException:
        merged.close()
        raise
    return merged


def _open_part(prepared: PreparedStep, config: Any, split: Split, ctx: StepContext) -> Batches:
    outputs = prepared.driver().run_split(step_id=prepared.id, config=config, split=split, ctx=ctx)
    return Pull(only_output(outputs, prepared.id))


class Merged:
    """Several producers as one source of batches."""

    def __init__(self, parts: Sequence[Producer]) -> None:
        self._parts = parts

    @property
    def schema(self) -> Schema:
        """The schema of all parts."""
        return self._parts[0].feed.schema

    def open(self, name: str) -> None:
        """Wait for every part's schema; raises DriverError when they differ."""
        if any(part.feed.schema != self.schema for part in self._parts):
            raise DriverError("OSR-RUN-027", f"the parts of '{name}' have different columns")

    def __iter__(self) -> Iterator[RecordBatch]:
        open_parts = list(self._parts)
        while open_parts:
            for part in tuple(open_parts):
                batch = part.feed.next_batch()
                if batch is None:
                    open_parts.remove(part)
                else:
                    yield batch

    def close(self) -> None:
        """Stop every part and wait for it."""
        for part in self._parts:
            part.feed.close()
        for part in self._parts:
            part.join(None)


def _checked(splits: Any, name: str) -> list[Split]:
    if not isinstance(splits, list | tuple) or not all(isinstance(split, Split) for split in splits):
        raise DriverError("OSR-RUN-022", f"the driver's splits() of '{name}' returned no list of Split")
    if len(splits) > MAX_PARTS or len({split.part for split in splits}) != len(splits):
        raise DriverError("OSR-RUN-026", f"the split plan of '{name}' has too many parts, or one part twice")
    return list(splits)
