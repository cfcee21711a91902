"""The ladder that a pipeline has to climb before anyone is asked about it, each rung dearer than the one before.

The one validator, the compiler, then every driver in order: each extract is prepared on its server, each transform is
bound to no rows of the columns before it, each writer says whether it would accept what it would get. Nothing is read
and nothing is written. All that is wrong on a rung is reported; the next is climbed only when there is nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from osiris_core.compile.compiler import compile_document
from osiris_core.diagnostics import Diagnostic
from osiris_core.errors import ExitCode, InvalidInput, OsirisError
from osiris_core.model import yaml
from osiris_core.run.bind import bind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from osiris_core.compile.manifest import Manifest, ManifestStep
    from osiris_core.plugins.registry import Registry
    from osiris_core.project.connections import Connections
    from osiris_core.project.settings import Settings
    from osiris_core.run.bind import BoundStep
    from osiris_core.run.state import Limits


@attrs.frozen(kw_only=True)
class Proof:
    """What is known of a pipeline: the manifest, its steps as bound, and what is wrong with it.

    ``unusable`` is an error that no other pipeline would avoid: a connection that does not work.
    """

    findings: tuple[Diagnostic, ...] = ()
    warnings: tuple[Diagnostic, ...] = ()
    manifest: Manifest | None = None
    bound: tuple[BoundStep, ...] = ()
    unusable: OsirisError | None = None

    @property
    def holds(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings and self.unusable is None


@attrs.frozen(kw_only=True)
class Prover:
    """What proving takes: the project's plugins, connections and limits. ``clean`` redacts."""

    registry: Registry
    connections: Connections
    connect: Callable[[ManifestStep], Any]
    settings: Settings
    limits: Limits
    root: Path
    environment: Mapping[str, str]
    clean: Callable[[str], str]

    def prove(self, oml: str, *, file: str) -> Proof:
        """Climb the ladder with an OML text; ``file`` is what findings call it."""
        try:
            compiled = compile_document(
                yaml.load(oml, file=file),
                registry=self.registry,
                connections=self.connections,
                environment=self.environment,
                strict_types=self.settings.types.strict,
                mode=self.settings.validation.mode,
            )
        except InvalidInput as error:
            own = Diagnostic(code=error.code, message=error.message, hint=error.hint)
            return Proof(findings=tuple(one for one in error.diagnostics if one.is_error) or (own,))
        bound = bind(
            compiled.manifest,
            registry=self.registry,
            connect=self.connect,
            limits=self.limits,
            project_root=self.root,
            clean=self.clean,
        )
        failed = [one for one in bound if one.error is not None]
        unusable = next(
            (one.error for one in failed if one.error is not None and one.error.exit_code is ExitCode.UNUSABLE), None
        )
        return Proof(
            findings=tuple(_finding(one) for one in failed if one.error is not unusable),
            warnings=tuple(compiled.diagnostics),
            manifest=compiled.manifest,
            bound=bound,
            unusable=unusable,
        )


def _finding(one: BoundStep) -> Diagnostic:
    assert one.error is not None
    return Diagnostic(code=one.error.code, message=one.error.message, path=("steps", one.id), hint=one.error.hint)
