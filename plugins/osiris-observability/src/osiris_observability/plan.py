"""What a run is about to do, from its record: the steps of its manifest and what they read and write."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from osiris_core.api import Session
from osiris_observability.places import place_of, system_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from osiris_core.compile.manifest import Manifest, ManifestStep
    from osiris_core.report.lineage import Lineage
    from osiris_observability.places import Attributes, Place


@attrs.frozen
class Plan:
    """The steps of a run; empty where its record cannot be read here."""

    manifest: Manifest | None
    root: Path
    record: Path | None

    @classmethod
    def of(cls, started: Mapping[str, Any]) -> Plan:
        """The plan of the run that ``started`` (the event ``run_started``) begins."""
        surroundings = started["environment"]
        record, root = surroundings.get("record"), surroundings.get("project")
        if not isinstance(record, str) or not Path(record).is_dir():
            return cls(None, Path(), None)
        # Without the project's folder a relative path means nothing to anybody, and is left relative.
        return cls(Session(record).manifest, Path(root) if isinstance(root, str) else Path(), Path(record))

    def step(self, step_id: str) -> ManifestStep | None:
        """The step of that id."""
        steps = self.manifest.steps if self.manifest is not None else ()
        return next((step for step in steps if step.id == step_id), None)

    def place(self, step_id: str) -> Place | None:
        """What the step itself reads or writes; None where that is rows of other steps, or only its query says it."""
        step = self.step(step_id)
        if step is None or step.mode == "transform":
            return None
        return place_of(step, self.root)

    def source(self, step_id: str, dataset: str) -> Place | None:
        """The place that lineage calls ``dataset`` of the extract ``step_id``: of a query, one of its tables."""
        step, place = self.step(step_id), self.place(step_id)
        if place is not None or step is None or not dataset:
            return place
        return system_of(step, self.root).table(*dataset.split("."))

    def lineage(self) -> Lineage | None:
        """The lineage of the run's columns, as far as its record tells by now; None where that cannot be read."""
        return Session(self.record).lineage if self.record is not None else None

    def attributes(self, step_id: str) -> Attributes:
        """What OpenTelemetry's conventions have a step say of the database that it talks to; empty for none."""
        step, place = self.step(step_id), self.place(step_id)
        if place is not None:
            return place.attributes
        return system_of(step, self.root).attributes if step is not None and step.mode != "transform" else {}

    def extracts(self, step_id: str) -> tuple[str, ...]:
        """The extracts whose rows ``step_id`` sees, itself included, in the manifest's order."""
        seen: set[str] = set()
        waiting = [step_id]
        while waiting:
            step = self.step(waiting.pop())
            if step is not None and step.id not in seen:
                seen.add(step.id)
                waiting += step.needs
        steps = self.manifest.steps if self.manifest is not None else ()
        return tuple(step.id for step in steps if step.id in seen and step.mode == "extract")
