"""``--isolate``, the parent's side: the same executor in a child process that has restricted itself.

What the child needs goes through its standard input: the manifest, the settings, and of all secrets only those that
the pipeline's connections refer to - never through arguments or its environment, which other processes can read. They
are looked up here, because what a secret store needs for that is out of the child's reach. Events come back on a pipe,
one JSON line each; what the child prints goes where this process prints.

The plugins that observe the run do so here, too: the addresses and keys they send to are no business of the drivers'.
What fails at it is written to the child when they have seen the last event; it has the record.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from queue import Empty
from typing import IO, TYPE_CHECKING, Any, Final

import attrs

from osiris_core.compile.form import to_data
from osiris_core.diagnostics import Diagnostic, Position, Severity
from osiris_core.errors import (
    Cancelled,
    ConnectionUnusable,
    ExitCode,
    InvalidInput,
    OsirisError,
    RunFailed,
)
from osiris_core.model.structure import unstructure
from osiris_core.project.references import texts
from osiris_core.project.resolve import STORE, store_of
from osiris_core.run.executor import GRACE_SECONDS
from osiris_core.run.handed import fields_of, references_of
from osiris_core.run.observers import Observers
from osiris_core.run.outcome import RunOutcome
from osiris_core.run.state import Status, StepState
from osiris_core.secrets import ENVIRONMENT, REFERENCE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from osiris_core.compile.manifest import Manifest
    from osiris_core.run.handed import Handed
    from osiris_core.run.targets import TargetContext
    from osiris_core.secrets import SecretRef
    from osiris_core.spec.behave import SecretStore

PASSED: Final = (
    "PATH",
    "LANG",
    "LC_ALL",
    "TZ",
    "PYTHONPATH",
    "PYTHONHASHSEED",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "OSIRIS_FAILPOINT",
    "OSIRIS_TEST_FAILPOINTS",
)
"""Variables that the child's own environment has; none of them is a secret."""

_KILL_AFTER: Final = GRACE_SECONDS + 10.0
_LINGER_SECONDS: Final = 5.0
"""How long the child's last words are waited for when something it has left behind keeps the pipe open."""

_ENDS: Final = {
    "step_started": Status.RUNNING,
    "step_finished": Status.SUCCEEDED,
    "step_failed": Status.FAILED,
    "step_cancelled": Status.CANCELLED,
    "step_skipped": Status.SKIPPED,
}

_KINDS: Final = {
    int(ExitCode.FAILED): RunFailed,
    int(ExitCode.INVALID): InvalidInput,
    int(ExitCode.UNUSABLE): ConnectionUnusable,
    int(ExitCode.INTERRUPTED): Cancelled,
}


def run_isolated(manifest: Manifest, ctx: TargetContext) -> RunOutcome:
    """Run ``manifest`` in a process of its own; the outcome is that of the run, or that the process died."""
    request = _request(manifest, ctx)
    read, write = os.pipe()
    try:
        child = subprocess.Popen(  # noqa: S603 - this interpreter, a fixed module, a number
            [sys.executable, "-m", "osiris_core.run.child", str(write)],
            stdin=subprocess.PIPE,
            stdout=2,
            env={name: os.environ[name] for name in PASSED if name in os.environ},
            cwd=ctx.loaded.project.root,
            pass_fds=(write,),
            start_new_session=True,
        )
    except BaseException:
        os.close(read)
        raise
    finally:
        os.close(write)
    return _Watch(manifest, ctx).follow(child, os.fdopen(read, "r", encoding="utf-8", errors="replace"), request)


def _request(manifest: Manifest, ctx: TargetContext) -> bytes:
    project = ctx.loaded.project
    variables, secrets = _secrets(manifest, ctx)
    document = {
        "parent": os.getpid(),
        "manifest": to_data(manifest),
        "root": str(project.root),
        "build": project.build_folder,
        "logs": project.logs_folder,
        "settings": unstructure(ctx.loaded.settings),
        "environment": variables,
        "searched": ctx.environment.searched,
        "secrets": secrets,
        "places": sorted(_places(manifest, ctx)),
        "plugins": [info.id for info in ctx.registry.plugins if info.usable],
        "target": ctx.options.target,
        "fresh": ctx.options.fresh,
        "labels": dict(ctx.options.labels),
        "bounds": attrs.asdict(ctx.options.bounds),
        "began": ctx.options.began,  # one monotonic clock serves all processes of a machine
    }
    return json.dumps(document).encode() + b"\n"


def _secrets(manifest: Manifest, ctx: TargetContext) -> tuple[dict[str, str], Handed]:
    """What the connections of ``manifest`` refer to: variables, and what secret stores say to the other references."""
    stores: dict[str, SecretStore] = {}
    variables: dict[str, str] = {}
    handed: Handed = {}
    for ref in sorted(references_of(manifest, ctx.connections), key=str):
        if ref.scheme == ENVIRONMENT:
            value = ctx.environment.get(ref.name)
            if value is not None:
                variables[ref.name] = value
        else:
            value = _ask(ref, stores, ctx, handed.setdefault(ref.scheme, {}))
        if value is not None:
            ctx.options.redactor.register(value)
    return variables, handed


def _ask(
    ref: SecretRef, stores: dict[str, SecretStore], ctx: TargetContext, answers: dict[str, dict[str, str | None]]
) -> str | None:
    """Ask the store of ``ref``; its answer, or its error, is put into ``answers`` for the child to meet in its turn."""
    try:
        if ref.scheme not in stores:
            stores[ref.scheme] = store_of(ref.scheme, registry=ctx.registry, environment=ctx.environment)
        value = stores[ref.scheme].get(ref.name)
    except OsirisError as error:
        answers[ref.name] = {"code": error.code, "message": error.message, "hint": error.hint}
        return None
    except Exception as error:  # noqa: BLE001 - a plugin's; its text may hold anything
        answers[ref.name] = {"code": STORE, "message": f"its store failed with {type(error).__name__}", "hint": None}
        return None
    if not isinstance(value, str):
        return None
    answers[ref.name] = {"value": value}
    return value


def _places(manifest: Manifest, ctx: TargetContext) -> set[str]:
    """Folders outside the project that the pipeline may touch: absolute paths among its connections' fields."""
    fields = [text for value in fields_of(manifest, ctx.connections) for _, text in texts(value)]
    paths = [Path(REFERENCE.sub(lambda match: ctx.environment.get(match["name"], ""), text)) for text in fields]
    return {str(path if path.is_dir() else path.parent) for path in paths if path.is_absolute()}


class _Watch:
    """Follows the child: shows its events, passes signals on, and knows how it ended."""

    def __init__(self, manifest: Manifest, ctx: TargetContext) -> None:
        self._ctx = ctx
        self._messages = ctx.options.interrupts.messages
        self._asked: str | None = None
        timeout = ctx.loaded.settings.run.timeout
        self._kill_at = None if timeout is None else time.monotonic() + timeout + _KILL_AFTER
        self._killed = False
        self._session = ""
        self._steps = {s.id: StepState(id=s.id, component=s.component, mode=s.mode) for s in manifest.steps}
        self._outcome: Mapping[str, Any] | None = None
        self._complaints: list[str] = []
        self._observers = Observers(ctx.registry)
        self._observers.complain = self._complaints.append

    def follow(self, child: subprocess.Popen[bytes], lines: Any, request: bytes) -> RunOutcome:
        """Give the child its request and stay with it to its end."""
        started = time.monotonic()
        reader = threading.Thread(target=self._read, args=(lines,), daemon=True)
        reader.start()
        # A fork of the child's may keep the pipe open: what counts is that the child itself has ended.
        threading.Thread(target=self._await, args=(child, reader), daemon=True).start()
        assert child.stdin is not None
        with suppress(BrokenPipeError):  # it died at once: its exit status says how
            child.stdin.write(request)
            child.stdin.flush()
        while self._next(child):
            pass
        with suppress(BrokenPipeError):
            child.stdin.close()
        status = child.wait()
        return self._result(status, round((time.monotonic() - started) * 1000))

    def _read(self, lines: Any) -> None:
        with lines:
            for line in lines:
                with suppress(ValueError):  # cut short by the child's death
                    self._messages.put(json.loads(line))

    def _await(self, child: subprocess.Popen[bytes], reader: threading.Thread) -> None:
        child.wait()
        reader.join(timeout=_LINGER_SECONDS)
        self._messages.put({"end": True})

    def _next(self, child: subprocess.Popen[bytes]) -> bool:
        """Take in one message; False after the last."""
        left = None if self._kill_at is None else max(0.0, self._kill_at - time.monotonic())
        try:
            message: Any = self._ctx.options.interrupts.take(left)
        except Empty:
            child.kill()
            self._kill_at, self._killed = None, True
            return True
        if isinstance(message, str):
            self._asked = message
            self._kill_at = time.monotonic() + _KILL_AFTER
            # Before its run has begun it has nothing to clean up, and no handler: SIGINT would be a traceback.
            child.send_signal(signal.Signals[message] if self._session else signal.SIGTERM)
            return True
        if "event" in message:
            self._take(message["event"], child.stdin)
        elif "outcome" in message:
            self._outcome = message["outcome"]
        return "end" not in message

    def _take(self, event: Mapping[str, Any], answers: IO[bytes] | None) -> None:
        self._session = event["session"]
        state = self._steps.get(event.get("step", ""))
        status = _ENDS.get(event["event"])
        if state is not None and status is not None:
            state.status = status
            state.rows_written = event.get("rows_written", 0)
        for listener in self._ctx.options.listeners:
            listener(event)
        self._observers(event)
        if event["event"] == "run_finished":
            assert answers is not None
            with suppress(BrokenPipeError):
                answers.writelines(json.dumps(message).encode() + b"\n" for message in self._complaints)
                answers.close()

    def _result(self, status: int, duration: int) -> RunOutcome:
        record = self._ctx.loaded.project.logs / self._session
        if self._outcome is not None:
            return _outcome(self._outcome, record)
        how = f"signal {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"
        error: OsirisError = RunFailed(
            "OSR-RUN-060",
            f"the isolated process ended without an outcome ({how})",
            hint="SIGKILL without an interrupt mostly means that the machine had no memory left",
        )
        if self._asked is not None:
            error = Cancelled("OSR-RUN-001", f"interrupted ({self._asked}); the isolated process was ended")
        elif self._killed:
            error = RunFailed("OSR-RUN-008", "the run took longer than its timeout and its process had to be killed")
        for state in self._steps.values():
            if state.status is Status.PENDING:
                state.status = Status.SKIPPED
            elif state.status is Status.RUNNING:
                state.status = Status.CANCELLED
        return RunOutcome(
            session_id=record.name if self._session else "",
            record=record,
            status=Status.INTERRUPTED if self._asked else Status.FAILED,
            rows=0,
            duration_ms=duration,
            steps=tuple(self._steps.values()),
            error=error,
        )


def _outcome(data: Mapping[str, Any], record: Path) -> RunOutcome:
    error = data["error"]
    return RunOutcome(
        session_id=data["session"],
        record=record,
        status=Status(data["status"]),
        rows=data["rows"],
        duration_ms=data["duration_ms"],
        steps=tuple(StepState(**{**step, "status": Status(step["status"])}) for step in data["steps"]),
        error=None
        if error is None
        else _KINDS.get(error["exit_code"], RunFailed)(
            error["code"],
            error["message"],
            hint=error["hint"],
            where=error["where"],
            diagnostics=[_finding(one) for one in error["diagnostics"]],
        ),
        step=data["step"],
    )


def _finding(data: Mapping[str, Any]) -> Diagnostic:
    at = data["position"]
    plain = {**data, "severity": Severity(data["severity"]), "path": tuple(data["path"])}
    return Diagnostic(**{**plain, "position": None if at is None else Position(**at)})
