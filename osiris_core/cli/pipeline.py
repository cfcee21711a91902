"""What the commands that take a pipeline have in common: its options, its project, and compiling it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from osiris_core.cli.workspace import Workspace, open_workspace
from osiris_core.diagnostics import did_you_mean
from osiris_core.errors import InvalidInput
from osiris_core.project.paths import find_project

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from osiris_core.compile.compiler import Compiled
    from osiris_core.plugins.registry import Registry

profile_option = click.option("--profile", metavar="NAME", help="Use the replacements of this profile.")
param_option = click.option(
    "--param", "params", metavar="NAME=VALUE", multiple=True, help="Give a parameter a value; may be repeated."
)
mode_option = click.option(
    "--mode",
    type=click.Choice(["warn", "strict", "off"]),
    help="What a warning does: shown, an error, or hidden. Errors stay errors.",
)


def open_for(source: str | Path | None, *, overrides: Mapping[str, Any] | None = None) -> Workspace:
    """The workspace of the project that the file ``source`` belongs to, or that of the current folder."""
    if source is not None:
        path = Path(source)
        if path.exists() and find_project(path).settings_file.is_file():
            return open_workspace(start=path, overrides=overrides)
    return open_workspace(overrides=overrides)


def parse_params(texts: Sequence[str]) -> dict[str, str]:
    """``--param name=value`` options as a mapping of texts."""
    params: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise InvalidInput("OSR-CMP-031", f"--param needs NAME=VALUE, not '{name}'", hint="e.g. `--param day=7`")
        if name in params:
            raise InvalidInput("OSR-CMP-031", f"--param {name} is given twice", hint="give it once")
        params[name] = value
    return params


def compile_file(
    path: Path,
    workspace: Workspace,
    registry: Registry,
    *,
    profile: str | None = None,
    params: Sequence[str] = (),
) -> Compiled:
    """Compile the OML document ``path`` in its project, with the project's settings."""
    from osiris_core.compile.compiler import compile_document
    from osiris_core.model import yaml
    from osiris_core.project.connections import load_connections

    settings = workspace.settings
    return compile_document(
        yaml.load_file(path, file=shown_path(path)),
        registry=registry,
        connections=load_connections(workspace.project, registry),
        profile=profile,
        params=parse_params(params),
        environment=workspace.environment,
        strict_types=settings.types.strict,
        mode=settings.validation.mode,
    )


def require_family(family: str | None, known: Iterable[str], what: str) -> None:
    """Raise InvalidInput for a ``--family`` that is none of ``known``: an empty list would say that it has nothing."""
    names = sorted(known)
    if family is not None and family not in names:
        hint = did_you_mean(family, names) or f"there is {', '.join(names) or 'none'}"
        raise InvalidInput("OSR-CLI-004", f"--family {family}: there is no family of {what} of that name", hint=hint)


def shown_path(path: Path) -> str:
    """``path`` as messages show it: relative to the current folder when it lies below."""
    here = path.absolute()
    return Path(os.path.relpath(here)).as_posix() if here.is_relative_to(Path.cwd()) else str(path)
