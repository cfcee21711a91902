"""``osiris schema``: JSON Schemas for editors and other tools."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from osiris_core.cli.output import print_json, print_note, reporting
from osiris_core.cli.workspace import open_workspace
from osiris_core.discovery.document import document_schema
from osiris_core.errors import RunFailed
from osiris_core.model.schema import json_schema
from osiris_core.oml.schema import oml_schema
from osiris_core.project.settings import Settings

_out_option = click.option("--out", metavar="FILE", type=click.Path(path_type=Path), help="Write it to a file.")
_json_option = click.option("--json", "as_json", is_flag=True, help="The schema is JSON in any case; so become errors.")


@click.group()
def schema() -> None:
    """Print JSON Schemas (2020-12) for editors."""


@schema.command()
@_out_option
@_json_option
def oml(out: Path | None, *, as_json: bool) -> None:
    """Print the schema of whole pipelines with the components installed here.

    An editor uses it through a first line `# yaml-language-server: $schema=...` in a pipeline.
    """
    with reporting(as_json=as_json):
        _give(oml_schema(open_workspace().registry()), out)


@schema.command()
@_out_option
@_json_option
def settings(out: Path | None, *, as_json: bool) -> None:
    """Print the schema of osiris.yaml."""
    with reporting(as_json=as_json):
        _give(json_schema(Settings), out)


@schema.command()
@_out_option
@_json_option
def discovery(out: Path | None, *, as_json: bool) -> None:
    """Print the schema of what `osiris discover --json` prints."""
    with reporting(as_json=as_json):
        _give(document_schema(), out)


def _give(document: dict[str, Any], out: Path | None) -> None:
    if out is None:
        print_json(document)
        return
    try:
        out.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise RunFailed("OSR-CMP-032", f"the schema cannot be written: {error.strerror}", where=str(out)) from error
    print_note(f"wrote {out}")
