"""Projects and pipelines for the benchmarks, run through the public door: the ``osiris`` command."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from measure import Command

OSIRIS: Final = Path(sys.executable).with_name("osiris")


def step(step_id: str, component: str, mode: str, config: Mapping[str, Any], *needs: str) -> dict[str, Any]:
    """One step of a document."""
    found: dict[str, Any] = {"id": step_id, "component": component, "mode": mode, "config": dict(config)}
    if needs:
        found["needs"] = list(needs)
    return found


def project(folder: Path, pipelines: Mapping[str, Sequence[Mapping[str, Any]]]) -> Path:
    """A fresh project with ``pipelines`` (name: steps). JSON is YAML, so no writer is needed."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "out").mkdir(parents=True)
    (folder / "osiris.yaml").write_text("{}\n", encoding="utf-8")
    for name, steps in pipelines.items():
        document = {"oml_version": "0.1.0", "name": name, "steps": list(steps)}
        (folder / f"{name}.yaml").write_text(json.dumps(document, indent=1), encoding="utf-8")
    return folder


def run(
    folder: Path, name: str, label: str | None = None, *options: str, env: Mapping[str, str] | None = None
) -> Command:
    """The command that runs a pipeline of ``folder``; what earlier runs left is removed before."""
    return Command(
        name=label or name,
        argv=(OSIRIS, "run", f"{name}.yaml", *options),
        cwd=folder,
        before=lambda: _tidy(folder),
        env=env,
    )


def _tidy(folder: Path) -> None:
    for left in ("logs", "build", "out"):
        shutil.rmtree(folder / left, ignore_errors=True)
    (folder / "out").mkdir()


def record(folder: Path) -> dict[str, Any]:
    """The status of the one session in ``folder``."""
    (status,) = (folder / "logs").glob("run_*/status.json")
    found = json.loads(status.read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found
