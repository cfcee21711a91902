"""From a manifest to steps that can run: installed components, imported drivers, structured configs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from osiris_core.errors import InvalidInput, PluginError
from osiris_core.model.structure import structure
from osiris_core.oml.sql import sql_fields
from osiris_core.run.state import PreparedStep
from osiris_core.run.units import consumers_of
from osiris_core.spec.behave import KeepsState, Partitioned, Staged
from osiris_core.spec.describe import Capability

if TYPE_CHECKING:
    from collections.abc import Callable

    from osiris_core.compile.manifest import Manifest, ManifestStep
    from osiris_core.plugins.registry import Registry
    from osiris_core.spec.describe import ComponentSpec, DriverSpec


_PROTOCOLS: Final = (
    (Capability.STAGED, Staged),
    (Capability.PARTITIONED, Partitioned),
    (Capability.KEEPS_STATE, KeepsState),
)


def prepare(manifest: Manifest, registry: Registry, connect: Callable[[ManifestStep], Any]) -> dict[str, PreparedStep]:
    """Every step of ``manifest``, ready to run. Raises InvalidInput or PluginError before anything has started."""
    consumers = consumers_of(manifest)
    drivers: dict[str, tuple[DriverSpec, Any]] = {}
    prepared = {}
    for step in manifest.steps:
        if step.component not in drivers:
            drivers[step.component] = _driver(step.component, registry)
        spec, make = drivers[step.component]
        prepared[step.id] = PreparedStep(
            step=step,
            driver=make,
            config=_config(step, registry),
            connect=lambda step=step: connect(step),  # type: ignore[misc]
            staged=Capability.STAGED in spec.capabilities,
            partitioned=Capability.PARTITIONED in spec.capabilities,
            consumers=consumers[step.id],
            sql_dialect=_dialect(registry.component(step.component)),
            remedy=registry.remedy,
        )
    return prepared


def _driver(component: str, registry: Registry) -> tuple[DriverSpec, Any]:
    spec = registry.driver(component)
    made = registry.load(spec.ref)
    for capability, protocol in _PROTOCOLS:
        if capability in spec.capabilities and not _offers(made, protocol):
            raise PluginError(
                "OSR-RUN-050", f"the driver of {component} ({spec.ref}) says it is '{capability}' but lacks its methods"
            )
    return spec, made


def _offers(made: Any, protocol: type) -> bool:
    names = [name for name in vars(protocol) if not name.startswith("_")]
    return all(callable(getattr(made, name, None)) for name in names)


def _dialect(component: ComponentSpec) -> str | None:
    return component.sql_dialect if sql_fields(component.config) else None


def _config(step: ManifestStep, registry: Registry) -> Any:
    cls = registry.component(step.component).config
    config, findings = structure(cls, dict(step.config), path=("steps", step.id, "config"))
    errors = [finding for finding in findings if finding.is_error]
    if config is None or errors:
        raise InvalidInput(
            "OSR-RUN-051",
            f"the manifest's config of step '{step.id}' does not fit {step.component}",
            hint="compile the pipeline again",
            diagnostics=errors,
        )
    return config
