"""Opens a conversation, or an evaluation, in the project of the current folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from osiris_core.chat.calling import Caller, Limits
from osiris_core.chat.evaluation.runner import Evaluator
from osiris_core.chat.providers import Providers
from osiris_core.chat.session import ChatSession, Choices, World
from osiris_core.chat.templates import load_templates
from osiris_core.plugins.registry import load_registry
from osiris_core.project.connections import load_connections
from osiris_core.project.environment import load_environment
from osiris_core.project.paths import find_project
from osiris_core.project.settings import load_settings

LOCAL = "local"
"""The provider of models that run in this process, which are small."""

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import ExitStack

    from osiris_core.chat.conversation import Front
    from osiris_core.chat.describing import Privacy
    from osiris_core.chat.evaluation.suite import Suite
    from osiris_core.redaction import Redactor


def open_session(
    front: Front,
    stack: ExitStack,
    *,
    redactor: Redactor,
    provider: str | None = None,
    model: str | None = None,
    privacy: Privacy = "standard",
    prompts: Path | None = None,
    fast: bool = False,
    out: Path | None = None,
    max_cost: float | None = None,
    resume: str | None = None,
) -> ChatSession:
    """A conversation in the project of the current folder; ``stack`` closes it and its providers.

    ``resume`` is the id of an earlier one, or ``last``.
    """
    world, providers = _opened(redactor, max_cost)
    make_caller = _caller(providers, stack, redactor=redactor, provider=provider, model=model, show=front.progress)
    choices = Choices(
        templates=load_templates(prompts),
        privacy=privacy,
        fast=fast,
        guided=_guided(providers, provider),
        out=out,
        resume=resume,
    )
    session = ChatSession(world, choices, front, make_caller)
    stack.callback(session.close)
    return session


def open_evaluator(
    suite: Suite,
    path: Path,
    stack: ExitStack,
    *,
    redactor: Redactor,
    provider: str | None = None,
    model: str | None = None,
    fast: bool = False,
    prompts: Path | None = None,
    max_cost: float | None = None,
) -> tuple[Evaluator, str]:
    """What runs ``suite`` with the model of the current folder's project, and that model's name."""
    world, providers = _opened(redactor, max_cost)
    make_caller = _caller(providers, stack, redactor=redactor, provider=provider, model=model, show=lambda _: None)
    evaluator = Evaluator(
        suite=suite,
        path=path,
        registry=world.registry,
        choices=Choices(templates=load_templates(prompts), fast=fast, guided=_guided(providers, provider)),
        make_caller=make_caller,
        redactor=redactor,
    )
    return evaluator, make_caller(lambda _name, _facts: None).candidates[0].name


def _guided(providers: Providers, provider: str | None) -> bool:
    """Whether the first model gets the small form: as the settings say, else when it runs on this machine."""
    settings = providers.loaded.settings.llm
    return (provider or settings.provider) == LOCAL if settings.guided is None else settings.guided


def _opened(redactor: Redactor, max_cost: float | None) -> tuple[World, Providers]:
    here = Path.cwd()
    project = find_project(here)
    environment = load_environment(project.root, os.environ, here)
    loaded = load_settings(project, environment, {"llm.max_cost": max_cost})
    plugins = loaded.settings.plugins
    registry = load_registry(allow=plugins.allow, block=plugins.block, strict=plugins.strict)
    world = World(
        loaded=loaded,
        environment=environment,
        registry=registry,
        connections=load_connections(loaded.project, registry),
        redactor=redactor,
    )
    return world, Providers(registry=registry, loaded=loaded, environment=environment)


def _caller(
    providers: Providers,
    stack: ExitStack,
    *,
    redactor: Redactor,
    provider: str | None,
    model: str | None,
    show: Callable[[str], None],
) -> Callable[[Callable[[str, Mapping[str, Any]], None]], Caller]:
    candidates = providers.chosen(provider, model)
    for one in candidates:
        stack.callback(one.provider.close)
    settings = providers.loaded.settings.llm
    limits = Limits(total=settings.timeout, cost=settings.max_cost)

    def make(listen: Callable[[str, Mapping[str, Any]], None]) -> Caller:
        return Caller(candidates, redactor=redactor, limits=limits, listen=listen, show=show)

    return make
