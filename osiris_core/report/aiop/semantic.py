"""The semantic layer: what was meant to happen, from the manifest's copy, and where each column comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from osiris_core.compile.form import to_data
from osiris_core.report.aiop.cleaning import Raw
from osiris_core.report.aiop.evidence import whole
from osiris_core.report.aiop.names import component_id, local_id, pipeline_id

if TYPE_CHECKING:
    from collections.abc import Iterator

    from osiris_core.compile.manifest import Pin
    from osiris_core.report.aiop.fitting import Section
    from osiris_core.report.lineage import Lineage
    from osiris_core.report.session import Session, Step

_ELSEWHERE: Final = frozenset({"steps", "pins"})
"""Keys of a manifest that have sections of their own."""

_QUERY: Final = "query"


def sections_of(session: Session) -> dict[str, Section]:
    """The sections of the layer; empty where the record has no manifest that can be read."""
    manifest = session.manifest
    pins = {pin.name: pin for pin in manifest.pins} if manifest else {}
    data = to_data(manifest) if manifest else {}
    return {
        "semantic.steps": whole([_step(session, step, pins) for step in session.steps]),
        "semantic.components": whole([_component(pin) for pin in pins.values()]),
        "semantic.manifest": whole([(key, Raw(value)) for key, value in data.items() if key not in _ELSEWHERE]),
        "semantic.lineage": whole([*_lineage(session.lineage)] if session.lineage is not None else []),
    }


def _step(session: Session, step: Step, pins: dict[str, Pin]) -> dict[str, Any]:
    of = pipeline_id(session)
    name = local_id("step", step.id)
    pin = pins.get(step.component or "")
    return {
        "@id": f"{of}/{name}" if of else f"plan/{name}",
        "@type": "Step",
        "step": name,
        "component": step.component,
        "component_id": component_id(pin.name, pin.version) if pin else None,
        "mode": step.mode,
        "needs": [local_id("step", needed) for needed in step.needs],
        "connection": step.connection,
        "sql": step.sql,
        "config": Raw({key: value for key, value in step.config.items() if key != _QUERY or step.sql is None}),
    }


def _component(pin: Pin) -> dict[str, Any]:
    return {
        "@id": component_id(pin.name, pin.version),
        "@type": "Component" if pin.kind == "component" else "ConnectionFamily",
        "name": pin.name,
        "version": pin.version,
        "plugin": pin.plugin,
        "distribution": pin.distribution,
        "distribution_version": pin.distribution_version,
        "api": pin.api,
    }


def _lineage(found: Lineage) -> Iterator[dict[str, Any]]:
    """Each column that steps give or write, with the source columns that can change it."""
    for one in sorted(found.steps, key=lambda of: of.step not in found.destinations):
        rows = one.rows.to_json()
        yield {
            "@id": local_id("lineage", one.step),
            "@type": "StepLineage",
            "step": local_id("step", one.step),
            "writes": one.step in found.destinations,
            "unknown": one.unknown,
            "rows": Raw(rows),
        }
        for column in one.columns:
            yield {
                "@id": local_id("column", one.step, column.name),
                "@type": "ColumnLineage",
                "step": local_id("step", one.step),
                "column": column.name,
                **{key: Raw(value) for key, value in column.influence.to_json().items()},
            }
