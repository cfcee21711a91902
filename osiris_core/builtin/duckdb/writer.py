"""``duckdb.writer``: rows into a table of a DuckDB file.

Rows are staged in a spool in the step's scratch folder, not in the file: the file is only open while it is looked at
and while one transaction changes it, so a killed run leaves nothing in it, and steps of one run can read it and write
several of its tables. A spool takes no memory and half the CPU of a table of DuckDB's that has to spill.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import attrs
import duckdb
from arro3.core import Schema

from osiris_core.api import Column, DriverError, OsirisError, Receipt, Report, Stage
from osiris_core.builtin.duckdb.carriers import refuse_unreadable, restored
from osiris_core.builtin.duckdb.database import (
    attached,
    create_database,
    database_path,
    file_error,
    remove_leftovers,
)
from osiris_core.builtin.duckdb.failures import interrupted, query_failure
from osiris_core.builtin.duckdb.hardened import trusted_connection
from osiris_core.builtin.duckdb.interrupting import interruptible
from osiris_core.builtin.duckdb.load import (
    Identity,
    Load,
    Staged,
    add_commit_row,
    create_loads,
    find_load,
    find_state,
    forget_states,
    staged_name,
)
from osiris_core.builtin.duckdb.table import TARGET, make_plan, read_columns, shown
from osiris_core.run.cstream import export_stream
from osiris_core.run.spool import SpooledRows, write_spool
from osiris_core.sqltext import quote_identifier

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from osiris_core.api import Dataset, DriverContext, LoadState, Stream
    from osiris_core.api import Schema as AnySchema
    from osiris_core.builtin.duckdb.config import Writer


@attrs.define(kw_only=True)
class _State:
    """What a stage holds: a connection, the staged parts by number, and where they are to go."""

    step_id: str
    config: Writer
    ctx: DriverContext
    path: Path
    connection: Any
    schema: Schema
    columns: tuple[Column, ...]
    parts: dict[int, SpooledRows] = attrs.field(factory=dict)
    lock: threading.Lock = attrs.field(factory=threading.Lock)


@attrs.frozen(kw_only=True)
class _Part:
    rows: SpooledRows
    hash: int


class WriterDriver:
    """Stages rows, then changes the table and adds the commit row in one transaction."""

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
        """Nothing; refuses what ``begin`` would refuse."""
        for schema in {id(schema): schema for schema in inputs.values()}.values():
            self.abort(self.begin(step_id=step_id, config=config, schema=schema, ctx=ctx))
        return {}

    def begin(self, *, step_id: str, config: Writer, schema: AnySchema, ctx: DriverContext) -> Stage:
        """Compare the rows' columns with the table's; nothing in the file changes."""
        path = database_path(ctx.connection, ctx.project_root)
        remove_leftovers(path)
        connection = trusted_connection(ctx)
        try:
            arrow = Schema.from_arrow(schema)
            columns = _columns(connection, arrow, shown(config))
            published = self._look(connection, path, config, columns, ctx)
        except BaseException:
            connection.close()
            raise
        if published is not None:
            connection.close()
            return Stage(load_id=ctx.load_id, target=shown(config), published=published)
        state = _State(
            step_id=step_id,
            config=config,
            ctx=ctx,
            path=path,
            connection=connection,
            schema=arrow,
            columns=columns,
        )
        ctx.failpoint("duckdb.begun")
        return Stage(load_id=ctx.load_id, target=shown(config), state=state)

    def _look(
        self, connection: Any, path: Path, config: Writer, columns: tuple[Column, ...], ctx: DriverContext
    ) -> Report | None:
        if not path.exists():
            if not config.create_if_missing:
                raise file_error(FileNotFoundError("does not exist"), path, ctx.connection.path)
            make_plan(config, columns, None)
            return None
        with attached(connection, TARGET, path, read_only=True, ctx=ctx):
            published = find_load(connection, config, ctx.load_id)
            if published is None:
                make_plan(config, columns, read_columns(connection, config))
            return published

    def write(self, stage: Stage, part: int, rows: Dataset) -> Receipt:
        """Stage one part; parts may come from several threads."""
        state: _State = stage.state
        what = f"staging the rows of step '{state.step_id}'"
        spooled = write_spool(state.schema, rows.batches(), folder=state.ctx.scratch, name=f"part-{part}")
        cursor = state.connection.cursor()
        try:
            with interruptible(state.ctx, cursor.interrupt):
                cursor.register("osiris_rows", spooled)
                items = ", ".join(_restored_items(cursor, state.schema))
                names = ", ".join(quote_identifier(name) for name in state.schema.names)
                # DuckDB's hash of each row, added up: the same for the same rows in any order and any number of parts.
                ((count, hashed),) = cursor.execute(
                    f"SELECT count(*), coalesce(sum(hash({names})), 0)::VARCHAR FROM (SELECT {items} FROM osiris_rows)"
                ).fetchall()
        except Exception as error:
            spooled.remove()
            if interrupted(error):
                state.ctx.check()
            raise query_failure(error, what=what) from error
        finally:
            cursor.close()
        if count != spooled.rows:
            raise DriverError("OSR-DUCKDB-039", f"{what}: {spooled.rows} rows came, {count} are staged")
        with state.lock:
            before = state.parts.get(part)
            state.parts[part] = spooled
        if before is not None:
            before.remove()
        return Receipt(part=part, rows=count, bytes=spooled.bytes, state=_Part(rows=spooled, hash=int(hashed)))

    def publish(self, stage: Stage, receipts: Sequence[Receipt]) -> Report:
        """Change the table and add the commit row in one transaction."""
        state: _State = stage.state
        ordered = sorted(receipts, key=lambda receipt: receipt.part)
        parts = [receipt.state.rows for receipt in ordered]
        if parts != [state.parts[number] for number in sorted(state.parts)]:
            raise DriverError("OSR-DUCKDB-039", "the receipts are not those of the staged parts")
        checksum = f"{sum(receipt.state.hash for receipt in ordered) % 2**128:032x}"
        if not state.path.exists():
            create_database(state.path, state.ctx.connection.path)
        with attached(state.connection, TARGET, state.path, read_only=False, ctx=state.ctx):
            published = find_load(state.connection, state.config, stage.load_id)
            report = published or self._transaction(stage, state, parts, checksum)
        self.abort(stage)
        return report

    def _transaction(self, stage: Stage, state: _State, parts: list[SpooledRows], checksum: str) -> Report:
        ctx, connection = state.ctx, state.connection
        identity = Identity(
            load_id=stage.load_id, manifest_hash=ctx.manifest_hash, step=state.step_id, state=ctx.load_state()
        )
        staged = Staged(sql=_staged(connection, state.schema, parts), rows=sum(part.rows for part in parts))
        load = Load(connection, state.config, state.columns, staged, identity, memory=ctx.memory_limit)
        try:
            connection.execute("BEGIN TRANSACTION")
            exists = read_columns(connection, state.config) is not None
            if identity.state is not None:
                identity.state.require_unmoved(find_state(connection, identity.state.key) if exists else None)
            if not exists:
                forget_states(connection, stage.target)
            with interruptible(ctx, connection.interrupt):
                outcome = load.apply(checksum)
                ctx.failpoint("duckdb.before_commit")
            ctx.check()  # from here on, cancelling comes too late
            connection.execute("COMMIT")
        except BaseException as error:
            with suppress(duckdb.Error):
                connection.execute("ROLLBACK")
            if interrupted(error):
                ctx.check()
            raise self._failure(error, state) from error
        ctx.failpoint("duckdb.after_commit")
        if outcome.changes:
            ctx.emit("schema_changed", destination=stage.target, changes=outcome.changes)
        return outcome.report

    @staticmethod
    def _failure(error: BaseException, state: _State) -> BaseException:
        if isinstance(error, OsirisError) or not isinstance(error, Exception):
            return error
        if isinstance(error, duckdb.IOException | duckdb.FatalException | OSError):
            return file_error(error, state.path, state.ctx.connection.path)
        return query_failure(error, what=f"writing '{shown(state.config)}'")

    def abort(self, stage: Stage) -> None:
        """Let go of the staged rows; they were never in the file."""
        state: _State | None = stage.state
        if state is not None:
            state.connection.close()
            for spooled in state.parts.values():
                spooled.remove()

    def read_state(self, *, step_id: str, config: Writer, key: str, ctx: DriverContext) -> str | None:
        """The newest state of ``key`` in the file; None, too, when the table that it belongs to is gone."""
        del step_id
        path = database_path(ctx.connection, ctx.project_root)
        if not path.exists():
            return None
        connection = trusted_connection(ctx)
        try:
            with attached(connection, TARGET, path, read_only=True, ctx=ctx):
                return find_state(connection, key) if read_columns(connection, config) is not None else None
        except duckdb.Error as error:
            raise query_failure(error, what=f"reading the state of '{shown(config)}'") from error
        finally:
            connection.close()

    def write_state(self, *, step_id: str, config: Writer, state: LoadState, ctx: DriverContext) -> None:
        """Note a state in a commit row without rows; refused where there is no table yet."""
        path = database_path(ctx.connection, ctx.project_root)
        if not path.exists():
            raise file_error(FileNotFoundError("does not exist"), path, ctx.connection.path)
        identity = Identity(load_id=ctx.load_id, manifest_hash=ctx.manifest_hash, step=step_id, state=state)
        connection = trusted_connection(ctx)
        try:
            with attached(connection, TARGET, path, read_only=False, ctx=ctx):
                if read_columns(connection, config) is None:
                    raise DriverError(
                        "OSR-DUCKDB-030",
                        f"there is no table '{shown(config)}' yet, which the state would belong to",
                        hint="say in the pipeline where the first load begins: `incremental: {initial: …}`",
                    )
                connection.execute("BEGIN TRANSACTION")
                create_loads(connection)
                add_commit_row(connection, identity, target=shown(config), mode="state", rows=0, checksum=None)
                connection.execute("COMMIT")
        except duckdb.Error as error:
            raise query_failure(error, what=f"noting the state of '{shown(config)}'") from error
        finally:
            connection.close()


class _Empty:
    """No rows of a schema."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return export_stream(self.schema, iter(()), lambda: None)


def _columns(connection: Any, schema: Schema, target: str) -> tuple[Column, ...]:
    """The columns of rows of ``schema`` as DuckDB sees them."""
    if not schema.names:
        raise DriverError("OSR-DUCKDB-031", f"the rows for '{target}' have no columns")
    seen: dict[str, str] = {}
    for name in schema.names:
        if name.casefold() in seen:
            raise DriverError(
                "OSR-DUCKDB-007",
                f"the rows for '{target}' have the columns '{seen[name.casefold()]}' and '{name}', which are one name",
            )
        seen[name.casefold()] = name
        if not name or "\0" in name:
            raise DriverError("OSR-DUCKDB-031", f"the rows for '{target}' have a column without a usable name")
    refuse_unreadable(schema, what=f"the rows for '{target}'")
    connection.register("osiris_shape", _Empty(schema))
    relation = connection.sql(f"SELECT {', '.join(_restored_items(connection, schema))} FROM osiris_shape")
    columns = tuple(Column(name, kind) for name, kind in zip(relation.columns, relation.types, strict=True))
    del relation
    connection.unregister("osiris_shape")
    return columns


def _restored_items(connection: Any, schema: Schema) -> Iterator[str]:
    for at, name in enumerate(schema.names):
        quoted = quote_identifier(name)
        yield f"{restored(connection, schema.field(at), quoted)} AS {quoted}"


def _staged(connection: Any, schema: Schema, parts: Sequence[SpooledRows]) -> str:
    """SQL for the rows of all parts, in their order; of none, when nothing was written."""
    items = ", ".join(
        f"{restored(connection, schema.field(at), quote_identifier(name))} AS {staged_name(at)}"
        for at, name in enumerate(schema.names)
    )
    names = []
    for number, rows in enumerate(parts or (_Empty(schema),)):
        names.append(f"osiris_part_{number}")
        connection.register(names[-1], rows)
    return " UNION ALL ".join(f"SELECT {items} FROM {name}" for name in names)
