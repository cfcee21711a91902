"""Any server of Chat Completions. What it takes of JSON modes is found out once, and remembered."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from osiris_core.api import llm
from osiris_llm import chat
from osiris_llm.checkup import checkup
from osiris_llm.exchange import asked, exchanged
from osiris_llm.package import require
from osiris_llm.route import Route

if TYPE_CHECKING:
    from collections.abc import Iterator

    from osiris_llm.config import CompatibleConfig


class CompatibleProvider:
    """The provider ``openai_compatible``."""

    def __init__(self, config: CompatibleConfig, context: llm.ProviderContext) -> None:
        self._config = config
        self._memory = context.memory
        self._route = Route(
            provider="openai_compatible",
            base_url=config.base_url,
            key_names=(config.api_key_env,) if config.api_key_env else (),
            allow_insecure=config.allow_insecure,
            variables=context.variables,
        )

    def default_model(self) -> str | None:
        """The configured one."""
        return self._config.model

    def price(self, model: str) -> llm.Price | None:
        """Nobody knows."""
        return None

    def secrets(self) -> tuple[str, ...]:
        """The key, if there is one."""
        return self._route.secrets()

    def stream(self, request: llm.Request) -> Iterator[llm.Event]:
        """The reply, in the best dialect that the server takes."""
        require("openai", "openai")
        known = f"chat dialect of {self._config.base_url} {request.model}"
        any_mode = self._config.json_mode == "auto"
        dialect = chat.Dialect.remembered(self._memory.get(known))
        if self._config.json_mode != "auto":
            dialect = attrs.evolve(dialect, mode=self._config.json_mode)
        while True:
            said = False
            try:
                for event in exchanged(
                    self._route,
                    request,
                    self._config.max_output_tokens,
                    lambda exchange, tokens, dialect=dialect: chat.events(exchange, request, dialect, tokens),  # type: ignore[misc]
                ):
                    said = True
                    yield event
            except llm.LLMError as error:
                lower = None if said else dialect.without(error, request, any_mode=any_mode)
                if lower is None:
                    raise
                dialect, notice = lower
            else:
                return
            self._memory.put(known, str(dialect))
            yield llm.Notice(f"{self._route.provider}: {notice}")

    def models(self) -> tuple[str, ...]:
        """What the server lists."""
        require("openai", "openai")
        return asked(self._route, chat.models)

    def health(self, model: str) -> llm.ProviderHealth:
        """The package, the key, the server, the model and JSON."""
        return checkup(
            self, model, packages=("openai",), extra="openai", key=self._route.key, wanted=self._route.key_names
        )

    def close(self) -> None:
        """Nothing is kept open between calls."""
