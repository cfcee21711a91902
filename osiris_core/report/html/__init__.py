"""The record of a session as a page for people: one HTML file that works from a disk, offline and on paper.

Nothing here changes a record's facts: a page is written beside them when the session is over, or elsewhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from osiris_core.errors import InvalidInput
from osiris_core.report.derived import PAGE
from osiris_core.report.html import index
from osiris_core.report.html.page import render
from osiris_core.report.html.report import context
from osiris_core.report.index import Query, find
from osiris_core.report.reader import RUNNING
from osiris_core.report.session import Session
from osiris_core.run.session import replace_file

if TYPE_CHECKING:
    from pathlib import Path

INDEX: Final = "index.html"


def write_report(folder: Path, to: Path | None = None) -> Path:
    """Write the page of the session in ``folder`` and return its path: ``report.html`` in that folder, or ``to``.

    The same record gives the same bytes. A session that still runs writes its record alone: without ``to`` it is
    refused. Raises InvalidInput where there is no such session, OSError where the page cannot be written.
    """
    session = Session(folder)
    if to is None and session.status == RUNNING:
        raise InvalidInput(
            "OSR-LOG-030",
            "its record takes no page before it has ended",
            where=session.id,
            hint=f"`osiris logs html {session.id} --out FILE` shows how far it is",
        )
    path = folder / PAGE if to is None else to
    replace_file(path, render_report(session, beside=to is None))
    return path


def render_report(session: Session, *, beside: bool) -> bytes:
    """The page of a session; ``beside``: it will stand in the session's folder, so that it can link to artifacts."""
    return render("report.html", ("page.js", "events.js"), context(session, beside=beside))


def write_index(logs: Path, to: Path | None = None) -> Path:
    """Write the page over all sessions below ``logs`` and return its path: ``index.html`` there, or ``to``.

    It links to the pages of sessions that have one, relative to ``logs``. Raises OSError where it cannot be written.
    """
    beside = to is None
    found = ((record, beside and (record.path / PAGE).is_file()) for record in find(logs, Query()))
    path = logs / INDEX if to is None else to
    replace_file(path, render("index.html", ("page.js", "index.js"), index.context(found)))
    return path
