"""The compiled pipeline as a value: what runs, with which components, and nothing about where or when.

Steps stand in execution order. ``config`` is plain data with every default written out; secrets are references
(``${VAR}``). ``hash`` is the digest over everything else (see ADR "Manifest contents").
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import attrs

if TYPE_CHECKING:
    from collections.abc import Mapping

FORMAT = 1


@attrs.frozen(kw_only=True)
class ConnectionUse:
    """The connection a step uses, by reference, with the fields that identify the system but none that opens it."""

    family: str
    alias: str
    identity: Mapping[str, Any]
    overrides: Mapping[str, Any]

    @property
    def ref(self) -> str:
        """``@family.alias``."""
        return f"@{self.family}.{self.alias}"


@attrs.frozen(kw_only=True)
class Pin:
    """What a component or a connection family was when the pipeline was compiled.

    ``version`` is the component's; a family has none of its own.
    """

    kind: Literal["component", "connection"]
    name: str
    version: str | None
    config_schema: str
    plugin: str
    distribution: str
    distribution_version: str
    api: str


@attrs.frozen(kw_only=True)
class ManifestStep:
    """A step ready to run."""

    id: str
    component: str
    mode: str
    needs: tuple[str, ...]
    config: Mapping[str, Any]
    connection: ConnectionUse | None = None


@attrs.frozen(kw_only=True)
class Manifest:
    """A compiled pipeline.

    ``fingerprints`` says which part changed: oml, params, profile, connections, plugins, compiler. With
    ``strict_types`` a mapping between systems that would lose something is refused, otherwise it is recorded.
    """

    name: str
    oml_version: str
    description: str
    metadata: Mapping[str, Any]
    profile: str | None
    params: Mapping[str, Any]
    steps: tuple[ManifestStep, ...]
    pins: tuple[Pin, ...]
    compiler: str
    fingerprints: Mapping[str, str]
    hash: str
    strict_types: bool = True
    format: int = FORMAT

    def step(self, step_id: str) -> ManifestStep:
        """The step named ``step_id``; KeyError when there is none."""
        for step in self.steps:
            if step.id == step_id:
                return step
        raise KeyError(step_id)
