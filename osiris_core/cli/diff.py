"""``osiris diff``: what changes between two pipelines or manifests."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from osiris_core.cli.output import json_option, print_json, print_text, reporting
from osiris_core.cli.pipeline import compile_file, open_for, param_option, profile_option, shown_path
from osiris_core.compile.build import is_manifest_file, latest, read_manifest
from osiris_core.compile.diff import Kind, compare
from osiris_core.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from osiris_core.cli.workspace import Workspace
    from osiris_core.compile.diff import Change
    from osiris_core.compile.manifest import Manifest
    from osiris_core.plugins.registry import Registry

_TITLES = {
    Kind.PIPELINE: "pipeline",
    Kind.PARAM: "pipeline",
    Kind.PLUGIN: "plugins",
    Kind.EFFECT: "effects",
}


@click.command()
@click.argument("a", type=click.Path(path_type=Path))
@click.argument("b", type=click.Path(path_type=Path), required=False)
@profile_option
@param_option
@json_option
def diff(a: Path, b: Path | None, *, profile: str | None, params: tuple[str, ...], as_json: bool) -> None:
    """Show what changes from A to B: pipelines, manifests, or build folders.

    With A alone, a pipeline: what changes from its last build to it. Formatting is no change, neither of YAML nor of
    SQL. `--profile` and `--param` apply to pipelines. Exit 0 when nothing changes, 3 when something does.
    """
    with reporting(as_json=as_json):
        workspace = open_for(a)
        registry = workspace.registry()
        if b is None:
            after = _manifest(a, workspace, registry, profile, params)
            last = latest(workspace.project.build, after.name)
            before, names = read_manifest(last, shown=shown_path(last)), (shown_path(last), shown_path(a))
        else:
            before = _manifest(a, workspace, registry, profile, params)
            after = _manifest(b, open_for(b), registry, profile, params)
            names = (shown_path(a), shown_path(b))
        changes = compare(before, after, registry=registry)
        if as_json:
            print_json(_document(before, after, changes))
        else:
            print_text("\n".join(_lines(before, after, changes, names)))
        if changes:
            raise click.exceptions.Exit(int(ExitCode.STALE))


def _manifest(
    path: Path, workspace: Workspace, registry: Registry, profile: str | None, params: Sequence[str]
) -> Manifest:
    if is_manifest_file(path):
        return read_manifest(path)
    return compile_file(path, workspace, registry, profile=profile, params=params).manifest


def _document(before: Manifest, after: Manifest, changes: Sequence[Change]) -> dict[str, Any]:
    return {
        "ok": True,
        "equal": not changes,
        "before": {"name": before.name, "hash": before.hash},
        "after": {"name": after.name, "hash": after.hash},
        "changes": [change.to_json() for change in changes],
    }


def _lines(before: Manifest, after: Manifest, changes: Sequence[Change], names: tuple[str, str]) -> list[str]:
    if not changes:
        same = before.hash == after.hash
        return ["no change" if same else "no change but in formatting (the hashes differ)"]
    lines = [f"from {names[0]} ({before.hash[:12]})", f"to   {names[1]} ({after.hash[:12]})"]
    title = ""
    for change in changes:
        now = _TITLES.get(change.kind, f"step {change.step}")
        if now != title:
            lines.append(f"{now}:")
            title = now
        lines.append(f"  {change.text}")
        if change.kind is Kind.SQL:
            lines += sql_lines(str(change.before), str(change.after))
    return lines


def sql_lines(before: str, after: str) -> list[str]:
    """What changes from one text of SQL to another, line by line, indented."""
    import difflib

    compared = difflib.unified_diff(before.splitlines(), after.splitlines(), n=1, lineterm="")
    return [f"    {line}" for line in compared if not line.startswith(("---", "+++", "@@"))]
