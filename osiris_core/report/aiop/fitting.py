"""The cap: what of a package stays when it is too large.

Sections are filled in the order of :data:`ORDER` while there is room, so what stands last goes first, and errors go
last. Each but the last takes at most half of the room that is left. One that would not fit whole is given with shorter
texts; when that does not do, with its first items. While an error is left out, so is everything after the errors.
Every section of which something is missing has a marker in ``metadata.cuts``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import attrs

from osiris_core.canonical import canonical_json
from osiris_core.report.aiop.shortening import LEVELS, bare, shortened

if TYPE_CHECKING:
    from collections.abc import Sequence

MIN_CAP: Final = 4096
"""Bytes below which no package can be promised."""

ERRORS: Final = "evidence.errors"
TIMELINE: Final = "evidence.timeline"
SENTENCES: Final = "narrative.sentences"

ORDER: Final = (
    ERRORS,
    "evidence.damage",
    "evidence.steps",
    "evidence.milestones",
    "delta.changes",
    SENTENCES,
    "control.actions",
    "metadata.primer",
    "semantic.steps",
    "semantic.components",
    "evidence.schemas",
    "semantic.lineage",
    "semantic.manifest",
    "metadata.annex",
    "evidence.artifacts",
    "evidence.metrics",
    TIMELINE,
)
"""Sections by their place in the package, first to be filled to first to be cut. ``evidence.milestones`` are the events
of the timeline that sentences cite and that tell how the run went; they stand in ``evidence.timeline``."""

MAPPINGS: Final = frozenset({"semantic.manifest"})
"""Sections that are mappings; the others are lists."""

_LEAST_ROOM: Final = 500
"""Bytes that hold an error in its shortest form."""

_PLACES: Final = {"evidence.milestones": TIMELINE}


@attrs.frozen(kw_only=True)
class Section:
    """The items of a section, most important first; of a mapping, pairs.

    ``of`` is how many there are in the record; ``items`` may be only as many of them as could possibly fit.
    """

    items: Sequence[Any]
    of: int


@attrs.frozen(kw_only=True)
class Fitted:
    """A package within its cap; ``cuts`` are the markers of what is missing, none when it is whole."""

    document: dict[str, Any]
    cuts: tuple[dict[str, Any], ...]

    @property
    def data(self) -> bytes:
        """Its bytes."""
        return encoded(self.document)


def encoded(document: Any) -> bytes:
    """A document's bytes: canonical JSON in one line."""
    return (canonical_json(document) + "\n").encode()


def place_of(section: str) -> str:
    """Where in the package the items of ``section`` stand."""
    return _PLACES.get(section, section)


def fit(
    skeletons: Sequence[dict[str, Any]],
    sections: dict[str, Section],
    cap: int,
    beside: Sequence[dict[str, Any]] = (),
) -> Fitted:
    """The package of a skeleton, in which every section is empty, and as much of ``sections`` as ``cap`` bytes hold.

    Of ``skeletons``, fullest first, the first is taken that leaves room for an error. ``beside`` are markers of what
    was cut elsewhere.
    """
    if all(len(section.items) == section.of for section in sections.values()):
        whole = {name: list(section.items) for name, section in sections.items()}
        document = _assembled(skeletons[0], whole, beside)
        if len(encoded(document)) <= cap:
            return Fitted(document=document, cuts=tuple(beside))
    reserve = [
        _marker(name, kept=section.of, of=section.of, shorter=section.of)
        for name, section in sections.items()
        if section.of
    ]
    rooms = [(one, cap - len(encoded(_assembled(one, {}, [*beside, *reserve])))) for one in skeletons]
    skeleton, room = next((one for one in rooms if one[1] >= _LEAST_ROOM), rooms[-1])
    taken = dict.fromkeys(ORDER, _NOTHING)
    for rest in (False, True):  # first each its share, then whoever comes first what is left
        taken, room = _round(skeleton["evidence"]["run"]["@id"], sections, taken, room, rest=rest)
    cuts = [
        _marker(name, kept=len(taken[name].items), of=sections[name].of, shorter=taken[name].shorter)
        for name in ORDER
        if len(taken[name].items) < sections[name].of or taken[name].shorter
    ]
    kept = {name: one.items for name, one in taken.items()}
    return Fitted(document=_assembled(skeleton, kept, [*beside, *cuts]), cuts=(*beside, *cuts))


@attrs.frozen
class _Taken:
    """The items of a section that are in the package, the bytes they take, how many of them are shortened."""

    items: list[Any] = attrs.field(factory=list)
    used: int = 0
    shorter: int = 0


_NOTHING: Final = _Taken()


def _round(
    run: str, sections: dict[str, Section], before: dict[str, _Taken], room: int, *, rest: bool
) -> tuple[dict[str, _Taken], int]:
    found: dict[str, _Taken] = {}
    cited = {run}
    for name in ORDER:
        section, had = sections[name], before[name]
        items = section.items
        if name == SENTENCES:
            items = [item for item in items if cited.issuperset(item["cites"])]
        share = had.used + (room if rest or name == ORDER[-1] else room // 2)
        one = _taken(items, share, had.used + room if name == ERRORS else share)
        if name == ERRORS and items and not one.items:  # of a failure something is said in any package
            first = bare(items[0])
            one = _Taken([first], _size(first), 1)
        room += had.used - one.used
        found[name] = one
        cited |= {item["@id"] for item in one.items if isinstance(item, dict) and "@id" in item}
        if name == ERRORS and len(one.items) < section.of:
            return {**dict.fromkeys(ORDER, _NOTHING), ERRORS: one}, room
    return found, room


def _taken(items: Sequence[Any], share: int, most: int) -> _Taken:
    """The items that fit: all in the longest form in which they fit into ``share``; else as many as fit into ``most``
    in the shortest.
    """
    for level in LEVELS:
        last = level == LEVELS[-1]
        limit = most if last else share
        form: list[Any] = []
        used = 0
        for item in items:
            shorter = _shortened(item, level)
            size = _size(shorter)
            if used + size > limit:
                break
            used += size
            form.append(shorter)
        if last or len(form) == len(items):
            break
    changed = sum(before != after for before, after in zip(items, form, strict=False))
    return _Taken(form, used, changed)


def _shortened(item: Any, level: int | None) -> Any:
    return (item[0], shortened(item[1], level)) if isinstance(item, tuple) else shortened(item, level)


def _size(item: Any) -> int:
    """Bytes that an item adds: itself and a comma; of a pair the key and a colon, too."""
    if isinstance(item, tuple):
        return len(canonical_json(item[0]).encode()) + len(canonical_json(item[1]).encode()) + 2
    return len(canonical_json(item).encode()) + 1


def _marker(section: str, *, kept: int, of: int, shorter: int) -> dict[str, Any]:
    return {"section": section, "kept": kept, "of": of, "shortened": shorter}


def _assembled(skeleton: dict[str, Any], items: dict[str, list[Any]], cuts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    document = {key: dict(value) if isinstance(value, dict) else value for key, value in skeleton.items()}
    for name in ORDER:
        layer, _, key = place_of(name).partition(".")
        document[layer].setdefault(key, {} if name in MAPPINGS else [])
        if name in MAPPINGS:
            document[layer][key] = dict(items.get(name, ()))
        else:
            document[layer][key] = [*document[layer][key], *items.get(name, ())]
    document["evidence"]["timeline"].sort(key=lambda event: event["n"])
    document["metadata"]["cuts"] = list(cuts)
    document["metadata"]["complete"] = not cuts
    return document
