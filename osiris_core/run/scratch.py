"""Where runs spill and spool, and what is left there of those that were killed."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Final

from osiris_core.ids import SESSION_ID
from osiris_core.run.chain import process_of
from osiris_core.run.process import is_alive

if TYPE_CHECKING:
    from pathlib import Path

    from osiris_core.project.paths import Project
    from osiris_core.project.settings_model import RunSettings

_SCRATCH: Final = ".scratch"


def scratch_home(project: Project, settings: RunSettings) -> Path:
    """The folder that has a folder for each run under way, removed at its end."""
    return project.root / settings.temp_directory if settings.temp_directory else project.logs / _SCRATCH


def remove_left_behind(home: Path, logs: Path) -> None:
    """Remove the scratch of runs of this project that were killed."""
    for folder in home.iterdir() if home.is_dir() else ():
        record = logs / folder.name
        if SESSION_ID.match(folder.name) is None or not record.is_dir():
            continue
        mark = process_of(record)
        if mark is None or not is_alive(mark):
            shutil.rmtree(folder, ignore_errors=True)
