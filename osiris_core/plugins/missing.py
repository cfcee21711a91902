"""Why something that a pipeline names cannot be had, and what to do about it."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Final

from osiris_core.catalogue import remedy
from osiris_core.diagnostics import Diagnostic, Severity, did_you_mean
from osiris_core.errors import PluginError
from osiris_core.ids import COMPONENT_NAME
from osiris_core.plugins.containment import shortened
from osiris_core.plugins.index import MAX_ID, PLUGIN_ID, distribution_for
from osiris_core.plugins.info import PluginInfo, Status

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

WORDS: Final[Mapping[str, str]] = {
    "component": "component",
    "driver": "driver",
    "connection": "connection family",
    "discoverer": "discoverer",
    "llm_provider": "model provider",
    "target": "target",
    "secret_store": "secret store",  # pragma: allowlist secret
}
"""The kinds, as messages name them."""

_VERDICTS: Final[Mapping[Status, str]] = {
    Status.OK: "is usable",
    Status.BLOCKED: "is blocked",
    Status.INCOMPATIBLE: "is incompatible",
    Status.FAILED: "failed",
    Status.CONFLICT: "is in conflict with another",
}

LLM_PLUGIN: Final = "llm"
"""The plugin that brings the model providers."""

OURS: Final = frozenset({"e2b", "filesystem", "llm", "mysql", "observability", "spark", "supabase"})
"""Ids of plugins this project publishes or has reserved. Only for these does a message name what to install: a
pipeline may be written by a model, and a made-up family must not send anybody to whoever registers its name."""


def error(
    kind: str,
    name: str,
    *,
    have: Iterable[str],
    plugins: Iterable[PluginInfo],
    unloaded: Iterable[PluginInfo],
) -> PluginError:
    """The error for ``name`` of ``kind`` that no plugin in use provides."""
    what = f"{WORDS[kind]} '{shortened(name, 80)}'"
    plugin_id = _plugin_id(kind, name)
    suggestion = _suggestion(name[:200], set(have))
    owners = [info for info in plugins if info.id == plugin_id]
    usable = next((info for info in owners if info.usable), None)
    if usable is not None:
        message = f"plugin '{usable.id}' ({usable.source}) has no {what}"
        return PluginError(
            "OSR-PLG-022", message, hint=suggestion or f"`osiris plugins show {usable.id}` lists what it has"
        )
    if owners:
        reasons = "; ".join(f"{info.source}: {info.status.value}, {info.message}" for info in owners)
        message = f"{what} cannot be used, because its plugin '{plugin_id}' is not usable ({reasons})"
        return PluginError("OSR-PLG-021", message, hint=owners[0].hint or remedy(owners[0].code or ""))
    if any(info.id == plugin_id for info in unloaded):
        message = f"{what} belongs to plugin '{plugin_id}', which this command did not load"
        return PluginError("OSR-PLG-023", message, hint="this is a defect of the command; please report it")
    return PluginError("OSR-PLG-020", f"{what} is not installed", hint=_how_to_get(plugin_id, suggestion))


def diagnostic(info: PluginInfo) -> Diagnostic:
    """The finding about a plugin that is not ``ok``; a blocked one is no more than information."""
    assert info.code is not None
    return Diagnostic(
        code=info.code,
        message=f"plugin '{info.id}' ({info.source}) {_VERDICTS[info.status]}: {info.message}",
        severity=Severity.INFO if info.status is Status.BLOCKED else Severity.ERROR,
        hint=info.hint or remedy(info.code),
    )


def _suggestion(name: str, have: set[str]) -> str | None:
    """The closest name; of names ``family.role``, one whose family is close too: roles are all alike."""
    family, dot, _ = name.partition(".")
    if not dot:
        return did_you_mean(name, have)
    families = {known.partition(".")[0] for known in have}
    close = [family] if family in families else difflib.get_close_matches(family, sorted(families), n=1, cutoff=0.7)
    return did_you_mean(name, {known for known in have if known.partition(".")[0] in close})


def _plugin_id(kind: str, name: str) -> str | None:
    """The id of the plugin that ``name`` belongs to by its form; None when it has no such form."""
    if kind in ("component", "driver"):
        match = COMPONENT_NAME.match(name)
        name = match["plugin"] if match else ""
    if kind == "llm_provider":
        return LLM_PLUGIN  # a model provider has its vendor's name, not its plugin's
    candidate = name.replace("-", "_")
    return candidate if len(candidate) <= MAX_ID and PLUGIN_ID.match(candidate) else None


def _how_to_get(plugin_id: str | None, suggestion: str | None) -> str:
    if plugin_id is None:
        return suggestion or "`osiris components list` shows what is installed; a component is named 'family.role'"
    if plugin_id in OURS:
        distribution = distribution_for(plugin_id)
        install = f"it is provided by the distribution {distribution}: `pip install {distribution}`"
    else:
        install = f"install the plugin '{plugin_id}' from its author; `osiris plugins list` shows what is there"
    return f"{suggestion} Otherwise {install}" if suggestion else install
