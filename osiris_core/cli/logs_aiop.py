"""``osiris logs aiop``: a run packed for a model; and the same after each run, where the settings ask for it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from osiris_core.cli.logs import chosen_session, folder_option
from osiris_core.cli.output import json_option, print_document, print_json, print_note, redactor, reporting
from osiris_core.cli.workspace import open_workspace
from osiris_core.display import counted
from osiris_core.errors import ExitCode, InvalidInput, OsirisError

if TYPE_CHECKING:
    from osiris_core.project.settings import Loaded
    from osiris_core.report.aiop.export import Made
    from osiris_core.report.session import Session
    from osiris_core.run.outcome import RunOutcome

_EXCLUDE = "OSR-AIO-003"


@click.command()
@click.option("--session", metavar="ID", help="The session: its id, or the beginning or end of it.")
@click.option("--last", "newest", is_flag=True, help="The run that started last; so it is without --session.")
@click.option("--format", "form", type=click.Choice(["json", "md"]), help="The whole (JSON-LD) or a card (Markdown).")
@click.option(
    "--policy", type=click.Choice(["core", "annex"]), help="With `annex`: every line of the record beside --out, too."
)
@click.option("--max-core-bytes", type=int, metavar="BYTES", help="What the package is at most long; at least 4096.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="The file to write, instead of stdout.")
@folder_option
@json_option
def aiop(
    *,
    session: str | None,
    newest: bool,
    form: str | None,
    policy: str | None,
    max_core_bytes: int | None,
    out: Path | None,
    folder: Path | None,
    as_json: bool,
) -> None:
    """Pack a run for a model that has never seen Osiris (AIOP).

    What is not given here comes from OSIRIS_AIOP_ variables, else from `aiop` in osiris.yaml. Exit status 4: the
    package is complete but for what its limit did not hold; it says what was cut.
    """
    with reporting(as_json=as_json, alone=True):
        from osiris_core.cli.logs_bundle import know_secrets
        from osiris_core.report.aiop.export import ANNEX, config_of, make
        from osiris_core.report.derived import MARKDOWN
        from osiris_core.report.session import Session

        overrides = {"aiop.format": form, "aiop.policy": policy, "aiop.max_core_bytes": max_core_bytes}
        workspace = open_workspace(overrides=overrides)
        settings = workspace.settings.aiop
        if session is not None and newest:
            raise InvalidInput(_EXCLUDE, "--session names a session, and --last another one")
        if settings.policy == ANNEX and out is None:
            raise InvalidInput(_EXCLUDE, "an annex is files: it needs --out", hint="name a file with --out")
        if as_json and out is None and settings.format == MARKDOWN:
            raise InvalidInput(_EXCLUDE, "a card is no JSON", hint="write it to a file with --out, or leave out --json")
        chosen = Session(chosen_session(folder or workspace.project.logs, session))
        know_secrets(workspace, models=chosen.kind == "chat")
        made = make(chosen, config_of(workspace.loaded), form=settings.format, redactor=redactor(), path=out)
        _show(made, chosen, out, as_json=as_json)
        if not made.complete:
            raise click.exceptions.Exit(int(ExitCode.TRUNCATED))


def export_after(outcome: RunOutcome, loaded: Loaded) -> None:
    """Write the package of a run that is over, where the settings ask for it. Whatever becomes of it, the run's result
    stays what it is: a failure here is a note.
    """
    auto = loaded.settings.aiop.auto
    if auto == "never" or (auto == "failed" and outcome.error is None):
        return
    try:
        from osiris_core.report.aiop.export import automatic_path, config_of, make
        from osiris_core.report.session import Session

        session = Session(outcome.record)
        path = automatic_path(session, loaded)
        made = make(session, config_of(loaded), form=loaded.settings.aiop.format, redactor=redactor(), path=path)
    except KeyboardInterrupt:
        print_note("note: interrupted while the run was packed (aiop.auto); its result stands")
    except Exception as error:  # noqa: BLE001 - told; a package that cannot be made must not change the run's result
        why = error.message if isinstance(error, OsirisError) else f"{type(error).__name__}: {error}"
        print_note(f"note: the run was not packed (aiop.auto): {why}")
    else:
        cut = "" if made.complete else f"; cut: {_cuts(made)}"
        print_note(f"package: {loaded.project.shown(path)}{cut}")


def _show(made: Made, session: Session, out: Path | None, *, as_json: bool) -> None:
    if out is None:
        print_document(made.data)
    elif as_json:
        document: dict[str, Any] = {"ok": True, "session": session.id, "package": str(out), "bytes": len(made.data)}
        print_json(document | {"complete": made.complete, "cuts": list(made.cuts), "annex": list(made.shards)})
    else:
        beside = f", {counted(len(made.shards), 'file')} of annex beside it" if made.shards else ""
        print_note(f"{out}: {counted(len(made.data), 'byte')} of {session.id}{beside}")
    if not made.complete:
        print_note(f"cut: {_cuts(made)}")


def _cuts(made: Made) -> str:
    found = []
    for cut in made.cuts:
        shorter = f", {cut['shortened']:,} shortened" if cut["shortened"] else ""
        found.append(f"{cut['section']} ({cut['kept']:,} of {cut['of']:,}{shorter})")
    return ", ".join(found + ["the card"] * made.card_cut)
