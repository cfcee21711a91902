"""Locks what the project installs, for every Python it supports, with hashes and without addresses.

``python requirements/lock.py`` rewrites the ``*.txt`` files beside it (needs ``uv`` and a package index);
``--upgrade`` moves the pins. The four locks nest, each pins what the smaller ones pin:

- ``core.txt``: what the core alone needs at run time (the figure that the install-size check is about);
- ``runtime.txt``: core and all plugins with their extras, and the build back end (``make demo``); without the extras of
  ``osiris-llm``, the vendors' SDKs and llama.cpp, which take 200 MB and which no pipeline needs;
- ``test.txt``: these, and what the tests need (``make test``);
- ``dev.txt``: and what the checks need (``make check``).
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parent.parent
FOLDER: Final = ROOT / "requirements"
LOCKS: Final[dict[str, tuple[str, ...]]] = {
    # lock: what it holds beyond the one before: "core", "plugins", "models" or a dependency group
    "core": ("core",),
    "runtime": ("plugins", "build"),
    "test": ("models", "test"),
    "dev": ("check",),
}
MODELS: Final = "osiris-llm"
OPTIONS: Final = (
    "--universal",
    "--python-version=3.11",
    "--generate-hashes",
    "--no-header",
    "--no-annotate",
    # Without its extra a pin does not hold in pip before 23.3 for who asks for `coverage[toml]`: it takes the newest.
    "--no-strip-extras",
    "--no-config",
    "--quiet",
)


def distributions() -> list[Path]:
    """The project files of all distributions, the core's first."""
    return [ROOT / "pyproject.toml", *sorted(ROOT.glob("plugins/*/pyproject.toml"))]


def requirements(part: str) -> list[str]:
    """What one part of a lock asks for; our own distributions are left out, they come from this tree."""
    core, *plugins = (tomllib.loads(path.read_text(encoding="utf-8")) for path in distributions())
    if part == "core":
        found = _of(core, extras=False)
    elif part == "plugins":
        found = _of(core) + [text for one in plugins for text in _of(one, extras=one["project"]["name"] != MODELS)]
    elif part == "models":
        found = [text for one in plugins if one["project"]["name"] == MODELS for text in _of(one)]
    else:
        found = core["dependency-groups"][part]
    return sorted({text for text in found if not text.startswith("osiris-")})


def inputs(lock: str) -> list[str]:
    """Everything a lock must satisfy: its own parts and those of the locks it contains."""
    names = list(LOCKS)
    parts = [part for name in names[: names.index(lock) + 1] for part in LOCKS[name]]
    return sorted({text for part in parts for text in requirements(part)})


def _of(project: dict[str, Any], *, extras: bool = True) -> list[str]:
    table = project["project"]
    optional = table.get("optional-dependencies", {}).values() if extras else ()
    return [*table.get("dependencies", []), *(text for extra in optional for text in extra)]


def main() -> None:
    """Write the locks, smallest first, each constrained by the one before."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--upgrade", action="store_true", help="move the pins to the newest versions allowed")
    upgrade = parser.parse_args().upgrade
    smaller: list[str] = []
    for lock in LOCKS:
        target = FOLDER / f"{lock}.txt"
        command = ["uv", "pip", "compile", "-", "-o", str(target), *OPTIONS, *smaller]
        if upgrade:
            command.append("--upgrade")
        subprocess.run(command, input="\n".join(inputs(lock)), text=True, check=True, stdout=subprocess.DEVNULL)
        smaller = ["--constraints", str(target)]
        print(f"{target.relative_to(ROOT)}: {target.read_text(encoding='utf-8').count('==')} pins")


if __name__ == "__main__":
    sys.exit(main())
