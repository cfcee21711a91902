"""Which models are asked, in which order: chosen by the command line, else the environment, else ``osiris.yaml``.

What a provider takes stands in ``llm.providers`` under its name and is checked against its own config class. Facts
that providers find out about servers are kept in the project's ``.osiris`` folder.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import attrs

from osiris_core.chat.calling import Candidate
from osiris_core.errors import InvalidInput, OsirisError, PluginError
from osiris_core.model.structure import structure
from osiris_core.plugins.containment import contained
from osiris_core.project.paths import SETTINGS_FILE
from osiris_core.run.session import write_atomically
from osiris_core.spec.llm import LLMError, Price, ProviderContext, ProviderHealth

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from osiris_core.plugins.registry import Registry
    from osiris_core.project.environment import Environment
    from osiris_core.project.settings import Loaded
    from osiris_core.project.settings_model import LLMSettings
    from osiris_core.spec.llm import Event, LLMProvider, Request

NONE_CHOSEN: Final = "OSR-LLM-021"
BAD_CONFIG: Final = "OSR-LLM-023"
DEFECT: Final = "OSR-CHAT-016"
NO_MODEL: Final = "OSR-LLM-022"

MEMORY: Final = "llm.json"
LOCAL: Final = "local"
"""The provider of models that run on this machine, which are small."""


def guided_for(provider: str, settings: LLMSettings) -> bool:
    """Whether a model of ``provider`` gets the small form: as the settings say, else when it runs on this machine."""
    return provider == LOCAL if settings.guided is None else settings.guided


class FileMemory:
    """A memory in a JSON file; what cannot be read or written is as if it had never been."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def get(self, key: str) -> str | None:
        """What was kept."""
        value = self._read().get(key)
        return value if isinstance(value, str) else None

    def put(self, key: str, value: str) -> None:
        """Keep it."""
        kept = self._read()
        if kept.get(key) == value:
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(self._path, {**kept, key: value})
        except OSError:
            return

    def _read(self) -> dict[str, Any]:
        try:
            found = json.loads(self._path.read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}


@attrs.frozen
class Unmade:
    """Stands for a provider that cannot be made: each call fails with ``error``, and so does its check."""

    error: OsirisError

    def default_model(self) -> str | None:
        """None."""
        return None

    def price(self, model: str) -> Price | None:  # noqa: ARG002 - of a provider
        """Nobody knows."""
        return None

    def secrets(self) -> tuple[str, ...]:
        """None that is known."""
        return ()

    def stream(self, request: Request) -> Iterator[Event]:  # noqa: ARG002 - of a provider
        """The error."""
        raise self._failure()

    def models(self) -> tuple[str, ...]:
        """The error."""
        raise self._failure()

    def health(self, model: str) -> ProviderHealth:  # noqa: ARG002 - of a provider
        """One check, which failed."""
        return ProviderHealth(checks=(("settings", False, f"{self.error.message} [{self.error.code}]"),))

    def close(self) -> None:
        """Nothing is open."""

    def _failure(self) -> LLMError:
        return LLMError(self.error.code, self.error.message, hint=self.error.hint)


@attrs.frozen(kw_only=True)
class Providers:
    """What it takes to make providers of a project."""

    registry: Registry
    loaded: Loaded
    environment: Environment

    def chosen(self, provider: str | None = None, model: str | None = None) -> tuple[Candidate, ...]:
        """The models to ask, in order: the one that the command line names, or the settings; then the fallback.

        Raises OsirisError when the first one cannot be made. One of the fallback that cannot is :class:`Unmade`: it may
        never be needed.
        """
        settings = self.loaded.settings.llm
        name = provider or self.first()
        first = model if model or provider not in (None, settings.provider) else settings.model
        named = [(one.partition(":")[0], one.partition(":")[2] or None) for one in settings.fallback]
        return (self.candidate(name, first), *(self._fallback(name, model) for name, model in named))

    def _fallback(self, name: str, model: str | None) -> Candidate:
        try:
            return self.candidate(name, model)
        except OsirisError as error:
            return Candidate(provider_name=name, provider=Unmade(error), model=model or "model")

    def candidate(self, name: str, model: str | None = None) -> Candidate:
        """A provider with one of its models."""
        made = self.make(name)
        chosen = model or made.default_model()
        if chosen is None:
            hint = f"--model, llm.model, or llm.providers.{name}.model in {SETTINGS_FILE}"
            raise InvalidInput(NO_MODEL, f"the provider '{name}' has no model of its own choice", hint=hint)
        said = self.loaded.settings.llm.prices.get(f"{name}:{chosen}")
        price = made.price(chosen) if said is None else Price(input=said.input, output=said.output, cached=said.cached)
        return Candidate(provider_name=name, provider=made, model=chosen, price=price)

    def make(self, name: str) -> LLMProvider:
        """The provider ``name`` with its config; nothing is opened and no SDK imported."""
        spec = self.registry.llm_provider(name)
        given = self.loaded.settings.llm.providers.get(name) or {}
        config, findings = structure(spec.config, given, path=("llm", "providers", name))
        if config is None:
            raise InvalidInput(
                BAD_CONFIG,
                f"the provider '{name}' cannot be used as it is configured",
                hint=f"see llm.providers.{name} in {SETTINGS_FILE}",
                diagnostics=findings,
            )
        memory = FileMemory(self.loaded.project.root / ".osiris" / MEMORY)
        context = ProviderContext(variables=self.environment, memory=memory)
        factory = self.registry.load(spec.ref)
        outcome = contained(lambda: factory(config, context))
        if outcome.failure is not None:
            if isinstance(outcome.failure.error, OsirisError):
                raise outcome.failure.error
            message = f"the provider '{name}' cannot be made: {outcome.failure.message}"
            raise PluginError(DEFECT, message) from outcome.failure.error
        made: LLMProvider = outcome.get()
        return made

    def first(self) -> str:
        """The provider that is asked first: the one of the settings, or the only one that is configured."""
        settings = self.loaded.settings.llm
        if settings.provider is not None:
            return settings.provider
        configured: Mapping[str, Any] = settings.providers
        if len(configured) == 1:
            return next(iter(configured))
        known = ", ".join(spec.name for spec in self.registry.llm_providers())
        if not known:
            raise InvalidInput(
                NONE_CHOSEN, "no provider of models is installed", hint="pip install 'osiris-llm[openai]', say"
            )
        raise InvalidInput(
            NONE_CHOSEN,
            "no model is chosen",
            hint=f"--provider NAME, OSIRIS_LLM_PROVIDER, or llm.provider in {SETTINGS_FILE}: {known}",
        )
