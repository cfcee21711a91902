"""Components that do nothing, so that what a step takes is the runtime's own cost."""

from __future__ import annotations

from collections.abc import Iterable

from osiris_core.api import ComponentSpec, DriverSpec, Role, config, hookimpl

OSIRIS_API = "1.0"


@config
class Nothing:
    """Nothing to say."""


@hookimpl
def osiris_components() -> Iterable[ComponentSpec]:
    """One of each role."""
    return [
        ComponentSpec(name=f"idle.{role}", version="1.0.0", role=role, config=Nothing, summary="Do nothing.")
        for role in Role
    ]


@hookimpl
def osiris_drivers() -> Iterable[DriverSpec]:
    """Their drivers."""
    return [DriverSpec(component=f"idle.{role}", ref=f"osiris_idle.drivers:{role.title()}") for role in Role]
