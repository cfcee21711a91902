"""The entry module: which providers there are, and nothing that talks to them."""

from __future__ import annotations

from osiris_core.api import LLMProviderSpec, hookimpl
from osiris_llm import config

OSIRIS_API = "1.0"


@hookimpl
def osiris_llm_providers() -> tuple[LLMProviderSpec, ...]:
    """The compatible servers and the replay."""
    return (
        LLMProviderSpec(
            name="openai_compatible",
            ref="osiris_llm.compatible:CompatibleProvider",
            config=config.CompatibleConfig,
            summary="Any server of Chat Completions: Ollama, vLLM, llama.cpp, Azure, OpenRouter.",
        ),
        LLMProviderSpec(
            name="replay",
            ref="osiris_llm.replay:ReplayProvider",
            config=config.ReplayConfig,
            summary="Recorded calls, for demonstrations, tests and reports of defects; no model is asked.",
        ),
    )
