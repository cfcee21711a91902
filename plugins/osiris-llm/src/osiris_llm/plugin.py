"""The entry module: which providers there are, and nothing that talks to them."""

from __future__ import annotations

from osiris_core.api import LLMProviderSpec, hookimpl
from osiris_llm import config

OSIRIS_API = "1.0"


@hookimpl
def osiris_llm_providers() -> tuple[LLMProviderSpec, ...]:
    """The services, the compatible servers, the local model and the replay."""
    return (
        LLMProviderSpec(
            name="openai",
            ref="osiris_llm.openai_responses:provider",
            config=config.OpenAIConfig,
            summary="OpenAI's models, through the Responses API; nothing is stored there.",
        ),
        LLMProviderSpec(
            name="anthropic",
            ref="osiris_llm.anthropic_messages:provider",
            config=config.AnthropicConfig,
            summary="Anthropic's models, through the Messages API.",
        ),
        LLMProviderSpec(
            name="gemini",
            ref="osiris_llm.gemini_content:provider",
            config=config.GeminiConfig,
            summary="Google's Gemini models, by a key of the Gemini API.",
        ),
        LLMProviderSpec(
            name="openai_compatible",
            ref="osiris_llm.compatible:CompatibleProvider",
            config=config.CompatibleConfig,
            summary="Any server of Chat Completions: Ollama, vLLM, llama.cpp, Azure, OpenRouter.",
        ),
        LLMProviderSpec(
            name="local",
            ref="osiris_llm.local_gguf:LocalProvider",
            config=config.LocalConfig,
            summary="A model in a GGUF file, on this machine, without a key.",
        ),
        LLMProviderSpec(
            name="replay",
            ref="osiris_llm.replay:ReplayProvider",
            config=config.ReplayConfig,
            summary="Recorded calls, for demonstrations, tests and reports of defects; no model is asked.",
        ),
    )
