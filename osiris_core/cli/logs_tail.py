"""``osiris logs tail``: what happens in a session, as it happens."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from osiris_core.cli.logs import folder_option, place_of
from osiris_core.cli.logs_show import stopped_text
from osiris_core.cli.output import print_json_line, print_note, print_text, reporting
from osiris_core.cli.progress import record_line
from osiris_core.display import counted
from osiris_core.errors import InvalidInput
from osiris_core.report.index import Query, find
from osiris_core.report.reader import FINAL, RUNNING, find_session, read_lines, read_session, stopped_at
from osiris_core.report.tail import Growing, follow, last_events

if TYPE_CHECKING:
    from collections.abc import Mapping

_EVERY_SECONDS: Final = 0.25


@click.command()
@click.argument("session", required=False)
@click.option("--follow", "-f", "following", is_flag=True, help="Go on until the session is over.")
@click.option(
    "--lines", "-n", "number", type=click.IntRange(min=0), default=20, show_default=True, help="Begin so far back."
)
@folder_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document a line, an event each.")
def tail(*, session: str | None, following: bool, number: int, folder: Path | None, as_json: bool) -> None:
    """The last events of SESSION; without one, of the newest that runs, or of the newest.

    With --follow, the events of a session that runs in another terminal, until it ends or its process is gone. Exit 0,
    however it ended.
    """
    with reporting(as_json=as_json):
        path = _chosen(place_of(folder), session)
        events = Growing(path / "events.jsonl")
        for event in last_events(events, number):
            _say(event, as_json=as_json)
        if following:
            for event in follow(path, events, lambda: time.sleep(_EVERY_SECONDS)):
                _say(event, as_json=as_json)
        if events.damaged:
            print_note(f"note: {counted(events.damaged, 'line')} of events.jsonl cannot be read")
        _say_how_it_stands(path)


def _chosen(logs: Path, session: str | None) -> Path:
    if session is not None:
        return find_session(logs, session)
    for status in (RUNNING, None):
        found = find(logs, Query(status=status, limit=1))
        if found:
            return found[0].path
    raise InvalidInput("OSR-LOG-003", f"there is no session in {logs}")


def _say(event: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json_line(event)
    else:
        print_text(record_line(event))


def _say_how_it_stands(path: Path) -> None:
    record = read_session(path)
    stopped = None if record.status in (*FINAL, RUNNING) else stopped_at(read_lines(path / "events.jsonl"))
    where = f" {stopped_text(stopped)}" if stopped is not None else ""
    print_note(f"{record.id}: {record.status}{where}")
