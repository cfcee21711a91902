"""``osiris logs html|open``: a session, or all of them, as a page; and the page that a run ends with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from osiris_core.cli.logs import chosen_session, folder_option, place_of
from osiris_core.cli.output import json_option, print_json, print_note, print_text, reporting
from osiris_core.errors import InvalidInput, RunFailed
from osiris_core.plugins.containment import describe

if TYPE_CHECKING:
    from osiris_core.project.settings import Loaded


@click.command("html")
@click.argument("session", required=False)
@click.option("--last", is_flag=True, help="The run that started last; so does giving none.")
@click.option("--index", is_flag=True, help="The page over all sessions, which links to those that are written.")
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), help="Write it there instead of beside the record."
)
@click.option("--open", "show", is_flag=True, help="Open it in a browser.")
@folder_option
@json_option
def html(
    *,
    session: str | None,
    last: bool,
    index: bool,
    out: Path | None,
    show: bool,
    folder: Path | None,
    as_json: bool,
) -> None:
    """A session as a page for people: SESSION is its id, or the beginning or end of it.

    One file that needs no network: overview, steps, data, events, metrics, artifacts, errors, environment.
    """
    with reporting(as_json=as_json):
        if sum((session is not None, last, index)) > 1:
            raise InvalidInput("OSR-LOG-004", "of SESSION, --last and --index only one can be given")
        place = place_of(folder)
        from osiris_core.report.html import write_index, write_report

        path = write_index(place, out) if index else write_report(chosen_session(place, session), out)
        if show and not shown_in_browser(path):
            raise RunFailed("OSR-LOG-031", "no browser could be started", hint=f"open {path} in one")
        if as_json:
            print_json({"ok": True, "page": str(path), "opened": show})
        else:
            print_text(str(path))


def shown_in_browser(path: Path) -> bool:
    """Show a page in the user's browser; whether one could be started."""
    import webbrowser

    return webbrowser.open(path.absolute().as_uri())


def page_after(record: Path, loaded: Loaded, *, watched: bool) -> Path | None:
    """Write the page of a run that is over, where the settings want one; its path. ``watched``: on a terminal.

    It is a service to the reader and no part of the run: whatever goes wrong is a note, and the run ends as it did.
    """
    wanted = loaded.settings.logging.report
    if wanted == "never" or (wanted == "auto" and not watched):
        return None
    try:
        from osiris_core.report.html import write_report

        return write_report(record)
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - recorded as a note
        print_note(f"note: the page of the run could not be written: {describe(error)}")
        return None
