"""The error catalogue, from the core's and the installed components'."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from generators.markdown import code, table
from generators.registry import components
from osiris_core.catalogue import ENTRIES
from osiris_core.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterable

    from osiris_core.catalogue import ErrorEntry


def page() -> str:
    """The page."""
    parts = [
        "# Errors",
        "Every failure shows a code. The code is stable and never reused; the message says what failed, where and why, "
        "and a line that begins with `=` says what to do. With `--json` the same stands in `error` and `diagnostics`.",
        f"A command's exit status says which kind of failure it was (see [Command line](cli.md#exit-status)): "
        f"{', '.join(f'{code(int(kind))} {kind.name.lower()}' for kind in ExitCode if kind)}.",
    ]
    entries = sorted(ENTRIES, key=lambda entry: entry.code)
    for area, members in groupby(entries, key=lambda entry: entry.code.rsplit("-", 1)[0]):
        parts += [f"## {area}", _rows(members)]
    for plugin, specs in groupby(components(), key=lambda spec: spec.name.partition(".")[0]):
        raised = {entry.code: entry for spec in specs for entry in spec.errors}
        if raised:
            parts += [
                f"## {plugin}",
                f"What components of {code(plugin)} may raise.",
                _rows(raised[key] for key in sorted(raised)),
            ]
    return "\n\n".join(part.strip() for part in parts)


def _rows(entries: Iterable[ErrorEntry]) -> str:
    return table(("code", "what happened", "what to do"), ((code(e.code), e.title, e.remedy) for e in entries))
