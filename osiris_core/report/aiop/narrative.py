"""The narrative layer: the run in sentences, made from facts by templates; each cites the evidence it is made from.

Facts are items as the package has them, masked and made visible already.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from osiris_core.display import counted
from osiris_core.report.aiop.names import local_id

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from osiris_core.report.aiop.fitting import Section

Item = dict[str, Any]

_ENDS = {
    "succeeded": "succeeded",
    "failed": "failed",
    "interrupted": "was interrupted",
    "running": "is still running",
    "crashed": "ended without a word: its process died",
    "damaged": "has a damaged record, so how it ended is not known",
}


def sentences(run: Item, sections: Mapping[str, Section], *, first_run: bool) -> list[Item]:
    """The sentences, in the order in which they are read."""
    damage = sections["evidence.damage"].items
    found = [
        *_run(run, sections["evidence.milestones"]),
        *_errors(sections["evidence.errors"].items),
        *_steps(sections["evidence.steps"].items),
        *_delta(run, sections["delta.changes"].items, first_run=first_run),
        *((item["text"][:1].upper() + item["text"][1:] + ".", [item["@id"]]) for item in damage),
    ]
    return [
        {"@id": local_id("sentence", n), "@type": "Sentence", "text": text, "cites": cites}
        for n, (text, cites) in enumerate(found, 1)
    ]


_Told = tuple[str, list[str]]


def _run(run: Item, milestones: Section) -> Iterator[_Told]:
    events = milestones.items
    name = f"pipeline '{run['name']}'" if run["name"] else "a pipeline whose name is not recorded"
    took = f" after {run['duration_ms']:,} ms" if run["duration_ms"] is not None else ""
    rows = f", with {counted(run['rows'], 'row')}" if run["rows"] is not None else ""
    where = f" on target '{run['target']}'" if run["target"] else ""
    yield f"The run of {name}{where} began at {run['started']} and {_ENDS[run['status']]}{took}{rows}.", [run["@id"]]
    if run["status"] in ("crashed", "damaged", "running") and events and len(events) == milestones.of:
        last = events[-1]
        yield f"The last event of its record is {last['name']}{_of(last)}.", [last["@id"]]
    for event in events:
        data = event["data"]
        if event["name"] == "step_retried":
            yield f"A failure{_of(event)} was taken for passing, and tried again.", [event["@id"]]
        elif event["name"] == "cancel_requested":
            yield f"The run was asked to stop: {data.get('message')}.", [event["@id"]]
        elif event["name"] == "step_skipped":
            yield f"Nothing was done{_of(event)}: {data.get('reason')}.", [event["@id"]]
        elif event["name"] == "type_lost":
            yield f"The type of a column could not be kept in full{_of(event)}.", [event["@id"]]
        elif event["name"] == "schema_changed":
            yield f"The shape of the destination was changed{_of(event)}.", [event["@id"]]


def _errors(errors: Sequence[Item]) -> Iterator[_Told]:
    for error in errors:
        hint = f" To do: {error['hint']}." if error["hint"] else ""
        yield f"It failed{_of(error)} with {error['code']}: {error['message']}.{hint}", [error["@id"]]


def _steps(steps: Sequence[Item]) -> Iterator[_Told]:
    for step in steps:
        if step["rows_written"] is None:
            yield f"Step '{step['name']}' is {step['status']}.", [step["@id"]]
            continue
        took = f" in {step['duration_ms']:,} ms" if step["duration_ms"] is not None else ""
        rows = counted(step["rows_written"], "row")
        if step["destination"] is None:
            text = f"Step '{step['name']}' is {step['status']}; it gave {rows}{took}."
        elif step["published_before"]:
            text = f"Step '{step['name']}' found its {rows} in '{step['destination']}', published by an earlier run."
        else:
            text = f"Step '{step['name']}' is {step['status']}; it brought {rows} to '{step['destination']}'{took}."
        yield text, [step["@id"]]


def _delta(run: Item, changes: Sequence[Item], *, first_run: bool) -> Iterator[_Told]:
    if first_run:
        yield "It is the first run of its pipeline of which there is a record.", [run["@id"]]
    for change in changes:
        before, after = _value(change["before"]), _value(change["after"])
        yield f"Since the run before, {change['what']}{_of(change)}: {before}, now {after}.", [change["@id"]]


def _of(item: Item) -> str:
    return f" at {item['step']}" if item["step"] else ""


def _value(value: Any) -> str:
    return "nothing" if value is None else f"{value:,}" if isinstance(value, int) else str(value)
