"""``supabase.writer`` over a database connection: one transaction that holds the rows and their commit row."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, Final

from osiris_core.api import DriverError, OsirisError, Receipt, Report, Stage
from osiris_sql.rowtext import Form, RowText
from osiris_supabase.postgres.begin import begin, set_statement_timeout
from osiris_supabase.postgres.failures import ServerFailure
from osiris_supabase.postgres.load import Load
from osiris_supabase.postgres.loads import (
    HIDDEN,
    CommitRow,
    add_load,
    begin_reading,
    create_loads,
    find_load,
    forget_states,
    has_loads,
    read_state,
)
from osiris_supabase.postgres.nanoseconds import refuse_nanoseconds
from osiris_supabase.postgres.stage import Counted, WriteState, close_state, columns_of, open_state, writing_session
from osiris_supabase.postgres.target import find_target, make_plan, place_of
from osiris_supabase.postgres.types_out import cell_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from osiris_core.api import Dataset, DriverContext, LoadState, Stream
    from osiris_core.api import Schema as AnySchema
    from osiris_supabase.config import Writer

_REFUSED: Final[Mapping[str, str]] = {"21000": "OSR-PG-035", "42704": "OSR-PG-042"}


class PostgresWriter:
    """Copies rows within a transaction, and ends it together with the commit row."""

    def run(
        self, *, step_id: str, config: Writer, inputs: Mapping[str, Dataset], ctx: DriverContext
    ) -> Mapping[str, Stream]:
        """Stage and publish in one go, for a caller that does not know ``Staged``."""
        (rows,) = {id(dataset): dataset for dataset in inputs.values()}.values()
        stage = self.begin(step_id=step_id, config=config, schema=rows.schema, ctx=ctx)
        try:
            if stage.published is None:
                self.publish(stage, [self.write(stage, 0, rows)])
        finally:
            self.abort(stage)
        return {}

    def bind(
        self, *, step_id: str, config: Writer, inputs: Mapping[str, AnySchema], ctx: DriverContext
    ) -> Mapping[str, AnySchema]:
        """Nothing; refuses what ``begin`` would refuse, and changes nothing."""
        for schema in {id(schema): schema for schema in inputs.values()}.values():
            state = open_state(step_id, config, schema, ctx)
            try:
                with _as_errors(state):
                    begin(state.session, ctx.connection, read_only=True)
                    make_plan(config, columns_of(state), find_target(state.session, state.place), state.place)
            finally:
                close_state(state)
        return {}

    def begin(self, *, step_id: str, config: Writer, schema: AnySchema, ctx: DriverContext) -> Stage:
        """Compare the rows' columns with the table's. A killed run has left nothing: its transaction has ended."""
        state = open_state(step_id, config, schema, ctx)
        try:
            with _as_errors(state):
                published = _look(state)
        except BaseException:
            close_state(state)
            raise
        if published is not None:
            close_state(state)
            return Stage(load_id=ctx.load_id, target=state.place.shown, published=published)
        ctx.failpoint("supabase.begun")
        return Stage(load_id=ctx.load_id, target=state.place.shown, state=state)

    def write(self, stage: Stage, part: int, rows: Dataset) -> Receipt:
        """Copy one part into the transaction; parts of several threads follow one another."""
        state: WriteState = stage.state
        with state.lock, _as_errors(state):
            if part in state.parts:
                raise DriverError("OSR-PG-039", f"part {part} of '{state.place.shown}' came twice")
            load = _transaction(state)
            cells = {source.name: source for source in state.sources}
            text = RowText(
                state.engine,
                state.schema,
                [cell_of(cells[ours.name], str(theirs.type)) for ours, theirs in load.plan.pairs],
                Form(null=""),
                code="OSR-PG-041",
            )
            set_statement_timeout(state.session, None)
            with closing(Counted(text.chunks(refuse_nanoseconds(rows.batches(), state.engine)))) as sent:
                taken = load.copy(sent)
            set_statement_timeout(state.session, state.ctx.connection.statement_timeout)
            if taken != text.rows:
                raise DriverError("OSR-PG-039", f"{text.rows} rows were sent, the server took {taken}")
            receipt = Receipt(part=part, rows=taken, bytes=sent.bytes, state=text.hash)
            state.parts[part] = receipt
        state.ctx.failpoint("supabase.copied")
        return receipt

    def publish(self, stage: Stage, receipts: Sequence[Receipt]) -> Report:
        """Bring the rows into the table, add the commit row, and end the transaction."""
        state: WriteState = stage.state
        with state.lock, _as_errors(state):
            if {receipt.part: receipt for receipt in receipts} != state.parts:
                raise DriverError("OSR-PG-039", "the receipts are not those of the staged parts")
            load = _transaction(state)
            inserted, updated, deleted = load.finish()
            report = _report(state, load, inserted, updated, deleted)
            if load.plan.create:
                forget_states(state.session, state.place)
            if not add_load(state.session, state.place.schema, _commit_row(state, stage, report)):
                # An attempt that was thought lost has ended well meanwhile; ours is not needed.
                state.session.run("ROLLBACK")
                found = find_load(state.session, state.place, stage.load_id)
                if found is None:
                    raise DriverError(
                        "OSR-PG-010", f"another session has just undone load {stage.load_id}", retriable=True
                    )
                close_state(state)
                return found
            if load.plan.create or load.plan.added:
                state.session.run("NOTIFY pgrst, 'reload schema'")
            state.ctx.failpoint("supabase.before_commit")
            state.ctx.check()
            state.session.commit()
        state.ctx.failpoint("supabase.after_commit")
        if changes := load.plan.changes():
            state.ctx.emit("schema_changed", destination=stage.target, changes=changes)
        close_state(state)
        return report

    def abort(self, stage: Stage) -> None:
        """Undo the transaction."""
        if stage.state is not None:
            close_state(stage.state)

    def read_state(self, *, step_id: str, config: Writer, key: str, ctx: DriverContext) -> str | None:
        """The newest state of ``key``; None, too, when the table that it belongs to is gone."""
        del step_id
        session = writing_session(ctx)
        try:
            place = place_of(config, ctx.connection.schema)
            with _named(f"reading the state of '{place.shown}'"):
                begin_reading(session, ctx.connection)
                if not has_loads(session, place.schema) or find_target(session, place) is None:
                    return None
                return read_state(session, place.schema, key)
        finally:
            session.close()

    def write_state(self, *, step_id: str, config: Writer, state: LoadState, ctx: DriverContext) -> None:
        """Note a state as a commit row of its own; refused where there is no table yet."""
        session = writing_session(ctx)
        try:
            place = place_of(config, ctx.connection.schema)
            with _named(f"writing the state of '{place.shown}'"):
                begin(session, ctx.connection, read_only=False)
                if find_target(session, place) is None:
                    raise DriverError(
                        "OSR-PG-030",
                        f"there is no table '{place.shown}' yet, which the state would belong to",
                        hint="say in the pipeline where the first load begins: `incremental: {initial: …}`",
                    )
                create_loads(session, place.schema, create_schema=False)
                row = CommitRow(
                    load_id=ctx.load_id,
                    manifest_hash=ctx.manifest_hash,
                    step=step_id,
                    target=place.shown,
                    mode="state",
                    rows=0,
                    checksum=None,
                    state=state,
                )
                if not add_load(session, place.schema, row):
                    raise DriverError("OSR-PG-039", f"there is a load {ctx.load_id} already")
                session.commit()
        finally:
            session.close()


def _look(state: WriteState) -> Report | None:
    """Whether the load is there already; else that it can be made, and the table for its commit row."""
    session, config, place = state.session, state.config, state.place
    begin(session, state.ctx.connection, read_only=False)
    if known := has_loads(session, place.schema):
        published = find_load(session, place, state.ctx.load_id)
        if published is not None:
            return published
    make_plan(config, columns_of(state), find_target(session, place), place)
    if not known:
        create_loads(session, place.schema, create_schema=config.create_if_missing)
    session.run("COMMIT")
    return None


def _transaction(state: WriteState) -> Load:
    """The load, its transaction begun with the first rows, so that none is open while steps before warm up."""
    if state.load is None:
        begin(state.session, state.ctx.connection, read_only=False)
        load = Load(state.session, state.config, columns_of(state), state.place)
        load.prepare()
        state.load = load
    return state.load


def _report(state: WriteState, load: Load, inserted: int, updated: int, deleted: int) -> Report:
    details: dict[str, Any] = {"mode": state.config.mode, "created": load.plan.create}
    if load.plan.added:
        details["added"] = [column.name for column in load.plan.added]
    if load.dropped:
        details["duplicates_dropped"] = load.dropped
    rows = sum(receipt.rows for receipt in state.parts.values()) - load.dropped
    if inserted + updated != rows:
        raise DriverError(
            "OSR-PG-039", f"'{state.place.shown}': of {rows} rows {inserted} were inserted and {updated} updated"
        )
    return Report(
        target=state.place.shown,
        rows=rows,
        bytes=sum(receipt.bytes for receipt in state.parts.values()),
        checksum=f"{sum(receipt.state for receipt in state.parts.values()) % 2**128:032x}",
        inserted=inserted,
        updated=updated,
        deleted=deleted,
        details=details,
    )


def _commit_row(state: WriteState, stage: Stage, report: Report) -> CommitRow:
    return CommitRow(
        load_id=stage.load_id,
        manifest_hash=state.ctx.manifest_hash,
        step=state.step_id,
        target=state.place.shown,
        mode=state.config.mode,
        rows=report.rows,
        checksum=report.checksum,
        state=state.ctx.load_state(),
    )


@contextmanager
def _as_errors(state: WriteState) -> Iterator[None]:
    with _named(f"writing '{state.place.shown}'"):
        yield


@contextmanager
def _named(what: str) -> Iterator[None]:
    """What the server refuses as an error that names ``what``."""
    try:
        yield
    except ServerFailure as failure:
        raise _refusal(failure, what) from None


def _refusal(failure: ServerFailure, what: str) -> OsirisError:
    if failure.state == "42501" and "_osiris_loads" in failure.said:
        return failure.error(what, hint=HIDDEN)
    if "row-level security" in failure.said:
        return failure.error(
            what, codes={"0A": "OSR-PG-008"}, hint="write as the table's owner, or as a role with BYPASSRLS"
        )
    if failure.state == "55P03":
        return failure.error(what, hint="another session holds the table for longer than lock_timeout")
    return failure.error(what, codes=_REFUSED)
