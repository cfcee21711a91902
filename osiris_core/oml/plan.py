"""Which step feeds which, and in what order they run.

``needs`` given: exactly those. Left out: a transform or a write depends on the step before it, an extract on nothing.
The order is topological, ties broken by document order; it takes O((steps + edges) log steps).
"""

from __future__ import annotations

import heapq
from collections import Counter
from typing import TYPE_CHECKING

import attrs

from osiris_core.diagnostics import did_you_mean
from osiris_core.ids import input_name
from osiris_core.oml.document import Mode

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from osiris_core.diagnostics import Path
    from osiris_core.oml.document import StepDoc
    from osiris_core.oml.findings import Findings


@attrs.frozen(kw_only=True)
class Plan:
    """The edges and the order; empty order when there is a cycle."""

    needs: Mapping[str, tuple[str, ...]]
    order: tuple[str, ...]


def make_plan(steps: Sequence[StepDoc], findings: Findings) -> Plan:
    """The plan of ``steps``. Steps without a usable, unique id are left out (they are errors already)."""
    by_id: dict[str, StepDoc] = {}
    for step in steps:
        if step.id is not None:
            by_id.setdefault(step.id, step)
    before = dict(zip((step.index for step in steps[1:]), steps, strict=False))
    errors = findings.errors_below(("steps",))
    needs = {step_id: _needs_of(step, before.get(step.index), by_id, findings) for step_id, step in by_id.items()}
    for step_id, upstream in needs.items():
        _check_inputs(by_id[step_id], upstream, by_id, findings)
    if findings.errors_below(("steps",)) == errors:  # a wrong edge is often why rows seem to be read by nobody
        _check_unread(needs, by_id, findings)
    order = _order(needs)
    if len(order) < len(needs):
        _report_cycles(needs, frozenset(order), by_id, findings)
        order = ()
    return Plan(needs=needs, order=order)


def _needs_of(
    step: StepDoc, before: StepDoc | None, by_id: Mapping[str, StepDoc], findings: Findings
) -> tuple[str, ...]:
    path: Path = ("steps", step.index)
    if step.needs is not None:
        known: list[str] = []
        for position, needed in enumerate(step.needs):
            if needed in by_id:
                known.append(needed)
                continue
            hint = did_you_mean(needed, by_id) or "needs lists the ids of other steps"
            findings.error("OSR-OML-020", f"there is no step '{needed}'", (*path, "needs", position), hint=hint)
        if step.mode is Mode.EXTRACT and step.needs:
            findings.error(
                "OSR-OML-022",
                f"step '{step.id}' extracts, so nothing can feed it",
                (*path, "needs"),
                hint="remove `needs`, or use a component with `mode: transform`",
            )
            return ()
        if step.mode is Mode.WRITE and not step.needs:
            findings.error(
                "OSR-OML-023",
                f"step '{step.id}' writes, but `needs: []` leaves it without rows",
                (*path, "needs"),
                hint="name the step whose rows it writes",
            )
        return tuple(known)
    if step.mode not in (Mode.TRANSFORM, Mode.WRITE):
        return ()
    if before is None:
        hint = "begin with an extract"
        if step.mode is Mode.TRANSFORM:
            hint += ", or write `needs: []` when its SQL reads no input"
        findings.error("OSR-OML-023", f"step '{step.id}' has no input: no step stands before it", path, hint=hint)
        return ()
    return (before.id,) if before.id is not None and by_id[before.id] is before else ()


def _check_inputs(step: StepDoc, upstream: tuple[str, ...], by_id: Mapping[str, StepDoc], findings: Findings) -> None:
    path: Path = ("steps", step.index) if step.needs is None else ("steps", step.index, "needs")
    for needed in upstream:
        if by_id[needed].mode is Mode.WRITE and needed != step.id:
            findings.error(
                "OSR-OML-024",
                f"step '{step.id}' takes its input from '{needed}', which writes and passes nothing on",
                path,
                hint="write `needs: [...]` with the step that gives the rows",
            )
    if step.mode is Mode.WRITE and len(upstream) > 1:
        findings.error(
            "OSR-OML-025",
            f"step '{step.id}' writes the rows of one step, not of {len(upstream)}",
            path,
            hint="unite them in a transform, or write them in a step each",
        )
    names: dict[str, str] = {}
    for needed in upstream:
        other = names.setdefault(input_name(needed), needed)
        if other != needed:
            findings.error(
                "OSR-OML-026",
                f"'{other}' and '{needed}' are the same SQL name, '{input_name(needed)}', in step '{step.id}'",
                path,
                hint="rename one of the steps",
            )


def _check_unread(needs: Mapping[str, tuple[str, ...]], by_id: Mapping[str, StepDoc], findings: Findings) -> None:
    if not any(step.mode is Mode.WRITE for step in by_id.values()):
        return  # a pipeline without writers is for looking at rows; its ends are its results
    read = {needed for upstream in needs.values() for needed in upstream}
    for step_id, step in by_id.items():
        if step_id not in read and step.mode in (Mode.EXTRACT, Mode.TRANSFORM):
            findings.warning(
                "OSR-OML-027",
                f"no step reads the rows of '{step_id}'",
                ("steps", step.index),
                hint=f"remove it, or name it in the `needs` of another step: `needs: [{step_id}]`",
            )


def _order(needs: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Kahn's algorithm with a heap of document positions; steps on or behind a cycle are missing."""
    ids = list(needs)
    position = {step_id: index for index, step_id in enumerate(ids)}
    waiting = Counter({step_id: len(upstream) for step_id, upstream in needs.items()})
    readers: dict[str, list[str]] = {step_id: [] for step_id in ids}
    for step_id, upstream in needs.items():
        for needed in upstream:
            readers[needed].append(step_id)
    ready = [position[step_id] for step_id in ids if not waiting[step_id]]
    order: list[str] = []
    while ready:
        step_id = ids[heapq.heappop(ready)]
        order.append(step_id)
        for reader in readers[step_id]:
            waiting[reader] -= 1
            if not waiting[reader]:
                heapq.heappush(ready, position[reader])
    return tuple(order)


def _report_cycles(
    needs: Mapping[str, tuple[str, ...]], done: frozenset[str], by_id: Mapping[str, StepDoc], findings: Findings
) -> None:
    """One finding for each knot of steps that need each other, showing one way round it."""
    for knot in _knots({step_id: upstream for step_id, upstream in needs.items() if step_id not in done}):
        first = min(knot, key=lambda step_id: by_id[step_id].index)
        trail = [first]
        while (at := next(needed for needed in needs[trail[-1]] if needed in knot)) not in trail:
            trail.append(at)
        ring = trail[trail.index(at) :]
        step = by_id[ring[0]]
        path: Path = ("steps", step.index) if step.needs is None else ("steps", step.index, "needs")
        shown = " → ".join(f"'{step_id}'" for step_id in (*ring, ring[0]))
        what = f"step '{first}' needs itself" if len(ring) == 1 else f"these steps need each other: {shown}"
        findings.error("OSR-OML-021", what, path, hint="remove one of them from `needs`")


def _knots(needs: Mapping[str, tuple[str, ...]]) -> list[frozenset[str]]:
    """The strongly connected components that hold a cycle (Kosaraju's two passes, without recursion)."""
    readers: dict[str, list[str]] = {step_id: [] for step_id in needs}
    for step_id, upstream in needs.items():
        for needed in upstream:
            if needed in needs:
                readers[needed].append(step_id)
    finished: list[str] = []
    seen: set[str] = set()
    for root in needs:
        finished += _after_upstream(root, needs, seen)
    knots: list[frozenset[str]] = []
    taken: set[str] = set()
    for root in reversed(finished):
        knot = frozenset(_after_upstream(root, readers, taken))
        if len(knot) > 1 or (knot and root in needs[root]):
            knots.append(knot)
    return knots


def _after_upstream(root: str, edges: Mapping[str, Sequence[str]], seen: set[str]) -> list[str]:
    """The steps that ``edges`` lead to from ``root`` and that are not in ``seen`` yet, each after those it leads to."""
    if root in seen:
        return []
    finished: list[str] = []
    seen.add(root)
    work = [(root, iter(edges[root]))]
    while work:
        at, ahead = work[-1]
        following = next((each for each in ahead if each in edges and each not in seen), None)
        if following is None:
            finished.append(at)
            work.pop()
        else:
            seen.add(following)
            work.append((following, iter(edges[following])))
    return finished
