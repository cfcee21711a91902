"""``mysql.writer``: rows into a table of a MySQL or MariaDB server."""

from __future__ import annotations

import threading
from contextlib import ExitStack, closing, contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

import attrs
from arro3.core import Schema

from osiris_core.api import ConnectionUnusable, DriverError, OsirisError, Receipt, Report, Stage
from osiris_mysql import loads
from osiris_mysql.incoming import row_columns, row_engine
from osiris_mysql.loads import CommitRow
from osiris_mysql.look import (
    Look,
    add_columns,
    in_utc,
    index_stage,
    keep_counter,
    key_pairs,
    look_at,
    make_like,
    merges,
    require_unchanged,
    stage_statement,
    swaps,
)
from osiris_mysql.publish import Changed, Publisher, exchange, report
from osiris_mysql.staging import Sender
from osiris_mysql.statements import change, ident, number, open_writing
from osiris_mysql.table import create_statement

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from osiris_core.api import Dataset, DriverContext, LoadState, Stream
    from osiris_core.api import Schema as AnySchema
    from osiris_mysql.session import Session
    from osiris_mysql.writer_config import Writer

_RECOVERY_SECONDS: Final = 15.0


@attrs.define(kw_only=True)
class _State:
    """What a stage holds. ``swaps``: the rows go straight into a new table that takes the place of the old one."""

    step_id: str
    config: Writer
    ctx: DriverContext
    session: Session
    engine: Any
    schema: Schema
    look: Look
    token: str
    swaps: bool
    left: tuple[str, ...]
    way: str = ""
    lock: threading.Lock = attrs.field(factory=threading.Lock)
    parts: set[int] = attrs.field(factory=set)
    closed: bool = False

    @property
    def landing(self) -> str:
        """The table that rows are sent to."""
        return (loads.NEW if self.swaps else loads.STAGE) + self.token


class WriterDriver:
    """Stages rows on the server, then makes them visible at once, together with the commit row."""

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
        """Nothing; refuses what ``begin`` would refuse, and changes nothing on the server."""
        for schema in {id(schema): schema for schema in inputs.values()}.values():
            with closing(row_engine(ctx)) as engine:
                columns = row_columns(engine, Schema.from_arrow(schema), config.table)
            with closing(open_writing(ctx)) as session:
                look_at(session, config, columns)
        return {}

    def begin(self, *, step_id: str, config: Writer, schema: AnySchema, ctx: DriverContext) -> Stage:
        """Remove what dead loads left, compare the rows' columns with the table's, and make a table to stage in."""
        with ExitStack() as held:
            arrow = Schema.from_arrow(schema)
            engine = held.enter_context(closing(row_engine(ctx)))
            columns = row_columns(engine, arrow, config.table)
            session = held.enter_context(closing(open_writing(ctx)))
            with _guarded(ctx, session):
                left = loads.clean_up(session, ctx, load_id=ctx.load_id, wait=config.lock_timeout)
                published = loads.find_load(session, ctx.load_id, config.table)
                if published is not None:
                    return Stage(load_id=ctx.load_id, target=config.table, published=published)
                look = look_at(session, config, columns)
            state = _State(
                step_id=step_id,
                config=config,
                ctx=ctx,
                session=session,
                engine=engine,
                schema=arrow,
                look=look,
                token=loads.new_token(ctx.load_id),
                swaps=swaps(config, look),
                left=left,
            )
            held.pop_all()  # the stage holds them now
        stage = Stage(load_id=ctx.load_id, target=config.table, state=state)
        try:
            with _guarded(ctx, session):
                self._open(state)
        except BaseException:
            with suppress(OsirisError):  # what led here is to be told; the next load removes what is left
                self.abort(stage)
            raise
        ctx.failpoint("mysql.begun")
        return stage

    def _open(self, state: _State) -> None:
        session, look, config = state.session, state.look, state.config
        what = f"preparing to write '{config.table}'"
        if not loads.hold(session, loads.token_lock(state.token), 0):
            raise DriverError("OSR-MYSQL-059", f"{what}: the lock of a new load is taken")
        if not state.swaps:
            change(session, stage_statement(state.landing, look), what)
        elif look.table is None:
            change(session, create_statement(state.landing, look.plan, config, look.words), what)
        else:
            make_like(session, state.landing, config.table, what)
            add_columns(session, state.landing, look.plan, what)
        state.way = _sender(state).way()
        published = "exchange" if state.swaps or look.plan.create else "transaction"
        state.ctx.emit("mysql.load_plan", table=config.table, sent_by=state.way, published_by=published)

    def write(self, stage: Stage, part: int, rows: Dataset) -> Receipt:
        """Stage one part; parts that come from several threads wait for each other."""
        state: _State = stage.state
        with state.lock:
            if part in state.parts:
                raise DriverError("OSR-MYSQL-059", f"part {part} has been staged before")
            state.parts.add(part)
            with _guarded(state.ctx, state.session):
                sent = _sender(state).send(state.schema, rows, way=state.way, part=None if state.swaps else part)
        return Receipt(part=part, rows=sent.rows, bytes=sent.bytes, state=sent.hash)

    def publish(self, stage: Stage, receipts: Sequence[Receipt]) -> Report:
        """Make the rows visible together with the commit row, while no other load may change the table."""
        state: _State = stage.state
        config, ctx, session = state.config, state.ctx, state.session
        if {receipt.part for receipt in receipts} != state.parts or len(receipts) != len(state.parts):
            raise DriverError("OSR-MYSQL-059", "the receipts are not those of the staged parts")
        row = CommitRow(
            load_id=stage.load_id,
            manifest_hash=ctx.manifest_hash,
            step=state.step_id,
            target=config.table,
            mode=config.mode,
            rows=sum(receipt.rows for receipt in receipts),
            checksum=f"{sum(receipt.state for receipt in receipts) % 2**128:032x}",
            state=ctx.load_state(),
        )
        with _guarded(state.ctx, state.session):
            _hold_target(session, config, ctx)
            loads.create_loads(session)
            made = loads.find_load(session, stage.load_id, config.table) or self._change(state, row)
        with suppress(OsirisError):
            self.abort(stage)  # what is left is only tables that nobody sees; the next load would remove them, too
        return made

    def _change(self, state: _State, row: CommitRow) -> Report:
        session, config, look = state.session, state.config, state.look
        require_unchanged(session, config, look)
        plan = look.plan
        if row.state is not None:
            row.state.require_unmoved(None if plan.create else loads.find_state(session, row.state.key))
        if plan.create:
            loads.forget_states(session, config.table)
        target = loads.NEW + state.token if plan.create else config.table
        names = tuple(pair.target for pair in look.pairs)
        publisher = Publisher(
            session,
            config,
            state.ctx,
            stage=state.landing,
            table=target,
            columns=names,
            keys=key_pairs(config, look),
            merges=merges(config, look),
        )
        dropped = 0
        if not state.swaps:
            index_stage(session, state.landing, config, look)
            dropped = publisher.settle_keys(row.rows)
            row = attrs.evolve(row, rows=row.rows - dropped)
        details: dict[str, Any] = {"created": plan.create, "sent_by": state.way}
        details |= {"duplicates_dropped": dropped} if dropped else {}
        details |= {"left_behind": list(state.left)} if state.left else {}
        details |= in_utc(look)
        done = self._transaction(state, publisher, row) if not (state.swaps or plan.create) else None
        if done is None:
            done = self._exchange(state, publisher, row)
        if plan.changes():
            state.ctx.emit("schema_changed", destination=config.table, changes=plan.changes())
        return report(row, done, **details)

    def _transaction(self, state: _State, publisher: Publisher, row: CommitRow) -> Changed:
        # It ends transactions, and shows nobody anything but a column without values.
        add_columns(state.session, state.config.table, state.look.plan, f"adding columns to '{state.config.table}'")
        return publisher.transaction(row)

    def _exchange(self, state: _State, publisher: Publisher, row: CommitRow) -> Changed:
        session, new = state.session, loads.NEW + state.token
        if not state.swaps:
            statement = create_statement(new, state.look.plan, state.config, state.look.words)
            change(session, statement, f"creating '{state.config.table}'")
            publisher.apply(row.rows)
        else:
            found = number(session, f"SELECT COUNT(*) FROM {ident(new)}", f"counting the rows for '{row.target}'")
            if found != row.rows:
                raise DriverError("OSR-MYSQL-059", f"{row.rows} rows were sent for '{row.target}', {found} are there")
        old = None if state.look.table is None else loads.OLD + state.token
        if old is not None:
            keep_counter(session, new, row.target, f"writing '{row.target}'")
        deleted = exchange(session, state.ctx, attrs.evolve(row, token=state.token), new=new, old=old)
        return Changed(inserted=row.rows, deleted=deleted)

    def abort(self, stage: Stage) -> None:
        """Remove everything staged; what a lost connection leaves in doubt is settled by the next load."""
        state: _State | None = stage.state
        if state is None or state.closed:
            return
        state.closed = True
        state.engine.close()
        try:
            if not state.session.interrupted:
                with suppress(ConnectionUnusable):
                    _discard(state.session, state.token)
                    return
            self._recover(state)
        finally:
            state.session.close()

    @staticmethod
    def _recover(state: _State) -> None:
        """Remove what is staged on a new connection, once the server has let go of the old one."""
        state.session.interrupt()
        session = open_writing(state.ctx)
        try:
            lock = loads.token_lock(state.token)
            if not loads.hold(session, lock, _RECOVERY_SECONDS):
                raise DriverError(
                    "OSR-MYSQL-061",
                    f"what was staged for '{state.config.table}' is still in use: {loads.holder(session, lock)}",
                    hint="the next load removes it",
                )
            loads.discard(session, state.token)
        finally:
            session.close()

    def read_state(self, *, step_id: str, config: Writer, key: str, ctx: DriverContext) -> str | None:
        """The newest state of ``key`` in the database; None, too, when the table that it belongs to is gone."""
        with closing(open_writing(ctx)) as session, _guarded(ctx, session):
            loads.clean_up(session, ctx, load_id=None, wait=0)
            return loads.find_state(session, key) if loads.table_exists(session, config.table) else None

    def write_state(self, *, step_id: str, config: Writer, state: LoadState, ctx: DriverContext) -> None:
        """Note a state in a commit row without rows; refused where there is no table yet."""
        row = CommitRow(
            load_id=ctx.load_id,
            manifest_hash=ctx.manifest_hash,
            step=step_id,
            target=config.table,
            mode="state",
            state=state,
        )
        with closing(open_writing(ctx)) as session, _guarded(ctx, session):
            if not loads.table_exists(session, config.table):
                raise DriverError(
                    "OSR-MYSQL-050",
                    f"there is no table '{config.table}' yet, which the state would belong to",
                    hint="say in the pipeline where the first load begins: `incremental: {initial: …}`",
                )
            # A load that has looked at the state and is about to move it must not find another one afterwards.
            _hold_target(session, config, ctx)
            loads.create_loads(session)
            loads.add_commit_row(session, row)


def _hold_target(session: Session, config: Writer, ctx: DriverContext) -> None:
    """Let no other load change the table, or note a state of it, as long as the session lives."""
    lock = loads.target_lock(ctx.connection.database, config.table)
    if not loads.hold(session, lock, config.lock_timeout, ctx):
        raise DriverError(
            "OSR-MYSQL-061",
            f"another load has been writing '{config.table}' for {config.lock_timeout:g} seconds: "
            f"{loads.holder(session, lock)}",
            retriable=True,
        )


@contextmanager
def _guarded(ctx: DriverContext, session: Session) -> Iterator[None]:
    """While it is open, cancelling ends the session; a failure within undoes what is under way, or ends it too."""
    try:
        with ctx.on_cancel(session.interrupt):
            yield
    except BaseException as error:
        if session.interrupted:
            ctx.check()
        if isinstance(error, ConnectionUnusable):
            session.interrupt()
            raise
        with suppress(OsirisError):
            change(session, "ROLLBACK", "undoing the load")
        raise


def _discard(session: Session, token: str) -> None:
    loads.discard(session, token)
    loads.release(session, loads.token_lock(token))


def _sender(state: _State) -> Sender:
    what = f"staging rows for '{state.config.table}'"
    return Sender(state.session, state.engine, state.landing, state.look.pairs, ctx=state.ctx, what=what)
