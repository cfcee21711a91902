"""Targets: where the executor runs, and how a manifest gets there and its record back.

A target never runs steps itself. ``prepare`` is pure and says what would be done (``--dry-run`` prints that and stops);
``execute`` runs it; ``collect`` brings the record home; ``close`` is always called.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from osiris_core.run.resources import limits_of
from osiris_core.run.units import Ending, cut

if TYPE_CHECKING:
    from collections.abc import Mapping

    from osiris_core.compile.manifest import Manifest
    from osiris_core.plugins.registry import Registry
    from osiris_core.project.connections import Connections
    from osiris_core.project.environment import Environment
    from osiris_core.project.settings import Loaded
    from osiris_core.run.api import RunOptions
    from osiris_core.run.outcome import RunOutcome


@attrs.frozen(kw_only=True)
class RunPlan:
    """What to run: the manifest, and whether in a process of its own."""

    manifest: Manifest
    isolate: bool = False


@attrs.frozen(kw_only=True)
class TargetContext:
    """What a target may use of the project it is called in."""

    loaded: Loaded
    registry: Registry
    environment: Environment
    connections: Connections
    options: RunOptions


@attrs.frozen(kw_only=True)
class PreparedRun:
    """What would be done; ``summary`` is the same as plain data, for people and ``--dry-run``."""

    target: str
    plan: RunPlan
    summary: Mapping[str, Any]


class LocalTarget:
    """Runs the executor here: in this process, or isolated in a child."""

    def prepare(self, plan: RunPlan, ctx: TargetContext) -> PreparedRun:
        """What would be done; looks at nothing but its arguments."""
        bounds = ctx.options.bounds
        summary = summary_of(plan, ctx.loaded) | {
            "bounds": attrs.asdict(bounds) if bounds.given else None,
            "labels": dict(ctx.options.labels),
        }
        return PreparedRun(target="local", plan=plan, summary=summary)

    def execute(self, prepared: PreparedRun, ctx: TargetContext) -> RunOutcome:
        """Run it to its end."""
        if prepared.plan.isolate:
            from osiris_core.run.isolate import run_isolated

            return run_isolated(prepared.plan.manifest, ctx)
        from osiris_core.run.api import run_manifest

        return run_manifest(
            prepared.plan.manifest,
            project=ctx.loaded.project,
            registry=ctx.registry,
            loaded_settings=ctx.loaded,
            environment=ctx.environment,
            connections=ctx.connections,
            options=ctx.options,
        )

    def collect(self, prepared: PreparedRun, ctx: TargetContext) -> None:
        """Nothing to do: the record is written where it belongs."""

    def close(self) -> None:
        """Nothing is held."""


def summary_of(plan: RunPlan, loaded: Loaded) -> dict[str, Any]:
    """What a run of ``plan`` would do, as plain data."""
    manifest = plan.manifest
    limits = limits_of(loaded.settings.run)
    units = cut(manifest)
    return {
        "pipeline": manifest.name,
        "manifest_hash": manifest.hash,
        "profile": manifest.profile,
        "params": dict(manifest.params),
        "target": "local",
        "isolate": plan.isolate,
        "jobs": limits.jobs,
        "timeout": limits.timeout,
        "retries": limits.attempts - 1,
        "steps": [
            {
                "id": step.id,
                "component": step.component,
                "mode": step.mode,
                "needs": list(step.needs),
                "connection": step.connection.ref if step.connection else None,
            }
            for step in manifest.steps
        ],
        "streams": [[step.id for step in unit.steps] for unit in units],
        "spooled": [unit.root.id for unit in units if unit.ending is Ending.SPOOL],
    }
