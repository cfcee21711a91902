"""``osiris llm``: which models there are, and whether they answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from osiris_core.cli.output import json_option, print_json, print_table, print_text, redactor, reporting
from osiris_core.cli.workspace import open_workspace
from osiris_core.errors import ExitCode, OsirisError

if TYPE_CHECKING:
    from osiris_core.chat.calling import Candidate
    from osiris_core.chat.providers import Providers

_MARKS = {True: "ok", False: "failed", None: "not tried"}


@click.group()
def llm() -> None:
    """List and check the providers of models."""


@llm.command("list")
@json_option
def list_(*, as_json: bool) -> None:
    """List the providers of models, and which of them a conversation would ask."""
    with reporting(as_json=as_json):
        providers = _providers(as_json=as_json)
        settings = providers.loaded.settings.llm
        rows = []
        for spec in providers.registry.llm_providers():
            owner = providers.registry.provider("llm_provider", spec.name)
            rows.append(
                {
                    "provider": spec.name,
                    "configured": spec.name in settings.providers,
                    "chosen": _place(providers, spec.name),
                    "distribution": owner.distribution,
                    "summary": spec.summary,
                }
            )
        if as_json:
            print_json({"ok": True, "providers": rows})
            return
        headers = ("provider", "chosen", "configured", "distribution", "summary")
        print_table(
            headers,
            [
                (r["provider"], r["chosen"], "yes" if r["configured"] else "", r["distribution"], r["summary"])
                for r in rows
            ],
        )


@llm.command()
@click.option("--provider", metavar="NAME", help="This provider instead of those that would be asked.")
@click.option("--model", metavar="NAME", help="This model.")
@json_option
def doctor(*, provider: str | None, model: str | None, as_json: bool) -> None:
    """Try the models that a conversation would ask, in order: package, key, service, model, JSON; a few tokens each.

    Exit 5 when one does not work.
    """
    with reporting(as_json=as_json, alone=True):
        checked = []
        for candidate in _candidates(_providers(as_json=as_json), provider, model):
            try:
                health = candidate.provider.health(candidate.model)
            finally:
                candidate.provider.close()
            checked.append((candidate.name, health))
        if as_json:
            print_json(
                {
                    "ok": all(health.ok for _, health in checked),
                    "models": [
                        {
                            "name": name,
                            "ok": health.ok,
                            "checks": [
                                {"check": what, "held": held, "said": said} for what, held, said in health.checks
                            ],
                        }
                        for name, health in checked
                    ],
                }
            )
        else:
            for name, health in checked:
                print_text(name)
                print_table(
                    ("  check", "result", "said"),
                    [(f"  {what}", _MARKS[held], said) for what, held, said in health.checks],
                )
        if not all(health.ok for _, health in checked):
            raise click.exceptions.Exit(int(ExitCode.UNUSABLE))


@llm.command()
@click.option("--provider", metavar="NAME", help="This provider instead of the one that would be asked first.")
@json_option
def models(*, provider: str | None, as_json: bool) -> None:
    """List the models that the service says it has."""
    with reporting(as_json=as_json, alone=True):
        providers = _providers(as_json=as_json)
        made = providers.make(provider or providers.first())
        for secret in made.secrets():
            redactor().register(secret)
        try:
            found = made.models()
        finally:
            made.close()
        if as_json:
            print_json({"ok": True, "models": list(found)})
        else:
            for name in found:
                print_text(name)


def _providers(*, as_json: bool) -> Providers:
    from osiris_core.chat.providers import Providers

    workspace = open_workspace()
    return Providers(
        registry=workspace.registry(notes=not as_json), loaded=workspace.loaded, environment=workspace.environment
    )


def _candidates(providers: Providers, provider: str | None, model: str | None) -> tuple[Candidate, ...]:
    found = providers.chosen(provider, model)
    for one in found:
        for secret in one.provider.secrets():
            redactor().register(secret)
    return found[:1] if provider else found


def _place(providers: Providers, name: str) -> str | None:
    """``first``, ``fallback``, or None."""
    try:
        first: Any = providers.first()
    except OsirisError:
        first = None
    if name == first:
        return "first"
    names = {one.partition(":")[0] for one in providers.loaded.settings.llm.fallback}
    return "fallback" if name in names else None
