"""The command-line reference, from the click commands themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from generators.markdown import cell, code, table
from osiris_core.cli import COMMANDS, osiris

if TYPE_CHECKING:
    from collections.abc import Iterator

EXIT_CODES = (
    (0, "ok"),
    (1, "the run or operation failed"),
    (2, "usage or invalid input: a command line, OML, configuration, a manifest"),
    (3, "a check says that something would change or is stale"),
    (4, "a result was truncated"),
    (5, "a connection or credential is unusable"),
    (130, "interrupted"),
)


def page() -> str:
    """The page."""
    context = click.Context(osiris, info_name="osiris")
    parts = [
        "# Command line",
        "Every command takes `--help`. With `--json` a command prints one JSON document on standard output and nothing "
        "else; progress, notes and errors for people go to standard error. Output that is not a terminal carries no "
        "colours and no control characters.",
        "## Exit status",
        table(("status", "meaning"), EXIT_CODES),
        "## Commands",
        table(("command", ""), ((f"[`osiris {name}`](#osiris-{name})", text) for name, (_, text) in COMMANDS.items())),
    ]
    for name in COMMANDS:
        command = osiris.get_command(context, name)
        assert command is not None
        parts.extend(_sections(command, click.Context(command, info_name=name, parent=context)))
    return "\n\n".join(part.strip() for part in parts if part.strip())


def _sections(command: click.Command, context: click.Context) -> Iterator[str]:
    depth = 2 + context.command_path.count(" ")
    yield f"{'#' * min(depth, 4)} {context.command_path}"
    usage = " ".join(command.collect_usage_pieces(context))
    yield f"```text\n{context.command_path} {usage}\n```"
    yield _text(command.help or command.short_help or "")
    yield table(("argument or option", "", "default"), _parameters(command, context))
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            assert child is not None
            if not child.hidden:
                yield from _sections(child, click.Context(child, info_name=name, parent=context))


def _text(help_text: str) -> str:
    # A paragraph after \b keeps its line breaks in a terminal; it does here too.
    blocks = []
    for block in help_text.partition("\f")[0].split("\n\n"):
        kept = block.lstrip()
        blocks.append(f"```text\n{kept[1:].strip(chr(10))}\n```" if kept.startswith("\b") else _joined(block))
    return "\n\n".join(blocks)


def _joined(block: str) -> str:
    return "\n".join(line.strip() for line in block.strip().splitlines())


def _parameters(command: click.Command, context: click.Context) -> Iterator[tuple[str, str, str]]:
    for parameter in command.get_params(context):
        if isinstance(parameter, click.Argument):
            yield code(parameter.make_metavar(context)), "", ""
        elif isinstance(parameter, click.Option) and not parameter.hidden and "--help" not in parameter.opts:
            record = parameter.get_help_record(context)
            assert record is not None
            extra = parameter.get_help_extra(context)
            yield code(record[0]), cell(parameter.help or ""), code(extra["default"]) if "default" in extra else ""
