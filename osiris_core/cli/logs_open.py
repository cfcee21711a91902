"""``osiris logs open``: the page of a session, in a browser."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from osiris_core.cli.logs import chosen_session, folder_option, place_of
from osiris_core.cli.logs_html import shown_in_browser
from osiris_core.cli.output import json_option, print_json, print_note, print_text, reporting


@click.command("open")
@click.argument("session", required=False)
@folder_option
@json_option
def open_(*, session: str | None, folder: Path | None, as_json: bool) -> None:
    """Write the page of SESSION (else of the newest run), say where it is, and show it where there is a display.

    As `osiris logs html --open`, but no failure where nothing can be shown.
    """
    with reporting(as_json=as_json):
        from osiris_core.report.html import write_report

        path = write_report(chosen_session(place_of(folder), session))
        display = _has_display()
        shown = display and shown_in_browser(path)
        if as_json:
            print_json({"ok": True, "page": str(path), "opened": shown})
        else:
            print_text(str(path))
        if not shown:
            why = "no browser could be started" if display else "there is no display here"
            print_note(f"note: {why}; open the file in a browser")


def _has_display() -> bool:
    """Whether a browser has somewhere to appear, or somebody has named one."""
    return sys.platform == "darwin" or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"))
