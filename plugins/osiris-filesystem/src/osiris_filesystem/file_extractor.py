"""The driver that the extractors of CSV, JSON Lines and Parquet are, short of what a format adds.

Reading has two halves: a plan is made of the files' beginnings (or footers), which settles columns and types; then the
files are read by it, a few in one statement, in the order of their paths.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

from osiris_core.api import DriverError, Split, rows
from osiris_filesystem.engine import connect, is_interrupt, schema_of
from osiris_filesystem.listing import list_files
from osiris_filesystem.places import root_of
from osiris_filesystem.reading import say_files, share_out

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    from osiris_core.api import DriverContext, Schema, Stream
    from osiris_filesystem.listing import InputFile
    from osiris_filesystem.roots import Root

_AT_ONCE: Final = 16
"""Files that one statement reads."""


class Plan(Protocol):
    """What reading a set of files amounts to; plain data, so that the splits of one extract share it."""

    @property
    def files(self) -> Sequence[Any]:
        """The files, each with what the plan knows of it."""
        ...

    @property
    def inputs(self) -> Sequence[InputFile]:
        """The files themselves."""
        ...

    def to_json(self) -> dict[str, Any]:
        """The plan as plain data."""
        ...

    def empty(self) -> str:
        """A query of the plan's columns without rows and without files."""
        ...


class Reading(Protocol):
    """What a format adds."""

    def plan(self, connection: Any, root: Root, files: Sequence[InputFile], config: Any) -> Any:
        """The plan for ``files``."""
        ...

    def plan_failure(self, error: Exception, root: Root, files: Sequence[InputFile], config: Any) -> Exception:
        """What DuckDB's ``error`` while the plan was made means."""
        ...

    def restore(self, data: Mapping[str, Any]) -> Any:
        """The plan that ``to_json`` gave."""
        ...

    def inferred(self, plan: Any, config: Any) -> Mapping[str, Any] | None:
        """``columns`` and ``details`` of the event that says what was inferred; None when nothing was."""
        ...

    def read(
        self, connection: Any, schema: Any, root: Root, plan: Any, files: Sequence[Any], config: Any
    ) -> Generator[Any, None, None]:
        """The rows of a few of the plan's files in one statement, and the proof that all of each was read."""
        ...

    def read_failure(
        self, error: Exception, connection: Any, root: Root, plan: Any, files: Sequence[Any], config: Any
    ) -> Exception:
        """What DuckDB's ``error`` while ``files`` were read means."""
        ...


class FileExtractor(Reading):
    """Reads files (``Partitioned``, ``Binds``); a subclass is a format."""

    def run(self, *, step_id: str, config: Any, inputs: Mapping[str, Any], ctx: DriverContext) -> Mapping[str, Stream]:
        """All rows, in the order of the files' paths and of the rows in them."""
        root = root_of(ctx)
        plan = self._planned(root, config, ctx)
        self._say(plan, config, ctx)
        return {"df": self._stream(root, plan, plan.files, config, ctx)}

    def splits(self, *, config: Any, count: int, ctx: DriverContext) -> Sequence[Split]:
        """The files, shared out by size; none when there is one file only."""
        root = root_of(ctx)
        if len(list_files(root, config.path, check=ctx.check)) < 2:
            return ()
        plan = self._planned(root, config, ctx)
        self._say(plan, config, ctx)
        data = plan.to_json()
        shares = share_out([file.size for file in plan.inputs], count)
        return tuple(
            Split(part=part, spec={"plan": data, "from": start, "to": end}) for part, (start, end) in enumerate(shares)
        )

    def run_split(self, *, step_id: str, config: Any, split: Split, ctx: DriverContext) -> Mapping[str, Stream]:
        """The rows of some of the files."""
        plan = self.restore(split.spec["plan"])
        files = plan.files[split.spec["from"] : split.spec["to"]]
        return {"df": self._stream(root_of(ctx), plan, files, config, ctx)}

    def bind(
        self, *, step_id: str, config: Any, inputs: Mapping[str, Schema], ctx: DriverContext
    ) -> Mapping[str, Schema]:
        """The columns, told from the files' beginnings or footers."""
        plan = self._planned(root_of(ctx), config, ctx)
        connection = connect()
        try:
            return {"df": schema_of(connection, plan.empty())}
        finally:
            connection.close()

    def _planned(self, root: Root, config: Any, ctx: DriverContext) -> Plan:
        files = list_files(root, config.path, check=ctx.check)
        connection = connect(threads=ctx.threads, memory_limit=ctx.memory_limit, scratch=ctx.scratch)
        try:
            with ctx.on_cancel(connection.interrupt):
                plan: Plan = self.plan(connection, root, files, config)
                return plan
        except DriverError:
            raise
        except Exception as error:
            if is_interrupt(error):
                ctx.check()
            raise self.plan_failure(error, root, files, config) from error
        finally:
            connection.close()

    def _say(self, plan: Plan, config: Any, ctx: DriverContext) -> None:
        say_files(ctx, plan.inputs)
        inferred = self.inferred(plan, config)
        if inferred is not None:
            ctx.emit("schema_inferred", source=config.path, **inferred)

    def _stream(self, root: Root, plan: Plan, files: Sequence[Any], config: Any, ctx: DriverContext) -> Stream:
        connection = connect(threads=ctx.threads, memory_limit=ctx.memory_limit, scratch=ctx.scratch)
        try:
            schema = schema_of(connection, plan.empty())
        except BaseException:
            connection.close()
            raise
        return rows(schema, self._batches(connection, schema, root, plan, files, config, ctx))

    def _batches(
        self,
        connection: Any,
        schema: Any,
        root: Root,
        plan: Plan,
        files: Sequence[Any],
        config: Any,
        ctx: DriverContext,
    ) -> Generator[Any, None, None]:
        try:
            with ctx.on_cancel(connection.interrupt):
                for start in range(0, len(files), _AT_ONCE):
                    ctx.check()
                    some = files[start : start + _AT_ONCE]
                    try:
                        yield from self.read(connection, schema, root, plan, some, config)
                    except DriverError:
                        raise
                    except Exception as error:
                        if is_interrupt(error):
                            ctx.check()
                        raise self.read_failure(error, connection, root, plan, some, config) from error
        finally:
            connection.close()
