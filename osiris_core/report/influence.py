"""What a value is made of: the source columns that can change it, and how each of them does.

The kinds are those of OpenLineage's column lineage facet (1.2): *direct*, the value is made of the source's value, and
*indirect*, the source decides whether, where or in which order the value appears.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterable

_LONGEST_REASON: Final = 200


class Kind(StrEnum):
    """How a source column acts on a value."""

    IDENTITY = "DIRECT:IDENTITY"
    """The value is the source's, unchanged."""
    TRANSFORMATION = "DIRECT:TRANSFORMATION"
    """The value is computed from the source's in the same row."""
    AGGREGATION = "DIRECT:AGGREGATION"
    """The value is computed from the source's in many rows."""
    JOIN = "INDIRECT:JOIN"
    """The source decides which rows meet."""
    GROUP_BY = "INDIRECT:GROUP_BY"
    """The source decides which rows are taken together."""
    FILTER = "INDIRECT:FILTER"
    """The source decides which rows are kept."""
    SORT = "INDIRECT:SORT"
    """The source decides the order."""
    WINDOW = "INDIRECT:WINDOW"
    """The source decides which rows a window function sees, and in which order."""
    CONDITIONAL = "INDIRECT:CONDITIONAL"
    """The source decides which of several expressions gives the value."""

    @property
    def direct(self) -> bool:
        """Whether the value is made of the source's value."""
        return self in _DIRECT

    def then(self, outer: Kind) -> Kind:
        """The kind of a source that acts by this kind on something which acts by ``outer``.

        Of two indirect kinds the one nearer to the source stays: it says what is done with that source.
        """
        if not self.direct or outer is Kind.IDENTITY:
            return self
        return self if outer is Kind.TRANSFORMATION and self is Kind.AGGREGATION else outer


_DIRECT: Final = frozenset({Kind.IDENTITY, Kind.TRANSFORMATION, Kind.AGGREGATION})


@attrs.frozen(kw_only=True, order=True, cache_hash=True)
class Source:
    """A column outside of the pipeline: ``column`` of ``dataset`` (a table or file as the step names it), read by the
    extract ``step``. ``dataset`` and ``connection`` are empty where the step's config names none.
    """

    step: str
    component: str
    connection: str
    dataset: str
    column: str

    def to_json(self) -> dict[str, Any]:
        """The source as plain data, every key present."""
        return attrs.asdict(self)


@attrs.frozen(cache_hash=True)
class Influence:
    """Everything that can change a value. With ``unknown`` (reasons, in words) there may be more than ``edges``."""

    edges: frozenset[tuple[Source, Kind]] = frozenset()
    unknown: frozenset[str] = frozenset()

    @classmethod
    def of(cls, source: Source) -> Influence:
        """The influence of a column on itself."""
        return cls(frozenset({(source, Kind.IDENTITY)}))

    @classmethod
    def not_known(cls, reason: str) -> Influence:
        """What cannot be derived, and why."""
        return cls(unknown=frozenset({reason[:_LONGEST_REASON]}))

    def __or__(self, other: Influence) -> Influence:
        if self == NOTHING or self is other:
            return other
        if other == NOTHING:
            return self
        return Influence(self.edges | other.edges, self.unknown | other.unknown)

    def through(self, kind: Kind) -> Influence:
        """This influence on something that is made by ``kind`` of the value."""
        if kind is Kind.IDENTITY or not self.edges:
            return self
        return Influence(frozenset((source, each.then(kind)) for source, each in self.edges), self.unknown)

    def to_json(self) -> dict[str, Any]:
        """The influence as plain data in a fixed order: each source once, with all its kinds."""
        kinds: dict[Source, list[str]] = {}
        for source, kind in sorted(self.edges):
            kinds.setdefault(source, []).append(kind.value)
        return {
            "sources": [{**source.to_json(), "kinds": found} for source, found in kinds.items()],
            "unknown": sorted(self.unknown),
        }


NOTHING: Final = Influence()
"""What a constant is made of."""


def united(influences: Iterable[Influence]) -> Influence:
    """All of ``influences`` in one."""
    found = tuple(influences)
    if len(found) == 1:
        return found[0]
    edges = frozenset[tuple[Source, Kind]]().union(*(one.edges for one in found))
    return Influence(edges, frozenset[str]().union(*(one.unknown for one in found)))
