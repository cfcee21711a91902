"""Runs one unit to its end: attempts, retries of what may pass, and the events that say how each step ended."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING, Final

import attrs

from osiris_core.errors import OsirisError
from osiris_core.run.attempt import Attempt, StepError
from osiris_core.run.context import Budget
from osiris_core.run.events import (
    ColumnsObserved,
    StepCancelled,
    StepFailed,
    StepFinished,
    StepRetried,
    StepStarted,
)
from osiris_core.run.failure import as_error, traceback_of
from osiris_core.run.state import RunState, Status
from osiris_core.run.units import WRITE

if TYPE_CHECKING:
    from osiris_core.run.events import ObservedColumn
    from osiris_core.run.state import StepState
    from osiris_core.run.units import Unit

FIRST_DELAY: Final = 0.5
LONGEST_DELAY: Final = 30.0
_LEAST_MEMORY: Final = 64 * 1024 * 1024


@attrs.frozen(kw_only=True)
class UnitOutcome:
    """How a unit ended: without ``error`` it succeeded. ``stuck`` are steps whose drivers did not stop."""

    unit: Unit
    error: OsirisError | None = None
    step: str | None = None
    stuck: tuple[str, ...] = ()


def run_unit(unit: Unit, run: RunState) -> UnitOutcome:
    """Run ``unit``; whatever goes wrong is in the outcome, never raised."""
    try:
        return _run(unit, run)
    except BaseException as error:  # noqa: BLE001 - the outcome carries it to the executor
        # Recording itself has failed (a full disk), or the runtime is wrong: nothing more can be said about steps.
        root = unit.root
        for step in unit.steps:
            run.steps[step.id].status = Status.FAILED if step is root else Status.CANCELLED
        return UnitOutcome(unit=unit, error=as_error(error, step=root.id, component=root.component), step=root.id)


def _run(unit: Unit, run: RunState) -> UnitOutcome:
    _start(unit, run)
    attempts = run.limits.attempts
    attempt = 0
    while True:
        attempt += 1
        for step in unit.steps:
            run.steps[step.id].attempts = attempt
        try:
            Attempt(unit, run, _budget(unit, run)).execute()
        except StepError as failed:
            again = failed.error.retriable and attempt < attempts and not failed.stuck and not run.token.cancelled
            if again and not _wait(unit, run, failed, attempt):
                continue
            return _failed(unit, run, failed)
        _finished(unit, run)
        return UnitOutcome(unit=unit)


def _start(unit: Unit, run: RunState) -> None:
    for step in unit.steps:
        state = run.steps[step.id]
        state.status = Status.RUNNING
        state.started = time.monotonic()
        dialect = run.prepared[step.id].sql_dialect
        run.session.emit(StepStarted(step=step.id, component=step.component, mode=step.mode, sql_dialect=dialect))


def _budget(unit: Unit, run: RunState) -> Budget:
    """A step's share: of the memory, by the units and the steps of this one that may need it at the same time."""
    hungry = sum(1 for step in unit.steps if step.needs) or 1
    share = run.limits.memory // (run.limits.jobs * hungry)
    return Budget(memory=max(share, _LEAST_MEMORY), threads=run.limits.threads)


def delay_before(attempt: int, jitter: float) -> float:
    """Seconds to wait after the failure of ``attempt`` (from 1); ``jitter`` in 0..1 keeps runs from moving in step."""
    longest = min(LONGEST_DELAY, FIRST_DELAY * 2 ** (attempt - 1))
    return float(longest * (0.5 + jitter / 2))


def _wait(unit: Unit, run: RunState, failed: StepError, attempt: int) -> bool:
    """Say that the unit is tried again, and wait; True when the run was stopped meanwhile."""
    delay = delay_before(attempt, random.random())  # noqa: S311 - not for secrets
    retried = StepRetried(
        step=failed.step,
        attempt=attempt,
        attempts=run.limits.attempts,
        delay_ms=round(delay * 1000),
        code=failed.error.code,
        message=failed.error.message,
        restarted=[step.id for step in unit.steps],
    )
    run.session.log("warning", f"{failed.step}: attempt {attempt} failed\n{traceback_of(failed.error)}")
    run.session.emit(retried)
    return run.token.wait(delay)


def _finished(unit: Unit, run: RunState) -> None:
    for step in unit.steps:
        state = run.steps[step.id]
        state.status = Status.SUCCEEDED
        state.duration_ms = state.elapsed()
        measured = [
            ("rows_read", state.rows_read, "rows"),
            ("rows_written", state.rows_written, "rows"),
            ("bytes", state.bytes, "bytes"),
            ("duration", state.duration_ms, "ms"),
        ]
        run.session.measure(step.id, measured)
        if step.mode != WRITE:
            _observed(run, state)
        finished = StepFinished(
            step=step.id,
            rows_read=state.rows_read,
            rows_written=state.rows_written,
            bytes=state.bytes,
            attempts=state.attempts,
            duration_ms=state.duration_ms,
        )
        run.session.emit(finished)


def _observed(run: RunState, state: StepState) -> None:
    counted = zip(state.columns, state.nulls, strict=True)
    columns: list[ObservedColumn] = [{"name": name, "nulls": nulls} for name, nulls in counted]
    run.session.emit(ColumnsObserved(step=state.id, basis="rows", rows=state.rows_written, columns=columns))


def _failed(unit: Unit, run: RunState, failed: StepError) -> UnitOutcome:
    """Say how each step ended, and which of them is the one that failed, if it was not stopped from outside."""
    reason = run.token.reason
    stopped = reason is not None
    error = failed.error
    if stopped:
        run.session.log("info", f"{failed.step} was stopped\n{traceback_of(error)}")
    culprit = None if stopped else failed.step
    run.prepared[failed.step].advise(error)
    why = reason.message if reason is not None else f"step '{failed.step}' failed"
    for step in unit.steps:
        state = run.steps[step.id]
        state.duration_ms = state.elapsed()
        if step.id == culprit:
            state.status = Status.FAILED
            state.error = error
            _say_failed(run, step.component, error, state.id)
        else:
            state.status = Status.CANCELLED
            run.session.emit(StepCancelled(step=step.id, reason=why, stopped=step.id not in failed.stuck))
    return UnitOutcome(unit=unit, error=None if stopped else error, step=culprit, stuck=failed.stuck)


def _say_failed(run: RunState, component: str, error: OsirisError, step_id: str) -> None:
    state = run.steps[step_id]
    run.session.log("error", f"{step_id} ({component}) failed\n{traceback_of(error)}")
    event = StepFailed(
        step=step_id,
        component=component,
        code=error.code,
        message=error.message,
        hint=error.hint,
        attempts=state.attempts,
        duration_ms=state.duration_ms,
    )
    run.session.emit(event)
