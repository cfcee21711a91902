"""The ``osiris`` command in a project: in a process of its own, or in this one, which is several times as fast.

A process of its own is for what ends it, for its memory and for its streams; else the same code says and does the same.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import chdir
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from osiris_core.cli import osiris

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def failing_at(failpoint: str) -> dict[str, str]:
    """The environment in which a run stops at a named point."""
    return {"OSIRIS_TEST_FAILPOINTS": "1", "OSIRIS_FAILPOINT": failpoint}


def apart(folder: Path, *argv: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run it in a process of its own, without the settings of whoever runs the tests."""
    return subprocess.run(
        [sys.executable, "-m", "osiris_core", *argv],
        cwd=folder,
        env={**_clean(), **(env or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def here(folder: Path, *argv: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run it in this process; what no command may raise is raised."""
    given = {**_clean(), **(env or {})}
    with pytest.MonkeyPatch.context() as patch, chdir(folder):
        for name in os.environ.keys() - given.keys():
            patch.delenv(name)
        for name, value in given.items():
            patch.setenv(name, value)
        done = CliRunner().invoke(osiris, argv, catch_exceptions=False)
    return subprocess.CompletedProcess(argv, done.exit_code, done.stdout, done.stderr)


def _clean() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("OSIRIS_")}
