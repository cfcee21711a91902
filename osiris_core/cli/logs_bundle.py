"""``osiris logs bundle``: one session as a file to hand on."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import click

from osiris_core.cli.known import know_connections, say_unknown
from osiris_core.cli.logs import folder_option
from osiris_core.cli.output import json_option, print_json, print_note, print_text, redactor, reporting
from osiris_core.cli.workspace import open_workspace
from osiris_core.display import counted, size
from osiris_core.errors import InvalidInput, OsirisError
from osiris_core.report.bundle import MAX_ARTIFACT_MB, UNWRITABLE, write_bundle
from osiris_core.report.reader import find_session, read_session

if TYPE_CHECKING:
    from osiris_core.cli.workspace import Workspace


@click.command()
@click.argument("session")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file to write; <session>.zip in the current folder if not given.",
)
@click.option("--force", is_flag=True, help="Write over a file that is there.")
@click.option("--with-artifacts", is_flag=True, help="With the files that steps have left.")
@click.option(
    "--max-artifact-mb",
    type=click.IntRange(min=1),
    default=MAX_ARTIFACT_MB,
    show_default=True,
    help="Leave out larger ones of these.",
)
@folder_option
@json_option
def bundle(
    *,
    session: str,
    out: Path | None,
    force: bool,
    with_artifacts: bool,
    max_artifact_mb: int,
    folder: Path | None,
    as_json: bool,
) -> None:
    """Pack SESSION into a zip file to hand on: its record, with every secret that the project knows masked.

    `osiris logs show --bundle FILE` reads it, anywhere.
    """
    with reporting(as_json=as_json, alone=True):
        workspace = open_workspace()
        record = read_session(find_session(folder or workspace.project.logs, session))
        path = out or Path(f"{record.id}.zip")
        if path.exists() and not force:
            raise InvalidInput(UNWRITABLE, f"'{path}' is there already", hint="name another --out, or give --force")
        know_secrets(workspace, models=record.kind == "chat")
        made = write_bundle(
            record, path, redactor=redactor(), artifacts=with_artifacts, max_artifact=max_artifact_mb << 20
        )
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        bytes_ = path.stat().st_size
        if as_json:
            left_out = [{"name": one.name, "why": one.why} for one in made.left_out]
            document = {"ok": True, "session": record.id, "bundle": str(path), "bytes": bytes_, "sha256": digest}
            print_json({**document, "files": list(made.files), "left_out": left_out})
            return
        print_text(f"{path}: {counted(len(made.files), 'file')} of {record.id}, {size(bytes_)}")
        for one in made.left_out:
            print_note(f"left out: {one.name}: {one.why}")


def know_secrets(workspace: Workspace, *, models: bool) -> None:
    """Tell the redactor all secrets of the project, the keys of ``models`` among them."""
    from osiris_core.project.connections import load_connections

    registry = workspace.registry()
    know_connections(load_connections(workspace.project, registry), workspace.environment, registry)
    if models:
        from osiris_core.chat.providers import NONE_CHOSEN, Providers

        providers = Providers(registry=registry, loaded=workspace.loaded, environment=workspace.environment)
        try:
            for candidate in providers.chosen():
                for secret in candidate.provider.secrets():
                    redactor().register(secret)
                candidate.provider.close()
        except OsirisError as error:
            if error.code != NONE_CHOSEN:  # where none is chosen there is no key
                say_unknown(f"the keys of the models: {error.message}")
