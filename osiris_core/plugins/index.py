"""Which plugins are installed, by metadata alone: nothing is imported.

Source: the entry points of group ``osiris.plugins.v1`` (PyPA "Entry points specification"). An entry point's name is
the plugin's id, its value the plugin's entry module.
"""

from __future__ import annotations

import re
from importlib import metadata
from typing import TYPE_CHECKING, Final

import attrs

from osiris_core.canonical import digest_bytes
from osiris_core.display import visible_line

if TYPE_CHECKING:
    from collections.abc import Iterable

GROUP: Final = "osiris.plugins.v1"

CORE_DISTRIBUTION: Final = "osiris-core"
"""What this core provides itself is registered through the same entry points, under this distribution."""

UNKNOWN: Final = "(unknown)"
"""Stands for a distribution's name or version that its metadata does not tell."""

PLUGIN_ID: Final = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*\Z")
"""A plugin's id, as in :data:`osiris_core.ids.COMPONENT_NAME`; at most :data:`MAX_ID` characters."""

MAX_ID: Final = 40

MAX_SHOWN: Final = 200
"""No name of an entry point is longer than this in a message, nor may a module's be."""


@attrs.frozen(kw_only=True)
class IndexEntry:
    """One entry point: a plugin's id, its entry module, and the distribution that declares it.

    ``record_hash`` is the SHA-256 of the distribution's ``RECORD`` (the list of its files with their hashes), None
    when it has none. ``problem`` says why the entry cannot be used at all, as far as metadata can tell.
    """

    id: str
    module: str
    distribution: str
    version: str
    record_hash: str | None = None
    problem: str | None = None

    @property
    def source(self) -> str:
        """The distribution with its version, as messages name it."""
        return f"{self.distribution} {self.version}" if self.version != UNKNOWN else self.distribution

    @property
    def is_core(self) -> bool:
        """Whether the entry belongs to the core itself."""
        return self.distribution == CORE_DISTRIBUTION


def index() -> tuple[IndexEntry, ...]:
    """The installed plugins, sorted by id and distribution. Imports nothing and never fails because of a package."""
    try:
        found = [_entry(point, point.dist) for point in metadata.entry_points(group=GROUP)]
    except Exception:  # noqa: BLE001 - one package's unreadable metadata; looked for and recorded one by one below
        found = _one_by_one()
    return tuple(sorted(found, key=lambda entry: (entry.id, normalized(entry.distribution), entry.module)))


def normalized(distribution: str) -> str:
    """A distribution's name in the form in which names are compared (PyPA "Names and normalization")."""
    return re.sub(r"[-_.]+", "-", distribution).lower()


def distribution_for(plugin_id: str) -> str:
    """The distribution that is expected to provide the plugin ``plugin_id``: ``osiris-<id>``."""
    return f"osiris-{plugin_id.replace('_', '-')}"


def _one_by_one() -> list[IndexEntry]:
    found = []
    seen = set()
    for distribution in metadata.distributions():
        name, version = _identity(distribution)
        if normalized(name) in seen and name != UNKNOWN:
            continue  # shadowed by one earlier on the path, as for importlib.metadata
        seen.add(normalized(name))
        try:
            points: Iterable[metadata.EntryPoint] = distribution.entry_points.select(group=GROUP)
            found += [_entry(point, distribution) for point in points]
        except Exception as error:  # noqa: BLE001 - recorded as the entry's problem
            problem = visible_line(f"the entry points of {name} cannot be read ({type(error).__name__})")
            found.append(IndexEntry(id=name, module="", distribution=name, version=version, problem=problem))
    return found


def _entry(point: metadata.EntryPoint, distribution: metadata.Distribution | None) -> IndexEntry:
    name, version = _identity(distribution)
    return IndexEntry(
        id=_shown(point.name),
        module=_shown(point.value),
        distribution=name,
        version=version,
        record_hash=_record_hash(distribution),
        problem=_problem(point),
    )


def _shown(name: str) -> str:
    """A name of an entry point as it may be shown; one that may be used is not changed by it."""
    return visible_line(name if len(name) <= MAX_SHOWN else name[:MAX_ID] + "…")


def _problem(point: metadata.EntryPoint) -> str | None:
    if len(point.name) > MAX_ID:
        return f"a plugin's id has at most {MAX_ID} characters, this one has {len(point.name)}"
    if PLUGIN_ID.match(point.name) is None:
        return (
            f"'{visible_line(point.name)}' is not a plugin id: lower-case letters, digits, and single '_' between them"
        )
    if len(point.value) > MAX_SHOWN or not all(part.isidentifier() for part in point.value.split(".")):
        return f"its entry point must name a module, not '{_shown(point.value)}'"
    return None


def _identity(distribution: metadata.Distribution | None) -> tuple[str, str]:
    """Name and version; a damaged METADATA file leaves them unknown, it does not hide the plugin."""
    if distribution is None:
        return UNKNOWN, UNKNOWN
    try:
        fields = distribution.metadata
        name, version = fields["Name"], fields["Version"]
    except Exception:  # noqa: BLE001 - recorded as unknown
        return UNKNOWN, UNKNOWN
    return visible_line(str(name or UNKNOWN)), visible_line(str(version or UNKNOWN))


def _record_hash(distribution: metadata.Distribution | None) -> str | None:
    try:
        record = distribution.read_text("RECORD") if distribution else None
    except Exception:  # noqa: BLE001 - recorded as absent
        return None
    return digest_bytes(record.encode("utf-8", "surrogatepass")) if record else None
