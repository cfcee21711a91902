"""Real distributions in a temporary folder, found by importlib.metadata like any other."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from osiris_core.plugins.index import index, normalized
from tests.commands import osiris

HOSTILE = Path(__file__).parent / "plugins" / "hostile"
GROUP = "osiris.plugins.v1"


class Site:
    """A folder like ``site-packages``, and a Python that has it on its path."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._made: set[str] = set()

    def install(self, distribution, entries, *, files=(), sources=None, version="1.0", metadata=None, group=GROUP):
        """Install a distribution with entry points ``{id: module}``; its modules are files of ``hostile`` or texts."""
        sources = {f"{name}.py": (HOSTILE / f"{name}.py").read_text() for name in files} | (sources or {})
        for name, text in sources.items():
            (self.folder / name).write_text(text)
        info = self.folder / f"{distribution.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        self._made.add(normalized(distribution))
        header = f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n" if metadata is None else metadata
        written = {f"{info.name}/METADATA": header}
        points = (
            entries if isinstance(entries, str) else "".join(f"{name} = {module}\n" for name, module in entries.items())
        )
        written[f"{info.name}/entry_points.txt"] = f"[{group}]\n{points}"
        for name, text in written.items():
            (self.folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        record = "".join(_record_line(self.folder, name) for name in [*sources, *written])
        (info / "RECORD").write_text(f"{record}{info.name}/RECORD,,\n")

    def entries(self):
        """What the index of this process finds of the distributions made here, whatever else is installed."""
        return tuple(entry for entry in index() if normalized(entry.distribution) in self._made)

    def python(self, *arguments, env=None, cwd=None):
        """Run this interpreter with the folder on its path."""
        return subprocess.run(
            [sys.executable, *arguments],
            env={**os.environ, "PYTHONPATH": str(self.folder), **(env or {})},
            cwd=cwd or self.folder,
            capture_output=True,
            text=True,
            timeout=60,
        )

    def osiris(self, *arguments, env=None, cwd=None):
        """Run the ``osiris`` command."""
        env = {**os.environ, "PYTHONPATH": str(self.folder), **(env or {})}
        return osiris(*arguments, env=env, cwd=cwd or self.folder)

    def evaluate(self, code, env=None):
        """Run ``code`` with a registry at hand; what it assigns to ``result``, brought over as JSON."""
        program = (
            "import json, sys\n"
            "from osiris_core.errors import PluginError\n"
            "from osiris_core.plugins.registry import load_registry\n"
            f"{code}\n"
            "sys.stdout.write(json.dumps(result))\n"
        )
        done = self.python("-c", program, env=env)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


def _record_line(folder, name):
    content = (folder / name).read_bytes()
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
    return f"{name},sha256={digest},{len(content)}\n"


@pytest.fixture
def site(tmp_path):
    """An empty site."""
    folder = tmp_path / "site"
    folder.mkdir()
    return Site(folder)


@pytest.fixture(scope="session")
def new_site(tmp_path_factory):
    """Makes sites that outlive one test."""
    return lambda: Site(tmp_path_factory.mktemp("site"))


@pytest.fixture
def on_path(site, monkeypatch):
    """The site in this process: installed plugins are found, and their modules forgotten afterwards."""
    monkeypatch.syspath_prepend(str(site.folder))
    before = set(sys.modules)
    yield site
    for name in set(sys.modules) - before:
        if name.startswith("osiris_") and not name.startswith("osiris_core"):
            del sys.modules[name]
