"""``osiris logs list|show|last``: which sessions there are, and what one of them left."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_args

import attrs
import click

from osiris_core.cli.logs import folder_option, no_run, place_of
from osiris_core.cli.output import json_option, print_json, print_note, print_table, print_text, reporting
from osiris_core.cli.progress import record_line, seconds
from osiris_core.display import counted, size
from osiris_core.errors import InvalidInput
from osiris_core.report.index import Query, Sort, find
from osiris_core.report.reader import (
    FINAL,
    RUNNING,
    STATUSES,
    find_session,
    read_lines,
    read_session,
    steps_so_far,
    stopped_at,
    utc,
)

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from osiris_core.report.reader import SessionRecord, Stopped

_TIMES: Final = (
    "%Y-%m-%d",
    "%Y-%m-%dT%H:%M",
    "%Y-%m-%dT%H:%M%z",
    "%Y-%m-%dT%H:%M:%S",
    "%Y-%m-%dT%H:%M:%S%z",
    "%Y-%m-%dT%H:%M:%S.%f%z",
)


class _Time(click.DateTime):
    """A point in time, as records have it; what is none is refused with examples, not with format codes."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return utc(super().convert(value, param, ctx))
        except (click.BadParameter, OverflowError):  # the first and the last hours there are, of another zone
            self.fail(
                f"'{value}' is no time; write 2026-01-31, 2026-01-31T08:00 or 2026-01-31T08:00:00+01:00", param, ctx
            )


_events_option = click.option("--events", is_flag=True, help="Show every event, too.")


@click.command("list")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="At most so many.")
@click.option("--status", type=click.Choice(STATUSES), help="Only those that stand so.")
@click.option("--pipeline", metavar="NAME", help="Only those of this pipeline.")
@click.option("--kind", help="Only those of this kind (run, chat).")
@click.option("--target", metavar="NAME", help="Only those that ran there.")
@click.option(
    "--label",
    "labels",
    metavar="KEY[=VALUE]",
    multiple=True,
    help="Only those with this label, or with any value of it; repeatable, all must fit.",
)
@click.option(
    "--since",
    metavar="TIME",
    type=_Time(_TIMES),
    help="Only those that started at or after this time, UTC unless it says otherwise (2026-01-31, 2026-01-31T08:00).",
)
@click.option("--until", metavar="TIME", type=_Time(_TIMES), help="Only those that started before this time.")
@click.option(
    "--sort",
    type=click.Choice(get_args(Sort)),
    default="started",
    show_default=True,
    help="The newest first, the longest, or those with most rows.",
)
@click.option("--reverse", is_flag=True, help="The other way round.")
@folder_option
@json_option
def list_(
    *,
    limit: int,
    status: str | None,
    pipeline: str | None,
    kind: str | None,
    target: str | None,
    labels: tuple[str, ...],
    since: str | None,
    until: str | None,
    sort: Sort,
    reverse: bool,
    folder: Path | None,
    as_json: bool,
) -> None:
    """The sessions, newest first."""
    with reporting(as_json=as_json):
        query = Query(
            kind=kind,
            pipeline=pipeline,
            status=status,
            target=target,
            since=since,
            until=until,
            labels=tuple(_label(text) for text in labels),
            sort=sort,
            reverse=reverse,
            limit=limit,
        )
        found = find(place_of(folder), query)
        if as_json:
            print_json({"ok": True, "sessions": [record.to_json() for record in found]})
            return
        print_table(
            ("session", "status", "pipeline", "started", "time", "rows", "error", "labels"),
            [
                (
                    record.id,
                    record.status,
                    record.pipeline,
                    record.started,
                    None if record.duration_ms is None else seconds(record.duration_ms),
                    None if record.rows is None else f"{record.rows:,}",
                    (record.error or {}).get("code"),
                    _labels(record),
                )
                for record in found
            ],
            whole=2,
            spare=3,  # the id begins with it
        )


@click.command()
@click.argument("session", required=False)
@click.option(
    "--bundle",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The session in this file, which `osiris logs bundle` has made.",
)
@_events_option
@folder_option
@json_option
def show(*, session: str | None, bundle: Path | None, events: bool, folder: Path | None, as_json: bool) -> None:
    """One session: SESSION is its id, or the beginning or end of it.

    Of one that has crashed, it says where it stopped.
    """
    with reporting(as_json=as_json), _opened(session, bundle, folder) as record:
        _show(record, events=events, as_json=as_json, bundle=bundle)


@click.command()
@click.option("--pipeline", metavar="NAME", help="The last one of this pipeline.")
@_events_option
@folder_option
@json_option
def last(*, pipeline: str | None, events: bool, folder: Path | None, as_json: bool) -> None:
    """The run that started last."""
    with reporting(as_json=as_json):
        place = place_of(folder)
        found = find(place, Query(kind="run", pipeline=pipeline, limit=1))
        if not found:
            raise no_run(place, pipeline)
        _show(found[0], events=events, as_json=as_json)


def _label(text: str) -> tuple[str, str | None]:
    key, sign, value = text.partition("=")
    return key, value if sign else None


def _labels(record: SessionRecord) -> str:
    return ", ".join(f"{key}={value}" for key, value in record.labels.items())


def _opened(session: str | None, bundle: Path | None, folder: Path | None) -> AbstractContextManager[SessionRecord]:
    if (session is None) == (bundle is None):
        raise InvalidInput("OSR-LOG-004", "name one session, or one bundle", hint="osiris logs last shows the newest")
    if bundle is None:
        return nullcontext(read_session(find_session(place_of(folder), session or "")))
    from osiris_core.report.bundle import open_bundle

    return open_bundle(bundle)


def _show(record: SessionRecord, *, events: bool, as_json: bool, bundle: Path | None = None) -> None:
    lines = read_lines(record.path / "events.jsonl")
    if not record.steps:
        record = attrs.evolve(record, steps=steps_so_far(lines))
    stopped = None if record.status in FINAL else stopped_at(lines)
    where = bundle or record.path
    if as_json:
        document: dict[str, Any] = {
            "ok": True,
            **record.to_json(),
            "record": str(where),
            "stopped": stopped.to_json() if stopped is not None else None,
            "damaged_lines": lines.damaged,
        }
        if events:
            document["events"] = [dict(line) for line in lines.lines]
        print_json(document)
        return
    _show_record(record, stopped, where)
    for line in lines.lines if events else ():
        print_text(record_line(line))
    if lines.damaged:
        print_note(f"note: {counted(lines.damaged, 'line')} of events.jsonl cannot be read")
    if lines.missing:
        print_note("note: events.jsonl is missing")


def _show_record(record: SessionRecord, stopped: Stopped | None, where: Path) -> None:
    print_text(f"{record.id}: {record.status}")
    if record.damage:
        print_text(f"  {record.damage}")
    for name, value in _facts(record, stopped, where):
        print_text(f"  {name:10}{value}")
    if record.steps:
        print_table(
            ("step", "component", "status", "rows in", "rows out", "size", "attempts", "time"),
            [_step_cells(step) for step in record.steps],
        )
    if record.error:
        place = record.error.get("where")
        at = f" at {place}" if place else ""
        print_text(f"error[{record.error.get('code')}]{at}: {record.error.get('message')}")
        if record.error.get("hint"):
            print_text(f"  = {record.error['hint']}")


def _facts(record: SessionRecord, stopped: Stopped | None, where: Path) -> list[tuple[str, str]]:
    facts = {
        "pipeline": record.pipeline,
        "manifest": record.manifest_hash[:12] if record.manifest_hash else None,
        "target": record.target,
        "labels": _labels(record) or None,
        "started": record.started,
        "took": seconds(record.duration_ms) if record.duration_ms is not None else None,
        "rows": f"{record.rows:,}" if record.rows is not None else None,
        "came to" if record.status == RUNNING else "stopped": stopped_text(stopped) if stopped is not None else None,
        "record": str(where),
    }
    return [(name, value) for name, value in facts.items() if value is not None]


def stopped_text(stopped: Stopped) -> str:
    """Where a session had come to, in words."""
    of = f" of step '{stopped.step}'" if stopped.step else ""
    at = f" at {stopped.at}" if stopped.at else ""
    running = f"; running then: {', '.join(stopped.running)}" if stopped.running else ""
    return f"after {stopped.event}{of}{at}{running}"


def _step_cells(step: Any) -> tuple[object, ...]:
    def number(key: str) -> int:
        value = step.get(key)
        return value if isinstance(value, int) else 0

    ended = isinstance(step.get("duration_ms"), int)  # of one that was under way nobody knows how long it took
    return (
        step.get("id"),
        step.get("component"),
        step.get("status"),
        f"{number('rows_read'):,}",
        f"{number('rows_written'):,}",
        size(number("bytes")),
        number("attempts") if ended else None,
        seconds(number("duration_ms")) if ended else None,
    )
