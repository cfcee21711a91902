"""The variables a project sees, and where each comes from.

Order: the process environment, then ``.env`` in the current folder, in the project's root, in ``testing_env/`` below
the root. The first that gives a variable a value wins. An empty value counts as none.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Final

from osiris_core.project import dotenv
from osiris_core.project.paths import Project
from osiris_core.project.textfile import read_text

if TYPE_CHECKING:
    from pathlib import Path

UNREADABLE: Final = "OSR-SET-012"
DOTENV: Final = ".env"
TESTING_FOLDER: Final = "testing_env"


class Environment(Mapping[str, str]):
    """The variables that have a value, by name.

    ``sources`` are (how messages call the source, its variables) in order of precedence; ``empty`` are names that some
    source sets to nothing, so that a message can say so; ``searched`` names the sources that were looked at.
    """

    def __init__(self, sources: Iterable[tuple[str, Mapping[str, tuple[str, str]]]]) -> None:
        self._values: dict[str, str] = {}
        self._origins: dict[str, str] = {}
        self._empty: dict[str, str] = {}
        searched: list[str] = []
        for label, variables in sources:
            searched.append(label)
            for name, (value, origin) in variables.items():
                if not value:
                    self._empty.setdefault(name, origin)
                elif name not in self._values:
                    self._values[name] = value
                    self._origins[name] = origin
        self.searched = tuple(searched)

    def __getitem__(self, name: str) -> str:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Environment({len(self)} variables from {', '.join(self.searched)})"

    def origin(self, name: str) -> str | None:
        """Where the value of ``name`` comes from (``environment`` or ``.env:3``), None when it has none."""
        return self._origins.get(name)

    def empty_at(self, name: str) -> str | None:
        """Where ``name`` is set to nothing although no source gives it a value."""
        return None if name in self._values else self._empty.get(name)


def load_environment(root: Path, environ: Mapping[str, str], cwd: Path) -> Environment:
    """The variables for the project at ``root``, for a command called in ``cwd``.

    Raises InvalidInput when a ``.env`` file breaks its grammar (:mod:`osiris_core.project.dotenv`).
    """
    return Environment(_sources(Project(root), environ, cwd))


def _sources(
    project: Project, environ: Mapping[str, str], cwd: Path
) -> Iterator[tuple[str, Mapping[str, tuple[str, str]]]]:
    yield "environment", {name: (value, "environment") for name, value in environ.items()}
    seen: set[str] = set()
    for folder in (cwd, project.root, project.root / TESTING_FOLDER):
        path = folder / DOTENV
        real = os.path.realpath(path)  # Path.resolve() raises for a loop of links
        if real in seen:
            continue
        seen.add(real)
        shown = project.shown(path)
        text = read_text(path, shown=shown, code=UNREADABLE)
        found = dotenv.parse(text, file=shown) if text is not None else {}
        yield shown, {name: (item.value, f"{shown}:{item.line}") for name, item in found.items()}
