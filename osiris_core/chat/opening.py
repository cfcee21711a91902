"""Opens a conversation, or an evaluation, with the models that a project names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from osiris_core.chat.calling import Caller, Limits
from osiris_core.chat.evaluation.runner import Evaluator
from osiris_core.chat.providers import Providers, Unmade, guided_for
from osiris_core.chat.session import ChatSession, Choices
from osiris_core.chat.templates import load_templates
from osiris_core.spec.llm import Timeouts

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import ExitStack
    from pathlib import Path

    from osiris_core.chat.calling import Listener
    from osiris_core.chat.conversation import Front
    from osiris_core.chat.describing import Privacy
    from osiris_core.chat.evaluation.suite import Suite
    from osiris_core.chat.session import World


def open_session(
    world: World,
    front: Front,
    stack: ExitStack,
    *,
    provider: str | None = None,
    model: str | None = None,
    privacy: Privacy = "standard",
    prompts: Path | None = None,
    fast: bool = False,
    out: Path | None = None,
    resume: str | None = None,
    asks: bool = True,
) -> ChatSession:
    """A conversation in the project of ``world``; ``stack`` closes it and its providers.

    ``resume`` is the id of an earlier one, or ``last``. One that ``asks`` no model needs none.
    """
    if asks:
        make_caller = _caller(world, stack, provider=provider, model=model, show=front.progress)
    else:

        def make_caller(listen: Listener) -> Caller:
            return Caller((), redactor=world.redactor, limits=Limits(), listen=listen)

    choices = Choices(
        templates=load_templates(prompts),
        privacy=privacy,
        fast=fast,
        guided=asks and _guided(_providers(world), provider),
        out=out,
        resume=resume,
    )
    session = ChatSession(world, choices, front, make_caller)
    stack.push(lambda _kind, error, _trace: session.close(error))
    return session


def open_evaluator(
    world: World,
    suite: Suite,
    path: Path,
    stack: ExitStack,
    *,
    provider: str | None = None,
    model: str | None = None,
    fast: bool = False,
    prompts: Path | None = None,
) -> tuple[Evaluator, str]:
    """What runs ``suite`` with the model of the project of ``world``, and that model's name."""
    providers = _providers(world)
    make_caller = _caller(world, stack, provider=provider, model=model, show=lambda _: None)
    evaluator = Evaluator(
        suite=suite,
        path=path,
        registry=world.registry,
        choices=Choices(templates=load_templates(prompts), fast=fast, guided=_guided(providers, provider)),
        make_caller=make_caller,
        redactor=world.redactor,
    )
    return evaluator, make_caller(lambda _: None).candidates[0].name


def _guided(providers: Providers, provider: str | None) -> bool:
    """Whether the first model gets the small form."""
    return guided_for(provider or providers.first(), providers.loaded.settings.llm)


def _providers(world: World) -> Providers:
    return Providers(registry=world.registry, loaded=world.loaded, environment=world.environment)


def _caller(
    world: World,
    stack: ExitStack,
    *,
    provider: str | None,
    model: str | None,
    show: Callable[[str], None],
) -> Callable[[Listener], Caller]:
    providers = _providers(world)
    candidates = providers.chosen(provider, model)
    for one in candidates:
        stack.callback(one.provider.close)
        if isinstance(one.provider, Unmade):
            show(f"{one.name} could not be asked: {one.provider.error.message}")
    settings = providers.loaded.settings.llm
    # A model on this machine reads a long prompt for a minute or two before its first word.
    timeouts = Timeouts(total=settings.timeout)
    if _guided(providers, provider):
        timeouts = attrs.evolve(timeouts, first=settings.timeout)
    limits = Limits(cost=settings.max_cost, timeouts=timeouts)

    def make(listen: Listener) -> Caller:
        return Caller(candidates, redactor=world.redactor, limits=limits, listen=listen, show=show)

    return make
