"""Which extracts of a manifest are incremental, and what a run reads of them instead of going on from their state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs

from osiris_core.errors import DriverError, InvalidInput
from osiris_core.oml.incremental import is_incremental
from osiris_core.run.cursors import canonical, order
from osiris_core.run.units import WRITE, consumers_of

if TYPE_CHECKING:
    from osiris_core.compile.manifest import Manifest
    from osiris_core.run.cursors import Kind
    from osiris_core.spec.tables import Window

APPEND: Final = "append"
OPTION: Final = "OSR-RUN-072"
NO_CURSOR: Final = "OSR-RUN-083"


@attrs.frozen(kw_only=True)
class Bounds:
    """What a run reads instead of going on from the state: everything, or a part that does not move the state."""

    full_refresh: bool = False
    since: str | None = None
    until: str | None = None

    @property
    def backfill(self) -> bool:
        """Whether the run reads a part of its own."""
        return self.since is not None or self.until is not None

    @property
    def given(self) -> bool:
        """Whether there is anything out of the ordinary."""
        return self.full_refresh or self.backfill


def check_bounds(manifest: Manifest, bounds: Bounds) -> None:
    """Raise InvalidInput when ``bounds`` cannot be had of ``manifest``; looks at nothing else."""
    if not bounds.given:
        return
    option = "--full-refresh" if bounds.full_refresh else "--since" if bounds.since is not None else "--until"
    if bounds.full_refresh and bounds.backfill:
        raise InvalidInput(
            OPTION, "--full-refresh reads everything; it takes no --since and no --until", hint="give one or the other"
        )
    pairs = incremental_pairs(manifest)
    if not pairs:
        raise InvalidInput(
            OPTION, f"{option}: no extract of '{manifest.name}' is incremental", hint="leave the option out"
        )
    steps = {step.id: step for step in manifest.steps}
    for extract, writer in pairs.items():
        if steps[writer].config.get("mode") == APPEND:
            raise InvalidInput(
                OPTION,
                f"{option}: '{writer}' appends, so the rows of '{extract}' that are there already would be there twice",
                hint="write with 'mode: upsert' or 'delete_insert'; or empty the table and `osiris state reset`",
            )


def window_of(kind: Kind, window: Window, *, given: bool) -> tuple[str | None, str | None]:
    """The bounds of ``window`` as values of ``kind``. Raises InvalidInput when there is none between bounds that are
    ``given`` with the command, or they are none; DriverError when what the pipeline says is none.
    """
    bounds = []
    for text in (window.lower, window.upper):
        try:
            bounds.append(None if text is None else canonical(kind, text))
        except ValueError as error:
            message = f"'{text:.100}' is no value of the cursor '{window.cursor}' ({kind}): {error}"
            raise (InvalidInput(OPTION, message) if given else DriverError(NO_CURSOR, message)) from error
    lower, upper = bounds
    if lower is not None and upper is not None and order(kind, lower) >= order(kind, upper):
        raise InvalidInput(
            OPTION,
            f"--until {window.upper} is not after {window.lower}, where reading begins: no row is between them",
            hint="the rows read are since <= cursor < until",
        )
    return lower, upper


def incremental_pairs(manifest: Manifest) -> dict[str, str]:
    """Each incremental extract of ``manifest`` and the one write step that its rows reach."""
    consumers = consumers_of(manifest)
    modes = {step.id: step.mode for step in manifest.steps}
    pairs = {}
    for step in manifest.steps:
        if not is_incremental(step.config) or step.needs:
            continue
        reached: set[str] = set()
        pending = [step.id]
        while pending:
            at = pending.pop()
            if at not in reached:
                reached.add(at)
                pending += consumers[at]
        writers = [at for at in reached if modes[at] == WRITE]
        if len(writers) == 1:
            pairs[step.id] = writers[0]
    return pairs
