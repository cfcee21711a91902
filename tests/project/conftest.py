from __future__ import annotations

from pathlib import Path

import pytest

from osiris_core.plugins.index import IndexEntry
from osiris_core.plugins.registry import load_registry
from osiris_core.project.connections import load_connections
from osiris_core.project.environment import load_environment
from osiris_core.project.paths import Project

PLUGIN = Path(__file__).parent / "plugin"


@pytest.fixture
def project(tmp_path):
    """An empty project folder with helpers to fill it."""
    return Folder(tmp_path)


@pytest.fixture
def registry(monkeypatch):
    """The plugins ``shop`` and ``env``."""
    monkeypatch.syspath_prepend(str(PLUGIN))
    entries = [
        IndexEntry(id="shop", module="osiris_shop", distribution="osiris-shop", version="1.0"),
        IndexEntry(id="env", module="osiris_core.builtin.env", distribution="osiris-core", version="0.1.0"),
    ]
    found = load_registry(entries=entries)
    assert [info.status.value for info in found.plugins] == ["ok", "ok"], [info.detail for info in found.plugins]
    return found


class Folder:
    """A project's folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.project = Project(root)

    def write(self, name: str, text: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def environment(self, environ=None, cwd=None):
        return load_environment(self.root, environ or {}, cwd or self.root)

    def connections(self, text: str, registry):
        self.write("osiris_connections.yaml", text)
        return load_connections(self.project, registry)
