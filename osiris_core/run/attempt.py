"""One attempt at a unit: start its producers, bring the rows at its root to rest, find the culprit of a failure."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from osiris_core.errors import OsirisError, RunFailed
from osiris_core.ids import input_name
from osiris_core.run.cancel import CancelToken
from osiris_core.run.cstream import Pull
from osiris_core.run.dataset import Meter, RowStream
from osiris_core.run.events import RowsSpooled, StepProgress, StepSchema
from osiris_core.run.failure import as_error, is_real, judged
from osiris_core.run.layout import columns_of
from osiris_core.run.partition import open_parts
from osiris_core.run.producer import Batches, Producer, only_output
from osiris_core.run.state import Status
from osiris_core.run.units import WRITE, Ending
from osiris_core.run.writing import write_plain, write_staged

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from arro3.core import Schema

    from osiris_core.run.context import Budget, StepContext
    from osiris_core.run.state import PreparedStep, RunState
    from osiris_core.run.units import Unit

PROGRESS_SECONDS = 1.0
SETTLE_SECONDS = 0.2
"""How long producers get to end by themselves once their rows have been taken."""
STOP_SECONDS = 15.0
"""How long a stopped driver may take to let go before the run ends without it."""


class StepError(Exception):
    """The failure of an attempt: which step, and what. ``stuck`` are the steps whose drivers did not stop."""

    def __init__(self, step: str, error: OsirisError, stuck: tuple[str, ...] = ()) -> None:
        super().__init__(f"{step}: {error}")
        self.step = step
        self.error = error
        self.stuck = stuck


class Attempt:
    """One attempt; :meth:`execute` may be called once."""

    def __init__(self, unit: Unit, run: RunState, budget: Budget) -> None:
        self._unit = unit
        self._run = run
        self._budget = budget
        self._token = CancelToken(run.token)
        self._producers: dict[str, Producer] = {}
        self._streams: dict[str, tuple[RowStream, ...]] = {}
        self._given: dict[str, RowStream] = {}

    def execute(self) -> None:
        """Run the unit; raises StepError, with nothing left staged and no driver left running."""
        caught: BaseException | None = None
        try:
            for step in self._unit.steps[:-1]:
                self._start(self._run.prepared[step.id])
            self._finish(self._run.prepared[self._unit.root.id])
        except BaseException as error:  # noqa: BLE001 - becomes a StepError below
            caught = judged(error, stopped=self._token.cancelled)
        stuck = self._stop(caught)
        culprit = self._culprit(caught)
        if stuck and culprit is None:
            culprit = stuck[0], RunFailed("OSR-RUN-006", "the driver did not stop when asked to")
        if culprit is not None:
            step_id, cause = self._whose(*culprit)
            component = self._run.steps[step_id].component
            raise StepError(step_id, as_error(cause, step=step_id, component=component), stuck) from cause
        self._count()

    # Producing.

    def _start(self, prepared: PreparedStep) -> None:
        """Start a step that gives rows."""
        inputs = self._inputs(prepared)
        producer = Producer(
            prepared.id,
            start=lambda: self._run_driver(prepared, inputs),
            inputs=self._streams[prepared.id],
            token=self._token,
            on_schema=lambda schema: self._say_schema(prepared.id, schema),
        )
        producer.start()
        self._producers[prepared.id] = producer

    def _run_driver(self, prepared: PreparedStep, inputs: Mapping[str, RowStream]) -> Batches:
        ctx = self._run.context(prepared, self._token, self._budget)
        incremental = self._run.incrementals.get(prepared.id)
        if incremental is None:
            return self._open(prepared, inputs, ctx)
        ctx.window = incremental.begin(lambda: self._context(incremental.writer), self._run.session)
        source = self._open(prepared, inputs, ctx)
        try:
            return incremental.watch(source, ctx)
        except BaseException:
            source.close()
            raise

    def _context(self, prepared: PreparedStep) -> StepContext:
        return self._run.context(prepared, self._token, self._budget)

    def _open(self, prepared: PreparedStep, inputs: Mapping[str, RowStream], ctx: StepContext) -> Batches:
        config = prepared.config
        if prepared.partitioned and self._run.limits.partitions > 1:
            parts = open_parts(prepared, config=config, ctx=ctx, count=self._run.limits.partitions, token=self._token)
            if parts is not None:
                return parts
        outputs = prepared.driver().run(step_id=prepared.id, config=config, inputs=inputs, ctx=ctx)
        return Pull(only_output(outputs, prepared.id))

    def _inputs(self, prepared: PreparedStep) -> dict[str, RowStream]:
        """The rows of each upstream step, by the names that the driver sees."""
        writes = prepared.step.mode == WRITE
        streams = []
        for needed in prepared.step.needs:
            spooled = self._run.spools.get(needed)
            # What a step gives is its progress, and what a writer takes; the producer of a spool is done.
            seen = ((needed,) if spooled is None else ()) + ((prepared.id,) if writes else ())
            feed = spooled.feed() if spooled is not None else self._producers[needed].feed
            watch = self._watch(seen, writer=prepared.id if writes else None)
            stream = RowStream(feed, name=needed, watch=watch, nulls=spooled is None)
            streams.append(stream)
            if spooled is None:
                self._given[needed] = stream
        self._streams[prepared.id] = tuple(streams)
        named = {input_name(stream.name): stream for stream in streams}
        if len(streams) == 1:
            named["df"] = streams[0]
        return named

    def _watch(self, seen: tuple[str, ...], *, writer: str | None = None) -> Callable[[Meter], None]:
        """What sees a meter: stops a stopped run, reports progress of the steps ``seen``, serves ``mid_write``."""
        due = time.monotonic() + PROGRESS_SECONDS

        def watch(meter: Meter) -> None:
            nonlocal due
            if writer is not None and meter.batches:
                self._run.failpoints.reach("mid_write", writer, token=self._token)
            self._token.check()
            now = time.monotonic()
            if now >= due:
                due = now + PROGRESS_SECONDS
                # A driver may go on reading on a thread of its own after its step has ended.
                for step in (one for one in seen if self._run.steps[one].status is Status.RUNNING):
                    self._run.session.emit(StepProgress(step=step, rows=meter.rows, bytes=meter.bytes))

        return watch

    def _say_schema(self, step_id: str, schema: Schema) -> None:
        state = self._run.steps[step_id]
        if state.schema_said:
            return
        state.schema_said = True
        self._run.session.emit(StepSchema(step=step_id, columns=columns_of(schema)))

    # Coming to rest.

    def _finish(self, prepared: PreparedStep) -> None:
        """Run the root."""
        if self._unit.ending is Ending.WRITE:
            self._write(prepared)
            return
        self._start(prepared)
        feed = self._producers[prepared.id].feed
        stream = RowStream(feed, name=prepared.id, watch=self._watch((prepared.id,)), nulls=True)
        self._given[prepared.id] = stream
        if self._unit.ending is Ending.DRAIN:
            for _ in stream.batches():
                pass
            return
        folder = self._run.scratch / "spool"
        folder.mkdir(parents=True, exist_ok=True)
        spooled = stream.spool(folder)
        self._run.spools[prepared.id] = spooled
        self._run.session.emit(
            RowsSpooled(step=prepared.id, rows=spooled.rows, bytes=spooled.bytes, consumers=list(prepared.consumers))
        )

    def _write(self, prepared: PreparedStep) -> None:
        inputs = self._inputs(prepared)
        (rows,) = self._streams[prepared.id]
        ctx = self._context(prepared)
        driver = prepared.driver()
        config = prepared.config
        incremental = self._run.incremental_into(prepared.id)
        if incremental is not None:
            ctx.state_source = incremental.load_state
        if prepared.staged:
            written = write_staged(
                driver, config=config, rows=rows, ctx=ctx, session=self._run.session, confirm=self._confirm
            )
            if incremental is not None and not written.already:
                incremental.committed(self._run.session)
        else:
            written = write_plain(driver, config=config, inputs=inputs, rows=rows, ctx=ctx)
        state = self._run.steps[prepared.id]
        state.rows_written = written.rows
        state.destination = self._run.session.clean(written.destination)
        state.already = written.already

    # Ending.

    def _stop(self, caught: BaseException | None) -> tuple[str, ...]:
        """Bring every producer to its end; the steps of those that would not stop."""
        for streams in self._streams.values():
            for stream in streams:
                stream.close()
        for stream in self._given.values():
            stream.close()
        if caught is not None or not self._ended_within(SETTLE_SECONDS):
            # What is still running gives rows that nobody wants any more (a LIMIT), or fails with the others.
            self._token.cancel(RunFailed("OSR-RUN-007", "the chain of steps has ended"))
        self._ended_within(STOP_SECONDS)
        self._token.close()
        return tuple(name for name, producer in self._producers.items() if not producer.join(0))

    def _ended_within(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        return all(producer.join(max(0.0, deadline - time.monotonic())) for producer in self._producers.values())

    def _culprit(self, caught: BaseException | None) -> tuple[str, BaseException] | None:
        """The first step, in order, that failed of itself; everything after it failed because of it.

        A producer's failure counts when its consumer has met it - even if the consumer has swallowed it - and not when
        the consumer had all it wanted before.
        """
        for step in self._unit.steps:
            streams = self._streams.get(step.id, ())
            for stream in streams:
                if is_real(stream.own_failure):
                    assert stream.own_failure is not None
                    return step.id, stream.own_failure
            given = self._given.get(step.id)
            failure = given.failure if given is not None else caught if step is self._unit.root else None
            if is_real(failure) and not any(is_real(stream.failure) for stream in streams):
                assert failure is not None
                return step.id, failure
        return (self._unit.root.id, caught) if caught is not None else None

    def _whose(self, step_id: str, cause: BaseException) -> tuple[str, BaseException]:
        """The step that ``cause`` is to be said of: the state of an incremental extract is for its writer to give."""
        incremental = self._run.incrementals.get(step_id)
        if incremental is None or cause is not incremental.unread:
            return step_id, cause
        writer = incremental.writer.id
        return (writer if any(step.id == writer for step in self._unit.steps) else step_id), cause

    def _confirm(self) -> None:
        """Raise what any step of the unit has met, so that nothing is published if one of them has swallowed it."""
        culprit = self._culprit(None)
        if culprit is not None:
            raise culprit[1]
        incremental = self._run.incremental_into(self._unit.root.id)
        if incremental is not None:
            taken = self._taken(incremental.extract.id)
            incremental.confirm(taken, self._context(incremental.writer), self._run.session)

    def _taken(self, step_id: str) -> int:
        """Rows of ``step_id`` that the next step has taken, once it takes no more; -1 when a spool has them all."""
        stream = self._given.get(step_id)
        if stream is None:
            return -1
        if not stream.meter.ended:  # the next step wants no more: whether there are more shows when the source goes on
            stream.close()
            self._producers[step_id].join(STOP_SECONDS)
        return stream.meter.rows

    def _count(self) -> None:
        """Take the meters over into what is known about the steps."""
        for step in self._unit.steps:
            state = self._run.steps[step.id]
            taken = [stream.meter for stream in self._streams[step.id]]
            given = self._given.get(step.id)
            state.rows_read = sum(meter.rows for meter in taken)
            if given is None:
                state.bytes = sum(meter.bytes for meter in taken)
                continue
            state.rows_written = given.meter.rows
            state.bytes = given.meter.bytes
            state.columns = given.columns
            state.nulls = tuple(given.meter.nulls or [0] * len(state.columns))
            if not taken:
                state.rows_read = given.meter.rows
