"""``osiris chat``: from a sentence to an approved pipeline."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from osiris_core.cli.numbers import NumberRange
from osiris_core.cli.output import (
    json_option,
    print_json,
    print_note,
    print_text,
    redactor,
    reporting,
)
from osiris_core.cli.printed import printed
from osiris_core.errors import ExitCode

if TYPE_CHECKING:
    from osiris_core.chat.conversation import Front
    from osiris_core.chat.session import ChatSession, World
    from osiris_core.chat.states import Signal, State
    from osiris_core.run.outcome import RunOutcome


@click.command()
@click.argument("wish", required=False)
@click.option("--non-interactive", is_flag=True, help="Ask nothing: make the pipeline, or say why not. Needs WISH.")
@click.option(
    "--sql",
    metavar="QUERY",
    help="Make the pipeline of QUERY and ask no model; WISH may say where its rows go. With --non-interactive.",
)
@click.option("--fast", is_flag=True, help="Skip clarification: no question, one call less.")
@click.option("--run", "run_it", is_flag=True, help="Run the pipeline; with --non-interactive only with --yes.")
@click.option("--yes", is_flag=True, help="Approve the pipeline as it is made, whatever it would write.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="File for the pipeline.")
@click.option("--provider", metavar="NAME", help="The model's provider.")
@click.option("--model", metavar="NAME", help="The model.")
@click.option(
    "--privacy",
    type=click.Choice(["strict", "standard"]),
    default="standard",
    show_default=True,
    help="`strict` tells the model names, types and counts; `standard` some values as well.",
)
@click.option(
    "--pro-mode",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="Use the prompts in FOLDER (see dump-prompts).",
)
@click.option(
    "--max-cost",
    type=NumberRange(0, min_open=True),
    metavar="USD",
    help="Ask no model any more when it has cost that much.",
)
@click.option("--session-id", "--resume", "resume", metavar="ID", help="Go on with an earlier conversation; `last`.")
@click.option("--echo", is_flag=True, help="Show the lines that come along a pipe, as if they were typed.")
@json_option
def chat(
    *,
    wish: str | None,
    non_interactive: bool,
    sql: str | None,
    fast: bool,
    run_it: bool,
    yes: bool,
    out: Path | None,
    provider: str | None,
    model: str | None,
    privacy: Any,
    pro_mode: Path | None,
    max_cost: float | None,
    resume: str | None,
    echo: bool,
    as_json: bool,
) -> None:
    """Say what you want; a model proposes a pipeline, the program proves it, you approve it.

    WISH is the first sentence. Nothing runs without a yes. Exit 3 when approval or an answer is needed and nobody can
    be asked.
    """
    masks = redactor()
    with reporting(as_json=as_json, alone=True), printed(masks) as shown:
        _refuse(
            (non_interactive and not wish and sql is None, "--non-interactive needs WISH"),
            (as_json and not non_interactive, "--json needs --non-interactive: a conversation is no document"),
            (yes and not run_it, "--yes needs --run: it approves what is run, and nothing is run without it"),
            (
                echo and non_interactive,
                "--echo is of a conversation: with --non-interactive no line comes along a pipe",
            ),
            (
                sql is not None and not non_interactive,
                "--sql needs --non-interactive; in a conversation /sql QUERY shows the rows of one",
            ),
            (
                sql is not None and any((provider, model, fast, pro_mode, max_cost)),
                "--sql asks no model: --provider, --model, --fast, --pro-mode and --max-cost do not go with it",
            ),
        )
        from osiris_core.chat.opening import open_session

        world = world_of(max_cost, notes=not as_json)
        while True:
            if non_interactive:
                front: Front = _Plain(quiet=as_json)
            else:
                from osiris_core.cli.terminal_desk import TerminalFront

                front = TerminalFront(shown)
            with ExitStack() as stack:
                session = open_session(
                    world,
                    front,
                    stack,
                    provider=provider,
                    model=model,
                    privacy=privacy,
                    prompts=pro_mode,
                    fast=fast,
                    out=out,
                    resume=resume,
                    asks=sql is None,
                )
                if non_interactive:
                    _once(session, wish or "", sql, run_it=run_it, yes=yes, as_json=as_json)
                    return
                from osiris_core.cli.terminal import talk

                resume = talk(session, wish, shown, run_it=run_it, yes=yes, echo=echo)
            if resume is None:
                return
            wish = None


def _refuse(*rules: tuple[object, str]) -> None:
    """Refuse options that would do nothing: those whose rule holds."""
    for holds, message in rules:
        if holds:
            raise click.UsageError(message)


def world_of(max_cost: float | None, *, notes: bool) -> World:
    """The project of the current folder, opened as every command opens it, its secrets known before a model is told
    anything: most connections are never opened in a conversation.
    """
    from osiris_core.chat.session import World
    from osiris_core.cli.known import know_connections
    from osiris_core.cli.workspace import open_workspace
    from osiris_core.project.connections import load_connections

    workspace = open_workspace(overrides={"llm.max_cost": max_cost})
    registry = workspace.registry(notes=notes)
    connections = load_connections(workspace.project, registry)
    know_connections(connections, workspace.environment, registry)
    return World(
        loaded=workspace.loaded,
        environment=workspace.environment,
        registry=registry,
        connections=connections,
        redactor=redactor(),
    )


def _once(session: ChatSession, wish: str, sql: str | None, *, run_it: bool, yes: bool, as_json: bool) -> None:
    """One wish or query, no person to ask."""
    from osiris_core.chat.querying import propose
    from osiris_core.chat.states import State

    if sql is None:
        session.say(wish)
    else:
        propose(session, sql, wish)
    outcome = None
    if session.state is State.APPROVAL and run_it and yes and session.draft is not None:
        outcome = session.run(session.draft.hash)
    needed = _needed(session, run_it=run_it)
    if as_json:
        print_json(_document(session, outcome, needed))
    else:
        _show(session, outcome, needed)
    if outcome is not None and outcome.error is not None:
        raise click.exceptions.Exit(int(outcome.exit_code))
    if needed is not None:
        raise click.exceptions.Exit(int(ExitCode.STALE))
    if session.file is None:  # declined, or impossible: the model said why
        raise click.exceptions.Exit(int(ExitCode.INVALID))


def _needed(session: ChatSession, *, run_it: bool) -> str | None:
    """What a person would have to do before it can go on."""
    from osiris_core.chat.states import State

    if session.state is State.CLARIFY:
        return "answer"
    return "approval" if session.state is State.APPROVAL and run_it else None


def _document(session: ChatSession, outcome: RunOutcome | None, needed: str | None) -> dict[str, Any]:
    from osiris_core.chat.draft import effects
    from osiris_core.run.outcome import error_data, step_data

    draft, spent = session.draft, session.caller.spent
    proved = draft is not None and draft.proof is not None and draft.proof.holds
    return {
        "ok": needed is None and session.file is not None and (outcome is None or outcome.error is None),
        "conversation": session.id,
        "state": session.state.value,
        "needed": needed,
        "said": [line.text for line in session.store.lines(session.id) if line.who == "model"],
        "pipeline": None
        if draft is None
        else {
            "name": draft.name,
            "file": None if session.file is None else session.world.loaded.project.shown(session.file),
            "oml": draft.oml,
            "sha256": draft.hash,
            "assumptions": list(draft.assumptions),
            "effects": list(effects(draft)) if proved else [],
        },
        "usage": {
            "calls": spent.calls,
            "input_tokens": spent.input,
            "output_tokens": spent.output,
            "cost_usd": None if spent.unknown else spent.cost,
        },
        "run": None
        if outcome is None
        else {
            "session": outcome.session_id,
            "status": outcome.status.value,
            "rows": outcome.rows,
            "steps": [step_data(step) for step in outcome.steps],
            "error": error_data(outcome.error),
        },
    }


def _show(session: ChatSession, outcome: RunOutcome | None, needed: str | None) -> None:
    from osiris_core.chat.draft import effects
    from osiris_core.cli.output import print_error
    from osiris_core.display import counted

    draft = session.draft
    if draft is not None and draft.proof is not None and draft.proof.holds:
        print_text(draft.oml)
        for line in effects(draft):
            print_text(f"- {line}")
        for line in draft.assumptions:
            print_text(f"assumed: {line}")
    if session.file is not None:
        print_note(f"pipeline: {session.world.loaded.project.shown(session.file)}")
    if outcome is not None and outcome.error is not None:
        print_error(outcome.error, as_json=False)
    elif outcome is not None:
        print_note(f"{outcome.status.value}: {counted(outcome.rows, 'row')}; record: {outcome.session_id}")
    if needed is not None:
        how = "run it with --run --yes" if needed == "approval" else f"osiris chat --resume {session.id}"
        print_note(f"{needed} is needed: {how}")
    print_note(session.caller.spent.shown)


class _Plain:
    """Shows a conversation as lines: what is said on standard output, progress on standard error."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet

    def say(self, text: str) -> None:
        if not self._quiet:
            print_text(text)

    def progress(self, text: str) -> None:
        if not self._quiet:
            print_note(f"… {text}")

    def moved(self, before: State, signal: Signal, after: State) -> None:
        pass
