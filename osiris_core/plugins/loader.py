"""One plugin, from its index entry to its checked descriptions, or to the reason why it is out.

Nothing here raises because of a plugin: every way in which one can fail becomes the status of its
:class:`~osiris_core.plugins.info.PluginInfo`.
"""

from __future__ import annotations

import re
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

import attrs

from osiris_core import api
from osiris_core.plugins.containment import Failure, Outcome, contained, shortened
from osiris_core.plugins.facade import HookMistake, PluginHooks
from osiris_core.plugins.info import PluginInfo, Status
from osiris_core.plugins.shapes import Misshapen, specs
from osiris_core.spec.describe import (
    ComponentSpec,
    ConnectionSpec,
    DiscovererSpec,
    DriverSpec,
    LLMProviderSpec,
    SecretStoreSpec,
    TargetSpec,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import ModuleType

    from osiris_core.plugins.index import IndexEntry

IMPORT_BUDGET_MS: Final = 1000.0
"""An entry module that takes longer to import is reported: every command that needs the plugin waits for it."""

KINDS: Final[Mapping[str, tuple[str, type]]] = {
    "component": ("osiris_components", ComponentSpec),
    "driver": ("osiris_drivers", DriverSpec),
    "connection": ("osiris_connections", ConnectionSpec),
    "discoverer": ("osiris_discoverers", DiscovererSpec),
    "llm_provider": ("osiris_llm_providers", LLMProviderSpec),
    "target": ("osiris_targets", TargetSpec),
    "secret_store": ("osiris_secret_stores", SecretStoreSpec),
}
"""Every kind of thing a plugin describes: the hook that returns it and its class."""

_API: Final = re.compile(r"(0|[1-9]\d{0,3})\.(0|[1-9]\d{0,3})\Z", re.ASCII)


@attrs.frozen(kw_only=True)
class Loaded:
    """A plugin after loading. Without hooks it contributes nothing; ``info`` says why."""

    info: PluginInfo
    hooks: PluginHooks | None = None
    specs: Mapping[str, Mapping[str, Any]] = attrs.field(factory=dict)
    """By kind, then by name."""


def info_of(entry: IndexEntry) -> PluginInfo:
    """What the index alone tells about a plugin."""
    return PluginInfo(
        id=entry.id,
        module=entry.module,
        distribution=entry.distribution,
        version=entry.version,
        record_hash=entry.record_hash,
    )


def load(entry: IndexEntry) -> Loaded:
    """Import the entry module of ``entry``, check its API version, and ask and check every describing hook."""
    info = info_of(entry)
    if entry.problem is not None:
        return _out(info, Status.FAILED, "OSR-PLG-001", entry.problem)
    # What is contained step by step below is contained once more: objects of a plugin's can fail when looked at.
    outcome = contained(lambda: _load(entry, info))
    if outcome.failure is not None:
        message = f"it cannot be examined: {outcome.failure.message}"
        return _out(info, Status.FAILED, "OSR-PLG-005", message, detail=outcome.failure.detail)
    return outcome.get()


def _load(entry: IndexEntry, info: PluginInfo) -> Loaded:
    outcome: Outcome[ModuleType] = contained(lambda: import_module(entry.module))
    info = attrs.evolve(info, import_ms=outcome.seconds * 1000, warnings=_oddities(outcome))
    if outcome.failure is not None:
        return _import_failed(info, outcome.failure)
    return _ask(info, outcome.get())


def _ask(info: PluginInfo, module: ModuleType) -> Loaded:
    declared = getattr(module, "OSIRIS_API", None)
    refusal = api_refusal(declared)
    info = attrs.evolve(info, api=shortened(declared, 20) if isinstance(declared, str) else None)
    if refusal is not None:
        return _out(info, Status.INCOMPATIBLE, "OSR-PLG-003", refusal)
    registered = contained(lambda: PluginHooks(info.id, module))
    if registered.failure is not None:
        return _hook_failed(info, "its hooks", registered.failure)
    hooks = registered.get()
    found: dict[str, Mapping[str, Any]] = {}
    for kind, (hook, expected) in KINDS.items():
        described = contained(_describing(info.id, hooks, hook, expected))
        if described.printed:
            info = attrs.evolve(info, warnings=(*info.warnings, f"{hook} prints to standard output"))
        if described.failure is not None:
            return _hook_failed(info, hook, described.failure)
        found[kind] = described.get()
    strays = sorted(set(found["driver"]) - set(found["component"]))
    if strays:
        message = f"osiris_drivers returned a driver for '{strays[0]}', which osiris_components does not describe"
        return _out(info, Status.FAILED, "OSR-PLG-006", message)
    return Loaded(info=info, hooks=hooks, specs=found)


def _describing(plugin_id: str, hooks: PluginHooks, hook: str, expected: type) -> Callable[[], dict[str, Any]]:
    return lambda: specs(plugin_id, hook, expected, hooks.describe(hook))


def api_refusal(declared: object) -> str | None:
    """Why a plugin that declares ``OSIRIS_API = declared`` cannot be used here, or None when it can."""
    if declared is None:
        return "its entry module does not say which plugin API it was written for (OSIRIS_API)"
    match = _API.match(declared) if isinstance(declared, str) else None
    if match is None:
        return f"its OSIRIS_API is {shortened(_safe_repr(declared), 60)}, which is not text like '1.0'"
    major, minor = (int(part) for part in api.OSIRIS_API.split("."))
    if int(match[1]) != major or int(match[2]) > minor:
        return f"it was written for plugin API {declared}; this is {api.OSIRIS_API}"
    return None


def _import_failed(info: PluginInfo, failure: Failure) -> Loaded:
    error = failure.error
    if isinstance(error, ImportError) and error.name == api.__name__ and api.__name__ in sys.modules:
        message = f"it needs something that plugin API {api.OSIRIS_API} does not have: {failure.message}"
        return _out(info, Status.INCOMPATIBLE, "OSR-PLG-003", message, detail=failure.detail)
    if isinstance(error, ModuleNotFoundError) and error.name and _is_part_of(info.module, error.name):
        message = f"its entry module '{info.module}' does not exist"
        return _out(info, Status.FAILED, "OSR-PLG-004", message, detail=failure.detail)
    message = f"its import failed: {failure.message}"
    return _out(info, Status.FAILED, "OSR-PLG-004", message, detail=failure.detail)


def _hook_failed(info: PluginInfo, what: str, failure: Failure) -> Loaded:
    if isinstance(failure.error, Misshapen):
        return _out(info, Status.FAILED, "OSR-PLG-006", str(failure.error), detail=failure.detail)
    if isinstance(failure.error, HookMistake):
        return _out(info, Status.FAILED, "OSR-PLG-007", shortened(str(failure.error)), detail=failure.detail)
    return _out(info, Status.FAILED, "OSR-PLG-005", f"{what} failed: {failure.message}", detail=failure.detail)


def _oddities(outcome: Outcome[ModuleType]) -> tuple[str, ...]:
    found = []
    if outcome.seconds * 1000 > IMPORT_BUDGET_MS:
        found.append(f"its import took {outcome.seconds:.1f} s (more than {IMPORT_BUDGET_MS / 1000:.1f} s)")
    if outcome.printed:
        found.append("its import prints to standard output")
    return tuple(found)


def _is_part_of(module: str, missing: str) -> bool:
    return module == missing or module.startswith(f"{missing}.")


def _safe_repr(value: object) -> str:
    return repr(value) if isinstance(value, str | int | float | tuple) else f"a {type(value).__name__}"


def _out(info: PluginInfo, status: Status, code: str, message: str, *, detail: str | None = None) -> Loaded:
    return Loaded(info=attrs.evolve(info, status=status, code=code, message=message, detail=detail))
