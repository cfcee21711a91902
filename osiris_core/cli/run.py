"""``osiris run``: compile when given a pipeline, run the manifest, say how it went."""

from __future__ import annotations

import os
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from osiris_core.cli import PROCESS
from osiris_core.cli.logs_html import page_after
from osiris_core.cli.numbers import NumberRange
from osiris_core.cli.output import (
    json_option,
    print_diagnostics,
    print_error,
    print_json,
    print_note,
    redactor,
    reporting,
)
from osiris_core.cli.pipeline import compile_file, open_for, param_option, profile_option
from osiris_core.cli.printed import printed
from osiris_core.display import counted
from osiris_core.errors import ExitCode, InvalidInput

if TYPE_CHECKING:
    from osiris_core.cli.printed import Printed
    from osiris_core.cli.workspace import Workspace
    from osiris_core.compile.manifest import Manifest
    from osiris_core.plugins.registry import Registry
    from osiris_core.project.settings import Loaded
    from osiris_core.run.outcome import RunOutcome


@click.command()
@click.argument("source", required=False)
@click.option("--last-compile", is_flag=True, help="Run the latest build; SOURCE is the pipeline's name, if given.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Folder for the run records.")
@profile_option
@param_option
@click.option("--target", default="local", show_default=True, help="Where to run.")
@click.option("--jobs", type=int, help="Chains of steps that run at the same time.")
@click.option("--timeout", type=NumberRange(), help="Seconds after which the run is stopped.")
@click.option("--isolate", is_flag=True, help="Run in a sandboxed process of its own.")
@click.option("--fresh", is_flag=True, help="Do not continue an earlier unsuccessful run: write everything again.")
@click.option(
    "--full-refresh", is_flag=True, help="Read incremental extracts from their beginning, whatever the state."
)
@click.option("--since", metavar="VALUE", help="Read incremental extracts from this value on; the state stays.")
@click.option(
    "--until", metavar="VALUE", help="Read incremental extracts up to, not with, this value; the state stays."
)
@click.option(
    "--label",
    "labels",
    metavar="KEY=VALUE",
    multiple=True,
    help="Note this with the run, to find it by (`osiris logs list --label`); repeatable.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be done, and stop.")
@click.option("--verbose", "-v", is_flag=True, help="A line for every event of interest instead of the table.")
@json_option
def run(
    *,
    source: str | None,
    last_compile: bool,
    out: Path | None,
    profile: str | None,
    params: tuple[str, ...],
    target: str,
    jobs: int | None,
    timeout: float | None,
    isolate: bool,
    fresh: bool,
    full_refresh: bool,
    since: str | None,
    until: str | None,
    labels: tuple[str, ...],
    dry_run: bool,
    verbose: bool,
    as_json: bool,
) -> None:
    """Run a pipeline (SOURCE.yaml) or a manifest (manifest.yaml, or the folder of a build).

    A pipeline is compiled first and its build written. Runs leave a record below the logs folder.
    """
    called = time.monotonic()
    masks = redactor()
    with reporting(as_json=as_json, alone=True), printed(masks) as shown, ExitStack() as stack:
        from osiris_core.project.connections import load_connections
        from osiris_core.run.api import RunOptions
        from osiris_core.run.bounds import Bounds, check_bounds
        from osiris_core.run.labels import read_labels
        from osiris_core.run.process import began
        from osiris_core.run.targets import RunPlan, TargetContext

        named = read_labels(labels)
        overrides = {
            "run.jobs": jobs,
            "run.timeout": timeout,
            "logging.dir": str(out.absolute()) if out else None,
        }
        workspace = open_for(None if last_compile else source, overrides=overrides)
        manifest, registry = _manifest(
            workspace,
            source,
            last_compile=last_compile,
            profile=profile,
            params=params,
            target=target,
            write=not dry_run,
        )
        place = registry.load(registry.target(target).ref)()
        stack.callback(place.close)
        bounds = Bounds(full_refresh=full_refresh, since=since, until=until)
        check_bounds(manifest, bounds)
        # A process that is not the command's own (a test, a notebook) began with something else.
        start = began() if click.get_current_context().obj is PROCESS else None
        options = RunOptions(
            target=target, labels=named, fresh=fresh, redactor=masks, bounds=bounds, began=start or called
        )
        context = TargetContext(
            loaded=workspace.loaded,
            registry=registry,
            environment=workspace.environment,
            connections=load_connections(workspace.project, registry),
            options=options,
        )
        prepared = place.prepare(RunPlan(manifest=manifest, isolate=isolate), context)
        if dry_run:
            _show_plan(dict(prepared.summary), as_json=as_json)
            return
        outcome = _execute(place, prepared, context, shown, verbose=verbose)
        place.collect(prepared, context)
        shown.drain()
        show_outcome(outcome, manifest, workspace.loaded, watched=shown.terminal.isatty(), as_json=as_json)
        _end(outcome, shown)


def _manifest(
    workspace: Workspace,
    source: str | None,
    *,
    last_compile: bool,
    profile: str | None,
    params: tuple[str, ...],
    target: str,
    write: bool,
    notes: bool = True,
) -> tuple[Manifest, Registry]:
    """What to run, and the plugins for it: those that a manifest names, or all when a pipeline has to be compiled."""
    from osiris_core.compile.build import is_manifest_file, read_manifest, write_build

    path = _built(workspace, source) if last_compile else source_path(source)
    if not is_manifest_file(path):
        registry = workspace.registry()
        compiled = compile_file(path, workspace, registry, profile=profile, params=params)
        if notes:
            print_diagnostics(compiled.diagnostics)
        if write:
            write_build(compiled.manifest, workspace.project.build)
        return compiled.manifest, registry
    if profile is not None or params:
        raise InvalidInput("OSR-RUN-071", "a manifest is compiled already: it takes no --profile and no --param")
    manifest = read_manifest(path, shown=workspace.project.shown(path.absolute()))
    return manifest, workspace.registry(only=plugins_for(manifest, workspace, target))


def manifest_of(
    workspace: Workspace, source: str, *, profile: str | None, params: tuple[str, ...]
) -> tuple[Manifest, Registry]:
    """The manifest that SOURCE is, or is compiled to without writing a build; and the plugins for it."""
    return _manifest(
        workspace, source, last_compile=False, profile=profile, params=params, target="local", write=False, notes=False
    )


def plugins_for(manifest: Manifest, workspace: Workspace, target: str) -> frozenset[str] | None:
    """The plugins that a run of ``manifest`` needs, and those that the settings allow expressly: they may observe it.

    None, which means all, when a connection refers to a secret store that no plugin is named after.
    """
    from osiris_core.compile.installed import plugins_of
    from osiris_core.plugins.admission import apply_lists
    from osiris_core.plugins.index import index

    installed = index()
    stores = {scheme.replace("-", "_") for scheme in _schemes(manifest, workspace)}
    if not stores <= {entry.id for entry in installed}:
        return None
    needed = plugins_of(manifest) | stores | {"env", target}
    lists = workspace.settings.plugins
    if lists.allow is None:
        return needed
    admitted, _ = apply_lists(installed, lists.allow, lists.block)
    return needed | {entry.id for entry in admitted if not entry.is_core}


def _schemes(manifest: Manifest, workspace: Workspace) -> set[str]:
    """The secret stores that the connections of ``manifest`` refer to."""
    from osiris_core.plugins.registry import Registry
    from osiris_core.project.connections import load_connections
    from osiris_core.run.handed import references_of

    if all(step.connection is None for step in manifest.steps):
        return set()
    return {ref.scheme for ref in references_of(manifest, load_connections(workspace.project, Registry()))}


def source_path(source: str | None) -> Path:
    """The path that SOURCE means: a pipeline, a manifest, or the folder of one build or of all builds of a pipeline."""
    if source is None:
        raise InvalidInput("OSR-RUN-070", "there is nothing to run", hint="osiris run pipelines/<name>.yaml")
    return Path(source)


def _built(workspace: Workspace, name: str | None) -> Path:
    """The manifest that was compiled last, of the pipeline ``name`` or of any."""
    from osiris_core.compile.build import LATEST, latest

    home = workspace.project.build
    if name is None:
        marks = sorted(home.glob(f"*/{LATEST}"), key=lambda mark: mark.stat().st_mtime_ns)
        if not marks:
            raise InvalidInput("OSR-CMP-020", f"there is no build in {workspace.project.shown(home)}")
        name = marks[-1].parent.name
    return latest(home, name)


def _execute(place: Any, prepared: Any, context: Any, shown: Printed, *, verbose: bool) -> RunOutcome:
    import attrs

    from osiris_core.cli.progress import progress
    from osiris_core.run.signals import handling

    options = context.options
    with (
        progress(prepared.plan.manifest, shown, verbose=verbose) as listener,
        handling(options.interrupts.request, for_good=click.get_current_context().obj is PROCESS) as ending,
    ):
        listening = attrs.evolve(context, options=attrs.evolve(options, listeners=(listener,)))
        outcome: RunOutcome = place.execute(prepared, listening)
        ending.exit_code = outcome.exit_code
    return outcome


def _show_plan(summary: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json({"ok": True, "dry_run": True, **summary})
        return
    from osiris_core.cli.output import print_table, print_text

    print_text(f"pipeline {summary['pipeline']}, manifest {summary['manifest_hash'][:12]}, target {summary['target']}")
    if summary["bounds"] is not None:
        given = ", ".join(f"{name} {value}" for name, value in summary["bounds"].items() if value not in (None, False))
        print_text(f"incremental extracts: {given.replace('full_refresh True', 'full refresh')}")
    if summary.get("labels"):
        print_text("labels: " + ", ".join(f"{key}={value}" for key, value in summary["labels"].items()))
    print_table(
        ("step", "component", "mode", "needs", "connection"),
        [
            (step["id"], step["component"], step["mode"], ", ".join(step["needs"]), step["connection"])
            for step in summary["steps"]
        ],
    )


def show_outcome(outcome: RunOutcome, manifest: Manifest, loaded: Loaded, *, watched: bool, as_json: bool) -> None:
    """How a run ended, and where its record is; then, where the settings want them, its page and its package.

    ``watched``: on a terminal.
    """
    from osiris_core.cli.logs_aiop import export_after

    if as_json:
        page = page_after(outcome.record, loaded, watched=watched)
        print_json(_outcome_document(outcome, manifest, loaded, page))
    else:
        _show_outcome(outcome, manifest, loaded.project.shown(outcome.record))
        page = page_after(outcome.record, loaded, watched=watched)  # after the outcome, which nobody should wait for
        if page is not None:
            print_note(f"page: {loaded.project.shown(page)}")
    export_after(outcome, loaded)


def _outcome_document(outcome: RunOutcome, manifest: Manifest, loaded: Loaded, page: Path | None) -> dict[str, Any]:
    from osiris_core.run.outcome import error_data, step_data

    error = error_data(outcome.error)
    diagnostics = error.pop("diagnostics") if error else []
    return {
        "ok": outcome.error is None,
        "session": outcome.session_id,
        "status": outcome.status.value,
        "record": loaded.project.shown(outcome.record),
        "page": loaded.project.shown(page) if page is not None else None,
        "pipeline": manifest.name,
        "manifest_hash": manifest.hash,
        "rows": outcome.rows,
        "duration_ms": outcome.duration_ms,
        "steps": [step_data(step) for step in outcome.steps],
        "error": error,
        "diagnostics": diagnostics,
    }


def _show_outcome(outcome: RunOutcome, manifest: Manifest, record: str) -> None:
    from osiris_core.cli.output import print_text
    from osiris_core.cli.progress import seconds

    took = seconds(outcome.duration_ms)
    if outcome.error is not None:
        print_error(outcome.error, as_json=False)
        print_note(f"{manifest.name} {outcome.status.value} after {took}; record: {record}")
        return
    for step in outcome.steps:
        if step.destination is not None:
            again = " (published by an earlier run)" if step.already else ""
            print_text(f"{step.id}: {counted(step.rows_written, 'row')} -> {step.destination}{again}")
    print_text(f"{manifest.name} succeeded: {counted(outcome.rows, 'row')} in {took}; record: {record}")


def _end(outcome: RunOutcome, shown: Printed) -> None:
    """Leave with the outcome's exit status, at once when a driver would not stop."""
    if outcome.stuck:
        shown.end()
        os._exit(int(outcome.exit_code))
    if outcome.exit_code is not ExitCode.OK:
        raise click.exceptions.Exit(int(outcome.exit_code))
