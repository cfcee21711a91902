"""A manifest cut into units: the steps that stream into one another, up to a writer, a spool, or nothing.

A step with one consumer streams into it and belongs to its unit. A step with several consumers ends a unit: its rows
are spooled, and each consumer reads the spool. So a unit is a tree whose root is the only place where rows come to
rest, units depend on each other only through spools, and no stream can wait for itself.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

import attrs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from osiris_core.compile.manifest import Manifest, ManifestStep

MAX_STEPS: Final = 16
"""Steps that stream into one another at most; each has a thread and memory of its own. Longer chains are spooled."""

WRITE: Final = "write"


class Ending(StrEnum):
    """What becomes of the rows at a unit's root."""

    WRITE = "write"
    SPOOL = "spool"
    DRAIN = "drain"
    """Nobody takes them: they are read to their end and counted."""


@attrs.frozen(kw_only=True)
class Unit:
    """Steps that run together, in execution order; the last one is the root. ``needs`` are numbers of other units."""

    number: int
    steps: tuple[ManifestStep, ...]
    ending: Ending
    needs: frozenset[int]

    @property
    def root(self) -> ManifestStep:
        """The step where the rows come to rest."""
        return self.steps[-1]


def consumers_of(manifest: Manifest) -> Mapping[str, tuple[str, ...]]:
    """The steps that read each step's rows, in execution order."""
    found: dict[str, list[str]] = {step.id: [] for step in manifest.steps}
    for step in manifest.steps:
        for needed in step.needs:
            found[needed].append(step.id)
    return {step_id: tuple(steps) for step_id, steps in found.items()}


def cut(manifest: Manifest) -> tuple[Unit, ...]:
    """The units of ``manifest``, in the order of their roots; takes time proportional to steps and edges."""
    consumers = consumers_of(manifest)
    unit_of: dict[str, str] = {}
    sizes: dict[str, int] = {}
    for step in reversed(manifest.steps):
        readers = consumers[step.id]
        root = unit_of[readers[0]] if len(readers) == 1 else step.id
        if sizes.get(root, 0) >= MAX_STEPS:
            root = step.id
        unit_of[step.id] = root
        sizes[root] = sizes.get(root, 0) + 1
    members: dict[str, list[ManifestStep]] = {}
    for step in manifest.steps:
        members.setdefault(unit_of[step.id], []).append(step)
    roots = [step.id for step in manifest.steps if unit_of[step.id] == step.id]
    numbers = {root: number for number, root in enumerate(roots)}
    return tuple(
        Unit(
            number=numbers[root],
            steps=tuple(members[root]),
            ending=_ending(members[root][-1], consumers[root]),
            needs=frozenset(
                numbers[unit_of[needed]] for step in members[root] for needed in step.needs if unit_of[needed] != root
            ),
        )
        for root in roots
    )


def _ending(root: ManifestStep, readers: tuple[str, ...]) -> Ending:
    if root.mode == WRITE:
        return Ending.WRITE
    return Ending.SPOOL if readers else Ending.DRAIN
