"""``osiris logs``: the sessions that runs have left. A table of commands, as of ``osiris`` itself."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

from osiris_core.cli import LazyGroup
from osiris_core.cli.workspace import open_workspace
from osiris_core.errors import InvalidInput

_COMMANDS: Final = {
    # name: (module:attribute, one line of help)
    "list": ("osiris_core.cli.logs_show:list_", "The sessions, newest first."),
    "show": ("osiris_core.cli.logs_show:show", "One session."),
    "last": ("osiris_core.cli.logs_show:last", "The run that started last."),
    "tail": ("osiris_core.cli.logs_tail:tail", "What happens in a session, as it happens."),
    "diff": ("osiris_core.cli.logs_diff:diff", "What differs between two runs."),
    "html": ("osiris_core.cli.logs_html:html", "One session, or all of them, as a page for a browser."),
    "open": ("osiris_core.cli.logs_open:open_", "The page of one session, in a browser."),
    "bundle": ("osiris_core.cli.logs_bundle:bundle", "One session as a file to hand on."),
    "aiop": ("osiris_core.cli.logs_aiop:aiop", "One run packed for a model."),
    "gc": ("osiris_core.cli.logs_gc:gc", "Remove old sessions."),
}

folder_option = click.option(
    "--logs", "folder", type=click.Path(exists=True, file_okay=False, path_type=Path), help="The folder of the records."
)


@click.group(cls=LazyGroup, table=_COMMANDS)
def logs() -> None:
    """Look at what runs have left."""


def place_of(folder: Path | None) -> Path:
    """The folder of the records: ``folder`` when one is named, else the project's."""
    return folder if folder is not None else open_workspace().project.logs


def chosen_session(logs: Path, session: str | None) -> Path:
    """The folder of the session that is, begins or ends so; without one, of the newest run. Raises InvalidInput."""
    from osiris_core.report.reader import find_session, session_folders

    if session is not None:
        return find_session(logs, session)
    runs = (folder for folder in session_folders(logs) if folder.name.startswith("run_"))
    newest = next((folder for folder in runs if folder.is_dir()), None)
    if newest is None:
        raise no_run(logs)
    return newest


def no_run(logs: Path, pipeline: str | None = None) -> InvalidInput:
    """There is nothing to take for the last run."""
    of = f" of pipeline '{pipeline}'" if pipeline else ""
    return InvalidInput("OSR-LOG-003", f"there is no run{of} in {logs}")
