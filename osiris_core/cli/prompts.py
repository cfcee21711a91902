"""``osiris prompts`` and ``osiris dump-prompts``: what a model is told."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from osiris_core.cli.output import json_option, print_json, print_note, print_text, reporting
from osiris_core.cli.workspace import open_workspace
from osiris_core.errors import InvalidInput

if TYPE_CHECKING:
    from osiris_core.chat.templates import Purpose, Template

FOLDER = Path("prompts")
EXISTS = "OSR-CHAT-050"


@click.group()
def prompts() -> None:
    """Look at what a model is told."""


@prompts.command("build-context")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="File to write instead of printing.")
@json_option
def build_context(*, out: Path | None, as_json: bool) -> None:
    """Print what there is to tell of the installed components: every field, with its examples and hints."""
    with reporting(as_json=as_json):
        from osiris_core.chat.components_text import components_text

        text = components_text(open_workspace().registry(notes=not as_json))
        if out is not None:
            out.write_text(text, "utf-8")
        if as_json:
            print_json({"ok": True, "context": text, "characters": len(text)})
        elif out is None:
            print_text(text.rstrip("\n"))
        else:
            print_note(f"written to {out}")


@click.command("dump-prompts")
@click.option(
    "--export",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    is_flag=False,
    flag_value=str(FOLDER),
    help="Write them as files into FOLDER (default: prompts).",
    metavar="[FOLDER]",
)
@click.option("--force", is_flag=True, help="Write over files that are there.")
@json_option
def dump_prompts(*, folder: Path | None, force: bool, as_json: bool) -> None:
    """Show the prompts that chat uses; or write them as files to be changed, for `chat --pro-mode`."""
    with reporting(as_json=as_json):
        from osiris_core.chat.templates import PURPOSES, load_templates

        templates = load_templates()
        written = [] if folder is None else _export(folder, templates, force=force)
        if as_json:
            shown = [
                {
                    "purpose": purpose.name,
                    "sha256": templates[purpose.name].hash,
                    "text": templates[purpose.name].text,
                    "placeholders": {
                        name: {"required": name in purpose.required, "meaning": meaning}
                        for name, meaning in {**purpose.required, **purpose.optional}.items()
                    },
                }
                for purpose in PURPOSES
            ]
            print_json({"ok": True, "prompts": shown, "files": [str(path) for path in written]})
        elif folder is None:
            for purpose in PURPOSES:
                print_text(f"# {purpose.name}\n\n{templates[purpose.name].text}")
        else:
            for path in written:
                print_text(str(path))


def _export(folder: Path, templates: dict[str, Template], *, force: bool) -> list[Path]:
    from osiris_core.chat.templates import PURPOSES

    files = {folder / f"{purpose.name}.md": templates[purpose.name].text for purpose in PURPOSES}
    files[folder / "README.md"] = readme(PURPOSES)
    there = [path for path in files if path.exists()]
    if there and not force:
        raise InvalidInput(EXISTS, f"{there[0]} is there already", hint="--force writes over it")
    folder.mkdir(parents=True, exist_ok=True)
    for path, text in files.items():
        path.write_text(text, "utf-8")
    return list(files)


def readme(purposes: tuple[Purpose, ...]) -> str:
    """What the exported folder says of itself."""
    lines = [
        "# Prompts of osiris chat",
        "",
        "Change the texts as you like and use them with `osiris chat --pro-mode` and this folder. A placeholder is a",
        "name in double braces; one that is required must stand in the text, one that is unknown is an error.",
        "What is safe is decided by the program, whatever stands here.",
        "",
        "In guided.md a line `=== person` or `=== model` begins a turn of an example conversation; in the others it is",
        "text like any.",
    ]
    for purpose in purposes:
        lines += ["", f"## {purpose.name}.md", ""]
        lines += [f"- `{{{{{name}}}}}` (required): {meaning}" for name, meaning in purpose.required.items()]
        lines += [f"- `{{{{{name}}}}}`: {meaning}" for name, meaning in purpose.optional.items()]
    return "\n".join(lines) + "\n"
