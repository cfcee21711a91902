"""One step against what is installed and configured: component, mode, placeholders, connection, config, SQL."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import attrs

from osiris_core.diagnostics import did_you_mean
from osiris_core.errors import OsirisError
from osiris_core.model.structure import structure, unstructure
from osiris_core.oml.document import MODE_OF_ROLE, Mode
from osiris_core.oml.sql import check_bindings, has_bindings, sql_fields, substitute_sql
from osiris_core.spec.describe import RESERVED_CONFIG

if TYPE_CHECKING:
    from osiris_core.diagnostics import Path
    from osiris_core.oml.connect import Choice, Chooser
    from osiris_core.oml.document import StepDoc
    from osiris_core.oml.findings import Findings
    from osiris_core.oml.plan import Plan
    from osiris_core.oml.substitute import Substitution
    from osiris_core.plugins.registry import Registry
    from osiris_core.spec.describe import ComponentSpec

_CONFIG_DEPTH: Final = len(("steps", 0, "config"))
_DOES: Final = {Mode.EXTRACT: "extracts", Mode.TRANSFORM: "transforms", Mode.WRITE: "writes"}


@attrs.frozen(kw_only=True)
class CheckedStep:
    """A step whose component, config and connection are known to fit. ``config`` is plain, with every default."""

    id: str
    component: ComponentSpec
    mode: Mode
    needs: tuple[str, ...]
    config: Mapping[str, Any]
    connection: Choice | None
    doc: StepDoc


@attrs.frozen(kw_only=True)
class StepChecker:
    """Checks the steps of one document."""

    registry: Registry
    substitution: Substitution
    chooser: Chooser
    findings: Findings

    def check(self, step: StepDoc, plan: Plan) -> CheckedStep | None:
        """``step`` with everything resolved; None when something about it is wrong (a finding)."""
        spec = self._component(step)
        if spec is None:
            self.substitution.apply(dict(step.config), ("steps", step.index, "config"))
            return None
        mode = MODE_OF_ROLE[spec.role]
        if step.mode is not None and step.mode is not mode:
            message = f"{spec.name} {_DOES[mode]}, so its mode is '{mode}', not '{step.mode}'"
            self.findings.error("OSR-OML-014", message, ("steps", step.index, "mode"), hint=f"write `mode: {mode}`")
        config, connection = self._config(step, spec)
        if config is None or step.id is None or step.mode is not mode:
            return None
        return CheckedStep(
            id=step.id,
            component=spec,
            mode=mode,
            needs=plan.needs[step.id],
            config=config,
            connection=connection,
            doc=step,
        )

    def _component(self, step: StepDoc) -> ComponentSpec | None:
        if step.component is None:
            return None
        try:
            return self.registry.component(step.component)
        except OsirisError as error:
            self.findings.error("OSR-OML-015", error.message, ("steps", step.index, "component"), hint=error.hint)
            return None

    def _config(self, step: StepDoc, spec: ComponentSpec) -> tuple[Mapping[str, Any] | None, Choice | None]:
        path: Path = ("steps", step.index, "config")
        substitution = self.substitution
        seen_references, seen_uncertain = len(substitution.references), len(substitution.uncertain)
        full = self._substituted(step, spec, path)
        uncertain = len(substitution.uncertain) > seen_uncertain
        connection = self.chooser.choose(spec, full, path)
        own = {key: value for key, value in full.items() if key not in RESERVED_CONFIG}
        position = self.findings.position
        instance: Any  # of the class spec.config, which no type checker knows
        instance, found = structure(spec.config, own, path=path, position=position, placeholders=uncertain)
        self.findings.add(found)
        if has_bindings(spec.config):
            check_bindings(sql_fields(spec.config), own, path, spec.sql_dialect, self.findings)
        for place, text in substitution.references[seen_references:]:
            if place[_CONFIG_DEPTH] not in RESERVED_CONFIG:  # the connection's own rules judge those
                self._refuse_reference(spec, place, text)
        return (None if instance is None else unstructure(instance)), connection

    def _substituted(self, step: StepDoc, spec: ComponentSpec, path: Path) -> dict[str, Any]:
        """The step's config with its parameters filled in."""
        sql = sql_fields(spec.config)
        binds = has_bindings(spec.config)
        full: dict[str, Any] = {}
        for key, value in step.config.items():
            if key in sql:
                dialect = spec.sql_dialect
                full[key] = substitute_sql(value, (*path, key), self.substitution, dialect=dialect, binds=binds)
            else:
                full |= self.substitution.apply({key: value}, path)
        return full

    def _refuse_reference(self, spec: ComponentSpec, place: Path, text: str) -> None:
        """Refuse a ``${NAME}``: what reads the environment, or holds a secret, is a connection."""
        name = text[2:-1]
        params = self.substitution.params
        hint = did_you_mean(name, (f"params.{param}" for param in params))
        if name in params:
            hint = f"a parameter is written `${{params.{name}}}`"
        self.findings.error_in_text(
            "OSR-OML-036",
            f"'{text}' cannot stand here: a pipeline does not read the environment",
            place,
            text,
            hint=hint or f"declare a parameter, or put it into osiris_connections.yaml; {_literal(spec, place)}",
        )


def _literal(spec: ComponentSpec, place: Path) -> str:
    if place[_CONFIG_DEPTH] in sql_fields(spec.config):
        return "a literal is written `'$' || '{...}'` in SQL"
    return "`$${` stands for a literal `${`"
