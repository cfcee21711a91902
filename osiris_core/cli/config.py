"""``osiris config``: the settings in force and where each comes from."""

from __future__ import annotations

import json
from typing import Any

import click

from osiris_core.cli.output import json_option, print_json, print_table, reporting
from osiris_core.cli.workspace import open_workspace
from osiris_core.diagnostics import did_you_mean
from osiris_core.errors import InvalidInput
from osiris_core.project.settings import Setting, declared, variable_of


@click.group()
def config() -> None:
    """Show settings and where each comes from."""


@config.command()
@click.argument("names", metavar="[SETTING]...", nargs=-1)
@click.option("--origin", is_flag=True, help="Say where each value comes from, and which variable sets it.")
@json_option
def show(names: tuple[str, ...], origin: bool, as_json: bool) -> None:
    """Show the settings in force: all, those of a section (run), or single ones (run.jobs).

    A value comes from the command line, else from its OSIRIS_ variable (environment or .env file), else from
    osiris.yaml, else it is the default.
    """
    with reporting(as_json=as_json):
        loaded = open_workspace().loaded
        chosen = _chosen(names)
        values = loaded.values()
        if as_json:
            print_json(
                {
                    "ok": True,
                    "project": str(loaded.project.root),
                    "settings": {
                        setting.name: {
                            "value": values[setting.name],
                            "origin": loaded.origins[setting.name],
                            "variable": variable_of(setting.name),
                        }
                        for setting in chosen
                    },
                }
            )
            return
        if not origin:
            print_table(("setting", "value"), [(s.name, _shown(values[s.name])) for s in chosen])
            return
        rows = [(s.name, _shown(values[s.name]), loaded.origins[s.name], variable_of(s.name)) for s in chosen]
        print_table(("setting", "value", "origin", "variable"), rows)


def _chosen(names: tuple[str, ...]) -> list[Setting]:
    every = list(declared())
    if not names:
        return every
    chosen: list[Setting] = []
    for name in names:
        found = [setting for setting in every if name in (setting.name, setting.path[0])]
        if not found:
            known = [*(setting.name for setting in every), *(setting.path[0] for setting in every)]
            raise InvalidInput("OSR-SET-004", f"there is no setting '{name}'", hint=did_you_mean(name, known))
        chosen += [setting for setting in found if setting not in chosen]
    return chosen


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
