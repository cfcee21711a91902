"""``osiris logs``: the sessions that runs have left."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import attrs
import click

from osiris_core.cli.logs_html import html
from osiris_core.cli.output import json_option, print_json, print_note, print_table, print_text, reporting
from osiris_core.cli.progress import line_of, seconds
from osiris_core.cli.workspace import open_workspace
from osiris_core.display import counted, size
from osiris_core.errors import InvalidInput
from osiris_core.report.reader import STATUSES, find_session, read_lines, read_session, sessions, steps_so_far, utc

if TYPE_CHECKING:
    from datetime import datetime

    from osiris_core.report.reader import SessionRecord

_TIMES: Final = ("%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M:%S.%f%z")


class _Time(click.DateTime):
    """A point in time; what is none is refused with examples, not with format codes."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter:
            self.fail(
                f"'{value}' is no time; write 2026-01-31, 2026-01-31T08:00 or 2026-01-31T08:00:00+01:00", param, ctx
            )


_folder_option = click.option(
    "--logs", "folder", type=click.Path(file_okay=False, path_type=Path), help="The folder of the records."
)
_events_option = click.option("--events", is_flag=True, help="Show every event, too.")


@click.group()
def logs() -> None:
    """Look at what runs have left."""


logs.add_command(html)


@logs.command("list")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="At most so many.")
@click.option("--status", type=click.Choice(STATUSES), help="Only those that stand so.")
@click.option("--pipeline", help="Only those of this pipeline.")
@click.option("--kind", help="Only those of this kind (run).")
@click.option(
    "--since",
    metavar="TIME",
    type=_Time(_TIMES),
    help="Only those that started at or after this time, UTC unless it says otherwise (2026-01-31, 2026-01-31T08:00).",
)
@_folder_option
@json_option
def list_(
    *,
    limit: int,
    status: str | None,
    pipeline: str | None,
    kind: str | None,
    since: datetime | None,
    folder: Path | None,
    as_json: bool,
) -> None:
    """The sessions, newest first."""
    with reporting(as_json=as_json):
        chosen = (
            record
            for record in sessions(_place(folder))
            if status in (None, record.status)
            and pipeline in (None, record.pipeline)
            and kind in (None, record.kind)
            and (since is None or record.started >= utc(since))
        )
        found = list(islice(chosen, limit))
        if as_json:
            print_json({"ok": True, "sessions": [record.to_json() for record in found]})
            return
        print_table(
            ("session", "status", "pipeline", "started", "time", "rows", "error"),
            [
                (
                    record.id,
                    record.status,
                    record.pipeline,
                    record.started,
                    None if record.duration_ms is None else seconds(record.duration_ms),
                    None if record.rows is None else f"{record.rows:,}",
                    (record.error or {}).get("code"),
                )
                for record in found
            ],
            whole=2,
            spare=3,  # the id begins with it
        )


@logs.command()
@click.argument("session")
@_events_option
@_folder_option
@json_option
def show(*, session: str, events: bool, folder: Path | None, as_json: bool) -> None:
    """One session: SESSION is its id, or the beginning or end of it."""
    with reporting(as_json=as_json):
        record = read_session(find_session(_place(folder), session))
        _show(record, events=events, as_json=as_json)


@logs.command()
@click.option("--pipeline", help="The last one of this pipeline.")
@_events_option
@_folder_option
@json_option
def last(*, pipeline: str | None, events: bool, folder: Path | None, as_json: bool) -> None:
    """The session that started last."""
    with reporting(as_json=as_json):
        place = _place(folder)
        record = next((one for one in sessions(place) if pipeline in (None, one.pipeline)), None)
        if record is None:
            of = f" of pipeline '{pipeline}'" if pipeline else ""
            raise InvalidInput("OSR-LOG-003", f"there is no session{of} in {place}")
        _show(record, events=events, as_json=as_json)


def _place(folder: Path | None) -> Path:
    return folder if folder is not None else open_workspace().project.logs


def _show(record: SessionRecord, *, events: bool, as_json: bool) -> None:
    lines = read_lines(record.path / "events.jsonl")
    if not record.steps:
        record = attrs.evolve(record, steps=steps_so_far(lines))
    if as_json:
        document: dict[str, Any] = {"ok": True, **record.to_json(), "damaged_lines": lines.damaged}
        if events:
            document["events"] = [dict(line) for line in lines.lines]
        print_json(document)
        return
    _show_record(record)
    for line in lines.lines if events else ():
        print_text(_event_line(line))
    if lines.damaged:
        print_note(f"note: {counted(lines.damaged, 'line')} of events.jsonl cannot be read")
    if lines.missing:
        print_note("note: events.jsonl is missing")


def _show_record(record: SessionRecord) -> None:
    print_text(f"{record.id}: {record.status}")
    if record.damage:
        print_text(f"  {record.damage}")
    for name, value in _facts(record):
        print_text(f"  {name:10}{value}")
    if record.steps:
        print_table(
            ("step", "component", "status", "rows in", "rows out", "size", "attempts", "time"),
            [_step_cells(step) for step in record.steps],
        )
    if record.error:
        where = record.error.get("where")
        at = f" at {where}" if where else ""
        print_text(f"error[{record.error.get('code')}]{at}: {record.error.get('message')}")
        if record.error.get("hint"):
            print_text(f"  = {record.error['hint']}")


def _facts(record: SessionRecord) -> list[tuple[str, str]]:
    facts = {
        "pipeline": record.pipeline,
        "manifest": record.manifest_hash[:12] if record.manifest_hash else None,
        "target": record.target,
        "started": record.started,
        "took": seconds(record.duration_ms) if record.duration_ms is not None else None,
        "rows": f"{record.rows:,}" if record.rows is not None else None,
        "record": str(record.path),
    }
    return [(name, value) for name, value in facts.items() if value is not None]


def _step_cells(step: Any) -> tuple[object, ...]:
    def number(key: str) -> int:
        value = step.get(key)
        return value if isinstance(value, int) else 0

    return (
        step.get("id"),
        step.get("component"),
        step.get("status"),
        f"{number('rows_read'):,}",
        f"{number('rows_written'):,}",
        size(number("bytes")),
        number("attempts"),
        seconds(number("duration_ms")),
    )


def _event_line(line: Any) -> str:
    try:
        return f"{line['ts']} {line_of(line)}"
    except (KeyError, TypeError, ValueError):
        return str(dict(line))
