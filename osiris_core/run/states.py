"""The states of a manifest's incremental extracts, as their destinations have them: shown, set and reset."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
from arro3.core import Schema

from osiris_core.diagnostics import did_you_mean
from osiris_core.errors import DriverError, InvalidInput
from osiris_core.run.bounds import Bounds, incremental_pairs
from osiris_core.run.cursor_state import DAMAGED, TEXTS
from osiris_core.run.cursors import canonical
from osiris_core.run.failure import wrapped
from osiris_core.run.incremental import IncrementalExtract
from osiris_core.run.layout import plain_schema
from osiris_core.spec.tables import Window

if TYPE_CHECKING:
    from collections.abc import Mapping

    from osiris_core.compile.manifest import Manifest
    from osiris_core.run.context import StepContext
    from osiris_core.run.cursor_state import CursorState
    from osiris_core.run.cursors import Kind
    from osiris_core.run.quiet import Quiet
    from osiris_core.run.state import PreparedStep

_UNSETTABLE = "OSR-RUN-090"


@attrs.frozen(kw_only=True)
class Shown:
    """Where one incremental extract stands. ``value`` is None without a state; ``lower`` is where the next run begins,
    because of ``origin``; ``error`` says why the state does not fit the pipeline.
    """

    step: str
    writer: str
    key: str
    cursor: str
    type: str | None
    value: str | None
    rows_known: int
    origin: str
    lower: str | None
    error: str | None = None


class States:
    """The incremental extracts of ``manifest``, whose steps are ``prepared``."""

    def __init__(self, manifest: Manifest, prepared: Mapping[str, PreparedStep], quiet: Quiet) -> None:
        self._quiet = quiet
        self._extracts = {
            extract: IncrementalExtract(manifest.name, prepared[extract], prepared[writer], Bounds())
            for extract, writer in incremental_pairs(manifest).items()
        }
        self._name = manifest.name

    def chosen(self, step: str | None, *, one: bool) -> list[str]:
        """The extract that ``step`` names, or all; with ``one`` exactly one. Raises InvalidInput."""
        known = list(self._extracts)
        if not known:
            raise InvalidInput(_UNSETTABLE, f"no extract of '{self._name}' is incremental")
        if step is not None and step not in self._extracts:
            hint = did_you_mean(step, known) or f"incremental: {', '.join(known)}"
            raise InvalidInput(_UNSETTABLE, f"'{self._name}' has no incremental extract '{step}'", hint=hint)
        if step is None and one and len(known) > 1:
            raise InvalidInput(
                _UNSETTABLE,
                f"'{self._name}' has {len(known)} incremental extracts",
                hint=f"name one of them: --step {known[0]}",
            )
        return [step] if step is not None else known

    def show(self, step: str) -> Shown:
        """Where ``step`` stands."""
        extract = self._extracts[step]
        state, text = extract.read(self._quiet.context(extract.writer))
        error = None
        try:
            extract.require_same(state)
            began = extract.where(state, text)
        except DriverError as found:
            error, began = found.message, extract.where(None, None)
        return Shown(
            step=step,
            writer=extract.writer.id,
            key=extract.key,
            cursor=extract.config.cursor if state is None else state.cursor,
            type=None if state is None or state.kind is None else state.kind.value,
            value=None if state is None else state.value,
            rows_known=0 if state is None else len(state.known),
            origin="misfit" if error else began.origin,
            lower=None if error else began.window.lower,
            error=error,
        )

    def set(self, step: str, value: str) -> Shown:
        """Let the next run begin at ``value``; InvalidInput when it is none of the cursor's type."""
        extract = self._extracts[step]
        kind = self._kind(extract)
        try:
            value = canonical(kind, value)
        except ValueError as error:
            raise InvalidInput(
                _UNSETTABLE, f"'{value:.100}' is no value of the cursor '{extract.config.cursor}' ({kind}): {error}"
            ) from error
        context = self._quiet.context(extract.writer)
        known = self._still_known(extract, value, context)
        noted = extract.made(kind=kind, value=value, since=value) if known is None else known
        extract.write(noted, context)
        return self.show(step)

    def _still_known(self, extract: IncrementalExtract, value: str, context: StepContext) -> CursorState | None:
        """The state that stands at ``value`` for the changed query of ``extract``: its rows are known by their digests
        still. None when that is not what happens.
        """
        try:
            state, _ = extract.read(context)
        except DriverError as error:
            if error.code == DAMAGED:
                return None  # whatever it was, it is replaced
            raise
        if state is None or state.value != value:
            return None
        made = extract.made(
            kind=state.kind,
            value=state.value,
            since=state.since,
            keys=state.keys,
            gone=state.gone,
            forms=state.forms,
        )
        differing = {name for name in {*state.source, *made.source} if state.source.get(name) != made.source.get(name)}
        same = (state.cursor.casefold(), state.by) == (made.cursor.casefold(), made.by)
        return made if same and differing and differing <= set(TEXTS) else None

    def reset(self, step: str) -> Shown:
        """Let the next run begin at the beginning."""
        extract = self._extracts[step]
        extract.write(extract.made(), self._quiet.context(extract.writer))
        return self.show(step)

    def _kind(self, extract: IncrementalExtract) -> Kind:
        """What the cursor is: as the source says, or else as the state does."""
        from osiris_core.builtin.duckdb.cursor import CursorMeter, Wanted

        window = Window(cursor=extract.config.cursor)
        with wrapped(extract.extract.id, extract.extract.step.component):
            ctx = self._quiet.context(extract.extract)
            ctx.window = window
            driver = extract.extract.driver()
            if hasattr(driver, "bind"):
                outputs = driver.bind(step_id=extract.extract.id, config=extract.extract.config, inputs={}, ctx=ctx)
                schema = Schema.from_arrow(outputs["df"])
                meter = CursorMeter(plain_schema(schema) or schema, Wanted(step=extract.extract.id, window=window), ctx)
                meter.close()
                return meter.kind
        state, _ = extract.read(self._quiet.context(extract.writer))
        if state is None or state.kind is None:
            raise InvalidInput(
                _UNSETTABLE,
                f"'{extract.extract.step.component}' cannot say what type the cursor has before the first load",
                hint="say in the pipeline where it begins: `incremental: {initial: …}`",
            )
        return state.kind
