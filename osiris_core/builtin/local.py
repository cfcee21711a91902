"""The built-in target ``local``: the executor on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from osiris_core.api import TargetSpec, hookimpl

if TYPE_CHECKING:
    from collections.abc import Iterable

OSIRIS_API = "1.0"


@hookimpl
def osiris_targets() -> Iterable[TargetSpec]:
    """The one target every installation has."""
    return (
        TargetSpec(
            name="local",
            ref="osiris_core.run.targets:LocalTarget",
            summary="This machine: in the command's own process, or with --isolate in a sandboxed child.",
        ),
    )
