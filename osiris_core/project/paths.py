"""Where a project keeps its files.

A project is a folder with an ``osiris.yaml``. Commands may be called from anywhere below it.
"""

from __future__ import annotations

import fcntl
import os
import stat
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterator

SETTINGS_FILE: Final = "osiris.yaml"
CONNECTIONS_FILE: Final = "osiris_connections.yaml"


@attrs.frozen
class Project:
    """A project's root folder and the places below it.

    ``build_folder`` and ``logs_folder`` are as the settings have them: below the root, or absolute.
    """

    root: Path
    build_folder: str = attrs.field(default="build", kw_only=True)
    logs_folder: str = attrs.field(default="logs", kw_only=True)

    @property
    def settings_file(self) -> Path:
        """``osiris.yaml``; it need not exist."""
        return self.root / SETTINGS_FILE

    @property
    def connections_file(self) -> Path:
        """``osiris_connections.yaml``; it need not exist."""
        return self.root / CONNECTIONS_FILE

    @property
    def build(self) -> Path:
        """Where manifests are written."""
        return self.root / self.build_folder

    @property
    def logs(self) -> Path:
        """Where sessions leave their records."""
        return self.root / self.logs_folder

    @property
    def reserved(self) -> tuple[Path, ...]:
        """The files and folders below the root that are Osiris's own. No pipeline writes there."""
        own = (self.settings_file, self.connections_file, self.build, self.logs)
        # A folder of the settings may be any; one that holds the project itself keeps nothing to write to.
        return tuple(one for one in own if not self.root.is_relative_to(one))

    def shown(self, path: Path) -> str:
        """``path`` as messages name it: relative to the root with ``/`` when below it, else in full."""
        try:
            return path.relative_to(self.root).as_posix()
        except ValueError:
            return str(path)


def find_project(start: Path | None = None) -> Project:
    """The project that ``start`` (a folder or file; default: the current folder) belongs to.

    The nearest folder at or above it that has an ``osiris.yaml``, else the folder itself. A folder above that everyone
    may write to (``/tmp``) is passed over: anybody could have put a project there to be picked up.
    """
    here = (start or Path.cwd()).absolute()
    if here.is_file():
        here = here.parent
    for folder in (here, *here.parents):
        if (folder / SETTINGS_FILE).is_file() and (folder == here or not _writable_by_everyone(folder)):
            return Project(folder)
    return Project(here)


def _writable_by_everyone(folder: Path) -> bool:
    return bool(folder.stat().st_mode & stat.S_IWOTH)


@contextmanager
def held(folder: Path, *, wait: bool = True) -> Iterator[None]:
    """Hold ``folder``, which must exist: others that hold it, in this process or another, take turns.

    Without ``wait``, BlockingIOError says that somebody holds it.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)
