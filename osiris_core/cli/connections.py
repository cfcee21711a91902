"""``osiris connections``: what is configured, and whether it works."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import click

from osiris_core.cli.numbers import NumberRange
from osiris_core.cli.output import json_option, print_diagnostics, print_json, print_note, print_table, reporting
from osiris_core.cli.pipeline import require_family
from osiris_core.cli.workspace import Workspace, open_workspace
from osiris_core.diagnostics import Diagnostic, Severity
from osiris_core.errors import ExitCode, OsirisError
from osiris_core.project.connections import load_connections
from osiris_core.project.doctor import Checkup, check_all
from osiris_core.project.inventory import masked_config, variables
from osiris_core.project.paths import CONNECTIONS_FILE

if TYPE_CHECKING:
    from collections.abc import Callable

    from osiris_core.project.connections import ConnectionEntry
    from osiris_core.project.environment import Environment


@click.group()
def connections() -> None:
    """List and check connections."""


@connections.command("list")
@click.option("--family", metavar="NAME", help="Only the connections of this family.")
@json_option
def list_(family: str | None, as_json: bool) -> None:
    """List the connections with their config, secrets masked, and where their variables come from.

    Nothing is opened.
    """
    with reporting(as_json=as_json):
        workspace = open_workspace()
        registry = workspace.registry()
        found = load_connections(workspace.project, registry)
        served = {spec.family for spec in registry.connections()}
        require_family(family, served | {entry.family for entry in found.all()}, "connections")
        entries = found.all() if family is None else found.family(family)
        if as_json:
            print_json({"ok": True, "connections": [_document(entry, workspace.environment) for entry in entries]})
            return
        if not entries:
            print_note(_nothing(workspace, family))
            return
        headers = ("connection", "default", "config", "variables", "problems")
        print_table(headers, [_row(entry, workspace.environment) for entry in entries])


@connections.command()
@click.argument("refs", metavar="[@FAMILY.ALIAS]...", nargs=-1)
@click.option(
    "--timeout",
    type=NumberRange(),
    metavar="SECONDS",
    help="Time for each connection (default: connections.doctor_timeout).",
)
@json_option
def doctor(refs: tuple[str, ...], timeout: float | None, as_json: bool) -> None:
    """Try connections (all, or those named) at once; exit 5 when one does not work.

    Categories: ok, auth, network, timeout, missing, permission, config, internal.
    """
    with reporting(as_json=as_json):
        workspace = open_workspace(overrides={"connections.doctor_timeout": timeout})
        found = load_connections(workspace.project, workspace.registry(notes=not as_json))
        entries = tuple(map(found.get, dict.fromkeys(refs))) if refs else found.all()
        checkups = check_all(
            entries, workspace.loaded, timeout=workspace.settings.connections.doctor_timeout, done=_progress(as_json)
        )
        failed = [checkup for checkup in checkups if not checkup.ok]
        if as_json:
            _print_document(workspace, entries, checkups)
        elif not entries:
            print_note(_nothing(workspace, None))
        else:
            _print_checkups(workspace, entries, checkups)
        if failed:
            raise click.exceptions.Exit(int(ExitCode.UNUSABLE))


def _progress(as_json: bool) -> Callable[[Checkup], None]:
    """Each finding as it comes, for whoever waits at a terminal."""
    if as_json or not sys.stderr.isatty():
        return lambda _: None
    return lambda checkup: print_note(f"{checkup.ref}: {checkup.category}")


def _print_document(workspace: Workspace, entries: tuple[ConnectionEntry, ...], checkups: tuple[Checkup, ...]) -> None:
    documents = [
        {
            **checkup.to_json(),
            "family": entry.family,
            "alias": entry.alias,
            "default": entry.default,
            "variables": [variable.to_json() for variable in variables(entry, workspace.environment)],
        }
        for entry, checkup in zip(entries, checkups, strict=True)
    ]
    print_json({"ok": all(checkup.ok for checkup in checkups), "connections": documents})


def _print_checkups(workspace: Workspace, entries: tuple[ConnectionEntry, ...], checkups: tuple[Checkup, ...]) -> None:
    print_table(
        ("connection", "status", "latency", "message"),
        [(found.ref, found.category, _milliseconds(found.latency_ms), found.message) for found in checkups],
    )
    for found in checkups:
        if found.hint and not found.ok:
            print_note(f"{found.ref}: {found.hint}")
    for entry in entries:
        weak = [str(variable.ref) for variable in variables(entry, workspace.environment) if variable.weak]
        if weak:
            message = f"{entry.ref}: the secret in {', '.join(weak)} is too weak to be masked in text"
            print_diagnostics([Diagnostic(code="OSR-CON-017", severity=Severity.WARNING, message=message)])


def _document(entry: ConnectionEntry, environment: Environment) -> dict[str, Any]:
    return {
        "ref": entry.ref,
        "family": entry.family,
        "alias": entry.alias,
        "default": entry.default,
        "file": entry.position.file,
        "line": entry.position.line,
        "config": masked_config(entry),
        "variables": [variable.to_json() for variable in variables(entry, environment)],
        "problems": [problem.to_json() for problem in _problems(entry)],
    }


def _row(entry: ConnectionEntry, environment: Environment) -> tuple[str, ...]:
    config = ", ".join(f"{key}={_plain(value)}" for key, value in masked_config(entry).items())
    states = "; ".join(map(str, variables(entry, environment)))
    problems = "; ".join(problem.message for problem in _problems(entry))
    return entry.ref, "yes" if entry.default else "", config, states, problems


def _problems(entry: ConnectionEntry) -> list[Diagnostic]:
    """What is wrong with the entry, including that nobody serves its family."""
    try:
        return entry.diagnostics()
    except OsirisError as error:
        return [Diagnostic(code=error.code, message=error.message, hint=error.hint, position=entry.position)]


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _milliseconds(latency: float | None) -> str:
    return "" if latency is None else f"{latency:.0f} ms"


def _nothing(workspace: Workspace, family: str | None) -> str:
    if not workspace.project.connections_file.is_file():
        return f"there is no {CONNECTIONS_FILE}; `osiris init` writes an example"
    of = f" of family '{family}'" if family else ""
    return f"{CONNECTIONS_FILE} has no connections{of}"
