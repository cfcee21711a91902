"""Run a manifest and leave its record: the one door for commands, targets and tests."""

from __future__ import annotations

import os
import shutil
import time
from typing import TYPE_CHECKING, Any, Final, Protocol

import attrs

from osiris_core.canonical import canonical_json, digest
from osiris_core.compile.build import MANIFEST, build_files
from osiris_core.compile.installed import check_installed
from osiris_core.errors import InvalidInput, OsirisError, RunFailed
from osiris_core.project.resolve import resolve
from osiris_core.redaction import Redactor
from osiris_core.run.bounds import Bounds, check_bounds
from osiris_core.run.cancel import CancelToken
from osiris_core.run.chain import join_chain, leave_chain
from osiris_core.run.events import (
    ObserverFailed,
    PinDiffers,
    RunFinished,
    RunStarted,
    StepCancelled,
    StepSkipped,
)
from osiris_core.run.executor import Execution, Interrupts, Outcome, rows_of
from osiris_core.run.failpoints import Failpoints
from osiris_core.run.failure import redact, traceback_of
from osiris_core.run.incremental import plan_incremental
from osiris_core.run.labels import check_labels
from osiris_core.run.observers import Observers
from osiris_core.run.outcome import RunOutcome, error_data, step_data
from osiris_core.run.prepare import prepare
from osiris_core.run.resources import limits_of, surroundings
from osiris_core.run.scratch import remove_left_behind, scratch_home
from osiris_core.run.session import FORMAT, Session, collecting_logs, utc_now
from osiris_core.run.state import Limits, RunState, Status, StepState

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from osiris_core.compile.manifest import Manifest, ManifestStep
    from osiris_core.plugins.registry import Registry
    from osiris_core.project.connections import Connections
    from osiris_core.project.environment import Environment
    from osiris_core.project.paths import Project
    from osiris_core.project.settings import Loaded
    from osiris_core.run.chain import Chain
    from osiris_core.spec.behave import SecretStore

KIND: Final = "run"


class Observes(Protocol):
    """Shows each event to who observes the run; tells ``complain``, which the run sets, what fails at it."""

    complain: Callable[[str], None]

    def __call__(self, event: Mapping[str, Any], /) -> None:
        """Show one event."""
        ...


@attrs.frozen(kw_only=True)
class RunOptions:
    """How to run, beyond the settings. ``listeners`` see every event in order, one at a time, redacted.

    ``redactor`` is told every secret before a driver is; whoever owns the process may lead what is printed through it.
    """

    target: str = "local"
    labels: Mapping[str, str] = attrs.field(factory=dict)
    """What the run is called by; see :mod:`osiris_core.run.labels`."""
    fresh: bool = False
    bounds: Bounds = attrs.field(factory=Bounds)
    interrupts: Interrupts = attrs.field(factory=Interrupts)
    redactor: Redactor = attrs.field(factory=Redactor)
    listeners: tuple[Callable[[Mapping[str, Any]], None], ...] = ()
    notes: tuple[Any, ...] = ()
    """Events to record right after ``run_started``: what was done to the process before the run."""
    stores: Mapping[str, SecretStore] = attrs.field(factory=dict)
    """Secret stores by scheme, asked instead of the plugins'."""
    began: float | None = None
    """When the command began, by the monotonic clock; ``bootstrap`` is measured from it, or else from the call."""
    observers: Observes | None = None
    """Who shows the events to the plugins that observe, instead of this process."""


def run_manifest(
    manifest: Manifest,
    *,
    project: Project,
    registry: Registry,
    loaded_settings: Loaded,
    environment: Environment,
    connections: Connections,
    options: RunOptions | None = None,
) -> RunOutcome:
    """Run ``manifest`` to its end.

    Whatever fails after the record has been opened is in the outcome and in the record; only a record that cannot be
    opened, or not be closed, raises.
    """
    chosen = options or RunOptions()
    check_labels(chosen.labels)
    redactor = chosen.redactor
    observers: Observes = chosen.observers or Observers(registry)
    settings = loaded_settings.settings
    session = Session.create(
        KIND,
        project.logs,
        details={
            "pipeline": manifest.name,
            "manifest_hash": manifest.hash,
            "target": chosen.target,
            "labels": dict(chosen.labels),
        },
        redactor=redactor,
        enabled=loaded_settings.event_enabled,
        level=settings.logging.level,
        # The observers come last: when one fails, that is an event, too.
        listeners=(*chosen.listeners, observers),
    )
    observers.complain = lambda message: session.emit(ObserverFailed(message=message))
    home = scratch_home(project, settings.run)
    limits = limits_of(settings.run)
    run = _Run(manifest, session, home / session.id, chosen, limits, data_values=settings.logging.data_values)
    with collecting_logs(session, settings.logging.level):
        connect = connector(connections, environment, registry, redactor, chosen.stores)
        return run.execute(project, registry, connect)


def connector(
    connections: Connections,
    environment: Environment,
    registry: Registry,
    redactor: Redactor,
    stores: Mapping[str, SecretStore] | None = None,
) -> Callable[[ManifestStep], Any]:
    """What gives a step its connection with secrets resolved, when the step is about to start."""

    def connect(step: ManifestStep) -> Any:
        use = step.connection
        if use is None:
            return None
        entry = connections.get(use.ref)
        return resolve(
            entry, use.overrides, environment=environment, registry=registry, redactor=redactor, stores=stores
        )

    return connect


def check_connections(manifest: Manifest, connect: Callable[[ManifestStep], Any]) -> None:
    """Resolve each connection once and forget it: what has no value is said before the first step has done anything."""
    checked: set[str] = set()
    for step in manifest.steps:
        use = step.connection
        if use is not None and (key := canonical_json([use.ref, use.overrides])) not in checked:
            checked.add(key)
            connect(step)


class _Run:
    """A run from the opening of its record to its closing."""

    def __init__(
        self,
        manifest: Manifest,
        session: Session,
        scratch: Path,
        options: RunOptions,
        limits: Limits,
        *,
        data_values: bool,
    ) -> None:
        self._manifest = manifest
        self._session = session
        self._scratch = scratch
        self._options = options
        self._limits = limits
        self._data_values = data_values
        self._started = time.monotonic()
        self._steps = {
            step.id: StepState(id=step.id, component=step.component, mode=step.mode) for step in manifest.steps
        }
        self._chain: Chain | None = None
        self._state: RunState | None = None
        self._failpoints = Failpoints()
        bounds = options.bounds
        # A backfill must not take what an ordinary run has published for its own.
        self._chained = digest([manifest.hash, attrs.asdict(bounds)]) if bounds.given else manifest.hash

    def execute(self, project: Project, registry: Registry, connect: Callable[[ManifestStep], Any]) -> RunOutcome:
        try:
            outcome = self._execute(project, registry, connect)
        except OsirisError as error:
            outcome = Outcome(status=Status.FAILED, error=error, step=None, stuck=())
        except OSError as error:
            made = RunFailed("OSR-RUN-031", f"the run could not be set up: {error.strerror or error}")
            outcome = Outcome(status=Status.FAILED, error=made, step=None, stuck=())
        except Exception as error:  # noqa: BLE001 - recorded, and reported as what it is
            self._session.log("error", traceback_of(error))
            unforeseen = OsirisError("OSR-CLI-001", f"internal error: {type(error).__name__}: {error}")
            outcome = Outcome(status=Status.FAILED, error=unforeseen, step=None, stuck=())
        if not outcome.stuck:
            shutil.rmtree(self._scratch, ignore_errors=True)
        return self._close(outcome)

    def _execute(self, project: Project, registry: Registry, connect: Callable[[ManifestStep], Any]) -> Outcome:
        manifest, session = self._manifest, self._session
        self._failpoints = Failpoints.from_environment(os.environ)
        check_bounds(manifest, self._options.bounds)
        chain = join_chain(session.path.parent, self._chained, session.id, fresh=self._options.fresh)
        self._chain = chain
        session.write_file(f"manifest/{MANIFEST}", build_files(manifest)[MANIFEST])
        started = RunStarted(
            pipeline=manifest.name,
            manifest_hash=manifest.hash,
            target=self._options.target,
            token=chain.token,
            steps=len(manifest.steps),
            environment=surroundings(self._limits, session.path) | {"project": str(project.root.absolute())},
        )
        session.emit(started)
        for note in self._options.notes:
            session.emit(note)
        remove_left_behind(self._scratch.parent, session.path.parent)
        self._check_installed(registry)
        prepared = prepare(manifest, registry, connect)
        check_connections(manifest, connect)
        session.mask_opening()
        self._scratch.mkdir(parents=True, exist_ok=True)
        self._state = RunState(
            manifest=manifest,
            prepared=prepared,
            session=session,
            token=CancelToken(complain=lambda error: session.log("warning", f"a cancellation failed: {error}")),
            chain=chain.token,
            scratch=self._scratch,
            project_root=project.root,
            failpoints=self._failpoints,
            limits=self._limits,
            steps=self._steps,
            began=self._started if self._options.began is None else self._options.began,
            data_values=self._data_values,
            reserved=project.reserved,
            incrementals=plan_incremental(manifest, prepared, self._options.bounds),
        )
        return Execution(self._state, self._options.interrupts).execute()

    def _check_installed(self, registry: Registry) -> None:
        findings = check_installed(self._manifest, registry)
        errors = [finding for finding in findings if finding.is_error]
        if errors:
            raise InvalidInput(
                "OSR-RUN-052", "the manifest does not fit what is installed", diagnostics=errors, hint=errors[0].hint
            )
        for finding in findings:
            self._session.emit(PinDiffers(message=finding.message))

    def _close(self, outcome: Outcome) -> RunOutcome:
        error = outcome.error
        rows = rows_of(self._manifest, self._steps)
        duration = round((time.monotonic() - self._started) * 1000)
        finished = RunFinished(
            status=outcome.status.value,
            rows=rows,
            code=error.code if error else None,
            message=error.message if error else None,
            step=outcome.step,
            duration_ms=duration,
        )
        try:
            self._settle(outcome)
            self._session.measure(None, [("rows", rows, "rows"), ("duration", duration, "ms")])
            self._session.emit(finished)
        except OsirisError as full:
            error = error or full
        status = Status.FAILED if error is not None and outcome.error is None else outcome.status
        if error is not None:
            redact(error, self._session.clean)
        self._failpoints.reach("before_status")
        made = RunOutcome(
            session_id=self._session.id,
            record=self._session.path,
            status=status,
            rows=rows,
            duration_ms=duration,
            steps=tuple(self._steps.values()),
            error=error,
            step=outcome.step,
            stuck=outcome.stuck,
        )
        self._session.close(self._document(made))
        if status is Status.SUCCEEDED:
            leave_chain(self._session.path.parent, self._chained, self._session.id)
        return made

    def _settle(self, outcome: Outcome) -> None:
        """Say of each step that was never started, or was lost sight of, that it was."""
        reason = "a step before it did not succeed" if outcome.step else "the run was stopped"
        events: list[StepSkipped | StepCancelled] = []
        for state in self._steps.values():
            if state.status is Status.PENDING:
                state.status = Status.SKIPPED
                why = reason if self._state is not None else "the run did not start"
                events.append(StepSkipped(step=state.id, reason=why))
            elif state.status is Status.RUNNING:
                state.status = Status.CANCELLED
                events.append(StepCancelled(step=state.id, reason=reason, stopped=False))
        for event in events:
            self._session.emit(event)

    def _document(self, outcome: RunOutcome) -> dict[str, Any]:
        """``status.json``."""
        return {
            "format": FORMAT,
            "session": outcome.session_id,
            "kind": KIND,
            "status": outcome.status.value,
            "exit_code": int(outcome.exit_code),
            "pipeline": self._manifest.name,
            "manifest_hash": self._manifest.hash,
            "target": self._options.target,
            "labels": dict(self._options.labels),
            "token": self._chain.token if self._chain else None,
            "started": self._session.started,
            "finished": utc_now(),
            "duration_ms": outcome.duration_ms,
            "rows": outcome.rows,
            "error": error_data(outcome.error),
            "step": outcome.step,
            "steps": [step_data(step) for step in outcome.steps],
        }
