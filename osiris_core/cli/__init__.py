"""The ``osiris`` command: a static table of commands, each imported when it is called.

``osiris --help`` and ``--version`` import click and the standard library only; a test holds that.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Mapping
from importlib import import_module
from typing import Any, Final

import click

from osiris_core import __version__

COMMANDS: Final[dict[str, tuple[str, str]]] = {
    # name: (module:attribute, one line of help)
    "init": ("osiris_core.cli.init:init", "Start a project in a folder."),
    "validate": ("osiris_core.cli.validate:validate", "Check a project's configuration, or pipelines."),
    "compile": ("osiris_core.cli.compile:compile_", "Turn a pipeline into a manifest."),
    "run": ("osiris_core.cli.run:run", "Run a pipeline or a manifest."),
    "state": ("osiris_core.cli.state:state", "Show and change where incremental loads go on from."),
    "explain": ("osiris_core.cli.explain:explain", "Show the columns each step will produce, without moving rows."),
    "diff": ("osiris_core.cli.diff:diff", "Show what changes between two pipelines or manifests."),
    "oml": ("osiris_core.cli.oml:oml", "Work with OML documents."),
    "components": ("osiris_core.cli.components:components", "List and describe the installed components."),
    "connections": ("osiris_core.cli.connections:connections", "List and check connections."),
    "discover": ("osiris_core.cli.discover:discover", "Show the tables behind a connection and what is in them."),
    "chat": ("osiris_core.cli.chat:chat", "Say what you want; get a pipeline that is proved."),
    "llm": ("osiris_core.cli.llm:llm", "List and check the providers of models."),
    "eval": ("osiris_core.cli.eval:eval_", "Score how well a model turns wishes into pipelines."),
    "dump-prompts": ("osiris_core.cli.prompts:dump_prompts", "Show or export the prompts that chat uses."),
    "prompts": ("osiris_core.cli.prompts:prompts", "Look at what a model is told."),
    "plugins": ("osiris_core.cli.plugins:plugins", "List and check the installed plugins."),
    "schema": ("osiris_core.cli.schema:schema", "Print JSON Schemas for editors."),
    "config": ("osiris_core.cli.config:config", "Show settings and where each comes from."),
    "logs": ("osiris_core.cli.logs:logs", "Look at what runs have left."),
}

PROCESS: Final = "the process is ours"
"""What a command finds in ``click.Context.obj`` when nothing of another program follows it in the process."""


class LazyGroup(click.Group):
    """A group whose commands stand in a table (as :data:`COMMANDS`) and are imported when called."""

    def __init__(self, *arguments: Any, table: Mapping[str, tuple[str, str]], **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.table = table

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands in the table's order."""
        return list(self.table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, imported now; None when the table has none of that name."""
        entry = self.table.get(cmd_name)
        if entry is None:
            return None
        module, _, attribute = entry[0].partition(":")
        command = getattr(import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The table as it stands, without importing anything."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in self.table.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Like click's, with a suggestion for a command that does not exist."""
        if args and args[0] not in self.table and not args[0].startswith("-"):
            from osiris_core.diagnostics import did_you_mean

            hint = did_you_mean(args[0], self.table)
            ctx.fail(f"no command '{args[0]}'" + (f"; {hint}" if hint else ""))
        return super().resolve_command(ctx, args)


@click.group(
    cls=LazyGroup,
    table=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="osiris")
def osiris() -> None:
    """Turn a pipeline document into a manifest a machine can prove, and run it.

    Exit status: 0 ok, 1 failed, 2 invalid input, 3 a check found changes, 4 truncated, 5 a connection is unusable,
    130 interrupted.
    """


def main() -> None:
    """The console script."""
    _open_closed_streams()
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A character that the terminal's encoding lacks, or a byte of a file's name that is none, is shown escaped.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        code = osiris.main(standalone_mode=False, obj=PROCESS)
    except click.ClickException as error:
        from osiris_core.cli.output import print_error, print_note
        from osiris_core.errors import InvalidInput

        if "--json" in sys.argv:
            print_error(InvalidInput("OSR-CLI-003", error.format_message()), as_json=True)
        else:
            shown = io.StringIO()
            error.show(shown)
            print_note(shown.getvalue().removesuffix("\n"))
        code = error.exit_code
    except click.exceptions.Abort:
        click.echo("interrupted", err=True)
        code = 130
    except click.exceptions.Exit as error:
        code = error.exit_code
    sys.exit(code if isinstance(code, int) else 0)


def _open_closed_streams() -> None:
    """Open every standard stream that is closed (some schedulers start programs so) on nothing.

    Otherwise the next file to be opened, a database say, would get its number, and with it what is written to it.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free: this one
    sys.stdout = sys.stdout or open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - lives as long as we do
    sys.stderr = sys.stderr or open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
