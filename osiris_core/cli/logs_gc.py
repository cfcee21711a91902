"""``osiris logs gc``: old sessions removed."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from osiris_core.cli.logs import folder_option
from osiris_core.cli.numbers import NumberRange
from osiris_core.cli.output import (
    error_document,
    json_option,
    print_json,
    print_note,
    print_table,
    print_text,
    reporting,
)
from osiris_core.cli.workspace import open_workspace
from osiris_core.display import counted, size
from osiris_core.errors import InvalidInput, RunFailed
from osiris_core.report.gc import Policy, plan, remove
from osiris_core.run.scratch import scratch_home

if TYPE_CHECKING:
    from osiris_core.report.gc import Plan, Removal


@click.command()
@click.option("--days", type=NumberRange(min=0, max=36_500), help="Remove what started more than so many days ago.")
@click.option("--max-gb", type=NumberRange(min=0), help="Remove the oldest until the rest takes at most this.")
@click.option(
    "--keep-last",
    type=click.IntRange(min=0),
    metavar="N",
    help="Keep the last N of each pipeline in any case; alone, remove all others.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be removed, and stop.")
@folder_option
@json_option
def gc(
    *,
    days: float | None,
    max_gb: float | None,
    keep_last: int | None,
    dry_run: bool,
    folder: Path | None,
    as_json: bool,
) -> None:
    """Remove old sessions.

    Never removed: what runs, the last successful run of each pipeline, and a success that ends a chain of failures.
    What crashed, is damaged, or may be resumed goes by --days only.
    """
    with reporting(as_json=as_json):
        if days is None and max_gb is None and keep_last is None:
            raise InvalidInput("OSR-LOG-008", "nothing says which sessions may go")
        loaded = open_workspace().loaded
        logs = folder or loaded.project.logs
        planned = plan(logs, Policy(days=days, max_gb=max_gb, keep_last=keep_last), now=datetime.now(UTC))
        if dry_run:
            _show(planned, list(planned.removals), dry_run=True, as_json=as_json)
            return
        removed: list[Removal] = []
        failed: list[tuple[Removal, OSError]] = []
        for removal, error in remove(logs, planned.removals, scratch=scratch_home(loaded.project, loaded.settings.run)):
            if error is None:
                removed.append(removal)
            else:
                failed.append((removal, error))
        problem = _problem(failed)
        _show(planned, removed, dry_run=False, as_json=as_json, problem=problem)
        if problem is not None and as_json:
            raise click.exceptions.Exit(int(problem.exit_code))
        if problem is not None:
            raise problem


def _problem(failed: list[tuple[Removal, OSError]]) -> RunFailed | None:
    if not failed:
        return None
    removal, error = failed[0]
    others = f", and {counted(len(failed) - 1, 'other')}" if len(failed) > 1 else ""
    reason = error.strerror or str(error)
    return RunFailed("OSR-LOG-009", f"'{removal.record.id}'{others} cannot be removed: {reason}")


def _show(
    planned: Plan, removals: list[Removal], *, dry_run: bool, as_json: bool, problem: RunFailed | None = None
) -> None:
    freed = sum(one.size for one in removals)
    if as_json:
        document: dict[str, Any] = {
            **(error_document(problem) if problem is not None else {"ok": True}),
            "dry_run": dry_run,
            "removed": [one.to_json() for one in removals],
            "bytes": freed,
            "kept": dict(planned.kept),
        }
        print_json(document)
        return
    if removals:
        print_table(
            ("session", "status", "pipeline", "started", "size", "by"),
            [
                (
                    one.record.id,
                    one.record.status,
                    one.record.pipeline,
                    one.record.started,
                    size(one.size),
                    f"--{one.rule.replace('_', '-')}",
                )
                for one in removals
            ],
            whole=2,
            spare=3,
        )
    what = "would be removed" if dry_run else "removed"
    print_text(f"{counted(len(removals), 'session')} {what}, {size(freed)}")
    for reason, number in sorted(planned.kept.items()):
        print_note(f"kept: {number:,} ({reason})")
