"""What each step will produce, found by asking the drivers in order; no rows are read and nothing is written."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
from arro3.core import Schema

from osiris_core.errors import OsirisError
from osiris_core.ids import input_name
from osiris_core.run.cancel import CancelToken
from osiris_core.run.context import Budget, StepContext
from osiris_core.run.failpoints import Failpoints
from osiris_core.run.failure import as_error, redact
from osiris_core.run.layout import columns_of, plain_schema
from osiris_core.run.prepare import prepare
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


class _NoRecord:
    """Takes what a driver would record, and keeps nothing."""

    id = "explain"

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def emit(self, event: Any) -> None:
        """Drop an event."""

    def emit_named(self, name: str, fields: Mapping[str, Any]) -> None:
        """Drop an event."""

    def metric(self, name: str, value: float, unit: str, *, step: str | None) -> None:
        """Drop a measurement."""

    def artifact(self, step: str, name: str) -> Path:
        """A path that is removed afterwards."""
        return self._folder / f"{step}-{name}"


def bind(
    manifest: Manifest,
    *,
    registry: Registry,
    connect: Callable[[ManifestStep], Any],
    limits: Limits,
    project_root: Path,
    clean: Callable[[str], str],
) -> tuple[BoundStep, ...]:
    """What each step of ``manifest`` will produce, in execution order; errors are in the steps, redacted."""
    prepared = prepare(manifest, registry, connect)
    schemas: dict[str, Schema] = {}
    bound: list[BoundStep] = []
    with tempfile.TemporaryDirectory(prefix="osiris-explain-") as folder:
        binder = _Binder(
            manifest.hash, _NoRecord(Path(folder)), Budget(memory=limits.memory, threads=limits.threads), project_root
        )
        for step in manifest.steps:
            one = binder.bind(prepared[step.id], schemas)
            if one.error is not None:
                prepared[step.id].advise(one.error)
                redact(one.error, clean)
            bound.append(one)
    return tuple(bound)


class _Binder:
    """Asks one driver after the other."""

    def __init__(self, manifest_hash: str, record: _NoRecord, budget: Budget, project_root: Path) -> None:
        self._manifest_hash = manifest_hash
        self._record = record
        self._budget = budget
        self._project_root = project_root

    def bind(self, prepared: PreparedStep, schemas: dict[str, Schema]) -> BoundStep:
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
            ctx = StepContext(
                step_id=step.id,
                component=step.component,
                load_id="0" * 32,
                manifest_hash=self._manifest_hash,
                connection=prepared.connect(),
                project_root=self._project_root,
                scratch=self._record.artifact(step.id, "scratch"),
                budget=self._budget,
                record=self._record,
                token=CancelToken(),
                failpoints=Failpoints(),
            )
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
