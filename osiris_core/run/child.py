"""``python -m osiris_core.run.child FD``: the child's side of ``--isolate``.

Reads its request from standard input, restricts itself before any plugin is imported, runs the manifest with the same
executor as everybody, and writes events and the outcome to the pipe FD.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from osiris_core.compile.form import from_data
from osiris_core.model.structure import structure
from osiris_core.plugins.containment import flush
from osiris_core.plugins.registry import load_registry
from osiris_core.project.connections import load_connections
from osiris_core.project.environment import Environment
from osiris_core.project.paths import Project
from osiris_core.project.settings import Loaded, Settings
from osiris_core.run.api import RunOptions, run_manifest
from osiris_core.run.bounds import Bounds
from osiris_core.run.executor import Interrupts
from osiris_core.run.handed import HandedStore
from osiris_core.run.outcome import error_data, step_data
from osiris_core.run.resources import limits_of
from osiris_core.run.sandbox import apply
from osiris_core.run.scratch import scratch_home
from osiris_core.run.signals import handling

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from osiris_core.run.outcome import RunOutcome


def main() -> None:
    """Run the request on standard input."""
    pipe = os.fdopen(int(sys.argv[1]), "w", encoding="utf-8", errors="backslashreplace")
    os.set_inheritable(pipe.fileno(), False)  # noqa: FBT003 - takes no keywords
    sys.stdout = sys.stderr  # where it leads anyway, without a buffer that dies with the process
    request = json.loads(sys.stdin.buffer.read())
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)

    def say(kind: str, value: Any) -> None:
        pipe.write(json.dumps({kind: value}, default=str) + "\n")
        pipe.flush()

    outcome = run_request(request, say)
    say("outcome", outcome_data(outcome))
    flush(sys.stderr)
    # Whatever a driver has left running ends here.
    os._exit(int(outcome.exit_code))


def run_request(request: Mapping[str, Any], say: Callable[[str, Any], None]) -> RunOutcome:
    """Run what the parent asks for; ``say`` sends it events."""
    manifest = from_data(request["manifest"], where="request")
    root = Path(request["root"])
    project = Project(root, build_folder=request["build"], logs_folder=request["logs"])
    settings, findings = structure(Settings, request["settings"])
    assert settings is not None, findings
    loaded = Loaded(settings=settings, origins={}, project=project)
    values = {name: (value, "environment") for name, value in request["environment"].items()}
    environment = Environment([("environment", values), *((place, {}) for place in request["searched"][1:])])
    home = scratch_home(project, settings.run)
    for folder in (project.logs, home):
        folder.mkdir(parents=True, exist_ok=True)
    os.environ["HOME"] = os.environ["TMPDIR"] = str(home)
    note = apply(
        parent=request["parent"],
        memory=limits_of(settings.run).memory,
        readable=[Path(place) for place in {sys.prefix, sys.base_prefix, *sys.path} if place],
        writable=[root, project.logs, home, *map(Path, request["places"])],
    )
    registry = load_registry(only=frozenset(request["plugins"]))
    interrupts = Interrupts()
    options = RunOptions(
        target=request["target"],
        fresh=request["fresh"],
        bounds=Bounds(**request["bounds"]),
        began=request["began"],
        interrupts=interrupts,
        listeners=(lambda event: say("event", dict(event)),),
        notes=(note,),
        stores={scheme: HandedStore(answers) for scheme, answers in request["secrets"].items()},
    )
    with handling(interrupts.request, for_good=True):
        return run_manifest(
            manifest,
            project=project,
            registry=registry,
            loaded_settings=loaded,
            environment=environment,
            connections=load_connections(project, registry),
            options=options,
        )


def outcome_data(outcome: RunOutcome) -> dict[str, Any]:
    """An outcome as plain data."""
    error = error_data(outcome.error)
    if error is not None and outcome.error is not None:
        error["diagnostics"] = [attrs.asdict(finding) for finding in outcome.error.diagnostics]
    return {
        "session": outcome.session_id,
        "status": outcome.status.value,
        "rows": outcome.rows,
        "duration_ms": outcome.duration_ms,
        "steps": [step_data(step) for step in outcome.steps],
        "error": error,
        "step": outcome.step,
    }


if __name__ == "__main__":
    main()
