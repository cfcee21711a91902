"""From a validated document to a manifest.

Pure: the same document, parameters, profile, connections and plugins give the same manifest on any machine, in any
folder, at any time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

import attrs

from osiris_core import __version__
from osiris_core.canonical import digest
from osiris_core.compile.form import hash_of, step_data, to_data
from osiris_core.compile.manifest import FORMAT, ConnectionUse, Manifest, ManifestStep, Pin
from osiris_core.diagnostics import Diagnostic, Severity
from osiris_core.errors import InvalidInput
from osiris_core.model.schema import schema_hash
from osiris_core.oml.validate import Validation, accepted, validate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from osiris_core.model.yaml import Document
    from osiris_core.oml.connect import Choice
    from osiris_core.oml.steps import CheckedStep
    from osiris_core.oml.validate import ValidationMode
    from osiris_core.plugins.registry import Registry
    from osiris_core.project.connections import Connections

COMPILER = f"osiris-core {__version__}"


@attrs.frozen(kw_only=True)
class Compiled:
    """A manifest, the validation it came from, and the findings to show besides (warnings, notes)."""

    manifest: Manifest
    validation: Validation
    diagnostics: tuple[Diagnostic, ...]


_LOSSY: Final = Diagnostic(
    code="OSR-CMP-007",
    message="types.strict is false, and changes nothing yet: every component refuses what it would not keep",
    severity=Severity.WARNING,
)


def compile_document(
    document: Document,
    *,
    registry: Registry,
    connections: Connections,
    profile: str | None = None,
    params: Mapping[str, str] | None = None,
    environment: Mapping[str, str] | None = None,
    strict_types: bool = True,
    mode: ValidationMode = "warn",
) -> Compiled:
    """Validate ``document`` and compile it.

    Raises InvalidInput with every finding when there is an error (in ``strict`` mode, a warning is one).
    """
    validation = validate(
        document,
        registry=registry,
        connections=connections,
        profile=profile,
        params=params,
        environ=environment,
        require_values=True,
    )
    findings = validation.diagnostics if strict_types else (*validation.diagnostics, _LOSSY)
    shown, go_on = accepted(findings, mode)
    if not go_on:
        errors = sum(item.is_error for item in shown)
        counted = "1 error" if errors == 1 else f"{errors} errors"
        raise InvalidInput(
            "OSR-CMP-001", f"the pipeline cannot be compiled: {counted}", where=document.file, diagnostics=shown
        )
    manifest = _manifest(validation, registry, strict_types=strict_types)
    return Compiled(manifest=manifest, validation=validation, diagnostics=shown)


def _manifest(validation: Validation, registry: Registry, *, strict_types: bool) -> Manifest:
    pipeline = validation.pipeline
    params = {name: chosen.value for name, chosen in validation.params.items()}
    steps = tuple(_step(step) for step in validation.steps)
    pins = _pins(validation.steps, registry)
    unhashed = Manifest(
        name=pipeline.name,
        oml_version=pipeline.oml_version,
        description=pipeline.description,
        metadata=pipeline.metadata,
        profile=validation.profile.name if validation.profile else None,
        params=params,
        strict_types=strict_types,
        steps=steps,
        pins=pins,
        compiler=COMPILER,
        fingerprints={},
        hash="",
    )
    parts = {
        "oml": digest(_source(validation)),
        "params": digest(params),
        "profile": digest(_profile(validation)),
        "connections": digest([step_data(step).get("connection") for step in steps]),
        "plugins": digest([attrs.asdict(pin) for pin in pins]),
        "compiler": digest({"compiler": COMPILER, "format": FORMAT, "strict_types": strict_types}),
    }
    unhashed = attrs.evolve(unhashed, fingerprints=parts)
    return attrs.evolve(unhashed, hash=hash_of(to_data(unhashed)))


def _step(step: CheckedStep) -> ManifestStep:
    choice = step.connection
    return ManifestStep(
        id=step.id,
        component=step.component.name,
        mode=step.mode.value,
        needs=step.needs,
        config=step.config,
        connection=None if choice is None else _use(choice),
    )


def _use(choice: Choice) -> ConnectionUse:
    """The connection with what identifies the system, overrides applied; ``${VAR}`` stays text."""
    identity = choice.entry.identity(choice.overrides) if choice.entry is not None else {}
    return ConnectionUse(family=choice.family, alias=choice.alias, identity=identity, overrides=choice.overrides)


def _pins(steps: tuple[CheckedStep, ...], registry: Registry) -> tuple[Pin, ...]:
    """A pin for each component and each connection family that the steps use, sorted."""
    components = {step.component.name: step.component for step in steps}
    families = sorted({step.connection.family for step in steps if step.connection is not None})
    return (
        *(_pin(registry, "component", name, spec.config, spec.version) for name, spec in sorted(components.items())),
        *(_pin(registry, "connection", name, registry.connection(name).config, None) for name in families),
    )


def _pin(
    registry: Registry, kind: Literal["component", "connection"], name: str, config: type, version: str | None
) -> Pin:
    plugin = registry.provider(kind, name)
    return Pin(
        kind=kind,
        name=name,
        version=version,
        config_schema=schema_hash(config),
        plugin=plugin.id,
        distribution=plugin.distribution,
        distribution_version=plugin.version,
        api=plugin.api or "",
    )


def _source(validation: Validation) -> dict[str, Any]:
    """What the author wrote and means: without comments, ``x-*`` keys, aliases and profiles."""
    pipeline = validation.pipeline
    return {
        "name": pipeline.name,
        "description": pipeline.description,
        "metadata": pipeline.metadata,
        "params": {
            name: {
                "type": param.type.value,
                "default": param.default,
                "enum": list(param.enum),
                "min": param.minimum,
                "max": param.maximum,
            }
            for name, param in pipeline.params.items()
        },
        "steps": [
            {
                "id": step.id,
                "component": step.component.name,
                "mode": step.mode.value,
                "needs": list(step.needs),
                "config": step.doc.config,
            }
            for step in validation.steps
        ],
    }


def _profile(validation: Validation) -> dict[str, Any] | None:
    profile = validation.profile
    if profile is None:
        return None
    return {"name": profile.name, "params": profile.params, "connections": profile.connections}
