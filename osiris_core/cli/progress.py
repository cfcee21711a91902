"""How a run looks while it is under way: a live table on a terminal, plain lines elsewhere; always on stderr.

Both are fed with the run's events, after redaction. Text from data is shown, never interpreted.
"""

from __future__ import annotations

import os
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

import attrs

from osiris_core.cli.output import print_note
from osiris_core.display import counted, size, visible_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from rich.console import Console, RenderableType

    from osiris_core.cli.printed import Printed
    from osiris_core.compile.manifest import Manifest

_ROW_UNITS: Final = ("", "K", "M", "G")
_LINES: Final = frozenset(
    {
        "step_retried",
        "step_finished",
        "step_failed",
        "step_cancelled",
        "cancel_requested",
        "schema_changed",
        "type_lost",
        "observer_failed",
    }
)
_MORE_LINES: Final = frozenset(
    {"run_started", "step_started", "rows_spooled", "write_staged", "write_published", "write_aborted", "step_skipped"}
)


@contextmanager
def progress(manifest: Manifest, shown: Printed, *, verbose: bool) -> Iterator[Callable[[Mapping[str, Any]], None]]:
    """What to give events to while a run is under way."""
    if not verbose and shown.terminal.isatty():
        with _live(manifest, shown) as listener:
            yield listener
    else:
        yield _Lines(verbose=verbose)


class _Lines:
    """A line for each event that a reader of a log cares about."""

    def __init__(self, *, verbose: bool) -> None:
        self._wanted = _LINES | _MORE_LINES if verbose else _LINES
        self._every = verbose

    def __call__(self, event: Mapping[str, Any]) -> None:
        if event["event"] in self._wanted:
            print_note(f"{event['ts']} {line_of(event)}")


def line_of(event: Mapping[str, Any]) -> str:
    """An event as one line of text."""
    name = event["event"]
    rest = {key: value for key, value in event.items() if key not in ("ts", "session", "seq", "event")}
    match name:
        case "step_finished":
            text = f"{event['step']}: done, {counted(event['rows_written'], 'row')} in {seconds(event['duration_ms'])}"
        case "step_failed":
            text = f"{event['step']}: failed: {event['code']}: {event['message']}"
        case "step_cancelled":
            text = f"{event['step']}: stopped: {event['reason']}"
        case "step_retried":
            delay = seconds(event["delay_ms"])
            text = f"{event['step']}: attempt {event['attempt']} failed, again in {delay}: {event['message']}"
        case "cancel_requested":
            text = f"stopping: {event['message']}"
        case "observer_failed":
            text = f"nothing changed by it: {event['message']}"
        case _:
            text = f"{name} " + " ".join(f"{key}={_plain(value)}" for key, value in rest.items() if value is not None)
    return visible_line(text)


def record_line(line: Mapping[str, Any]) -> str:
    """A line of a record, which may hold anything, as one line of text."""
    try:
        return visible_line(f"{line['ts']} {line_of(line)}")
    except (KeyError, TypeError, ValueError, OverflowError):
        return visible_line(str(dict(line)))


def _plain(value: Any) -> str:
    """A value as a person writes it: ``z added VARCHAR; id Int64 nullable; day nulls=3``."""
    if isinstance(value, dict):
        return " ".join(_named(key, item) for key, item in value.items() if item is not None)
    return "; ".join(map(_plain, value)) if isinstance(value, list | tuple) else str(value)


def _named(key: str, item: Any) -> str:
    """What is a number or true or not is told with its name: nobody would know of what."""
    if isinstance(item, bool):
        return key if item else f"not {key}"
    return f"{key}={item}" if isinstance(item, int | float) else _plain(item)


@attrs.define(kw_only=True)
class _Row:
    step: str
    component: str
    status: str = "waiting"
    rows: int = 0
    bytes: int = 0
    started: float | None = None
    ended: float | None = None

    @property
    def elapsed(self) -> float:
        """Seconds since the step started, until it ended."""
        return 0.0 if self.started is None else (self.ended or time.monotonic()) - self.started


class _Table:
    """The state behind the live table; drawn by another thread than the one events come on."""

    def __init__(self, manifest: Manifest) -> None:
        self._lock = threading.Lock()
        self._rows = {step.id: _Row(step=step.id, component=step.component) for step in manifest.steps}

    def __call__(self, event: Mapping[str, Any]) -> None:
        row = self._rows.get(event.get("step", ""))
        if row is None:
            return
        with self._lock:
            match event["event"]:
                case "step_started":
                    row.status, row.started = "running", time.monotonic()
                case "step_progress":
                    row.rows, row.bytes = event["rows"], event["bytes"]
                case "step_retried":
                    row.status = f"retry {event['attempt']}"
                case "step_finished":
                    row.rows, row.bytes = event["rows_written"], event["bytes"]
                    row.status, row.ended = "done", time.monotonic()
                case "step_failed" | "step_cancelled" | "step_skipped" as name:
                    row.status, row.ended = name.removeprefix("step_"), time.monotonic()

    def render(self, height: int) -> RenderableType:
        """The table, at most ``height`` lines: what runs or failed first, then what waits."""
        from rich.box import SIMPLE_HEAD
        from rich.table import Table
        from rich.text import Text

        table = Table(box=SIMPLE_HEAD, pad_edge=False)
        for heading in ("step", "component", "status"):
            table.add_column(heading)
        for heading in ("rows", "rows/s", "size", "time"):
            table.add_column(heading, justify="right")
        with self._lock:
            rows = sorted(self._rows.values(), key=_importance)[: max(1, height - 4)]
            for row in rows:
                rate = f"{short(row.rows / row.elapsed)}/s" if row.rows and row.elapsed > 0 else ""
                cells = (
                    row.step,
                    row.component,
                    row.status,
                    f"{row.rows:,}",
                    rate,
                    size(row.bytes),
                    clock(row.elapsed),
                )
                table.add_row(*(Text(visible_line(cell)) for cell in cells))
        return table


def _importance(row: _Row) -> int:
    if row.status in ("failed", "running") or row.status.startswith("retry"):
        return 0
    return 1 if row.status == "waiting" else 2


@contextmanager
def _live(manifest: Manifest, shown: Printed) -> Iterator[Callable[[Mapping[str, Any]], None]]:
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    console = Console(file=shown.terminal, markup=False, emoji=False, highlight=False)
    table = _Table(manifest)
    with Live(
        get_renderable=lambda: table.render(_fit(console)),
        console=console,
        refresh_per_second=4,
        redirect_stdout=False,
        redirect_stderr=False,
    ):
        # What drivers print stands above the table instead of being drawn over.
        shown.show = lambda text: console.print(Text(text.removesuffix("\n")), soft_wrap=True)
        try:
            yield table
            shown.drain()
        finally:
            shown.show = shown.write


def _fit(console: Console) -> int:
    """Give the console the terminal's size of now; its height."""
    from rich.console import ConsoleDimensions

    with suppress(OSError):
        # Rich asks descriptors 0 to 2, none of which need be the terminal.
        size = os.get_terminal_size(console.file.fileno())
        if size.columns and "COLUMNS" not in os.environ:
            console.size = ConsoleDimensions(size.columns, size.lines)
    return console.size.height


def seconds(milliseconds: int) -> str:
    """A duration for people: ``0.4 s``, ``75 s``."""
    return f"{milliseconds / 1000:.1f} s" if milliseconds < 60_000 else f"{milliseconds / 1000:.0f} s"


def clock(elapsed: float) -> str:
    """A duration as on a clock: ``1:05``."""
    return f"{int(elapsed // 60)}:{int(elapsed % 60):02d}"


def short(value: float) -> str:
    """A number in few digits: ``1.2M``."""
    for unit in _ROW_UNITS:
        if value < 1000 or unit == _ROW_UNITS[-1]:
            return f"{value:.0f}{unit}" if value >= 100 or not unit else f"{value:.1f}{unit}"
        value /= 1000
    raise AssertionError
