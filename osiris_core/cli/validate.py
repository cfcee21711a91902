"""``osiris validate``: check pipelines, or everything a project has."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import click

from osiris_core.cli.output import (
    json_option,
    print_diagnostics,
    print_json,
    print_note,
    print_text,
    redactor,
    reporting,
)
from osiris_core.cli.pipeline import mode_option, open_for, param_option, parse_params, profile_option, shown_path
from osiris_core.cli.workspace import Workspace, open_workspace
from osiris_core.diagnostics import Diagnostic, Severity, has_errors
from osiris_core.display import counted
from osiris_core.errors import ExitCode, InvalidInput, OsirisError
from osiris_core.model import yaml
from osiris_core.oml.validate import ValidationMode, accepted
from osiris_core.oml.validate import validate as validate_document
from osiris_core.project.connections import Connections, load_connections
from osiris_core.project.paths import CONNECTIONS_FILE, SETTINGS_FILE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from osiris_core.plugins.registry import Registry
    from osiris_core.run.bind import BoundStep

PIPELINES = "pipelines"


@attrs.frozen(kw_only=True)
class Checked:
    """A file and what was found in it."""

    file: str
    kind: str
    diagnostics: tuple[Diagnostic, ...]
    bound: tuple[BoundStep, ...] | None = None
    """The steps as their drivers see them, where they were asked."""
    unusable: bool = False
    """Whether nothing but connections stands in the way."""

    def to_json(self) -> dict[str, Any]:
        """The file as plain data."""
        steps = {} if self.bound is None else {"steps": [_step_data(one) for one in self.bound]}
        return {
            "file": self.file,
            "kind": self.kind,
            "ok": not has_errors(self.diagnostics),
            "diagnostics": [item.to_json() for item in self.diagnostics],
            **steps,
        }

    @property
    def said(self) -> str:
        """In a line, how it stands."""
        if has_errors(self.diagnostics):
            return f"{'not proved' if self.unusable else 'invalid'}: {self.file}"
        if self.bound is None:
            return f"valid: {self.file}"
        known = sum(one.unknown is None for one in self.bound)
        return f"valid: {self.file}, {known} of {counted(len(self.bound), 'step')} bound"


@click.command()
@click.argument("files", metavar="[PIPELINE]...", nargs=-1, type=click.Path(path_type=Path))
@profile_option
@param_option
@mode_option
@click.option("--bind", "bind_it", is_flag=True, help="Prove valid pipelines against what the connections lead to.")
@json_option
def validate(
    files: tuple[Path, ...],
    *,
    profile: str | None,
    params: tuple[str, ...],
    mode: str | None,
    bind_it: bool,
    as_json: bool,
) -> None:
    """Check PIPELINEs; without any, osiris.yaml, the connections file and pipelines/*.yaml.

    Every finding is reported, each with its place and remedy; exit 2 when one is an error. With --bind each valid
    pipeline is compiled, its tables and columns are looked up and its queries prepared at their sources, its transforms
    bound to the columns before them, its writers asked whether they would accept what they would get. No row is read
    and nothing is written. Exit 5 when nothing but connections stands in the way.
    """
    with reporting(as_json=as_json, alone=bind_it), ExitStack() as stack:
        if bind_it:  # drivers are at work, and print what they like
            from osiris_core.cli.printed import printed

            stack.enter_context(printed(redactor()))
        overrides = {"validation.mode": mode}
        given = parse_params(params)
        if files:
            checked = [
                check_pipeline(file, open_for(file, overrides=overrides), profile, given, bind_it=bind_it)
                for file in files
            ]
        else:
            workspace = open_workspace(overrides=overrides)
            checked = list(_check_project(_Checker.of(workspace, profile, given, bind_it=bind_it)))
        report(checked, as_json=as_json)


def check_pipeline(
    file: Path, workspace: Workspace, profile: str | None, params: Mapping[str, str], *, bind_it: bool = False
) -> Checked:
    """The findings about one OML document in its project."""
    checker = _Checker.of(workspace, profile, params, bind_it=bind_it)
    checked = checker.pipeline(file)
    return attrs.evolve(checked, diagnostics=(*checker.unreadable, *checked.diagnostics))


@attrs.frozen(kw_only=True)
class _Checker:
    """Checks the pipelines of one project. ``connections`` is None when their file is ``unreadable``."""

    workspace: Workspace
    registry: Registry
    connections: Connections | None
    unreadable: tuple[Diagnostic, ...]
    profile: str | None
    params: Mapping[str, str]
    bind_it: bool

    @classmethod
    def of(cls, workspace: Workspace, profile: str | None, params: Mapping[str, str], *, bind_it: bool) -> _Checker:
        registry = workspace.registry()
        connections: Connections | None = None
        unreadable: tuple[Diagnostic, ...] = ()
        try:
            connections = load_connections(workspace.project, registry)
        except InvalidInput as error:
            unreadable = _findings_of(error)
        return cls(
            workspace=workspace,
            registry=registry,
            connections=connections,
            unreadable=unreadable,
            profile=profile,
            params=params,
            bind_it=bind_it,
        )

    @property
    def mode(self) -> ValidationMode:
        return self.workspace.settings.validation.mode

    def pipeline(self, file: Path) -> Checked:
        made = Checked(file=shown_path(file), kind="pipeline", diagnostics=())
        try:
            document = yaml.load_file(file, file=made.file)
        except InvalidInput as error:
            return attrs.evolve(made, diagnostics=_findings_of(error))
        validation = validate_document(
            document,
            registry=self.registry,
            connections=self.connections,
            profile=self.profile,
            params=self.params,
            environ=self.workspace.environment,
        )
        found = accepted(validation.diagnostics, self.mode)[0]
        if self.bind_it and self.connections is not None and not has_errors(found):
            made = self._bound(made, document, self.connections)
        return attrs.evolve(made, diagnostics=(*found, *made.diagnostics))

    def _bound(self, made: Checked, document: yaml.Document, connections: Connections) -> Checked:
        """``made`` with what the drivers say; what the compiler warns of the validator has said."""
        from osiris_core.run.proving import Prover

        prover = Prover(
            loaded=self.workspace.loaded,
            environment=self.workspace.environment,
            registry=self.registry,
            connections=connections,
            redactor=redactor(),
        )
        proof = prover.prove(document, profile=self.profile, params=self.params)
        return attrs.evolve(
            made,
            diagnostics=(*proof.findings, *proof.unreachable),
            bound=proof.bound,
            unusable=proof.exit_code is ExitCode.UNUSABLE,
        )


def report(checked: Sequence[Checked], *, as_json: bool) -> None:
    """Print what was found; exit 2 when any of it is an error."""
    items = [item for each in checked for item in each.diagnostics]
    errors = sum(item.severity is Severity.ERROR for item in items)
    warnings = sum(item.severity is Severity.WARNING for item in items)
    if as_json:
        files = [each.to_json() for each in checked]
        print_json({"ok": not errors, "errors": errors, "warnings": warnings, "files": files})
    else:
        for each in checked:
            print_diagnostics(each.diagnostics)
            print_text(each.said)
            for one in each.bound or ():
                if one.unknown is not None and not has_errors(each.diagnostics):
                    print_note(f"note: step '{one.id}' is not known before a run: {one.unknown}")
        if items:
            print_note(f"{counted(errors, 'error')}, {counted(warnings, 'warning')}")
    if errors:
        failed = [each for each in checked if has_errors(each.diagnostics)]
        unusable = all(each.unusable for each in failed)
        raise click.exceptions.Exit(int(ExitCode.UNUSABLE if unusable else ExitCode.INVALID))


def _check_project(checker: _Checker) -> Iterator[Checked]:
    project = checker.workspace.project
    if project.settings_file.is_file():  # it was read, or there would be no workspace
        yield Checked(file=SETTINGS_FILE, kind="settings", diagnostics=())
    if checker.connections is None:
        yield Checked(file=CONNECTIONS_FILE, kind="connections", diagnostics=checker.unreadable)
    elif project.connections_file.is_file():
        found, _ = accepted(_connection_findings(checker.connections), checker.mode)
        yield Checked(file=CONNECTIONS_FILE, kind="connections", diagnostics=found)
    for file in _pipelines_in(project.root / PIPELINES):
        # What is wrong with a connection stands under its own file, once.
        checked = checker.pipeline(file)
        found = tuple(item for item in checked.diagnostics if not _is_about(item, CONNECTIONS_FILE))
        yield attrs.evolve(checked, diagnostics=found)


def _pipelines_in(folder: Path) -> list[Path]:
    """A folder that does not exist has none; one that cannot be read (globbing would call it empty) is an error."""
    try:
        return sorted(path for path in folder.iterdir() if path.name.endswith((".yaml", ".yml")))
    except FileNotFoundError:
        return []


def _connection_findings(connections: Connections) -> Iterator[Diagnostic]:
    for entry in connections.all():
        try:
            yield from entry.diagnostics()
        except OsirisError as error:  # no plugin serves the family: nobody can say more, and perhaps nobody uses it
            yield Diagnostic(
                code=error.code,
                message=f"{entry.ref}: {error.message}",
                severity=Severity.WARNING,
                position=entry.place(key=True),
                hint=error.hint,
            )


def _step_data(one: BoundStep) -> dict[str, Any]:
    from osiris_core.run.outcome import error_data

    known = one.unknown is None and one.error is None
    return {"id": one.id, "bound": known, "unknown": one.unknown, "error": error_data(one.error)}


def _findings_of(error: OsirisError) -> tuple[Diagnostic, ...]:
    """An error as findings: its own, or itself."""
    if error.diagnostics:
        return error.diagnostics
    where = f"{error.where}: " if error.where else ""
    return (Diagnostic(code=error.code, message=f"{where}{error.message}", hint=error.hint),)


def _is_about(item: Diagnostic, file: str) -> bool:
    return item.position is not None and item.position.file == file
