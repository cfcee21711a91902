"""``osiris oml``: work with OML documents."""

from __future__ import annotations

from pathlib import Path

import click

from osiris_core.cli.output import json_option, reporting
from osiris_core.cli.pipeline import mode_option, open_for, param_option, parse_params, profile_option
from osiris_core.cli.validate import check_pipeline, report


@click.group()
def oml() -> None:
    """Work with OML documents."""


@oml.command()
@click.argument("file", type=click.Path(path_type=Path))
@profile_option
@param_option
@mode_option
@json_option
def validate(file: Path, *, profile: str | None, params: tuple[str, ...], mode: str | None, as_json: bool) -> None:
    """Check the OML document FILE; exit 2 when it has an error."""
    with reporting(as_json=as_json):
        workspace = open_for(file, overrides={"validation.mode": mode})
        report([check_pipeline(file, workspace, profile, parse_params(params))], as_json=as_json)
