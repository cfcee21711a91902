"""The hooks a plugin may implement. All are synchronous, none stops at the first result, none gets a value to change.

An implementation is a function of the plugin's entry module marked ``@hookimpl``; it returns descriptions and imports
nothing heavy. Entry-point group: ``osiris.plugins.v1``; the entry point's name is the plugin's id.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pluggy

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from osiris_core.diagnostics import Diagnostic
    from osiris_core.spec.describe import (
        ComponentSpec,
        ConnectionSpec,
        DiscovererSpec,
        DriverSpec,
        LLMProviderSpec,
        SecretStoreSpec,
        TargetSpec,
    )

PROJECT: Final = "osiris"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def osiris_components() -> Iterable[ComponentSpec]:  # type: ignore[empty-body]
    """The components the plugin provides; called by list, validate, compile and chat."""


@hookspec
def osiris_drivers() -> Iterable[DriverSpec]:  # type: ignore[empty-body]
    """The drivers of the plugin's components; called when a manifest is prepared."""


@hookspec
def osiris_connections() -> Iterable[ConnectionSpec]:  # type: ignore[empty-body]
    """The connection families the plugin serves; called by ``connections`` and compile."""


@hookspec
def osiris_discoverers() -> Iterable[DiscovererSpec]:  # type: ignore[empty-body]
    """The catalogs the plugin can read; called by discover and chat."""


@hookspec
def osiris_llm_providers() -> Iterable[LLMProviderSpec]:  # type: ignore[empty-body]
    """The model providers of the plugin; called by chat and eval."""


@hookspec
def osiris_targets() -> Iterable[TargetSpec]:  # type: ignore[empty-body]
    """The execution targets of the plugin; called by ``run --target``."""


@hookspec
def osiris_secret_stores() -> Iterable[SecretStoreSpec]:  # type: ignore[empty-body]
    """The secret stores of the plugin, one URI scheme each; called when a secret is resolved, at run time."""


@hookspec
def osiris_validate_pipeline(pipeline: Any, catalog: Any) -> Iterable[Diagnostic]:  # type: ignore[empty-body]
    """Findings about a whole pipeline, at the end of validation; must be pure.

    ``pipeline`` has its steps as they would run, references of the chosen profile included; ``catalog.components`` has
    what is installed by name, ``catalog.connections`` for each reference the names of the fields that are set.
    """


@hookspec
def osiris_run_event(event: Mapping[str, Any]) -> None:
    """Observe one event of a run, after redaction. A failure is recorded and changes nothing.

    Called with one event at a time, in the order in which they are recorded, on the run's own threads: the run waits.
    With ``--isolate`` it is called outside of the sandbox, in the process that the user has started.
    """
