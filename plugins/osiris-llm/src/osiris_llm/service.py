"""A provider of a hosted service: what the three have in common, around what each speaks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from osiris_core.api import llm
from osiris_llm.catalog import default_of, last_day_of, price_of
from osiris_llm.checkup import checkup
from osiris_llm.exchange import asked, exchanged
from osiris_llm.package import require
from osiris_llm.route import Route

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from osiris_llm.config import AnthropicConfig, OpenAIConfig
    from osiris_llm.exchange import Exchange


def bearer_service(
    name: str,
    config: OpenAIConfig | AnthropicConfig,
    context: llm.ProviderContext,
    *,
    speak: Callable[[Exchange, llm.Request, int], Iterator[llm.Event]],
    list_models: Callable[[Exchange], tuple[str, ...]],
) -> Service:
    """A service whose key is the bearer token of one variable, and whose SDK is called like the provider ``name``."""
    route = Route(
        provider=name,
        base_url=config.base_url,
        key_names=(config.api_key_env,),
        allow_insecure=config.allow_insecure,
        variables=context.variables,
    )
    return Service(
        route=route,
        package=name,
        speak=speak,
        list_models=list_models,
        model=config.model,
        max_output_tokens=config.max_output_tokens,
    )


@attrs.frozen(kw_only=True)
class Service:
    """``speak`` makes one call and yields its events, ``list_models`` asks for the models; ``package`` is the SDK's
    module, in the extra of the provider's own name. ``max_output_tokens`` bounds every reply.
    """

    route: Route
    package: str
    speak: Callable[[Exchange, llm.Request, int], Iterator[llm.Event]]
    list_models: Callable[[Exchange], tuple[str, ...]]
    model: str | None
    max_output_tokens: int | None

    def default_model(self) -> str | None:
        """The configured one, else the one that ships as default."""
        return self.model or default_of(self.route.provider)

    def price(self, model: str) -> llm.Price | None:
        """What the catalog knows."""
        return price_of(self.route.provider, model)

    def secrets(self) -> tuple[str, ...]:
        """The keys that the variables hold."""
        return self.route.secrets()

    def stream(self, request: llm.Request) -> Iterator[llm.Event]:
        """The reply as it comes."""
        require(self.package, self.route.provider)
        yield from exchanged(
            self.route,
            request,
            self.max_output_tokens,
            lambda exchange, tokens: self.speak(exchange, request, tokens),
        )

    def models(self) -> tuple[str, ...]:
        """What the service lists."""
        require(self.package, self.route.provider)
        return asked(self.route, self.list_models)

    def health(self, model: str) -> llm.ProviderHealth:
        """The package, the key, the service, the model and JSON."""
        return checkup(
            self,
            model,
            packages=(self.package,),
            extra=self.route.provider,
            key=self.route.key,
            wanted=self.route.key_names,
            last_day=last_day_of(self.route.provider, model),
        )

    def close(self) -> None:
        """Nothing is kept open between calls."""
