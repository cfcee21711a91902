"""The plugins that take part, what they provide, and for everything missing the reason and the remedy.

Order of things, each of which a test holds: the index is read (nothing imported) · allow and block lists apply ·
ids claimed twice are out · ``only`` picks · the rest is imported one by one · names claimed twice are out.

Two providers of one name are *both* out until one of them is blocked: choosing by chance, or by alphabet, would let a
package take over another's name by being installed. Two exceptions: a name that is a plugin's id is that plugin's, and
the core's own plugins stay, so that no package can switch the core off; whoever else claims such a name is out.
"""

from __future__ import annotations

from functools import partial
from importlib import import_module
from itertools import chain
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

from osiris_core import catalogue
from osiris_core.diagnostics import Diagnostic, Severity
from osiris_core.errors import PluginError
from osiris_core.plugins import admission, missing, shapes
from osiris_core.plugins.containment import contained, describe, shortened
from osiris_core.plugins.index import index, normalized
from osiris_core.plugins.info import PluginInfo
from osiris_core.plugins.loader import KINDS, Loaded, info_of, load

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from osiris_core.plugins.facade import PluginHooks
    from osiris_core.plugins.index import IndexEntry
    from osiris_core.spec.describe import (
        ComponentSpec,
        ConnectionSpec,
        DiscovererSpec,
        DriverSpec,
        LLMProviderSpec,
        SecretStoreSpec,
        TargetSpec,
    )


def load_registry(
    *,
    allow: tuple[str, ...] | None = None,
    block: tuple[str, ...] = (),
    only: frozenset[str] | None = None,
    strict: bool = False,
    entries: Iterable[IndexEntry] | None = None,
) -> Registry:
    """The registry of the installed plugins.

    ``allow`` and ``block`` hold plugin ids, names of distributions, or patterns of either (``osiris-*``); a plugin
    kept out by them is not imported. The core's own plugins need not be allowed, but can be blocked. ``only`` names
    the ids to import; all others are left alone. With ``strict`` any plugin that fails, conflicts or is incompatible
    raises PluginError; blocked ones do not. ``entries`` replaces the index of what is installed.
    """
    found = tuple(index() if entries is None else entries)
    admitted, blocked = admission.apply_lists(found, allow, block)
    sole, contested = admission.split_contested_ids(admitted)
    wanted = [entry for entry in sole if only is None or entry.id in only]
    loaded = admission.drop_contested_names([load(entry) for entry in wanted], [info_of(entry) for entry in sole])
    everything = sorted([*blocked, *contested, *loaded], key=_by_id)
    registry = Registry(tuple(everything), unloaded=tuple(info_of(entry) for entry in sole if entry not in wanted))
    if strict:
        registry.require_sound()
    return registry


class Registry:
    """What the plugins in use provide. Made by :func:`load_registry`; everything it returns is sorted by name.

    A method that takes a name raises PluginError when there is no such thing; the error says which distribution
    provides it and how to get it, or why the one that is installed cannot be used.
    """

    def __init__(self, loaded: tuple[Loaded, ...] = (), *, unloaded: tuple[PluginInfo, ...] = ()) -> None:
        self._loaded = tuple(one for one in loaded if one.info.usable)
        self._infos = tuple(one.info for one in loaded)
        self._unloaded = unloaded
        self._specs: dict[str, dict[str, tuple[Any, PluginInfo]]] = {kind: {} for kind in KINDS}
        for one in self._loaded:
            for kind, named in one.specs.items():
                self._specs[kind].update({name: (spec, one.info) for name, spec in named.items()})
        self._remedies: dict[str, str] | None = None
        self._observers = tuple(
            one for one in self._loaded if one.hooks and "osiris_run_event" in one.hooks.implemented
        )

    @property
    def plugins(self) -> tuple[PluginInfo, ...]:
        """Every plugin considered, whatever its status, sorted by id; without those that ``only`` left alone."""
        return self._infos

    def plugin(self, plugin_id: str) -> PluginInfo | None:
        """The plugin of that id, a usable one first; None when there is none."""
        found = [info for info in (*self._infos, *self._unloaded) if info.id == plugin_id]
        return min(found, key=lambda info: not info.usable, default=None)

    def components(self) -> tuple[ComponentSpec, ...]:
        """All components."""
        return self._all("component")

    def drivers(self) -> tuple[DriverSpec, ...]:
        """All drivers."""
        return self._all("driver")

    def connections(self) -> tuple[ConnectionSpec, ...]:
        """All connection families."""
        return self._all("connection")

    def discoverers(self) -> tuple[DiscovererSpec, ...]:
        """All discoverers."""
        return self._all("discoverer")

    def llm_providers(self) -> tuple[LLMProviderSpec, ...]:
        """All model providers."""
        return self._all("llm_provider")

    def targets(self) -> tuple[TargetSpec, ...]:
        """All execution targets."""
        return self._all("target")

    def secret_stores(self) -> tuple[SecretStoreSpec, ...]:
        """All secret stores."""
        return self._all("secret_store")

    def component(self, name: str) -> ComponentSpec:
        """The component ``family.role``."""
        return cast("ComponentSpec", self._get("component", name))

    def driver(self, name: str) -> DriverSpec:
        """The driver of the component ``name``."""
        self.component(name)
        return cast("DriverSpec", self._get("driver", name))

    def connection(self, family: str) -> ConnectionSpec:
        """The connection family ``family``."""
        return cast("ConnectionSpec", self._get("connection", family))

    def discoverer(self, family: str) -> DiscovererSpec:
        """The discoverer of the connection family ``family``."""
        return cast("DiscovererSpec", self._get("discoverer", family))

    def llm_provider(self, name: str) -> LLMProviderSpec:
        """The model provider ``name``."""
        return cast("LLMProviderSpec", self._get("llm_provider", name))

    def target(self, name: str) -> TargetSpec:
        """The execution target ``name``."""
        return cast("TargetSpec", self._get("target", name))

    def secret_store(self, scheme: str) -> SecretStoreSpec:
        """The secret store of ``${scheme:name}``."""
        return cast("SecretStoreSpec", self._get("secret_store", scheme))

    def remedy(self, code: str) -> str | None:
        """What to do about ``code``: the catalogue's remedy, or that of a component; None for a code of neither."""
        if self._remedies is None:
            own = (entry for spec in self.components() for entry in spec.errors)
            self._remedies = {entry.code: entry.remedy for entry in own}
        return catalogue.remedy(code) or self._remedies.get(code)

    def provider(self, kind: str, name: str) -> PluginInfo:
        """The plugin that provides ``name`` of ``kind`` (a key of :data:`~osiris_core.plugins.loader.KINDS`)."""
        self._get(kind, name)
        return self._specs[kind][name][1]

    def provided_by(self, info: PluginInfo) -> dict[str, list[str]]:
        """The names of everything that the plugin of ``info`` provides, sorted, by kind."""
        return {
            kind: sorted(name for name, (_, owner) in named.items() if owner.id == info.id)
            for kind, named in self._specs.items()
        }

    def load(self, ref: str) -> Any:
        """Import ``package.module:attribute``; whatever goes wrong in that code is a PluginError."""
        if shapes.REF.match(ref) is None:
            raise PluginError("OSR-PLG-024", f"'{shortened(ref)}' is not a reference 'package.module:attribute'")
        outcome = contained(lambda: _resolve(ref))
        if outcome.failure is not None:
            source = self._source_of(ref)
            message = f"'{ref}'{f' of {source}' if source else ''} cannot be imported: {outcome.failure.message}"
            raise PluginError("OSR-PLG-024", message) from outcome.failure.error
        return outcome.get()

    def validate_pipeline(self, pipeline: Any, catalog: Any) -> list[Diagnostic]:
        """What every plugin finds about a whole pipeline; a plugin that fails at it becomes a warning."""
        found: list[Diagnostic] = []
        for one in self._loaded:
            hooks = one.hooks
            if hooks is None or "osiris_validate_pipeline" not in hooks.implemented:
                continue
            outcome = contained(partial(_findings, hooks, pipeline, catalog))
            if outcome.failure is None:
                found += outcome.get()
                continue
            message = (
                f"plugin '{one.info.id}' ({one.info.source}) could not check the pipeline: {outcome.failure.message}"
            )
            found.append(Diagnostic(code="OSR-PLG-008", message=message, severity=Severity.WARNING))
        return found

    def notify(self, event: Mapping[str, Any]) -> tuple[str, ...]:
        """Show ``event`` to every observer, each with a copy of its own; what failed, one line each.

        Called while a run is under way on many threads, so standard output is left alone here; a command that prints
        JSON keeps it clean for as long as it runs (``osiris_core/cli/output.py``).
        """
        return tuple(line for one in self._observers if (line := _observe(one, event)) is not None)

    def require_sound(self) -> None:
        """Raise PluginError when any plugin failed, conflicts or is incompatible."""
        unsound = [info for info in self._infos if info.unsound]
        if unsound:
            names = ", ".join(f"'{info.id}' ({info.source})" for info in unsound)
            raise PluginError(
                "OSR-PLG-010",
                f"strict mode refuses to go on with unusable plugins: {names}",
                diagnostics=[missing.diagnostic(info) for info in unsound],
            )

    def _all(self, kind: str) -> tuple[Any, ...]:
        return tuple(spec for _, (spec, _) in sorted(self._specs[kind].items()))

    def _get(self, kind: str, name: str) -> Any:
        found = self._specs[kind].get(name)
        if found is None:
            raise missing.error(kind, name, have=self._specs[kind], plugins=self._infos, unloaded=self._unloaded)
        return found[0]

    def _source_of(self, ref: str) -> str | None:
        for spec, info in chain.from_iterable(named.values() for named in self._specs.values()):
            if ref in (getattr(spec, "ref", None), getattr(spec, "doctor", None)):
                return f"plugin '{info.id}' ({info.source})"
        return None


def _by_id(one: Loaded) -> tuple[str, str]:
    return one.info.id, normalized(one.info.distribution)


def _findings(hooks: PluginHooks, pipeline: Any, catalog: Any) -> list[Diagnostic]:
    return shapes.diagnostics(hooks.validate_pipeline(pipeline=pipeline, catalog=catalog))


def _resolve(ref: str) -> Any:
    module, _, attribute = ref.partition(":")
    value: Any = import_module(module)
    for name in attribute.split("."):
        value = getattr(value, name)
    return value


def _observe(one: Loaded, event: Mapping[str, Any]) -> str | None:
    assert one.hooks is not None
    try:
        one.hooks.run_event(MappingProxyType(dict(event)))
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - returned to the caller, who records it
        return f"plugin '{one.info.id}' ({one.info.source}) failed on an event: {describe(error)}"
    return None
