"""What most commands start from: the project, its environment and settings, and the plugins they let in."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from osiris_core.cli.output import print_diagnostics, print_note
from osiris_core.diagnostics import Severity
from osiris_core.plugins.missing import diagnostic
from osiris_core.plugins.registry import Registry, load_registry
from osiris_core.project.environment import Environment, load_environment
from osiris_core.project.paths import Project, find_project
from osiris_core.project.settings import Loaded, Settings, load_settings

if TYPE_CHECKING:
    from collections.abc import Mapping


@attrs.frozen(kw_only=True)
class Workspace:
    """A project as a command finds it. ``registry`` is a call, because a command may know which plugins it needs."""

    environment: Environment
    loaded: Loaded

    @property
    def project(self) -> Project:
        """The project, with the folders that its settings name."""
        return self.loaded.project

    @property
    def settings(self) -> Settings:
        """The settings in force."""
        return self.loaded.settings

    def registry(self, *, only: frozenset[str] | None = None, notes: bool = True) -> Registry:
        """The plugins that the settings let in, of these ``only`` those named; with ``notes``, complaints on stderr."""
        plugins = self.settings.plugins
        registry = load_registry(allow=plugins.allow, block=plugins.block, only=only, strict=plugins.strict)
        if notes:
            _complain(registry)
        return registry


def open_workspace(*, start: Path | None = None, overrides: Mapping[str, Any] | None = None) -> Workspace:
    """The workspace of the folder ``start`` (default: the current one); warnings about settings go to stderr."""
    here = start or Path.cwd()
    project = find_project(here)
    environment = load_environment(project.root, os.environ, Path.cwd())
    loaded = load_settings(project, environment, overrides)
    print_diagnostics(loaded.warnings)
    return Workspace(environment=environment, loaded=loaded)


def _complain(registry: Registry) -> None:
    for info in registry.plugins:
        if info.unsound:
            print_diagnostics([attrs.evolve(diagnostic(info), severity=Severity.WARNING)])
        for warning in info.warnings:
            print_note(f"note: plugin '{info.id}' ({info.source}): {warning}")
