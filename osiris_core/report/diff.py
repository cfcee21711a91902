"""What differs between two runs: what was run, with which versions, and what came out of it.

Some differences are circumstance: how long it took, where it ran, how it was labelled. They are told, but two runs that
differ in nothing else are equal. What a record does not say is not compared; :attr:`Comparison.unknown` names it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import attrs

from osiris_core.compile.diff import Kind, compare
from osiris_core.diagnostics import json_path
from osiris_core.report.reader import text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from osiris_core.plugins.registry import Registry
    from osiris_core.report.session import Column, Session, Step

_VERSIONS: Final = ("osiris", "python", "duckdb", "platform")
_COUNTED: Final = ("rows_read", "rows_written", "bytes")
_PARTS: Final = {Kind.PLUGIN: "pins", Kind.PIPELINE: "pipeline", Kind.PARAM: "pipeline"}


@attrs.frozen(kw_only=True)
class Difference:
    """One difference: ``what`` of ``step`` (None: of the run). ``before`` and ``after`` are plain data, None where
    there is nothing.

    ``part``: ``run step schema data pipeline config sql pins circumstance``. ``circumstance`` alone leaves runs equal.
    """

    part: str
    step: str | None = None
    what: str
    before: Any = None
    after: Any = None

    @property
    def matters(self) -> bool:
        """Whether it makes the runs differ."""
        return self.part != "circumstance"

    def to_json(self) -> dict[str, Any]:
        """The difference as plain data."""
        return {**attrs.asdict(self, recurse=False), "matters": self.matters}


@attrs.frozen(kw_only=True)
class Comparison:
    """All differences, in a fixed order, and in sentences what could not be compared."""

    differences: tuple[Difference, ...]
    unknown: tuple[str, ...]

    @property
    def equal(self) -> bool:
        """Whether nothing differs but circumstance."""
        return not any(one.matters for one in self.differences)


def compare_runs(before: Session, after: Session, *, registry: Registry | None) -> Comparison:
    """What differs between two sessions. ``registry`` knows which fields of components are SQL; without one, of the
    manifests only whether they are the same is told.
    """
    old = {step.id: step for step in before.steps}
    new = {step.id: step for step in after.steps}
    differences = [*_runs(before, after), *_manifests(before, after, registry)]
    for step_id in [*new, *(step_id for step_id in old if step_id not in new)]:
        differences += _steps(step_id, old.get(step_id), new.get(step_id))
    return Comparison(differences=tuple(differences), unknown=tuple(_unknown(before, after)))


def _runs(before: Session, after: Session) -> Iterator[Difference]:
    old, new = before.record, after.record
    for name in ("kind", "pipeline", "status", "rows"):
        yield from _one("run", name, getattr(old, name), getattr(new, name))
    yield from _one("run", "error", text_of(old.error or {}, "code"), text_of(new.error or {}, "code"))
    yield from _one("circumstance", "duration_ms", old.duration_ms, new.duration_ms)
    yield from _one("circumstance", "target", old.target, new.target)
    yield from _one("circumstance", "labels", dict(old.labels), dict(new.labels))
    was, now = before.environment, after.environment
    for name in _VERSIONS:
        yield from _one("circumstance", name, was.get(name), now.get(name))


def _manifests(before: Session, after: Session, registry: Registry | None) -> Iterator[Difference]:
    """What was run, from the copies of the manifests; else whether it was the same, by the hashes."""
    old, new = before.record, after.record
    if registry is None or before.manifest is None or after.manifest is None:
        if old.manifest_hash is not None and new.manifest_hash is not None:
            yield from _one("pipeline", "manifest_hash", old.manifest_hash, new.manifest_hash)
        return
    for change in compare(before.manifest, after.manifest, registry=registry):
        if change.kind in (Kind.STEP_ADDED, Kind.STEP_REMOVED, Kind.EFFECT):
            continue  # told with the steps; what follows from other changes
        part = _PARTS.get(change.kind, "sql" if change.kind is Kind.SQL else "config")
        what = json_path(change.path).removeprefix("$.") if change.path else change.kind.value
        yield Difference(part=part, step=change.step, what=what, before=change.before, after=change.after)


def _steps(step_id: str, before: Step | None, after: Step | None) -> Iterator[Difference]:
    if before is None or after is None:
        there = before or after
        assert there is not None
        what = "removed" if after is None else "added"
        yield Difference(
            part="step",
            step=step_id,
            what=what,
            before=before and before.component,
            after=after and after.component,
        )
        return
    yield from _one("step", "status", before.status, after.status, step_id)
    for name in _COUNTED:
        yield from _known("data", name, getattr(before, name), getattr(after, name), step_id)
    yield from _known("data", "checksum", _checksum(before), _checksum(after), step_id)
    if before.schema is not None and after.schema is not None:
        yield from _schemas(step_id, before.schema, after.schema)
    for name in ("duration_ms", "attempts"):
        yield from _one("circumstance", name, getattr(before, name), getattr(after, name), step_id)


def _schemas(step_id: str, before: tuple[Column, ...], after: tuple[Column, ...]) -> Iterator[Difference]:
    old = {column.name: column for column in before}
    new = {column.name: column for column in after}
    for name in [*new, *(name for name in old if name not in new)]:
        yield from _one("schema", f"column {name}", _column(old.get(name)), _column(new.get(name)), step_id)
    shared = old.keys() & new.keys()
    orders = ([column.name for column in columns if column.name in shared] for columns in (before, after))
    yield from _one("schema", "order of columns", next(orders), next(orders), step_id)


def _checksum(step: Step) -> str | None:
    return text_of(step.published or {}, "checksum")


def _column(column: Column | None) -> str | None:
    return None if column is None else column.type + ("" if column.nullable else " not null")


def _one(part: str, what: str, before: Any, after: Any, step: str | None = None) -> Iterator[Difference]:
    if before != after:
        yield Difference(part=part, step=step, what=what, before=before, after=after)


def _known(part: str, what: str, before: Any, after: Any, step: str) -> Iterator[Difference]:
    """As :func:`_one`, where both records say it: what a run that failed did not come to is told by its status."""
    if before is not None and after is not None:
        yield from _one(part, what, before, after, step)


def _unknown(before: Session, after: Session) -> Iterator[str]:
    for session in (before, after):
        for sentence in session.damage:
            yield f"{session.id}: {sentence}"
