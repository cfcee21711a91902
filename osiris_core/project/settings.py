"""Reads a project's settings: command line > ``OSIRIS_<SECTION>_<KEY>`` > ``osiris.yaml`` > default.

Each value remembers where it came from: ``cli``, ``env:OSIRIS_RUN_JOBS`` (with the file, when a ``.env`` set it),
``file osiris.yaml:3`` or ``default``.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import attrs

from osiris_core.diagnostics import Diagnostic, Severity, did_you_mean, has_errors
from osiris_core.errors import InvalidInput
from osiris_core.model import yaml
from osiris_core.model.shape import Group, Shape, shape_of
from osiris_core.model.structure import structure, unstructure
from osiris_core.project.literals import parse_text
from osiris_core.project.paths import SETTINGS_FILE, Project
from osiris_core.project.settings_model import Settings
from osiris_core.project.textfile import has_content, read_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from osiris_core.project.environment import Environment

__all__ = ["Loaded", "Setting", "Settings", "declared", "load_settings", "variable_of"]

REFUSED: Final = "OSR-SET-001"
VARIABLE: Final = "OSR-SET-002"
UNKNOWN_VARIABLE: Final = "OSR-SET-003"
OPTION: Final = "OSR-SET-004"
UNREADABLE: Final = "OSR-SET-005"

_PREFIX: Final = "OSIRIS_"
_SHORT: Final = {"OSIRIS_VALIDATION": "validation.mode"}
"""Variables that stand for a setting under a shorter name; the full name wins."""


class Setting(NamedTuple):
    """A declared setting: its dotted name, what it accepts, and its description."""

    name: str
    shape: Shape
    doc: str

    @property
    def path(self) -> tuple[str, str]:
        """Section and key."""
        section, _, key = self.name.partition(".")
        return section, key


@attrs.frozen(kw_only=True)
class Loaded:
    """The settings in force, the origin of each by dotted name, and what should be said about them.

    ``project`` is the project with the folders that the settings name.
    """

    settings: Settings
    origins: Mapping[str, str]
    project: Project
    warnings: tuple[Diagnostic, ...] = ()

    def event_enabled(self, name: str) -> bool:
        """Whether ``logging.events`` lets an event of that name into the record."""
        patterns = self.settings.logging.events
        enabled = bool(patterns) and patterns[0].startswith("!")
        for pattern in patterns:
            if fnmatchcase(name, pattern.removeprefix("!")):
                enabled = not pattern.startswith("!")
        return enabled

    def values(self) -> dict[str, Any]:
        """Every setting's value by dotted name, as plain data, in the order of declaration."""
        data = unstructure(self.settings)
        return {setting.name: data[setting.path[0]][setting.path[1]] for setting in declared()}


def declared() -> Iterator[Setting]:
    """Every setting there is, in the order of declaration."""
    for section in shape_of(Settings).members:
        assert isinstance(section.shape, Group)
        for member in section.shape.members:
            yield Setting(f"{section.name}.{member.name}", member.shape, member.info.doc)


def variable_of(name: str) -> str:
    """The environment variable that sets the setting ``name``: ``run.jobs`` -> ``OSIRIS_RUN_JOBS``."""
    return _PREFIX + name.replace(".", "_").upper()


def load_settings(project: Project, environment: Environment, overrides: Mapping[str, Any] | None = None) -> Loaded:
    """The settings of ``project``.

    ``overrides`` are the command line's, by dotted name; None means that an option was not given. Everything that is
    wrong with them, with the variables and with the file is raised together as one InvalidInput.
    """
    known = {setting.name: setting for setting in declared()}
    findings: list[Diagnostic] = []
    merged: dict[str, dict[str, Any]] = {}
    origins = dict.fromkeys(known, "default")
    layers = (
        _from_file(project, known, findings),
        _from_environment(environment, known, findings),
        _from_options(overrides or {}, known, findings),
    )
    for layer in layers:
        for name, (value, origin) in layer.items():
            section, key = known[name].path
            merged.setdefault(section, {})[key] = value
            origins[name] = origin
    settings: Settings | None = None
    if not has_errors(findings):
        settings, problems = structure(Settings, merged)
        findings += problems
    if settings is None or has_errors(findings):
        errors = [finding for finding in findings if finding.is_error]
        raise InvalidInput(REFUSED, "the settings cannot be used", diagnostics=errors)
    placed = Project(project.root, build_folder=settings.build.dir, logs_folder=settings.logging.dir)
    warnings = (*findings, *_unknown_variables(environment, known))
    return Loaded(settings=settings, origins=origins, project=placed, warnings=warnings)


_Layer = dict[str, tuple[Any, str]]


def _from_file(project: Project, known: Mapping[str, Setting], findings: list[Diagnostic]) -> _Layer:
    text = read_text(project.settings_file, shown=SETTINGS_FILE, code=UNREADABLE)
    if text is None or not has_content(text):
        return {}
    document = yaml.load(text, file=SETTINGS_FILE)
    data = document.data
    if isinstance(data, dict):  # a section whose every line is a comment
        data = {key: value for key, value in data.items() if value is not None or key not in _sections(known)}
    _, problems = structure(Settings, data, position=document.position)
    findings += problems
    if has_errors(problems):
        return {}
    layer: _Layer = {}
    for name, setting in known.items():
        section, key = setting.path
        if key in data.get(section, {}):
            position = document.position((section, key), key=True)
            layer[name] = (data[section][key], f"file {SETTINGS_FILE}:{position.line}")
    return layer


def _from_environment(environment: Environment, known: Mapping[str, Setting], findings: list[Diagnostic]) -> _Layer:
    layer: _Layer = {}
    variables = {**_SHORT, **{variable_of(name): name for name in known}}
    for variable, name in variables.items():
        text = environment.get(variable)
        if text is None:
            continue
        source = environment.origin(variable)
        place = "" if source == "environment" else f" ({source})"
        try:
            value = parse_text(known[name].shape, text)
        except ValueError as error:
            findings.append(Diagnostic(code=VARIABLE, message=f"{variable}{place} sets {name}: {error}"))
            continue
        problems = _problems(known[name], value)
        findings += [attrs.evolve(p, code=VARIABLE, message=f"{variable}{place}: {p.message}") for p in problems]
        if not problems:
            layer[name] = (value, f"env:{variable}{place}")
    return layer


def _from_options(overrides: Mapping[str, Any], known: Mapping[str, Setting], findings: list[Diagnostic]) -> _Layer:
    layer: _Layer = {}
    for name, value in overrides.items():
        if value is None:
            continue
        if name not in known:
            hint = did_you_mean(name, known)
            findings.append(Diagnostic(code=OPTION, message=f"there is no setting '{name}'", hint=hint))
            continue
        plain = list(value) if isinstance(value, tuple) else value
        problems = _problems(known[name], plain)
        findings += [attrs.evolve(p, code=OPTION, message=f"command line: {p.message}") for p in problems]
        if not problems:
            layer[name] = (plain, "cli")
    return layer


def _problems(setting: Setting, value: Any) -> list[Diagnostic]:
    section, key = setting.path
    _, problems = structure(Settings, {section: {key: value}})
    return problems


def _sections(known: Mapping[str, Setting]) -> set[str]:
    return {setting.path[0] for setting in known.values()}


def _unknown_variables(environment: Environment, known: Mapping[str, Setting]) -> Iterator[Diagnostic]:
    sections = _sections(known)
    variables = {*_SHORT, *map(variable_of, known)}
    for variable in sorted(environment):
        if not variable.startswith(_PREFIX) or variable in variables:
            continue
        if variable.removeprefix(_PREFIX).partition("_")[0].lower() in sections:
            yield Diagnostic(
                code=UNKNOWN_VARIABLE,
                severity=Severity.WARNING,
                message=f"{variable} ({environment.origin(variable)}) sets nothing",
                hint=did_you_mean(variable, variables),
            )
