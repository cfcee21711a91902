"""``osiris init``: the files a project starts with."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Final

import click

from osiris_core.cli.output import json_option, print_json, print_note, print_text, reporting
from osiris_core.errors import InvalidInput, RunFailed

_TEMPLATES: Final = Path(__file__).parent / "templates"
OML_SCHEMA: Final = ".osiris/oml.schema.json"
SETTINGS_SCHEMA: Final = ".osiris/settings.schema.json"

# The file in the project, and its template.
_FILES: Final = (
    ("osiris.yaml", "osiris.yaml"),
    ("osiris_connections.yaml", "osiris_connections.yaml"),
    (".env.example", "env.example"),
    (".gitignore", "gitignore"),
    ("pipelines/sample.yaml", "sample.yaml"),
)


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default=".")
@json_option
def init(folder: Path, as_json: bool) -> None:
    """Start a project in FOLDER (default: here).

    Writes settings, an example of connections, .env.example, .gitignore, a sample pipeline that runs with the core
    alone, and schemas for editors. Files that exist are kept as they are.
    """
    with reporting(as_json=as_json):
        contents = {name: (_TEMPLATES / template).read_bytes() for name, template in _FILES} | _schemas(folder)
        written = [name for name, content in contents.items() if _write_new(folder / name, content)]
        kept = [name for name in contents if name not in written]
        if as_json:
            print_json({"ok": True, "project": str(folder.absolute()), "written": written, "kept": kept})
            return
        for name in contents:
            print_text(f"wrote  {folder / name}" if name in written else f"kept   {folder / name} (it exists)")
        enter = "" if folder == Path() else f"cd {folder} && "
        print_note(f"next: {enter}osiris run pipelines/sample.yaml")


def _schemas(folder: Path) -> dict[str, bytes]:
    """The schemas of pipelines (with the components installed here) and of osiris.yaml."""
    from osiris_core.model.schema import json_schema
    from osiris_core.oml.schema import oml_schema
    from osiris_core.plugins.registry import load_registry
    from osiris_core.project.environment import load_environment
    from osiris_core.project.paths import Project
    from osiris_core.project.settings import Settings, load_settings

    project = Project(folder.absolute())
    environment = load_environment(project.root, os.environ, Path.cwd())
    plugins = load_settings(project, environment).settings.plugins
    registry = load_registry(allow=plugins.allow, block=plugins.block, strict=plugins.strict)
    schemas = {OML_SCHEMA: oml_schema(registry), SETTINGS_SCHEMA: json_schema(Settings)}
    return {name: f"{json.dumps(schema, indent=2, ensure_ascii=False)}\n".encode() for name, schema in schemas.items()}


def _write_new(path: Path, content: bytes) -> bool:
    """Write a file that does not exist, not even as a link; False when it does."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
    except FileExistsError:
        if path.parent.is_dir():
            return False
        raise InvalidInput("OSR-CLI-010", "init needs a folder where a file is", where=str(path.parent)) from None
    except OSError as error:
        raise RunFailed("OSR-CLI-011", f"cannot be written: {error.strerror}", where=str(path)) from error
    return True
