"""What each step will produce, found by asking the drivers in order; no rows are read and nothing is written."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
from arro3.core import Schema

from osiris_core.errors import OsirisError
from osiris_core.ids import input_name
from osiris_core.run.bounds import incremental_pairs
from osiris_core.run.context import Budget
from osiris_core.run.failure import as_error, redact
from osiris_core.run.layout import columns_of, plain_schema
from osiris_core.run.prepare import prepare
from osiris_core.run.quiet import NoRecord, Quiet
from osiris_core.run.states import States
from osiris_core.run.units import WRITE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from osiris_core.compile.manifest import Manifest, ManifestStep
    from osiris_core.plugins.registry import Registry
    from osiris_core.run.state import Limits, PreparedStep


@attrs.frozen(kw_only=True)
class BoundStep:
    """What is known about one step: its ``columns``, or why not (``unknown``), or why it would fail (``error``)."""

    id: str
    component: str
    mode: str
    columns: tuple[Mapping[str, Any], ...] | None = None
    unknown: str | None = None
    error: OsirisError | None = None
    incremental: Mapping[str, Any] | None = None
    """Of an incremental extract, where its next run begins (:class:`~osiris_core.run.states.Shown` as plain data)."""


def bind(
    manifest: Manifest,
    *,
    registry: Registry,
    connect: Callable[[ManifestStep], Any],
    limits: Limits,
    project_root: Path,
    reserved: tuple[Path, ...] = (),
    clean: Callable[[str], str],
) -> tuple[BoundStep, ...]:
    """What each step of ``manifest`` will produce, in execution order; errors are in the steps, redacted."""
    prepared = prepare(manifest, registry, connect)
    schemas: dict[str, Schema] = {}
    bound: list[BoundStep] = []
    with tempfile.TemporaryDirectory(prefix="osiris-explain-") as folder:
        quiet = Quiet(
            manifest_hash=manifest.hash,
            record=NoRecord(Path(folder), "explain"),
            budget=Budget(memory=limits.memory, threads=limits.threads),
            project_root=project_root,
            reserved=reserved,
        )
        states = States(manifest, prepared, quiet)
        pairs = incremental_pairs(manifest)
        for step in manifest.steps:
            one = _bind(prepared[step.id], schemas, quiet)
            if step.id in pairs and one.error is None:
                one = _with_state(one, states)
            if one.error is not None:
                prepared[step.id].advise(one.error)
                redact(one.error, clean)
            bound.append(one)
    return tuple(bound)


def _bind(prepared: PreparedStep, schemas: dict[str, Schema], quiet: Quiet) -> BoundStep:
    """What ``prepared`` will produce; adds its schema to ``schemas``."""
    step = prepared.step
    made = BoundStep(id=step.id, component=step.component, mode=step.mode)
    missing = [needed for needed in step.needs if needed not in schemas]
    if missing:
        return attrs.evolve(made, unknown=f"the columns of '{missing[0]}' are not known")
    driver = prepared.driver()
    if not hasattr(driver, "bind"):
        return attrs.evolve(made, unknown=f"{step.component} cannot tell without reading")
    inputs = {input_name(needed): schemas[needed] for needed in step.needs}
    if len(step.needs) == 1:
        inputs["df"] = schemas[step.needs[0]]
    try:
        ctx = quiet.context(prepared)
        outputs = driver.bind(step_id=step.id, config=prepared.config, inputs=inputs, ctx=ctx)
        if step.mode == WRITE:
            return attrs.evolve(made, columns=())
        schema = Schema.from_arrow(outputs["df"])
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - shown as the step's error
        return attrs.evolve(made, error=as_error(error, step=step.id, component=step.component))
    schemas[step.id] = plain_schema(schema) or schema
    return attrs.evolve(made, columns=tuple(columns_of(schemas[step.id])))


def _with_state(one: BoundStep, states: States) -> BoundStep:
    """``one``, an incremental extract, with where its next run begins."""
    try:
        shown = states.show(one.id)
    except OsirisError as error:
        return attrs.evolve(one, error=error)
    return attrs.evolve(one, incremental=attrs.asdict(shown))
