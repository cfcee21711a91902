"""Builds every distribution and installs each wheel beside the core's in a clean environment.

For the core alone, and for the core with each plugin alone: the dependencies are complete (``pip check``), the
installed size is below its limit, the plugin's components are found without any configuration, and a project made by
``osiris init`` runs. Prints one line for each installation; the first failure ends it.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import tomllib
import venv
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parent.parent
LIMITS: Final = {
    "osiris-core": 120.0,
    "osiris-filesystem": 140.0,
    "osiris-llm": 130.0,
    "osiris-mysql": 220.0,
    "osiris-observability": 121.0,
    "osiris-supabase": 240.0,
}
"""Megabytes (10^6 bytes) that the core, and the core with that plugin, may take, bytecode included."""


def run(*command: object, cwd: Path | None = None, env: dict[str, str] | None = None) -> str:
    """What a command printed; ends this program with its output when it fails."""
    arguments = [str(part) for part in command]
    done = subprocess.run(arguments, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(arguments)} ended with {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def build(folder: Path, into: Path) -> Path:
    """The wheel of the distribution in ``folder``, built from its own source distribution."""
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", into, folder)
    name = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]["name"]
    (wheel,) = into.glob(f"{name.replace('-', '_')}-*.whl")
    return wheel


def environment(folder: Path, *wheels: Path) -> Path:
    """A clean environment with the core's locked dependencies and ``wheels``; its ``bin``."""
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    quiet = (python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input")
    run(*quiet, "--require-hashes", "-r", ROOT / "requirements" / "core.txt")
    run(*quiet, "--no-deps", wheels[0])
    if wheels[1:]:
        # A plugin's own dependencies at the versions of the lock. Hashes cannot be demanded here: our wheel has none;
        # and a constraint has no extras.
        pins = (ROOT / "requirements" / "runtime.txt").read_text(encoding="utf-8")
        pins = re.sub(r" *\\\n *--hash=\S+|(?<=\w)\[[\w,]+\](?===)", "", pins)
        constraints = folder / "constraints.txt"
        constraints.write_text(pins, encoding="utf-8")
        run(*quiet, "--constraint", constraints, *wheels[1:])
    run(python, "-m", "pip", "check")
    return python.parent


def megabytes(folder: Path) -> float:
    """What the environment's packages take, without the installer that came with it."""
    (packages,) = folder.glob("lib/python*/site-packages")
    files = (path for path in packages.rglob("*") if path.is_file() and not path.is_symlink())
    installers = ("pip", "setuptools", "wheel", "pkg_resources", "_distutils_hack")
    return sum(p.stat().st_size for p in files if not p.relative_to(packages).parts[0].startswith(installers)) / 1e6


def exercise(commands: Path, plugin: str, scratch: Path) -> int:
    """Use what was installed as its user would; the number of components, providers of models, or plugins found."""
    # Nothing of the calling environment's Osiris may be what makes it work.
    clean = {
        key: value for key, value in os.environ.items() if not key.startswith(("OSIRIS_", "PYTHON", "VIRTUAL_ENV"))
    }

    def osiris(*arguments: str) -> Any:
        return json.loads(run(commands / "osiris", *arguments, "--json", cwd=scratch, env=clean))

    run(commands / "osiris", "--version", cwd=scratch, env=clean)
    run(commands / "osiris", "plugins", "check", cwd=scratch, env=clean)
    found = osiris("components", "list")
    listed = found["components"] if isinstance(found, dict) else found
    names = [component["name"] for component in listed]
    if plugin == "llm":  # it brings providers of models, and its SDKs are extras
        names = [provider["provider"] for provider in osiris("llm", "list")["providers"]]
        if "replay" not in names:
            sys.exit(f"no provider of models among {names}")
    elif plugin == "observability":  # it brings nothing to name: it watches
        names = [one["id"] for one in osiris("plugins", "list")["plugins"] if one["status"] == "ok"]
        if plugin not in names:
            sys.exit(f"'{plugin}' is not usable: {names}")
    elif not any(name.startswith(f"{plugin}.") for name in names):
        sys.exit(f"no component of '{plugin}' among {names}")
    run(commands / "osiris", "init", cwd=scratch, env=clean)
    for pipeline in sorted((scratch / "pipelines").glob("*.yaml")):
        run(commands / "osiris", "run", pipeline, cwd=scratch, env=clean)
    return len(names)


def needed(folder: Path, wheel: Path, wheels: list[Path]) -> list[Path]:
    """The wheel of a plugin and those of ours that it depends on, the core's aside."""
    if folder == ROOT:
        return []
    project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    ours = {re.split(r"[<>=\[]", text)[0].replace("-", "_") for text in project["dependencies"]}
    return [one for one in wheels[1:] if one == wheel or one.name.partition("-")[0] in ours]


def main() -> None:
    """Build, install, measure and use everything."""
    folders = [ROOT, *(path.parent for path in sorted(ROOT.glob("plugins/*/pyproject.toml")))]
    with tempfile.TemporaryDirectory(prefix="osiris-installs-") as name:
        work = Path(name)
        (work / "wheels").mkdir()
        wheels = [build(folder, work / "wheels") for folder in folders]
        for folder, wheel in zip(folders, wheels, strict=True):
            distribution = "osiris-core" if folder == ROOT else folder.name
            if distribution not in LIMITS:  # a library of the plugins': it is measured with them
                continue
            place, scratch = work / distribution, work / f"{distribution}-project"
            scratch.mkdir()
            commands = environment(place, wheels[0], *needed(folder, wheel, wheels))
            size = megabytes(place)
            plugin = "duckdb" if folder == ROOT else distribution.removeprefix("osiris-")
            components = exercise(commands, plugin, scratch)
            limit = LIMITS[distribution]
            said = f"{size:.1f} MB installed with the core (limit {limit:.0f}), {components} found"
            print(f"{wheel.name}: {said}", flush=True)
            if size > limit:
                sys.exit(f"{distribution} is too large")
    print("installs: ok")


if __name__ == "__main__":
    main()
