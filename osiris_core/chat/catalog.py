"""What the conversation knows of the tables behind the connections: each under a name that SQL can use.

Core knows no family: how a table is read follows from the fields that its component's config declares (one that is
``path="read"`` takes the table's name; else ``table``, with ``schema`` where there is such a field).
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import attrs

from osiris_core.model.shape import shape_of
from osiris_core.spec.describe import Role

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from osiris_core.discovery.discover import Discovery, FoundTable
    from osiris_core.discovery.relations import Relation
    from osiris_core.plugins.registry import Registry
    from osiris_core.spec.describe import ComponentSpec

_NO_NAME: Final = re.compile(r"[^a-z0-9]+")
_ENDINGS: Final = re.compile(r"\.(?:csv|tsv|jsonl|ndjson|parquet|xlsx)(?:\.(?:gz|zst))?\Z", re.IGNORECASE)
_LONGEST: Final = 40


@attrs.frozen(kw_only=True)
class Source:
    """A table that a pipeline may read: ``name`` in SQL and as the id of its step, the ``connection`` (None for files
    of the project itself), and the component that reads it.
    """

    name: str
    connection: str
    found: FoundTable
    component: ComponentSpec

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of its columns."""
        return tuple(column.name for column in self.found.table.columns)

    def config(self, columns: Sequence[str] | None) -> dict[str, Any]:
        """The config of the step that reads it: these ``columns`` of it, or all."""
        table, fields = (
            self.found.table,
            {member.name: member.info for member in shape_of(self.component.config).members},
        )
        by_path = next((name for name, info in fields.items() if info.path == "read"), None)
        made: dict[str, Any] = {"connection": self.connection, by_path or "table": table.name}
        if by_path is None and table.schema is not None and "schema" in fields:
            made["schema"] = table.schema
        if columns is not None and "columns" in fields:
            made["columns"] = list(columns)
        return made


@attrs.frozen(kw_only=True)
class Sources:
    """The tables described in full, those that are only named, and what is related to what."""

    described: tuple[Source, ...]
    others: Mapping[str, tuple[str, ...]] = attrs.field(factory=dict)
    """By connection, the labels of further tables."""
    relations: tuple[tuple[str, Relation], ...] = ()
    """Each with the connection it holds in."""
    problems: Mapping[str, str] = attrs.field(factory=dict)
    """By connection, why nothing is known of it."""

    def get(self, name: str) -> Source | None:
        """The table that SQL calls ``name``."""
        return next((one for one in self.described if one.name == name.lower()), None)

    @property
    def names(self) -> tuple[str, ...]:
        """All names, in order."""
        return tuple(one.name for one in self.described)


def sources_of(
    discoveries: Iterable[Discovery], registry: Registry, problems: Mapping[str, str] | None = None
) -> Sources:
    """What was discovered, each table with a name of its own; tables that no component reads are left out."""
    described: list[Source] = []
    others: dict[str, tuple[str, ...]] = {}
    relations: list[tuple[str, Relation]] = []
    taken: set[str] = set()
    readable: list[tuple[Discovery, FoundTable, ComponentSpec]] = []
    for discovery in discoveries:
        for found in discovery.tables:
            component = _reader(found, discovery.family, registry)
            if component is not None and found.table.columns:
                readable.append((discovery, found, component))
        if discovery.others:
            others[discovery.ref] = discovery.others
        relations += [(discovery.ref, one) for one in discovery.relations]
    stems = Counter(_plain(found.table.name) for _, found, _ in readable if found.table.schema is None)
    for discovery, found, component in readable:
        plain = _plain(found.table.name)
        if stems[plain] > 1 and _whole(found.table.name) != plain:
            # Of `flights.csv` and `flights.parquet` neither is `flights`: nobody would know which one answers.
            plain = _whole(found.table.name)
        name = _free(plain, found.table.schema, taken)
        taken.add(name)
        described.append(Source(name=name, connection=discovery.ref, found=found, component=component))
    return Sources(described=tuple(described), others=others, relations=tuple(relations), problems=dict(problems or {}))


def _reader(found: FoundTable, family: str, registry: Registry) -> ComponentSpec | None:
    """The component that reads the table: the one it names, else the family's only extractor."""
    specs = [one for one in registry.components() if one.role is Role.EXTRACTOR and one.connection == family]
    if found.table.component is not None:
        specs = [one for one in specs if one.name == found.table.component]
    return specs[0] if len(specs) == 1 else None


def _plain(name: str) -> str:
    """``name`` in small letters, digits and single ``_``, without a file's folder and ending."""
    return _whole(_ENDINGS.sub("", name.rsplit("/", 1)[-1]))


def _whole(name: str) -> str:
    """``name`` as one word, with its folders and its ending."""
    plain = _NO_NAME.sub("_", name.lower()).strip("_")[:_LONGEST].strip("_")
    return plain if plain and plain[0].isalpha() else f"t_{plain}".strip("_")


def _free(name: str, schema: str | None, taken: set[str]) -> str:
    if name not in taken and name != "df":
        return name
    candidates = [f"{_plain(schema)}_{name}"] if schema else []
    candidates += [f"{name}_{number}" for number in range(2, len(taken) + 3)]
    return next(one for one in candidates if one not in taken)
