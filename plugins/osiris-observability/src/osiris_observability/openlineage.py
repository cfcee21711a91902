"""A run as OpenLineage events: a job and a run for the pipeline, and one each for every step that starts.

The pipeline's run is the parent of its steps' runs. Datasets stand at the steps: an extract has what it reads as input,
a write has as inputs whatever is read before it, and as output what it writes, so that lineage goes from table to table
without anything in between. Run ids follow from the session's id (:func:`run_id`).
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState
from openlineage.client.facet_v2 import (
    documentation_job,
    error_message_run,
    job_type_job,
    ownership_job,
    parent_run,
    processing_engine_run,
    sql_job,
    tags_run,
)
from openlineage.client.uuid import generate_static_uuid

from osiris_observability.datasets import Datasets
from osiris_observability.openlineage_client import Emitter
from osiris_observability.plan import Plan

if TYPE_CHECKING:
    from collections.abc import Mapping

_PARENT: Final = "OPENLINEAGE_PARENT_ID"
_ROOT: Final = "OPENLINEAGE_ROOT_PARENT_ID"
_ENDS: Final = {
    "step_finished": RunState.COMPLETE,
    "step_failed": RunState.FAIL,
    "step_cancelled": RunState.ABORT,
}
_STATES: Final = {"succeeded": RunState.COMPLETE, "failed": RunState.FAIL, "interrupted": RunState.ABORT}


def run_id(session: str, step: str = "") -> str:
    """The UUID of a session's run, or of one of its steps: version 7, of the session's time and a hash of both names.

    Whoever has the session's id has the run's, and runs sort by when they started.
    """
    try:
        moment = datetime.strptime(session.split("_")[1], "%Y%m%dT%H%M%S%fZ").replace(tzinfo=UTC)
    except (IndexError, ValueError):
        moment = datetime.fromtimestamp(0, UTC)
    return str(generate_static_uuid(moment, f"{session}/{step}".encode()))


class OpenLineageSink:
    """Makes OpenLineage events of one run's events and sends each as it comes."""

    def __init__(self) -> None:
        self._emitter = Emitter()
        self._producer = f"urn:osiris-observability:{version('osiris-observability')}"
        self._namespace = os.environ.get("OPENLINEAGE_NAMESPACE") or "default"
        self._started: Mapping[str, Any] = {}
        self._datasets: Datasets | None = None
        self._steps: dict[str, Mapping[str, Any]] = {}

    def take(self, event: Mapping[str, Any]) -> None:
        """Take in one event."""
        name = event["event"]
        if name == "run_started":
            self._started = event
            self._datasets = Datasets(Plan.of(event), self._producer)
            self._emit(event, RunState.START)
        elif self._datasets is None:
            return
        elif name == "step_started":
            if event["step"] not in self._steps:
                self._steps[event["step"]] = event
                self._emit_step(event, RunState.START)
        elif name in _ENDS:
            if event["step"] in self._steps:
                self._datasets.learn(event)
                self._emit_step(event, _ENDS[name])
        elif name == "run_finished":
            self._emit(event, _STATES.get(event["status"], RunState.FAIL))
        else:
            self._datasets.learn(event)

    def close(self) -> str | None:
        """Let go of the way out; what could not be sent, or None."""
        return self._emitter.close()

    def _emit(self, event: Mapping[str, Any], state: RunState) -> None:
        """An event of the pipeline's run."""
        assert self._datasets is not None
        manifest = self._datasets.plan.manifest
        facets: dict[str, Any] = {"jobType": self._job_type("PIPELINE")}
        if manifest is not None and manifest.description:
            facets["documentation"] = documentation_job.DocumentationJobFacet(
                manifest.description, producer=self._producer
            )
        owner = manifest.metadata.get("owner") if manifest is not None else None
        if isinstance(owner, str):
            facets["ownership"] = ownership_job.OwnershipJobFacet([ownership_job.Owner(owner)], producer=self._producer)
        run: dict[str, Any] = {**self._of_every_run(event), **self._given_parent()}
        self._emitter.emit(
            RunEvent(
                eventType=state,
                eventTime=event["ts"],
                run=Run(run_id(event["session"]), run),
                job=Job(self._namespace, self._started["pipeline"], facets),
                producer=self._producer,
            )
        )

    def _emit_step(self, event: Mapping[str, Any], state: RunState) -> None:
        """An event of a step's run, with what is known of its datasets by now."""
        assert self._datasets is not None
        started = self._steps[event["step"]]
        facets: dict[str, Any] = {"jobType": self._job_type(started["mode"].upper())}
        step = self._datasets.plan.step(event["step"])
        query = step.config.get("query") if step is not None else None
        if isinstance(query, str):
            facets["sql"] = sql_job.SQLJobFacet(query, started["sql_dialect"], producer=self._producer)
        inputs, outputs = self._datasets.of(event["step"])
        self._send_step(event, state, facets, inputs, outputs)

    def _send_step(
        self,
        event: Mapping[str, Any],
        state: RunState,
        facets: dict[str, Any],
        inputs: list[InputDataset],
        outputs: list[OutputDataset],
    ) -> None:
        pipeline = self._started["pipeline"]
        parent = parent_run.ParentRunFacet(
            run=parent_run.Run(run_id(event["session"])),
            job=parent_run.Job(self._namespace, pipeline),
            root=self._root(run_id(event["session"]), self._namespace, pipeline),
            producer=self._producer,
        )
        self._emitter.emit(
            RunEvent(
                eventType=state,
                eventTime=event["ts"],
                run=Run(run_id(event["session"], event["step"]), {**self._of_every_run(event), "parent": parent}),
                job=Job(self._namespace, f"{pipeline}.{event['step']}", facets),
                inputs=inputs,
                outputs=outputs,
                producer=self._producer,
            )
        )

    def _job_type(self, kind: str) -> job_type_job.JobTypeJobFacet:
        return job_type_job.JobTypeJobFacet("BATCH", "OSIRIS", kind, producer=self._producer)

    def _of_every_run(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """The facets that every run has, and why it failed, when it did."""
        known = {
            "osiris.session": event["session"],
            "osiris.manifest": self._started["manifest_hash"],
            "osiris.target": self._started["target"],
        }
        facets: dict[str, Any] = {
            "processing_engine": processing_engine_run.ProcessingEngineRunFacet(
                version=str(self._started["environment"].get("osiris", "")),
                name="osiris",
                openlineageAdapterVersion=version("osiris-observability"),
                producer=self._producer,
            ),
            "tags": tags_run.TagsRunFacet(
                [tags_run.TagsRunFacetFields(key, value, "INTEGRATION") for key, value in known.items()],
                producer=self._producer,
            ),
        }
        if event.get("code") is not None:
            text = f"{event['code']}: {event.get('message')}"
            facets["errorMessage"] = error_message_run.ErrorMessageRunFacet(text, "PYTHON", producer=self._producer)
        return facets

    def _given_parent(self) -> dict[str, Any]:
        """The run that has started this one, as a scheduler names it in the environment."""
        found = _identifier(os.environ.get(_PARENT))
        if found is None:
            return {}
        namespace, name, run = found
        facet = parent_run.ParentRunFacet(
            run=parent_run.Run(run),
            job=parent_run.Job(namespace, name),
            root=self._root(run, namespace, name),
            producer=self._producer,
        )
        return {"parent": facet}

    def _root(self, run: str, namespace: str, name: str) -> parent_run.Root:
        """The run at the very top: as the environment names it, else its parent, else the run given here."""
        above = _identifier(os.environ.get(_ROOT)) or _identifier(os.environ.get(_PARENT))
        namespace, name, run = above or (namespace, name, run)
        return parent_run.Root(run=parent_run.RootRun(run), job=parent_run.RootJob(namespace, name))


def _identifier(text: str | None) -> tuple[str, str, str] | None:
    """``namespace/job/run`` of the environment in parts; None when it is not set or not of that form."""
    parts = (text or "").split("/")
    if len(parts) < 3:
        return None
    namespace, name, run = "/".join(parts[:-2]), parts[-2], parts[-1]
    try:
        parent_run.Run(run)
    except ValueError:
        return None
    return namespace, name, run
