"""The ladder that a pipeline has to climb before anyone is asked about it, each rung dearer than the one before.

The one validator, which also proves of each SQL that it reads only, in its own dialect; the compiler; then every driver
in order: each extract's columns are looked up in the catalog and each of its queries is prepared on its server, with
the server's own limit of time; each transform is bound to no rows of the columns before it in the locked DuckDB; each
writer says whether it would accept what it would get. No row is read and nothing is written. All that is wrong on a
rung is reported; the next is climbed only when there is nothing.

Conversations, ``osiris validate --bind`` and ``osiris explain`` climb this one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from osiris_core.compile.compiler import compile_document
from osiris_core.diagnostics import Diagnostic
from osiris_core.errors import ExitCode, InvalidInput, OsirisError
from osiris_core.model import yaml
from osiris_core.run.api import connector
from osiris_core.run.bind import bind
from osiris_core.run.resources import limits_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from osiris_core.compile.manifest import Manifest, ManifestStep
    from osiris_core.model.yaml import Document
    from osiris_core.plugins.registry import Registry
    from osiris_core.project.connections import Connections
    from osiris_core.project.environment import Environment
    from osiris_core.project.settings import Loaded
    from osiris_core.redaction import Redactor
    from osiris_core.run.bind import BoundStep


@attrs.frozen(kw_only=True)
class Proof:
    """What is known of a pipeline: the manifest, its steps as bound, and what is wrong with it.

    ``unreachable`` is what no other text of the pipeline would mend: connections that do not work; ``unusable`` is the
    first of these errors.
    """

    findings: tuple[Diagnostic, ...] = ()
    unreachable: tuple[Diagnostic, ...] = ()
    warnings: tuple[Diagnostic, ...] = ()
    manifest: Manifest | None = None
    bound: tuple[BoundStep, ...] = ()
    unusable: OsirisError | None = None

    @property
    def holds(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings and self.unusable is None

    @property
    def exit_code(self) -> ExitCode:
        """How a command ends that found this: invalid, unless nothing but connections stands in the way."""
        if self.findings:
            return ExitCode.INVALID
        return ExitCode.OK if self.unusable is None else ExitCode.UNUSABLE


@attrs.frozen(kw_only=True)
class Prover:
    """What proving takes: a project with its plugins and connections, and what redacts."""

    loaded: Loaded
    environment: Environment
    registry: Registry
    connections: Connections
    redactor: Redactor

    def prove_text(self, oml: str, *, file: str) -> Proof:
        """Climb the whole ladder with an OML text, which findings call ``file``."""
        try:
            document = yaml.load(oml, file=file)
        except InvalidInput as error:
            return Proof(findings=_errors_of(error))
        return self.prove(document)

    def prove(
        self, document: Document, *, profile: str | None = None, params: Mapping[str, str] | None = None
    ) -> Proof:
        """Climb the whole ladder with an OML document; findings carry the place of their step in it."""
        settings = self.loaded.settings
        try:
            compiled = compile_document(
                document,
                registry=self.registry,
                connections=self.connections,
                profile=profile,
                params=params,
                environment=self.environment,
                strict_types=settings.types.strict,
                mode=settings.validation.mode,
            )
        except InvalidInput as error:
            return Proof(findings=_errors_of(error))
        return attrs.evolve(self.bound(compiled.manifest, document), warnings=tuple(compiled.diagnostics))

    def bound(self, manifest: Manifest, document: Document | None = None) -> Proof:
        """Climb the rungs of the drivers alone with a manifest, which was made of ``document`` if there is one."""
        bound = bind(
            manifest,
            registry=self.registry,
            connect=self._connect(),
            limits=limits_of(self.loaded.settings.run),
            project_root=self.loaded.project.root,
            reserved=self.loaded.project.reserved,
            clean=self.redactor.text,
        )
        findings, unreachable, unusable = [], [], None
        for one in bound:
            if one.error is None:
                continue
            found = _finding(one, one.error, document)
            if one.error.exit_code is ExitCode.UNUSABLE:
                unreachable.append(found)
                unusable = unusable or one.error
            else:
                findings.append(found)
        return Proof(
            findings=tuple(findings),
            unreachable=tuple(unreachable),
            manifest=manifest,
            bound=bound,
            unusable=unusable,
        )

    def _connect(self) -> Callable[[ManifestStep], Any]:
        return connector(self.connections, self.environment, self.registry, self.redactor)


def _errors_of(error: InvalidInput) -> tuple[Diagnostic, ...]:
    own = Diagnostic(code=error.code, message=error.message, hint=error.hint)
    return tuple(one for one in error.diagnostics if one.is_error) or (own,)


def _finding(one: BoundStep, error: OsirisError, document: Document | None) -> Diagnostic:
    """A step's error as a finding; its path names the step, its position is where the step stands."""
    position = None
    if document is not None:
        ids = [step.get("id") for step in document.data["steps"]]
        position = document.position(("steps", ids.index(one.id)) if one.id in ids else ("steps",))
    return Diagnostic(
        code=error.code, message=error.message, path=("steps", one.id), position=position, hint=error.hint
    )
