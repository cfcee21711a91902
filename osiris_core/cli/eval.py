"""``osiris eval``: how good is a model at this?"""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from osiris_core.cli.chat import world_of
from osiris_core.cli.numbers import NumberRange
from osiris_core.cli.output import json_option, print_json, print_note, print_table, print_text, redactor, reporting
from osiris_core.cli.printed import printed
from osiris_core.errors import ExitCode, InvalidInput
from osiris_core.run.session import write_atomically

if TYPE_CHECKING:
    from collections.abc import Sequence

    from osiris_core.chat.evaluation.runner import Verdict
    from osiris_core.chat.evaluation.suite import Intent, Suite

FORMAT = 2
NO_INTENT = "OSR-EVL-004"
NO_REPORT = "OSR-EVL-005"
UNWRITABLE = "OSR-EVL-007"


@click.command(name="eval")
@click.argument("suite", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--provider", metavar="NAME", help="The model's provider.")
@click.option("--model", metavar="NAME", help="The model.")
@click.option("--n", "times", type=click.IntRange(1, 100), default=1, show_default=True, help="Say each wish N times.")
@click.option("--only", metavar="ID", multiple=True, help="Only this wish; may be repeated.")
@click.option("--fast", is_flag=True, help="Skip clarification.")
@click.option("--pro-mode", type=click.Path(file_okay=False, path_type=Path), metavar="FOLDER", help="Other prompts.")
@click.option("--max-cost", type=NumberRange(0, min_open=True), metavar="USD", help="For each wish.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="File for the report, as JSON.")
@click.option("--compare", type=click.Path(dir_okay=False, path_type=Path), help="An earlier report to compare with.")
@click.option(
    "--at-least",
    type=NumberRange(0, 100),
    metavar="PERCENT",
    help="Exit 1 when fewer wishes have right rows, or one has no answer.",
)
@json_option
def eval_(
    *,
    suite: Path,
    provider: str | None,
    model: str | None,
    times: int,
    only: tuple[str, ...],
    fast: bool,
    pro_mode: Path | None,
    max_cost: float | None,
    out: Path | None,
    compare: Path | None,
    at_least: float | None,
    as_json: bool,
) -> None:
    """Say every wish of SUITE to the conversation and score what comes of it: does the pipeline validate and bind, does
    it give the right rows, at what cost.

    With --n a wish counts as right when it was right every time (pass^n). A wish that the service did not answer counts
    neither way. The report is written after each wish: Ctrl-C leaves what was judged until then.
    """
    masks = redactor()
    with reporting(as_json=as_json, alone=True), printed(masks), ExitStack() as stack:
        from osiris_core.chat.evaluation.suite import read_suite
        from osiris_core.chat.opening import open_evaluator

        read = read_suite(suite, file=str(suite))
        before = None if compare is None else earlier_report(compare)
        world = world_of(max_cost, notes=not as_json)
        evaluator, asked = open_evaluator(
            world, read, suite, stack, provider=provider, model=model, fast=fast, prompts=pro_mode
        )
        wishes = chosen(read, only)
        found: list[Verdict] = []
        document = report(read.name, asked, found, times, len(wishes))
        _keep(document, out)
        for one in evaluator.run(tuple(intent for intent in wishes for _ in range(times))):
            found.append(one)
            document = report(read.name, asked, found, times, len(wishes))
            _keep(document, out)
            _say(one)
        if as_json:
            print_json(document | {"compared": None if before is None else changes(before, document)})
        else:
            _show(document, before)
        totals = document["totals"]
        if at_least is not None and (totals["unanswered"] or totals["right_percent"] < at_least):
            raise click.exceptions.Exit(int(ExitCode.FAILED))


def chosen(suite: Suite, only: Sequence[str]) -> list[Intent]:
    """The wishes with these ids, or all of them."""
    known = {intent.id: intent for intent in suite.intents}
    unknown = [one for one in only if one not in known]
    if unknown:
        from osiris_core.diagnostics import did_you_mean

        raise InvalidInput(NO_INTENT, f"the suite has no wish '{unknown[0]}'", hint=did_you_mean(unknown[0], known))
    return [known[one] for one in only] if only else list(suite.intents)


def _keep(document: dict[str, Any], out: Path | None) -> None:
    """Write the report as far as it goes; the first time, before any call, shows that it can be written."""
    if out is None:
        return
    try:
        write_atomically(out, document)
    except OSError as error:
        raise InvalidInput(UNWRITABLE, f"the report {out} cannot be written: {error.strerror or error}") from error


def _say(one: Verdict) -> None:
    """A line for whoever waits."""
    print_note(f"{_verdict(one.answered, one.right)}  {one.id}  {one.seconds:g} s{f'  {one.why}' if one.why else ''}")


def _verdict(answered: bool, right: bool) -> str:
    return ("right" if right else "wrong") if answered else "no answer"


def report(suite: str, model: str, verdicts: Sequence[Verdict], times: int, wanted: int) -> dict[str, Any]:
    """A report as plain data: totals, and what came of each wish; ``complete`` when all ``wanted`` were judged."""
    import attrs

    wishes: dict[str, list[Verdict]] = {}
    unanswered = {one.id for one in verdicts if not one.answered}
    answered = [one for one in verdicts if one.id not in unanswered]
    for one in answered:
        wishes.setdefault(one.id, []).append(one)
    right = [key for key, ones in wishes.items() if all(one.right for one in ones)]
    proposed = [one for one in answered if one.oml is not None]
    costs = [one.cost_usd for one in verdicts]
    return {
        "format": FORMAT,
        "suite": suite,
        "model": model,
        "times": times,
        "complete": len(verdicts) == times * wanted,
        "totals": {
            "wishes": len(wishes),
            "right": len(right),
            "right_percent": round(100 * len(right) / len(wishes), 1) if wishes else None,
            "proposed": len(proposed),
            "unanswered": len(unanswered),
            "bound": sum(one.bound for one in answered),
            "bound_percent": round(100 * sum(one.bound for one in proposed) / len(proposed), 1) if proposed else None,
            "repairs": sum(one.repairs for one in verdicts),
            "questions": sum(one.questions for one in verdicts),
            "questions_after_discovery": sum(one.questions_after_discovery for one in verdicts),
            "input_tokens": sum(one.input_tokens for one in verdicts),
            "output_tokens": sum(one.output_tokens for one in verdicts),
            "cost_usd": None if None in costs else round(sum(one for one in costs if one is not None), 6),
            "seconds": round(sum(one.seconds for one in verdicts), 1),
        },
        "wishes": [attrs.asdict(one) for one in verdicts],
    }


def earlier_report(path: Path) -> dict[str, Any]:
    """A report that ``--out`` has written."""
    try:
        found = json.loads(path.read_text("utf-8"))
        if found["format"] != FORMAT:
            raise ValueError(f"its format is {found['format']}")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidInput(NO_REPORT, f"{path} is no report that can be compared with: {error}") from error
    return dict(found)


def changes(before: dict[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    """Which wishes are right now that were not, and the other way round."""

    def right(document: dict[str, Any]) -> set[str]:
        return judged(document) - {one["id"] for one in document["wishes"] if not one["right"]}

    def judged(document: dict[str, Any]) -> set[str]:
        wishes = document["wishes"]
        return {one["id"] for one in wishes} - {one["id"] for one in wishes if not one["answered"]}

    both = judged(before) & judged(now)
    return {
        "better": sorted((right(now) - right(before)) & both),
        "worse": sorted((right(before) - right(now)) & both),
        "before": before["totals"],
    }


def _show(document: dict[str, Any], before: dict[str, Any] | None) -> None:
    rows = [
        (one["id"], _verdict(one["answered"], one["right"]), one["state"], one["repairs"], one["seconds"], one["why"])
        for one in document["wishes"]
    ]
    print_table(("wish", "rows", "state", "repairs", "s", "why not"), rows, whole=1)
    totals = document["totals"]
    cost = "cost unknown" if totals["cost_usd"] is None else f"${totals['cost_usd']:.4f}"
    print_text(
        f"{document['model']}: {totals['right']} of {totals['wishes']} right ({totals['right_percent'] or 0:g} %), "
        f"{totals['unanswered']} without an answer, "
        f"{totals['bound']} of {totals['proposed']} pipelines bound, {totals['repairs']} repairs, "
        f"{totals['questions_after_discovery']} questions after discovery, "
        f"{totals['input_tokens']:,} tokens in, {totals['output_tokens']:,} out, {cost}, {totals['seconds']:g} s"
    )
    if before is not None:
        compared = changes(before, document)
        print_text(f"better than before: {', '.join(compared['better']) or 'none'}")
        print_text(f"worse than before: {', '.join(compared['worse']) or 'none'}")
