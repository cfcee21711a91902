"""Incremental extracts of a run: where each begins, what passes, and the state that its writer keeps.

The state is read from the destination before the extract starts and noted there by the publish of the rows that move
it: it is never anywhere else, so that rows and state cannot part. Within a run, every attempt begins at the same place.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final

import attrs

from osiris_core.errors import DriverError, OsirisError
from osiris_core.oml.destination import destination_of
from osiris_core.run.bounds import APPEND, Bounds, incremental_pairs, window_of
from osiris_core.run.cursor_state import CursorState, read_text, source_of, state_key
from osiris_core.run.cursors import before, canonical, later
from osiris_core.run.events import IncrementalRead, IncrementalStarted, StateCommitted
from osiris_core.run.failure import wrapped
from osiris_core.run.layout import plain_schema
from osiris_core.run.watched import Share, Watched
from osiris_core.spec.tables import Follows, Incremental, LoadState, Window

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from osiris_core.builtin.duckdb.cursor import CursorMeter
    from osiris_core.compile.manifest import Manifest
    from osiris_core.run.context import StepContext
    from osiris_core.run.producer import Batches
    from osiris_core.run.session import Session
    from osiris_core.run.state import PreparedStep

_CHANGED: Final = "OSR-RUN-080"
_UNREAD: Final = "OSR-RUN-086"
_NO_VALUE: Final = "OSR-RUN-088"
_NOT_NOTED: Final = "OSR-RUN-089"


@attrs.frozen(kw_only=True)
class Began:
    """Where an extract begins, why there, and the state that was found (None: none) with its text."""

    window: Window
    origin: str
    state: CursorState | None
    text: str | None


@attrs.frozen(kw_only=True)
class _Passed:
    """What has passed: the largest cursor, whether there was one, the digests to remember with what they are made of,
    and the counts.
    """

    kind: Any
    top: str | None
    met: bool
    keys: tuple[str, ...]
    gone: Mapping[str, tuple[str, ...]]
    forms: tuple[str, ...]
    rows: int
    dropped: int


class IncrementalExtract:
    """One incremental extract of a run and the writer it feeds."""

    def __init__(self, pipeline: str, extract: PreparedStep, writer: PreparedStep, bounds: Bounds) -> None:
        config: Incremental = extract.config.incremental
        self.extract = extract
        self.writer = writer
        self.config = config
        self.appends = getattr(writer.config, "mode", None) == APPEND
        self.key = state_key(pipeline, extract.id, _destination(writer))
        self.unread: OsirisError | None = None
        """What kept the writer from giving the state, on the extract's thread."""
        self._bounds = bounds
        self._lock = threading.Lock()
        self._began: Began | None = None
        self._passed: _Passed | None = None
        self._given = 0
        self._noted = False

    # The state.

    def read(self, ctx: StepContext) -> tuple[CursorState | None, str | None]:
        """The state in the destination and its text; ``ctx`` is the writer's. None after a reset, too."""
        writer = self.writer
        with wrapped(writer.id, writer.step.component):
            text = writer.driver().read_state(step_id=writer.id, config=writer.config, key=self.key, ctx=ctx)
        if text is None:
            return None, None
        state = read_text(text, key=self.key)
        return (None if state.value is None else state), text

    def write(self, state: CursorState, ctx: StepContext) -> None:
        """Note ``state`` in the destination without any rows."""
        writer, noted = self.writer, LoadState(key=self.key, text=state.text())
        with wrapped(writer.id, writer.step.component):
            writer.driver().write_state(step_id=writer.id, config=writer.config, state=noted, ctx=ctx)

    def made(self, **values: Any) -> CursorState:
        """A state of this extract."""
        by = self.config.primary_key if self.appends else None
        return CursorState(cursor=self.config.cursor, by=by or (), source=source_of(self.extract.step), **values)

    # Reading.

    def begin(self, context: Callable[[], StepContext], session: Session) -> Window:
        """Which rows to read; asks the destination once in a run."""
        with self._lock:
            if self._began is None:
                try:
                    state, text = self.read(context())
                except OsirisError as error:
                    self.unread = error
                    error.message = f"the state that '{self.writer.id}' keeps cannot be read: {error.message}"
                    error.args = (error.message,)
                    raise
                if not self._bounds.full_refresh:
                    self.require_same(state)
                self._began = self.where(state, text)
                began = self._began
                session.emit(
                    IncrementalStarted(
                        step=self.extract.id,
                        cursor=began.window.cursor,
                        lower=began.window.lower,
                        upper=began.window.upper,
                        origin=began.origin,
                        state=None if began.state is None else began.state.value,
                    )
                )
            return self._began.window

    def where(self, state: CursorState | None, text: str | None) -> Began:
        """Where a run begins that finds ``state``."""
        bounds, config = self._bounds, self.config
        initial = None if config.initial is None else _text(config.initial)
        lower, origin = initial, "beginning" if initial is None else "initial"
        if bounds.backfill:
            lower, origin = (bounds.since if bounds.since is not None else initial), "backfill"
        elif bounds.full_refresh:
            origin = "full_refresh"
        elif state is not None and state.kind is not None and state.value is not None:
            origin = "state"
            try:
                lower = later(state.kind, before(state.kind, state.value, config.lag), state.since)
            except ValueError as error:
                raise DriverError(
                    "OSR-RUN-083",
                    f"the cursor '{config.cursor}' of '{self.extract.id}' takes no lag: {error}",
                    hint="leave 'lag' out",
                ) from error
        window = Window(cursor=config.cursor, lower=lower, upper=bounds.until)
        if state is not None and state.kind is not None and bounds.backfill:
            lower, upper = window_of(state.kind, window, given=True)
            window = attrs.evolve(window, lower=lower, upper=upper)
        return Began(window=window, origin=origin, state=state, text=text)

    def watch(self, source: Batches, ctx: StepContext) -> Watched:
        """``source``, each batch of which is looked at on its way."""
        from osiris_core.builtin.duckdb.cursor import CursorMeter, Wanted

        began = self._began
        assert began is not None
        before_ = began.state if began.origin == "state" else None
        self._passed = None
        schema = plain_schema(source.schema) or source.schema
        wanted = Wanted(
            step=self.extract.id,
            window=began.window,
            lag=self.config.lag,
            keys=(self.config.primary_key or ()) if self.appends else (),
            known=before_.known if before_ is not None else {},
            top=before_.value if before_ is not None else None,
        )
        meter = CursorMeter(schema, wanted, Share(ctx))
        try:
            if before_ is not None and meter.kind is not before_.kind:
                raise self._changed(
                    f"the cursor's values were of the kind {before_.kind}, and are of the kind {meter.kind} now"
                )
            if wanted.keys and wanted.known and before_ is not None and meter.forms != before_.forms:
                raise self._changed(self._other_forms(before_.forms, meter.forms))
            meter.expect(*window_of(meter.kind, began.window, given=began.origin == "backfill"))
        except BaseException:
            meter.close()
            raise
        return Watched(source, schema, meter, self._end)

    def _end(self, meter: CursorMeter, given: int) -> None:
        """Take over what ``meter`` knows once all rows have been read."""
        self._given = given
        gone: dict[str, list[str]] = {}
        for digest, last in meter.gone().items():
            gone.setdefault(last, []).append(digest)
        self._passed = _Passed(
            kind=meter.kind,
            top=meter.top,
            met=meter.met,
            keys=meter.ties(),
            gone={last: tuple(digests) for last, digests in gone.items()},
            forms=meter.forms,
            rows=meter.rows,
            dropped=meter.dropped,
        )

    # Writing.

    def confirm(self, taken: int, ctx: StepContext, session: Session) -> None:
        """Raise unless the state may be moved: every row has passed, and nobody else has moved it.

        ``taken`` is how many rows the next step has taken; -1 when they went through a spool. ``ctx`` is the writer's.
        """
        passed, began = self._passed, self._began
        assert began is not None
        if passed is None or taken not in (-1, self._given):
            raise DriverError(
                _UNREAD,
                f"not all rows of '{self.extract.id}' were read, so that its state cannot be moved; "
                "nothing is published",
                hint="a LIMIT, or a join with nothing, ends reading early; take the limit out, or read that step's "
                "rows without 'incremental'",
            )
        if self.appends and passed.rows and passed.top is None and began.window.lower is None:
            raise DriverError(
                _NO_VALUE,
                f"no row of '{self.extract.id}' has a value in '{self.config.cursor}': the next load would append all "
                "of them again",
                hint="choose another cursor, or 'mode: upsert'",
            )
        # Before anything is staged for publishing; the writer asks again when nobody else can publish.
        LoadState(key=self.key, text="", follows=Follows(began.text)).require_unmoved(self.read(ctx)[1])
        self._noted = False
        session.emit(IncrementalRead(step=self.extract.id, rows=passed.rows, dropped=passed.dropped, last=passed.top))
        if passed.dropped:
            session.measure(self.extract.id, [("rows_dropped", passed.dropped, "rows")])

    def load_state(self) -> LoadState | None:
        """What the writer notes with its load; None in a backfill, which moves nothing."""
        self._noted = True
        state, began = self._after(), self._began
        assert began is not None
        return None if state is None else LoadState(key=self.key, text=state.text(), follows=Follows(began.text))

    def committed(self, session: Session) -> None:
        """Say what has been noted; DriverError when the writer has not asked for it."""
        if not self._noted:
            raise DriverError(
                _NOT_NOTED,
                f"'{self.writer.step.component}' has published the rows of '{self.extract.id}' and not its state",
                hint="report it to the author of the component",
            )
        state = self._after()
        if state is None or state.kind is None or state.value is None:
            return
        session.emit(
            StateCommitted(
                step=self.writer.id,
                extract=self.extract.id,
                key=self.key,
                cursor=state.cursor,
                type=state.kind.value,
                value=state.value,
                rows_known=len(state.known),
            )
        )

    def _after(self) -> CursorState | None:
        passed, began = self._passed, self._began
        assert passed is not None
        assert began is not None
        if self._bounds.backfill:
            return None
        if not passed.met and self._bounds.full_refresh and began.text is not None:
            return self.made()
        if not passed.met:
            return began.state
        return self.made(
            kind=passed.kind,
            value=passed.top,
            keys=passed.keys,
            gone=passed.gone,
            forms=passed.forms,
            since=self._since(passed, began.window),
        )

    def _since(self, passed: _Passed, window: Window) -> str | None:
        """From where on the digests know every row, when there are digests."""
        if not self.appends or passed.top is None:
            return None
        lower = None if window.lower is None else canonical(passed.kind, window.lower)
        return later(passed.kind, before(passed.kind, passed.top, self.config.lag), lower)

    # What does not fit.

    def require_same(self, state: CursorState | None) -> None:
        """Raise DriverError when ``state`` is of another cursor, or of other rows."""
        if state is None:
            return
        config = self.config
        if state.cursor.casefold() != config.cursor.casefold():
            raise self._changed(f"its cursor was '{state.cursor}', and is '{config.cursor}' now")
        source = source_of(self.extract.step)
        for name in sorted({*state.source, *source}):
            if state.source.get(name) != source.get(name):
                raise self._changed(f"'{name}' of the extract is another one now")
        by = (config.primary_key or ()) if self.appends else ()
        if by and state.by != by:
            raise self._changed(f"rows were told apart by {_names(state.by)}, and shall be by {_names(by)} now")

    def _other_forms(self, old: tuple[str, ...], new: tuple[str, ...]) -> str:
        names = (self.config.cursor, *(self.config.primary_key or ()))
        changed = [
            f"'{name}' was {before_}, and is {now}"
            for name, before_, now in zip(names, old, new, strict=True)
            if before_ != now
        ]
        return f"rows are told apart by the texts of values: {'; '.join(changed)} now"

    def _changed(self, why: str) -> DriverError:
        hint = (
            "`osiris state set` says where to go on from; `osiris state reset` begins anew (empty the table first, "
            "which this pipeline appends to)"
            if self.appends
            else "`osiris run --full-refresh` reads everything again; `osiris state set` says where to go on from"
        )
        return DriverError(_CHANGED, f"the state of '{self.extract.id}' does not fit any more: {why}", hint=hint)


def plan_incremental(
    manifest: Manifest, prepared: Mapping[str, PreparedStep], bounds: Bounds
) -> dict[str, IncrementalExtract]:
    """The incremental extracts of ``manifest`` by step."""
    return {
        extract: IncrementalExtract(manifest.name, prepared[extract], prepared[writer], bounds)
        for extract, writer in incremental_pairs(manifest).items()
    }


def _destination(writer: PreparedStep) -> str:
    step = writer.step
    ref = step.connection.ref if step.connection is not None else None
    found = destination_of(step.id, step.mode, step.config, cls=type(writer.config), connection=ref)
    return f"{found.what} {found.same}" if found is not None else step.id


def _text(value: float | str) -> str:
    return value if isinstance(value, str) else repr(value)


def _names(names: tuple[str, ...]) -> str:
    return ", ".join(f"'{name}'" for name in names) or "nothing"
