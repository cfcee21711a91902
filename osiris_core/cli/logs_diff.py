"""``osiris logs diff``: what differs between two runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from osiris_core.cli.diff import sql_lines
from osiris_core.cli.logs import folder_option
from osiris_core.cli.output import json_option, print_json, print_note, print_table, print_text, reporting
from osiris_core.cli.progress import seconds
from osiris_core.cli.workspace import open_workspace
from osiris_core.compile.diff import shown
from osiris_core.compile.installed import plugins_of
from osiris_core.display import counted
from osiris_core.errors import ExitCode
from osiris_core.report.diff import compare_runs
from osiris_core.report.session import Session

if TYPE_CHECKING:
    from osiris_core.report.diff import Comparison, Difference


@click.command()
@click.argument("before")
@click.argument("after")
@click.option("--exit-code", is_flag=True, help="Exit 1 when they differ, 0 when they are equal.")
@folder_option
@json_option
def diff(*, before: str, after: str, exit_code: bool, folder: Path | None, as_json: bool) -> None:
    """What differs from the run BEFORE to the run AFTER: ids, or beginnings or ends of them.

    Config, pins, schema, rows, checksums of data, and durations. Runs that differ only in how long they took, where
    they ran or how they are labelled are equal. Exit 0, whatever differs, unless --exit-code is given.
    """
    with reporting(as_json=as_json):
        workspace = open_workspace()
        logs = folder or workspace.project.logs
        old, new = (Session.find(wanted, logs=logs) for wanted in (before, after))
        manifests = [session.manifest for session in (old, new) if session.manifest is not None]
        wanted = frozenset[str]().union(*map(plugins_of, manifests))
        found = compare_runs(old, new, registry=workspace.registry(only=wanted, notes=False))
        if as_json:
            print_json(_document(old, new, found))
        else:
            _show(old, new, found)
        if exit_code and not found.equal:
            raise click.exceptions.Exit(int(ExitCode.FAILED))


def _document(old: Session, new: Session, found: Comparison) -> dict[str, Any]:
    return {
        "ok": True,
        "equal": found.equal,
        "before": _head(old),
        "after": _head(new),
        "differences": [one.to_json() for one in found.differences],
        "unknown": list(found.unknown),
    }


def _head(session: Session) -> dict[str, Any]:
    return {
        "session": session.id,
        "pipeline": session.pipeline,
        "status": session.status,
        "manifest_hash": session.record.manifest_hash,
    }


def _show(old: Session, new: Session, found: Comparison) -> None:
    for word, session in (("from", old), ("to  ", new)):
        print_text(f"{word} {session.id}: {session.pipeline}, {session.status}")
    if found.differences:
        print_table(
            ("step", "part", "what", "before", "after"),
            [
                (one.step, one.part, one.what, _cell(one, one.before), _cell(one, one.after))
                for one in found.differences
            ],
        )
    for one in found.differences:
        if one.part == "sql":
            print_text("\n".join([f"{one.step}: {one.what}:", *sql_lines(str(one.before), str(one.after))]))
    mattering = sum(one.matters for one in found.differences)
    print_text("equal" if found.equal else counted(mattering, "difference"))
    for sentence in found.unknown:
        print_note(f"note: {sentence}")


def _cell(difference: Difference, value: Any) -> str:
    if value is None:
        return ""
    return seconds(value) if difference.what == "duration_ms" else shown(value)
