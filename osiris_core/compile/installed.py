"""Whether what a manifest was compiled for is what is installed here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from osiris_core.diagnostics import Diagnostic, Severity
from osiris_core.errors import PluginError
from osiris_core.model.schema import schema_hash
from osiris_core.spec.describe import ComponentSpec

if TYPE_CHECKING:
    from osiris_core.compile.manifest import Manifest, Pin
    from osiris_core.plugins.registry import Registry
    from osiris_core.spec.describe import ConnectionSpec


def plugins_of(manifest: Manifest) -> frozenset[str]:
    """The ids of the plugins that running ``manifest`` needs: of its components and of its connections."""
    return frozenset(pin.plugin for pin in manifest.pins)


def check_installed(manifest: Manifest, registry: Registry) -> list[Diagnostic]:
    """What keeps ``manifest`` from running as compiled (errors), and what merely differs (notes).

    A missing component or connection family, another major version, or another config schema is an error; another
    version of the distribution is a note.
    """
    found: list[Diagnostic] = []
    for pin in manifest.pins:
        found += _check(pin, registry)
    return found


def _check(pin: Pin, registry: Registry) -> list[Diagnostic]:
    spec: ComponentSpec | ConnectionSpec
    try:
        spec = registry.component(pin.name) if pin.kind == "component" else registry.connection(pin.name)
        plugin = registry.provider(pin.kind, pin.name)
    except PluginError as error:
        was = f"compiled with {pin.distribution} {pin.distribution_version}"
        return [Diagnostic(code="OSR-CMP-010", message=f"{error.message} ({was})", hint=error.hint)]
    what = pin.name if pin.kind == "component" else f"connection family '{pin.name}'"
    version = spec.version if isinstance(spec, ComponentSpec) else None
    if version is not None and _major(version) != _major(pin.version or ""):
        message = f"the manifest was compiled for {what} {pin.version}; {plugin.source} has {version}"
        return [Diagnostic(code="OSR-CMP-011", message=message, hint=_remedy(pin))]
    if schema_hash(spec.config) != pin.config_schema:
        message = f"{what} of {plugin.source} takes another config than the one the manifest was compiled for"
        return [Diagnostic(code="OSR-CMP-012", message=message, hint=_remedy(pin))]
    if (plugin.distribution, plugin.version) != (pin.distribution, pin.distribution_version):
        message = f"{what} comes from {plugin.source}; compiled with {pin.distribution} {pin.distribution_version}"
        return [Diagnostic(code="OSR-CMP-013", message=message, severity=Severity.INFO)]
    return []


def _major(version: str) -> str:
    return version.partition(".")[0]


def _remedy(pin: Pin) -> str:
    return f"compile the pipeline again, or install {pin.distribution}=={pin.distribution_version}"
