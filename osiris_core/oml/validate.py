"""The one validator. ``validate``, ``oml validate``, ``compile``, chat and MCP all call :func:`validate`.

It reports everything it finds, each finding at its line, and never stops at the first. What a warning does is decided
by whoever shows it (:func:`accepted`); nothing turns an error off.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

import attrs

from osiris_core.diagnostics import Severity, did_you_mean, has_errors
from osiris_core.oml.connect import Chooser, check_profile_connections
from osiris_core.oml.destination import check_destinations
from osiris_core.oml.document import Catalog
from osiris_core.oml.findings import Findings
from osiris_core.oml.incremental import check_incremental
from osiris_core.oml.leaks import CODE as LEAK
from osiris_core.oml.leaks import HINT as LEAK_HINT
from osiris_core.oml.leaks import by_name, find_leaks
from osiris_core.oml.plan import make_plan
from osiris_core.oml.read import read_pipeline
from osiris_core.oml.steps import CheckedStep, StepChecker
from osiris_core.oml.substitute import Substitution
from osiris_core.oml.values import ENV_PREFIX, Chosen, check_profile_params, choose_values
from osiris_core.secret_shapes import secret_shape

if TYPE_CHECKING:
    from collections.abc import Iterable

    from osiris_core.diagnostics import Diagnostic, Path
    from osiris_core.model.yaml import Document
    from osiris_core.oml.document import Pipeline, ProfileDoc, StepDoc
    from osiris_core.plugins.registry import Registry
    from osiris_core.project.connections import Connections

ValidationMode = Literal["warn", "strict", "off"]


@attrs.frozen(kw_only=True)
class Validation:
    """What validating found. ``steps`` is in execution order and complete only when there is no error.

    ``params`` has the parameters that steps use; ``incomplete`` those of them that have no value yet.
    """

    pipeline: Pipeline
    steps: tuple[CheckedStep, ...]
    params: Mapping[str, Chosen]
    incomplete: tuple[str, ...]
    profile: ProfileDoc | None
    diagnostics: tuple[Diagnostic, ...]

    @property
    def ok(self) -> bool:
        """Whether there is no error."""
        return not has_errors(self.diagnostics)


def validate(
    document: Document,
    *,
    registry: Registry,
    connections: Connections | None,
    profile: str | None = None,
    params: Mapping[str, str] | None = None,
    environ: Mapping[str, str] | None = None,
    require_values: bool = False,
) -> Validation:
    """Check ``document`` against the contract, the installed components and the configured connections.

    ``connections`` is None where there is no project to look in: references are then checked for their form only.
    ``params`` is text from the command line; ``environ`` serves ``OSIRIS_PARAM_*``. With ``require_values`` a
    parameter without a value is an error; otherwise what depends on it is not judged.
    """
    findings = Findings(document, remedy=registry.remedy)
    pipeline = read_pipeline(document.data, findings)
    find_leaks(document, findings)
    if not isinstance(document.data, dict):
        profile = params = None  # that it is no pipeline says all that there is to say
    chosen_profile = _profile(pipeline, profile, connections, findings)
    cli = params or {}
    values = choose_values(pipeline.params, cli=cli, profile=chosen_profile, environ=environ or {}, findings=findings)
    _check_given(cli, values, findings)
    substitution = Substitution(
        params=pipeline.params, values={name: chosen.value for name, chosen in values.items()}, findings=findings
    )
    chooser = Chooser(connections=connections, profile=chosen_profile, findings=findings)
    plan = make_plan(pipeline.steps, findings)
    checker = StepChecker(registry=registry, substitution=substitution, chooser=chooser, findings=findings)
    checked = [checker.check(step, plan) for step in pipeline.steps]
    _check_params(pipeline, substitution, chosen_profile, findings, require_values=require_values)
    _check_applied(chosen_profile, chooser, findings)
    by_id = {step.id: step for step in checked if step is not None}
    check_destinations(by_id.values(), findings)
    if len(by_id) == len(pipeline.steps):  # else a step that is missing would seem not to be fed
        check_incremental(by_id.values(), registry, findings)
    if not findings.has_errors:
        resolved = attrs.evolve(pipeline, steps=tuple(_resolved(step, by_id) for step in pipeline.steps))
        findings.add(registry.validate_pipeline(resolved, _catalog(registry, connections)))
    return Validation(
        pipeline=pipeline,
        steps=tuple(by_id[step_id] for step_id in plan.order if step_id in by_id),
        params={name: values[name] for name in sorted(substitution.used) if name in values},
        incomplete=tuple(sorted(name for name in substitution.used if name not in values)),
        profile=chosen_profile,
        diagnostics=findings.sorted(),
    )


def accepted(diagnostics: Iterable[Diagnostic], mode: ValidationMode) -> tuple[tuple[Diagnostic, ...], bool]:
    """The findings to show in ``mode``, and whether they let the command go on.

    ``off`` hides warnings and notes; ``strict`` shows warnings as errors; errors are errors in every mode.
    """
    shown = []
    for item in diagnostics:
        if item.is_error or mode == "warn":
            shown.append(item)
        elif mode == "strict":
            is_warning = item.severity is Severity.WARNING
            shown.append(attrs.evolve(item, severity=Severity.ERROR) if is_warning else item)
    return tuple(shown), not has_errors(shown)


def _profile(
    pipeline: Pipeline, name: str | None, connections: Connections | None, findings: Findings
) -> ProfileDoc | None:
    for each in pipeline.profiles.values():
        check_profile_params(pipeline.params, each, findings)
        check_profile_connections(each, connections, findings)
    if name is None:
        return None
    if name not in pipeline.profiles:
        known = f"profiles: {', '.join(sorted(pipeline.profiles))}" if pipeline.profiles else "it declares none"
        hint = did_you_mean(name, pipeline.profiles) or known
        findings.command_line("OSR-OML-040", f"--profile {name}: the pipeline has no such profile", hint=hint)
        return None
    return pipeline.profiles[name]


def _check_given(cli: Mapping[str, str], values: Mapping[str, Chosen], findings: Findings) -> None:
    """Report values from outside the document that look like secrets: a manifest would hold them."""
    given = [(f"--param {name}", name, text) for name, text in cli.items()]
    given += [
        (ENV_PREFIX + name.upper(), name, str(each.value)) for name, each in values.items() if each.origin == "env"
    ]
    for source, name, text in given:
        shape = secret_shape(text) or by_name(name, text)
        if shape is not None:
            findings.secrets.add(text)
            findings.command_line(LEAK, f"the value of {source} looks like a secret ({shape})", hint=LEAK_HINT)


def _resolved(step: StepDoc, checked: Mapping[str, CheckedStep]) -> StepDoc:
    """``step`` with everything filled in that its author may leave out, as plugins see it."""
    if step.id is None or step.id not in checked:
        return step
    known = checked[step.id]
    wired = (
        {}
        if known.connection is None
        else {"connection": known.connection.ref, "connection_overrides": dict(known.connection.overrides)}
    )
    return attrs.evolve(step, needs=known.needs, config={**known.config, **wired})


def _check_params(
    pipeline: Pipeline,
    substitution: Substitution,
    profile: ProfileDoc | None,
    findings: Findings,
    *,
    require_values: bool,
) -> None:
    """Report parameters that nothing uses, and those without a value unless that is due to a finding already made."""
    for name in pipeline.params:
        path: Path = ("params", name)
        if name not in substitution.used:
            findings.warning(
                "OSR-OML-039",
                f"no step uses parameter '{name}'",
                path,
                hint=f"write `${{params.{name}}}` where it belongs, or remove it",
                key=True,
            )
        elif name not in substitution.values:
            of_profile: Path = ("profiles", profile.name, "params", name) if profile else path
            if findings.errors_below(path) or findings.errors_below(of_profile):
                continue
            hint = f"give it with `--param {name}=...`, a profile, OSIRIS_PARAM_{name.upper()} or a `default`"
            if require_values:
                findings.error("OSR-OML-032", f"parameter '{name}' has no value", path, hint=hint, key=True)
            else:
                findings.info("OSR-OML-032", f"parameter '{name}' has no value yet", path, hint=hint)


def _check_applied(profile: ProfileDoc | None, chooser: Chooser, findings: Findings) -> None:
    if profile is None:
        return
    for key in profile.connections:
        if key not in chooser.applied:
            what = (
                f"names '{key}'"
                if key.startswith("@")
                else f"of the family '{key}' leaves its connection to the default"
            )
            findings.warning(
                "OSR-OML-042",
                f"no step {what}, so this changes nothing",
                ("profiles", profile.name, "connections", key),
                hint="a family stands for steps without `connection`, a reference for steps that name it",
                key=True,
            )


def _catalog(registry: Registry, connections: Connections | None) -> Catalog:
    entries = connections.all() if connections is not None else ()
    return Catalog(
        components={spec.name: spec for spec in registry.components()},
        connections={entry.ref: entry.fields_set for entry in sorted(entries, key=lambda entry: entry.ref)},
    )
