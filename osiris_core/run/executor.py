"""The one executor: starts units as their inputs become ready, and stops them when the run has to end.

The calling thread only waits, on one queue that units, signals and the clock put messages into; units run on threads
of their own, at most ``jobs`` at a time, in the order of their roots in the manifest.
"""

from __future__ import annotations

import queue
import threading
import time
from typing import TYPE_CHECKING, Any, Final

import attrs

from osiris_core.errors import Cancelled, OsirisError, RunFailed
from osiris_core.run.events import CancelRequested, StepCancelled
from osiris_core.run.state import Status
from osiris_core.run.unit_runner import UnitOutcome, run_unit
from osiris_core.run.units import WRITE, Unit, cut

if TYPE_CHECKING:
    from collections.abc import Mapping

    from osiris_core.compile.manifest import Manifest
    from osiris_core.run.state import RunState, StepState

GRACE_SECONDS: Final = 20.0
"""How long the run waits for stopped units; drivers get :data:`osiris_core.run.attempt.STOP_SECONDS` of it."""


_SLICE_SECONDS: Final = 0.2


class Interrupts:
    """Requests from outside to stop a run. :meth:`request` may be called from a signal handler."""

    def __init__(self) -> None:
        # SimpleQueue.put is reentrant: a handler may interrupt the very thread that waits on the queue.
        self.messages: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def request(self, name: str) -> None:
        """Ask the run to stop; ``name`` says who asks (``SIGINT``)."""
        self.messages.put(name)

    def take(self, seconds: float | None) -> Any:
        """The next message; raises ``queue.Empty`` when none has come after ``seconds`` (None: waits for one).

        It waits in slices. A signal that comes right before a wait does not end it, and its handler, which is what puts
        the message, runs only when the wait does end.
        """
        until = None if seconds is None else time.monotonic() + seconds
        while True:
            left = _SLICE_SECONDS if until is None else min(_SLICE_SECONDS, max(0.0, until - time.monotonic()))
            try:
                return self.messages.get(timeout=left)
            except queue.Empty:
                if until is not None and time.monotonic() >= until:
                    raise


@attrs.frozen(kw_only=True)
class Outcome:
    """How a run ended. ``stuck`` are steps whose drivers still run; only ending the process stops them."""

    status: Status
    error: OsirisError | None
    step: str | None
    stuck: tuple[str, ...]


class Execution:
    """One run's loop."""

    def __init__(self, run: RunState, interrupts: Interrupts) -> None:
        self._run = run
        self._interrupts = interrupts
        self._messages = interrupts.messages
        self._units = cut(run.manifest)
        self._missing = {unit.number: len(unit.needs) for unit in self._units}
        self._dependents: dict[int, list[Unit]] = {unit.number: [] for unit in self._units}
        for unit in self._units:
            for needed in unit.needs:
                self._dependents[needed].append(unit)
        self._readers = {unit.number: len(self._dependents[unit.number]) for unit in self._units}
        self._ready: queue.PriorityQueue[tuple[int, Unit]] = queue.PriorityQueue()
        self._running: dict[int, Unit] = {}
        self._error: OsirisError | None = None
        self._step: str | None = None
        self._stuck: list[str] = []
        self._deadline = None if run.limits.timeout is None else time.monotonic() + run.limits.timeout
        self._give_up: float | None = None

    def execute(self) -> Outcome:
        """Run every unit; returns when nothing runs any more, or when what runs would not stop."""
        for unit in self._units:
            if not unit.needs:
                self._ready.put((unit.number, unit))
        while not self._messages.empty():  # a signal that came before anything runs
            self._wait()
        try:
            self._say_bootstrap()
            self._start_ready()
            while self._running and self._wait():
                self._start_ready()
        except BaseException:
            # A defect of ours: nothing may go on writing while the record is closed.
            self._run.token.cancel(RunFailed("OSR-RUN-002", "the run has failed"))
            raise
        self._abandon()
        return Outcome(status=self._status(), error=self._error, step=self._step, stuck=tuple(self._stuck))

    def _say_bootstrap(self) -> None:
        """Record how long it took from the command's beginning until the first step is about to start."""
        if not self._run.token.cancelled:
            took = round((time.monotonic() - self._run.began) * 1000)
            self._run.session.measure(None, [("bootstrap", took, "ms")])

    def _start_ready(self) -> None:
        while not self._ready.empty() and len(self._running) < self._run.limits.jobs and not self._run.token.cancelled:
            _, unit = self._ready.get()
            self._running[unit.number] = unit
            name = f"osiris-unit-{unit.root.id}"
            threading.Thread(target=self._work, args=(unit,), name=name, daemon=True).start()

    def _work(self, unit: Unit) -> None:
        self._messages.put(run_unit(unit, self._run))

    def _wait(self) -> bool:
        """Take in the next message; False when the wait for stopped units is over."""
        until = self._give_up if self._give_up is not None else self._deadline
        left = None if until is None else max(0.0, until - time.monotonic())
        try:
            message = self._interrupts.take(left)
        except queue.Empty:
            if self._give_up is not None:
                return False
            seconds = self._run.limits.timeout
            self._stop(RunFailed("OSR-RUN-008", f"the run took longer than its timeout of {seconds:g} s"), "timeout")
            return True
        if isinstance(message, UnitOutcome):
            self._take(message)
        else:
            self._stop(Cancelled("OSR-RUN-001", f"interrupted ({message})"), "interrupted")
        return True

    def _take(self, outcome: UnitOutcome) -> None:
        unit = outcome.unit
        del self._running[unit.number]
        self._stuck += outcome.stuck
        if outcome.error is not None:
            if self._error is None:
                self._step = outcome.step
            self._stop(outcome.error, outcome.step or "failed", said=f"step '{outcome.step}' failed")
            return
        for needed in unit.needs:
            self._readers[needed] -= 1
            if not self._readers[needed]:
                self._run.spools.pop(self._units[needed].root.id).remove()
        if self._run.token.cancelled:
            return
        for dependent in self._dependents[unit.number]:
            self._missing[dependent.number] -= 1
            if not self._missing[dependent.number]:
                self._ready.put((dependent.number, dependent))

    def _stop(self, error: OsirisError, reason: str, *, said: str | None = None) -> None:
        """Stop everything because of ``error``; the first reason is the run's."""
        if self._error is not None:
            return
        self._error = error
        self._give_up = time.monotonic() + GRACE_SECONDS
        message = said or error.message
        self._run.token.cancel(RunFailed("OSR-RUN-002", message))
        if self._running:
            self._say(CancelRequested(reason=reason, message=message))

    def _abandon(self) -> None:
        """Note the steps of units that did not come back."""
        for unit in self._running.values():
            for step in unit.steps:
                self._stuck.append(step.id)
                state = self._run.steps[step.id]
                state.status = Status.CANCELLED
                state.duration_ms = state.elapsed()
                self._say(StepCancelled(step=step.id, reason="the driver did not stop when asked to", stopped=False))

    def _say(self, event: object) -> None:
        """Record an event; when the record is full, that becomes the run's failure unless it has one."""
        try:
            self._run.session.emit(event)
        except OsirisError as error:
            self._error = self._error or error

    def _status(self) -> Status:
        if self._error is None:
            return Status.SUCCEEDED
        return Status.INTERRUPTED if isinstance(self._error, Cancelled) else Status.FAILED


def rows_of(manifest: Manifest, steps: Mapping[str, StepState]) -> int:
    """Rows of a run: those that writers published; in a pipeline without writers, those extracted."""
    writers = [step.id for step in manifest.steps if step.mode == WRITE]
    counted = writers or [step.id for step in manifest.steps if not step.needs]
    done = [steps[step_id] for step_id in counted if steps[step_id].status is Status.SUCCEEDED]
    return sum(state.rows_written for state in done)
