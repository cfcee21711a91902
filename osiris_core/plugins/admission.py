"""Who may take part: allow and block lists before anything is imported, and names that two plugins claim."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final

import attrs

from osiris_core.plugins.containment import shortened
from osiris_core.plugins.index import normalized
from osiris_core.plugins.info import PluginInfo, Status
from osiris_core.plugins.loader import Loaded, info_of
from osiris_core.plugins.missing import WORDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from osiris_core.plugins.index import IndexEntry

Claims = dict[tuple[str, str], list[PluginInfo]]
"""The plugins that provide a thing, by its kind and name."""


def apply_lists(
    entries: Iterable[IndexEntry], allow: tuple[str, ...] | None, block: tuple[str, ...]
) -> tuple[list[IndexEntry], list[Loaded]]:
    """The entries that the lists let in, and the others as blocked plugins."""
    admitted, blocked = [], []
    for entry in entries:
        refusal = _refusal(entry, allow, block)
        if refusal is None:
            admitted.append(entry)
        else:
            info = attrs.evolve(info_of(entry), status=Status.BLOCKED, code="OSR-PLG-002", message=refusal)
            blocked.append(Loaded(info=info))
    return admitted, blocked


def split_contested_ids(entries: list[IndexEntry]) -> tuple[list[IndexEntry], list[Loaded]]:
    """The entries whose id nobody else claims, and the others as plugins in conflict."""
    claims: dict[str, list[IndexEntry]] = {}
    for entry in entries:
        claims.setdefault(entry.id, []).append(entry)
    sole, contested = [], []
    for entry in entries:
        rivals = [info_of(other) for other in claims[entry.id] if other is not entry]
        loser = _in_conflict(info_of(entry), f"the plugin id '{entry.id}'", rivals)
        if loser is None:
            sole.append(entry)
        else:
            contested.append(Loaded(info=loser))
    return sole, contested


def drop_contested_names(loaded: Iterable[Loaded], owners: Iterable[PluginInfo]) -> list[Loaded]:
    """The plugins, those stripped of everything that provide a name which belongs to another, or which another claims.

    ``owners`` are all plugins that were let in, loaded or not: a name that is a plugin's id is that plugin's, so what
    ``local`` or ``e2b`` means does not depend on which plugins a command happens to load.
    """
    plugins = list(loaded)
    by_id = {owner.id: owner for owner in owners}
    claims: Claims = {}
    for one in plugins:
        for kind, named in one.specs.items():
            for name in named:
                claims.setdefault((kind, name), []).append(one.info)
    return [_unless_contested(one, claims, by_id) for one in plugins]


_OPEN: Final = frozenset({"llm_provider"})
"""Kinds whose names are those of services and not of plugins: a provider ``local`` is no claim to the target."""


def _unless_contested(one: Loaded, claims: Claims, owners: Mapping[str, PluginInfo]) -> Loaded:
    for kind, named in one.specs.items():
        for name in sorted(named):
            what = f"the {WORDS[kind]} '{name}'"
            owner = None if kind in _OPEN else owners.get(name.replace("-", "_"))
            if owner is None:
                loser = _in_conflict(one.info, what, [info for info in claims[kind, name] if info is not one.info])
            else:
                loser = None if owner.id == one.info.id else _trespasser(one.info, what, owner)
            if loser is not None:
                return Loaded(info=loser)
    return one


def _trespasser(info: PluginInfo, what: str, owner: PluginInfo) -> PluginInfo:
    return attrs.evolve(
        info,
        status=Status.CONFLICT,
        code="OSR-PLG-009",
        message=f"{info.source} provides {what}, a name that belongs to plugin '{owner.id}' of {owner.source}",
        hint="uninstall it, or block it by its distribution's name in plugins.block",
    )


def _in_conflict(info: PluginInfo, what: str, rivals: list[PluginInfo]) -> PluginInfo | None:
    """``info`` as a loser of the contest over ``what``, or None when it may keep it."""
    winners = [rival for rival in rivals if rival.is_core]
    if not rivals or (info.is_core and not winners):
        return None
    others = " and ".join(sorted({rival.source for rival in winners or rivals}))
    hint = "uninstall it" if winners else "uninstall one of them"
    return attrs.evolve(
        info,
        status=Status.CONFLICT,
        code="OSR-PLG-009",
        message=f"{info.source} and {others} both provide {what}",
        hint=f"{hint}, or block it by its distribution's name in plugins.block",
    )


def _refusal(entry: IndexEntry, allow: tuple[str, ...] | None, block: tuple[str, ...]) -> str | None:
    pattern = _first_match(entry, block)
    if pattern is not None:
        return f"plugins.block holds '{shortened(pattern, 80)}'"
    if allow is None or entry.is_core or _first_match(entry, allow) is not None:
        return None
    return "plugins.allow does not hold it"


def _first_match(entry: IndexEntry, patterns: tuple[str, ...]) -> str | None:
    names = (entry.id, normalized(entry.id), normalized(entry.distribution))
    for pattern in patterns:
        if any(fnmatchcase(name, form) for name in names for form in (pattern, normalized(pattern))):
            return pattern
    return None
