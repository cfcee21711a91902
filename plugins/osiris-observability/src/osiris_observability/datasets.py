"""The datasets of a run's steps with their facets: all that the manifest, the events and the record tell about them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from openlineage.client.event_v2 import InputDataset, OutputDataset
from openlineage.client.facet_v2 import (
    data_quality_metrics_dataset,
    data_quality_metrics_input_dataset,
    dataset_type_dataset,
    datasource_dataset,
    input_statistics_input_dataset,
    lifecycle_state_change_dataset,
    output_statistics_output_dataset,
    schema_dataset,
    storage_dataset,
)

from osiris_observability.column_lineage import ColumnLineage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from osiris_observability.places import Place
    from osiris_observability.plan import Plan

_KEPT: Final = frozenset({"columns_observed", "step_schema", "files_read", "write_published", "step_finished"})
_GIVEN: Final = "rows"
"""The basis of observations that a run makes of the rows a step gives."""


class Datasets:
    """What is known of each step's datasets; more with every event."""

    def __init__(self, plan: Plan, producer: str) -> None:
        self.plan = plan
        self._producer = producer
        self._lineage = ColumnLineage(plan, producer)
        self._events: dict[tuple[str, str], Mapping[str, Any]] = {}

    def learn(self, event: Mapping[str, Any]) -> None:
        """Take in one event of a step."""
        name = event["event"]
        if name == "step_schema":
            self._lineage.outdated()
        if name in _KEPT and (name != "columns_observed" or event["basis"] == _GIVEN):
            self._events[event["step"], name] = event

    def of(self, step_id: str) -> tuple[list[InputDataset], list[OutputDataset]]:
        """The inputs and outputs of a step: whatever its rows come from, and what it writes."""
        inputs = self._inputs(step_id)
        step, place = self.plan.step(step_id), self.plan.place(step_id)
        if step is None or step.mode != "write" or place is None:
            return inputs, []
        return inputs, [self._output(step_id, place)]

    def _inputs(self, step_id: str) -> list[InputDataset]:
        found: dict[tuple[str, str], InputDataset] = {}
        for extract in self.plan.extracts(step_id):
            named = self.plan.place(extract)
            for place in [named] if named is not None else self._queried(extract):
                found.setdefault((place.namespace, place.name), self._input(extract, place))
        return list(found.values())

    def _queried(self, step_id: str) -> list[Place]:
        """The tables that a query reads, as far as its columns tell; not before it has given its first rows."""
        return self._lineage.sources(step_id) if (step_id, "step_schema") in self._events else []

    def _input(self, step_id: str, place: Place) -> InputDataset:
        facets = self._facets(place)
        step = self.plan.step(step_id)
        if step is not None and not step.config.get("columns") and not step.config.get("query"):
            facets |= self._schema(step_id)
        return InputDataset(place.namespace, place.name, facets=facets, inputFacets=self._read(step_id))

    def _read(self, step_id: str) -> dict[str, Any]:
        finished = self._events.get((step_id, "step_finished"))
        files = self._events.get((step_id, "files_read"), {}).get("files")
        if finished is None:
            return {}
        facet = input_statistics_input_dataset.InputStatisticsInputDatasetFacet(
            rowCount=finished["rows_read"],
            size=sum(file["bytes"] for file in files) if files else None,
            fileCount=len(files) if files else None,
            producer=self._producer,
        )
        facets: dict[str, Any] = {"inputStatistics": facet}
        observed = self._events.get((step_id, "columns_observed"))
        if observed is not None:
            facets["dataQualityMetrics"] = data_quality_metrics_input_dataset.DataQualityMetricsInputDatasetFacet(
                {
                    name: data_quality_metrics_input_dataset.ColumnMetrics(**metrics)
                    for name, metrics in _metrics(observed).items()
                },
                rowCount=observed["rows"],
                producer=self._producer,
            )
        return facets

    def _output(self, step_id: str, place: Place) -> OutputDataset:
        facets = self._facets(place)
        step = self.plan.step(step_id)
        assert step is not None
        for needed in step.needs:
            facets |= self._schema(needed) | self._quality(needed)
        if (step_id, "step_finished") in self._events:
            facets |= self._lineage.facet(step_id)
        if step.config.get("mode") == "replace":
            facets["lifecycleStateChange"] = lifecycle_state_change_dataset.LifecycleStateChangeDatasetFacet(
                lifecycle_state_change_dataset.LifecycleStateChange.OVERWRITE, producer=self._producer
            )
        published = self._events.get((step_id, "write_published"))
        statistics: dict[str, Any] = {}
        if published is not None:
            statistics["outputStatistics"] = output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(
                rowCount=published["rows"], size=published["bytes"], producer=self._producer
            )
        return OutputDataset(place.namespace, place.name, facets=facets, outputFacets=statistics)

    def _quality(self, step_id: str) -> dict[str, Any]:
        """What was counted of the rows that ``step_id`` gave to a write."""
        observed = self._events.get((step_id, "columns_observed"))
        finished = self._events.get((step_id, "step_finished"))
        if observed is None:
            return {}
        facet = data_quality_metrics_dataset.DataQualityMetricsDatasetFacet(
            {
                name: data_quality_metrics_dataset.ColumnMetrics(**metrics)
                for name, metrics in _metrics(observed).items()
            },
            rowCount=observed["rows"],
            bytes=finished["bytes"] if finished is not None else None,
            producer=self._producer,
        )
        return {"dataQualityMetrics": facet}

    def _facets(self, place: Place) -> dict[str, Any]:
        facets: dict[str, Any] = {
            "dataSource": datasource_dataset.DatasourceDatasetFacet(
                place.namespace, place.uri, producer=self._producer
            ),
            "datasetType": dataset_type_dataset.DatasetTypeDatasetFacet(place.kind, producer=self._producer),
        }
        if place.format is not None:
            facets["storage"] = storage_dataset.StorageDatasetFacet("file", place.format, producer=self._producer)
        return facets

    def _schema(self, step_id: str) -> dict[str, Any]:
        event = self._events.get((step_id, "step_schema"))
        if event is None:
            return {}
        fields = [
            schema_dataset.SchemaDatasetFacetFields(column["name"], column["type"], ordinal_position=at)
            for at, column in enumerate(event["columns"], 1)
        ]
        return {"schema": schema_dataset.SchemaDatasetFacet(fields, producer=self._producer)}


def _metrics(observed: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What was counted, by column."""
    return {column["name"]: {"nullCount": column["nulls"]} for column in observed["columns"] if "nulls" in column}
