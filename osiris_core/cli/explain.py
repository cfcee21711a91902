"""``osiris explain``: the columns each step will produce, without moving rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from osiris_core.cli.output import json_option, print_error, print_json, print_table, print_text, redactor, reporting
from osiris_core.cli.pipeline import open_for, param_option, profile_option
from osiris_core.cli.printed import printed
from osiris_core.cli.run import manifest_of
from osiris_core.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from osiris_core.run.bind import BoundStep


@click.command()
@click.argument("source")
@profile_option
@param_option
@json_option
def explain(*, source: str, profile: str | None, params: tuple[str, ...], as_json: bool) -> None:
    """Ask every step of SOURCE (a pipeline or a manifest) which columns it will produce.

    Extractors look at their source's catalog, or at a sample of a file that has none; transforms are bound against the
    columns before them; writers say whether they accept what they would get. No row moves and nothing is written. Exit
    2 when a step would fail, 5 when nothing but connections stands in the way.
    """
    masks = redactor()
    with reporting(as_json=as_json, alone=True), printed(masks):
        from osiris_core.project.connections import load_connections
        from osiris_core.run.proving import Prover

        workspace = open_for(source)
        manifest, registry = manifest_of(workspace, source, profile=profile, params=params)
        prover = Prover(
            loaded=workspace.loaded,
            environment=workspace.environment,
            registry=registry,
            connections=load_connections(workspace.project, registry),
            redactor=masks,
        )
        proof = prover.bound(manifest)
        bound, code = proof.bound, proof.exit_code
        if as_json:
            print_json({"ok": code is ExitCode.OK, "pipeline": manifest.name, "steps": [_data(one) for one in bound]})
        else:
            for one in bound:
                _show(one)
        if code is not ExitCode.OK:
            raise click.exceptions.Exit(int(code))


def _data(one: BoundStep) -> dict[str, Any]:
    from osiris_core.run.outcome import error_data

    return {
        "id": one.id,
        "component": one.component,
        "mode": one.mode,
        "columns": None if one.columns is None else [dict(column) for column in one.columns],
        "unknown": one.unknown,
        "error": error_data(one.error),
        "incremental": one.incremental,
    }


def _show(one: BoundStep) -> None:
    print_text(f"{one.id} ({one.component})")
    if one.error is not None:
        print_error(one.error, as_json=False)
    elif one.unknown is not None:
        print_text(f"  unknown: {one.unknown}")
    elif one.columns:
        rows = [
            (f"  {column['name']}", column["type"], "yes" if column["nullable"] else "no") for column in one.columns
        ]
        print_table(("  column", "type", "nullable"), rows)
        if one.incremental is not None:
            print_text(f"  incremental: {where(one.incremental)}")
    else:
        print_text("  accepts these columns")


def where(shown: Mapping[str, Any]) -> str:
    """In words, where the next run of an incremental extract begins."""
    cursor = shown["cursor"]
    if shown["error"]:
        return str(shown["error"])
    if shown["lower"] is None:
        return f"by {cursor}, from the beginning"
    said = {"state": "the state", "initial": "`initial`"}[shown["origin"]]
    return f"by {cursor}, from {shown['lower']} on ({said})"
