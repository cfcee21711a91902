"""How commands speak: one JSON document on stdout, or text for people; errors and progress always on stderr.

:func:`reporting` wraps a command's body: every error a user can cause ends in a message (or a JSON error document)
and the right exit status, never in a traceback. With ``--json`` it keeps standard output for the document alone: what
drivers and observers, their libraries or their child processes print goes to standard error.
"""

from __future__ import annotations

import os
import sys
import traceback
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, Final, TextIO

import click

from osiris_core.catalogue import remedy
from osiris_core.cli import PROCESS
from osiris_core.diagnostics import Diagnostic, render
from osiris_core.display import visible, visible_line
from osiris_core.errors import ExitCode, OsirisError, RunFailed
from osiris_core.plugins.containment import describe, flush, point_descriptor_1_at_2
from osiris_core.redaction import Redactor
from osiris_core.strict_json import strict_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_DOCUMENT: Final = f"{__name__}.document"
"""Where the context of a command (``click.Context.meta``) holds the stream that is standard output to it alone."""

_REDACTOR: Final = f"{__name__}.redactor"

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout, nothing else.")


def print_json(document: Any) -> None:
    """The one JSON document of a command."""
    _say_json(document, indent=2)


def print_json_line(document: Any) -> None:
    """One of the JSON documents, a line each, of a command whose output never is whole."""
    _say_json(document, indent=None)


def _say_json(document: Any, *, indent: int | None) -> None:
    stream = standard_output()
    # What another encoding cannot hold must be escaped as JSON does it, not as the stream does.
    plain = (getattr(stream, "encoding", None) or "utf-8").lower().replace("-", "") != "utf8"
    text = strict_json(redactor().data(document, by_name=False), indent=indent, ensure_ascii=plain)
    _say(text.encode("utf-8", "backslashreplace").decode(), stream)  # half a character, as JSON escapes it


def print_document(data: bytes) -> None:
    """A document on stdout as it is, byte for byte: whoever made it has masked it."""
    _say(data, standard_output(), newline=False)


def redactor() -> Redactor:
    """The redactor of the command that runs: everything it prints passes through it."""
    context = click.get_current_context(silent=True)
    found: Redactor = context.meta.setdefault(_REDACTOR, Redactor()) if context else Redactor()
    return found


def standard_output() -> TextIO:
    """The stream that is standard output to the command that runs: what it prints itself, and nobody else."""
    context = click.get_current_context(silent=True)
    stream: TextIO | None = context.meta.get(_DOCUMENT) if context else None
    return stream or sys.stdout


def _say(text: str | bytes, stream: TextIO | None, *, newline: bool = True) -> None:
    try:
        click.echo(text, file=stream, nl=newline)
    except BrokenPipeError:
        # The reader of our output has gone (``osiris … | head``). Nothing more can be said to it, but what the command
        # does, and its exit status, are what they are.
        assert stream is not None
        _lead_nowhere(stream)
    except OSError as error:
        if stream is not sys.stderr:  # of a note that cannot be shown nobody can be told; it changes no outcome
            raise RunFailed("OSR-CLI-002", f"standard output cannot be written: {error.strerror or error}") from error


def _lead_nowhere(stream: TextIO) -> None:
    """Let what is left in ``stream`` not fail a second time, at the end of the process."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def print_text(text: str) -> None:
    """Text for people on stdout, with acting characters made visible."""
    _say(visible(redactor().text(text)), standard_output())


def print_note(text: str) -> None:
    """Text for people on stderr (progress, notes, warnings)."""
    _say(visible(redactor().text(text)), sys.stderr)


def print_table(
    headers: Sequence[str], rows: Iterable[Sequence[object]], *, whole: int = 0, spare: int | None = None
) -> None:
    """A table on stdout: drawn by rich on a terminal, tab-separated elsewhere. Cells are text, never markup.

    On a terminal cells fold, but not those of the first ``whole`` columns. A table that would be wider than the
    terminal is drawn without the columns that hold nothing and, if that is not enough, without the column ``spare``.
    """
    clean = redactor().text
    headers = [visible_line(clean(header)) for header in headers]
    cells = [["" if cell is None else visible_line(clean(str(cell))) for cell in row] for row in rows]
    stream = standard_output()
    if not stream.isatty():
        for line in [headers, *cells]:
            _say("\t".join(line), stream)
        return
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.measure import Measurement
    from rich.table import Table
    from rich.text import Text

    console = Console(file=stream, color_system=None if os.environ.get("NO_COLOR") else "auto")

    def drawn(columns: Sequence[int]) -> Table:
        table = Table(box=SIMPLE_HEAD, pad_edge=False)
        for at in columns:
            table.add_column(Text(headers[at]), overflow="fold", no_wrap=at < whole)
        for line in cells:
            table.add_row(*(Text(line[at]) for at in columns))
        return table

    everything = range(len(headers))
    filled = [at for at in everything if not cells or any(line[at] for line in cells)]
    for columns in (everything, filled, [at for at in filled if at != spare]):
        table = drawn(columns)
        if Measurement.get(console, console.options.update(width=10_000), table).maximum <= console.width:
            break
    console.print(table)


def print_diagnostics(diagnostics: Iterable[Diagnostic]) -> None:
    """Findings on stderr, in the order given."""
    for diagnostic in diagnostics:
        print_note(render(diagnostic))


def error_document(error: OsirisError) -> dict[str, Any]:
    """An error as the JSON document of a failed command."""
    return {
        "ok": False,
        "error": {
            "code": error.code,
            "message": error.message,
            "where": error.where,
            "hint": error.hint or remedy(error.code),
            "exit_code": int(error.exit_code),
        },
        "diagnostics": [d.to_json() for d in error.diagnostics],
    }


def print_error(error: OsirisError, *, as_json: bool) -> None:
    """A failed command's last word: a JSON document on stdout, or text on stderr (also when stdout takes nothing)."""
    if as_json:
        try:
            print_json(error_document(error))
        except RunFailed:
            _lead_nowhere(standard_output())
        else:
            return
    print_diagnostics(error.diagnostics)
    # An error that says what a finding has just said (a mistake of YAML) is not said again.
    if not any(item.code == error.code and error.message.startswith(item.message) for item in error.diagnostics):
        where = f"{error.where}: " if error.where else ""
        print_note(f"error[{error.code}]: {where}{error.message}")
    hint = error.hint or remedy(error.code)
    if hint and all(item.advice != hint for item in error.diagnostics):
        print_note(f"  = {hint}")


@contextmanager
def reporting(*, as_json: bool, alone: bool = False) -> Iterator[None]:
    """Turn errors of the body into a message and an exit status; as JSON, keep standard output for the document.

    ``alone`` keeps it for the command's own words also when they are text.
    """
    with _document_alone() if as_json or alone else nullcontext(), _exits(as_json=as_json):
        yield


@contextmanager
def _document_alone() -> Iterator[None]:
    """Lead standard output to standard error, in Python and in the process; only what is printed here has the real one.

    It holds for the whole command and not for each call of a plugin, because a run calls plugins on many threads at a
    time, and standard output belongs to all of them. Where the process is ours it is never undone: threads and exit
    handlers of plugins may print after the command's last word.
    """
    context = click.get_current_context()
    before = sys.stdout
    flush(before)
    document = duplicate(before)
    kept = point_descriptor_1_at_2()
    context.meta[_DOCUMENT], sys.stdout = document, sys.stderr
    try:
        yield
    finally:
        if context.obj is not PROCESS:
            del context.meta[_DOCUMENT]
            flush(before)  # what was written to it directly goes where it would have gone unbuffered
            sys.stdout = before
            if kept is not None:
                os.dup2(kept, 1)
                os.close(kept)
            if document is not before:
                document.close()


def duplicate(stream: TextIO) -> TextIO:
    """A stream of its own to where ``stream`` leads now; ``stream`` itself when it is none of the process's."""
    try:
        return os.fdopen(os.dup(stream.fileno()), "w", encoding=stream.encoding, errors=stream.errors)
    except (OSError, ValueError, AttributeError):
        return stream


@contextmanager
def _exits(*, as_json: bool) -> Iterator[None]:
    try:
        yield
    except OsirisError as error:
        print_error(error, as_json=as_json)
        raise click.exceptions.Exit(int(error.exit_code)) from error
    except KeyboardInterrupt as error:
        print_error(
            OsirisError("OSR-CLI-130", "interrupted", hint="nothing was left half-done; run it again"), as_json=as_json
        )
        raise click.exceptions.Exit(int(ExitCode.INTERRUPTED)) from error
    except (click.exceptions.Exit, click.exceptions.Abort, click.ClickException, GeneratorExit):
        raise
    except BaseException as error:
        print_unforeseen(error, as_json=as_json)
        raise click.exceptions.Exit(int(ExitCode.FAILED)) from error


def print_unforeseen(error: BaseException, *, as_json: bool) -> None:
    """Report what no code of ours has wrapped; with ``OSIRIS_DEBUG=1`` where it comes from, too."""
    if os.environ.get("OSIRIS_DEBUG") == "1":
        print_note("".join(traceback.format_exception(error)))
    print_error(_unforeseen(error), as_json=as_json)


def _unforeseen(error: BaseException) -> OsirisError:
    """What the user reads when something fails that no code above has wrapped."""
    if isinstance(error, OSError):
        name = f" '{error.filename}'" if error.filename else ""
        return OsirisError("OSR-CLI-002", f"the operating system refused{name}: {error.strerror or error}")
    return OsirisError("OSR-CLI-001", f"internal error: {describe(error)}")
