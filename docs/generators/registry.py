"""What the distributions of this repository register, and nothing else that may be installed beside them."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from osiris_core.spec.describe import ComponentSpec

ROOT = Path(__file__).resolve().parent.parent.parent


def _ours() -> frozenset[str]:
    files = [ROOT / "pyproject.toml", *ROOT.glob("plugins/*/pyproject.toml")]
    return frozenset(tomllib.loads(path.read_text(encoding="utf-8"))["project"]["name"] for path in files)


@cache
def registry() -> Any:
    """The registry of our own plugins, loaded strictly: a page is never made of half of them."""
    from osiris_core.plugins.index import index
    from osiris_core.plugins.registry import load_registry

    ours = _ours()
    return load_registry(entries=tuple(entry for entry in index() if entry.distribution in ours), strict=True)


def components() -> tuple[ComponentSpec, ...]:
    """The components, by name."""
    return tuple(registry().components())
