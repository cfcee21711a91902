"""The lineage of columns as OpenLineage's facet. Osiris derives it, with the kinds of that facet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from openlineage.client.facet_v2 import column_lineage_dataset

if TYPE_CHECKING:
    from osiris_core.report.influence import Influence
    from osiris_core.report.lineage import Lineage
    from osiris_observability.places import Place
    from osiris_observability.plan import Plan


class ColumnLineage:
    """The lineage of one run's columns, read from the record when it is asked for and again when that knows more."""

    def __init__(self, plan: Plan, producer: str) -> None:
        self._plan = plan
        self._producer = producer
        self._read: Lineage | None = None

    def outdated(self) -> None:
        """The record knows more by now."""
        self._read = None

    def sources(self, step_id: str) -> list[Place]:
        """The places that the extract ``step_id`` reads, by name."""
        lineage = self._lineage()
        if lineage is None:
            return []
        step = lineage.step(step_id)
        edges = step.rows.edges.union(*(column.influence.edges for column in step.columns))
        datasets = sorted({source.dataset for source, _ in edges if source.step == step_id})
        return [place for name in datasets if (place := self._plan.source(step_id, name)) is not None]

    def facet(self, step_id: str) -> dict[str, Any]:
        """The facet of what the write ``step_id`` writes; empty where nothing is known.

        A column of which only is known that it is not known is left out: it would look like a constant.
        """
        lineage = self._lineage()
        if lineage is None:
            return {}
        step = lineage.step(step_id)
        known = {column.name: column.influence for column in step.columns}
        fields = {
            name: column_lineage_dataset.Fields(self._inputs(influence))
            for name, influence in known.items()
            if influence.edges or not influence.unknown
        }
        rows = self._inputs(step.rows)
        if not fields and not rows:
            return {}
        facet = column_lineage_dataset.ColumnLineageDatasetFacet(fields, rows, producer=self._producer)
        return {"columnLineage": facet}

    def _inputs(self, influence: Influence) -> list[column_lineage_dataset.InputField]:
        """The source columns of an influence, each once, with all that it does."""
        found: dict[tuple[str, str, str], list[column_lineage_dataset.Transformation]] = {}
        for source, kind in sorted(influence.edges):
            place = self._plan.source(source.step, source.dataset)
            if place is not None:
                type_, _, subtype = kind.partition(":")
                done = column_lineage_dataset.Transformation(type_, subtype)
                found.setdefault((place.namespace, place.name, source.column), []).append(done)
        return [
            column_lineage_dataset.InputField(namespace, name, column, transformations)
            for (namespace, name, column), transformations in found.items()
        ]

    def _lineage(self) -> Lineage | None:
        if self._read is None:
            self._read = self._plan.lineage()
        return self._read
