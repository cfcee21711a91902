"""``osiris state``: where incremental loads go on from, as their destinations have it."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import click

from osiris_core.cli.explain import where
from osiris_core.cli.output import json_option, print_json, print_note, print_table, print_text, redactor, reporting
from osiris_core.cli.pipeline import open_for, param_option, profile_option
from osiris_core.cli.printed import printed
from osiris_core.cli.run import manifest_of
from osiris_core.errors import OsirisError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from osiris_core.redaction import Redactor
    from osiris_core.run.states import Shown, States

step_option = click.option("--step", metavar="ID", help="The incremental extract, where a pipeline has several.")


@click.group()
def state() -> None:
    """Show and change where incremental loads go on from.

    The state of an incremental extract is kept in the destination of its rows, and moves with them only. PIPELINE is a
    pipeline file or a manifest.
    """


@state.command()
@click.argument("pipeline")
@step_option
@profile_option
@param_option
@json_option
def show(pipeline: str, *, step: str | None, profile: str | None, params: tuple[str, ...], as_json: bool) -> None:
    """Show the last value loaded of each incremental extract, and where its next run begins."""
    with reporting(as_json=as_json, alone=True), _states(pipeline, profile, params) as (name, states):
        found = [states.show(each) for each in states.chosen(step, one=False)]
        if as_json:
            print_json({"ok": True, "pipeline": name, "states": [attrs.asdict(one) for one in found]})
            return
        rows = [
            (one.step, one.writer, one.cursor, one.type or "-", _value(one), where(attrs.asdict(one))) for one in found
        ]
        print_table(("step", "kept by", "cursor", "type", "value", "next run"), rows)


@state.command("set")
@click.argument("pipeline")
@click.argument("value")
@step_option
@profile_option
@param_option
@json_option
def set_(
    pipeline: str, value: str, *, step: str | None, profile: str | None, params: tuple[str, ...], as_json: bool
) -> None:
    """Let the next run read from VALUE on, rows with that value included; a writer that appends appends those.

    The state also takes on what the pipeline reads now, where that has changed.
    """
    with reporting(as_json=as_json, alone=True), _states(pipeline, profile, params) as (name, states):
        (chosen,) = states.chosen(step, one=True)
        _changed(name, states.set(chosen, value), as_json=as_json)


@state.command()
@click.argument("pipeline")
@step_option
@profile_option
@param_option
@json_option
def reset(pipeline: str, *, step: str | None, profile: str | None, params: tuple[str, ...], as_json: bool) -> None:
    """Forget the last value: the next run reads from the beginning. No row is removed."""
    with reporting(as_json=as_json, alone=True), _states(pipeline, profile, params) as (name, states):
        (chosen,) = states.chosen(step, one=True)
        _changed(name, states.reset(chosen), as_json=as_json)


@contextmanager
def _states(pipeline: str, profile: str | None, params: tuple[str, ...]) -> Iterator[tuple[str, States]]:
    """The name and the states of a pipeline; what it raises is without secrets."""
    from osiris_core.project.connections import load_connections
    from osiris_core.run.api import connector
    from osiris_core.run.context import Budget
    from osiris_core.run.prepare import prepare
    from osiris_core.run.quiet import NoRecord, Quiet
    from osiris_core.run.resources import limits_of
    from osiris_core.run.states import States

    masks = redactor()
    with printed(masks), _clean(masks), tempfile.TemporaryDirectory(prefix="osiris-state-") as folder:
        workspace = open_for(pipeline)
        manifest, registry = manifest_of(workspace, pipeline, profile=profile, params=params)
        connections = load_connections(workspace.project, registry)
        connect = connector(connections, workspace.environment, registry, masks)
        limits = limits_of(workspace.settings.run)
        quiet = Quiet(
            manifest_hash=manifest.hash,
            record=NoRecord(Path(folder), "state"),
            budget=Budget(memory=limits.memory, threads=limits.threads),
            project_root=workspace.project.root,
            reserved=workspace.project.reserved,
        )
        yield manifest.name, States(manifest, prepare(manifest, registry, connect), quiet)


@contextmanager
def _clean(masks: Redactor) -> Iterator[None]:
    from osiris_core.run.failure import redact

    try:
        yield
    except OsirisError as error:
        redact(error, masks.text)
        raise


def _changed(name: str, shown: Shown, *, as_json: bool) -> None:
    data: dict[str, Any] = attrs.asdict(shown)
    if as_json:
        print_json({"ok": True, "pipeline": name, "states": [data]})
        return
    print_text(f"{name}: '{shown.step}' reads {where(data)}")
    if shown.value is None:
        print_note("note: what has been loaded stays where it is")


def _value(one: Shown) -> str:
    return one.value if one.value is not None else "-"
