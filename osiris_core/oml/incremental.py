"""The rules of incremental extracts: whose state goes where, and which ways of writing lose or double no row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from osiris_core.errors import OsirisError
from osiris_core.oml.document import Mode
from osiris_core.oml.passing import cuts, passes_unchanged
from osiris_core.spec.describe import Capability

if TYPE_CHECKING:
    from collections.abc import Iterable

    from osiris_core.diagnostics import Path
    from osiris_core.oml.findings import Findings
    from osiris_core.oml.steps import CheckedStep
    from osiris_core.plugins.registry import Registry

_FIELD: Final = "incremental"


def check_incremental(steps: Iterable[CheckedStep], registry: Registry, findings: Findings) -> None:
    """Report incremental extracts whose state nobody can keep, and writers that would lose rows or write them twice."""
    by_id = {step.id: step for step in steps}
    readers: dict[str, list[CheckedStep]] = {step_id: [] for step_id in by_id}
    for step in by_id.values():
        for needed in step.needs:
            if needed in readers:
                readers[needed].append(step)
    feeds: dict[str, CheckedStep] = {}
    for step in sorted(by_id.values(), key=lambda each: each.doc.index):
        if step.mode is not Mode.EXTRACT or not is_incremental(step.config):
            continue
        if step.config.get("limit") is not None:
            findings.error(
                "OSR-OML-048",
                f"step '{step.id}' is incremental and has a 'limit': what it leaves out, no later load would read",
                _place(step, "limit"),
            )
        reached = _reached(step, readers)
        _check_cuts(step, reached, findings)
        writers = [at for at in reached if at.mode is Mode.WRITE]
        if len(writers) != 1:
            _report_writers(step, writers, findings)
            continue
        (writer,) = writers
        other = feeds.setdefault(writer.id, step)
        if other is not step:
            findings.error(
                "OSR-OML-046",
                f"step '{writer.id}' writes the rows of two incremental extracts, '{other.id}' and '{step.id}'; a load "
                "keeps the state of one",
                _place(step),
                key=True,
            )
            continue
        between = [at for at in reached if at.mode is not Mode.WRITE and at is not step]
        _check_pair(step, between, writer, registry, findings)


def is_incremental(config: Mapping[str, Any]) -> bool:
    """Whether the config of an extract names a cursor; a field of that name may be something else in a plugin."""
    value = config.get(_FIELD)
    return isinstance(value, Mapping) and "cursor" in value


def _place(step: CheckedStep, *more: str) -> Path:
    return ("steps", step.doc.index, "config", *more) if more else ("steps", step.doc.index, "config", _FIELD)


def _reached(step: CheckedStep, readers: Mapping[str, list[CheckedStep]]) -> list[CheckedStep]:
    """``step`` and the steps that its rows reach, in document order."""
    reached: dict[str, CheckedStep] = {}
    pending = [step]
    while pending:
        at = pending.pop()
        if at.id not in reached:
            reached[at.id] = at
            pending += readers[at.id]
    return sorted(reached.values(), key=lambda each: each.doc.index)


def _check_cuts(step: CheckedStep, reached: list[CheckedStep], findings: Findings) -> None:
    """Report transforms that keep only so many rows: while few are new, all of them are read, and the rest is lost."""
    passing = {at.id for at in reached}
    for at in reached:
        if at.mode is not Mode.TRANSFORM:
            continue
        for field, word in cuts(at, passing):
            findings.error(
                "OSR-OML-048",
                f"the {word} in step '{at.id}' leaves out rows of '{step.id}', which is incremental: no later load "
                "would read them",
                _place(at, field),
                hint="select rows by their values (WHERE, QUALIFY), or read without 'incremental'",
            )


def _report_writers(step: CheckedStep, writers: list[CheckedStep], findings: Findings) -> None:
    listed = ", ".join(f"'{writer.id}'" for writer in writers)
    what = f"feeds {len(writers)} write steps ({listed})" if writers else "feeds no write step"
    hint = (
        "read it in a step for each of them, or write once and copy from there"
        if writers
        else "add a write step, or read without 'incremental'"
    )
    findings.error(
        "OSR-OML-044",
        f"step '{step.id}' is incremental and {what}; its state is kept by exactly one",
        _place(step),
        hint=hint,
        key=True,
    )


def _check_pair(
    step: CheckedStep, between: list[CheckedStep], writer: CheckedStep, registry: Registry, findings: Findings
) -> None:
    if not _keeps_state(writer, registry):
        findings.error(
            "OSR-OML-045",
            f"step '{step.id}' is incremental, and '{writer.component.name}' of step '{writer.id}' keeps no state",
            _place(step),
            key=True,
        )
        return
    config: Mapping[str, Any] = step.config[_FIELD]
    match writer.config.get("mode"):
        case "replace":
            findings.error(
                "OSR-OML-047",
                f"step '{writer.id}' replaces everything with the rows of '{step.id}', which is incremental: only what "
                "is new would be left",
                _mode(writer),
                hint="use 'mode: upsert', 'append' or 'delete_insert'; or read without 'incremental'",
            )
        case "append" if not config.get("primary_key"):
            findings.error(
                "OSR-OML-047",
                f"step '{writer.id}' appends the rows of '{step.id}': without 'primary_key', rows at the last value of "
                "the cursor that were loaded cannot be told from new ones",
                _place(step),
                hint="add `primary_key: [...]` to 'incremental', or use 'mode: upsert'",
                key=True,
            )
        case "delete_insert" if config["cursor"].casefold() not in {
            key.casefold() for key in writer.config.get("replace_keys") or ()
        }:
            findings.error(
                "OSR-OML-047",
                f"step '{writer.id}' deletes all rows of a replace key, of which '{step.id}' reads only those that are "
                "new: rows that did not change would be lost",
                ("steps", writer.doc.index, "config", "replace_keys"),
                hint=f"add the cursor to them (`{config['cursor']}`), or use 'mode: upsert'",
            )
        case "delete_insert":
            _check_key(step, between, writer, findings)
        case _:
            pass


def _check_key(step: CheckedStep, between: list[CheckedStep], writer: CheckedStep, findings: Findings) -> None:
    """Report a step on the way to a writer of 'delete_insert' that may give the cursor other values: a day of which
    one hour is read would be deleted whole.
    """
    cursor = step.config[_FIELD]["cursor"]
    passing = {step.id, *(at.id for at in between)}
    changing = next((at for at in between if not passes_unchanged(at, passing, cursor)), None)
    if changing is not None:
        findings.error(
            "OSR-OML-047",
            f"step '{writer.id}' replaces the rows of each '{cursor}' that it gets; step '{changing.id}' does not "
            "plainly pass that column on as it is",
            _mode(writer),
            hint=f"there, use one SELECT of `{cursor}`, or of `*`, over that input; or 'mode: upsert' here",
        )


def _mode(writer: CheckedStep) -> Path:
    """The mode as it is written; the whole step when it is left to its default."""
    return _place(writer, "mode") if "mode" in writer.doc.config else ("steps", writer.doc.index)


def _keeps_state(writer: CheckedStep, registry: Registry) -> bool:
    try:
        return Capability.KEEPS_STATE in registry.driver(writer.component.name).capabilities
    except OsirisError:  # said elsewhere: the component has no driver
        return False
