"""A context of a step without a run, rows made by SQL, and drivers run on them."""

from __future__ import annotations

import contextlib
import itertools
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from arro3.core import RecordBatch, RecordBatchReader

from osiris_core.builtin.duckdb.config import DuckDBConnection, Extractor, Processor, Writer
from osiris_core.builtin.duckdb.extractor import ExtractorDriver
from osiris_core.builtin.duckdb.processor import ProcessorDriver
from osiris_core.builtin.duckdb.writer import WriterDriver
from osiris_core.errors import Cancelled
from osiris_core.run.dataset import RowStream
from osiris_core.run.layout import plain_batch, plain_schema

if TYPE_CHECKING:
    from pathlib import Path


class Context:
    """The values of a step's context, with what was said to it."""

    def __init__(self, root: Path, connection: Any = None) -> None:
        self.step_id = "step"
        self.run_id = "run_20260101T000000000000Z_00000000"
        self.load_id = "load-1"
        self.manifest_hash = "0" * 64
        self.connection = connection
        self.project_root = root
        self.scratch = root / "scratch"
        self.scratch.mkdir(exist_ok=True)
        self.memory_limit = 512 * 1024 * 1024
        self.threads = 2
        self.window: Any = None
        self.state: Any = None
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.metrics: list[tuple[str, float, str]] = []
        self.points: list[str] = []
        self.raise_at: str | None = None
        self.cancelled = False
        self.actions: list[Any] = []

    def load_state(self) -> Any:
        return self.state

    def log_metric(self, name: str, value: float, unit: str) -> None:
        self.metrics.append((name, value, unit))

    def emit(self, event: str, **fields: Any) -> None:
        self.events.append((event, fields))

    def artifact(self, name: str) -> Path:
        return self.scratch / name

    def check(self) -> None:
        if self.cancelled:
            raise Cancelled("OSR-RUN-002", "stopped")

    @contextlib.contextmanager
    def on_cancel(self, action: Any) -> Any:
        self.actions.append(action)
        try:
            yield
        finally:
            self.actions.remove(action)

    def cancel(self) -> None:
        self.cancelled = True
        for action in list(self.actions):
            action()

    def failpoint(self, name: str) -> None:
        self.points.append(name)
        if name == self.raise_at:
            raise OSError(28, "No space left on device")


class Rows:
    """A feed over batches in memory, or over a reader."""

    def __init__(self, reader: Any) -> None:
        self.schema = reader.schema
        self._batches = iter(reader)
        self.failure: BaseException | None = None
        self.pulled = 0
        self.closed = False

    def next_batch(self) -> RecordBatch | None:
        self.pulled += 1
        try:
            return next(self._batches, None)
        except Exception as error:
            self.failure = error
            raise

    def close(self) -> None:
        self.closed = True


def make_rows(sql: str, *, rows_per_batch: int = 2048, name: str = "rows") -> RowStream:
    """The rows of ``sql`` as the runtime hands them on: a dataset of small, plain batches, which can be read once."""
    connection = duckdb.connect(config={"python_enable_replacements": False})
    connection.execute("SET TimeZone = 'UTC'")
    reader = RecordBatchReader.from_stream(connection.sql(sql))
    schema = reader.schema
    plain = plain_schema(schema)
    batches = []
    for one in reader:
        batch = one if plain is None else plain_batch(one, plain)
        for start in range(0, batch.num_rows, rows_per_batch):
            batches.append(batch.slice(start, min(rows_per_batch, batch.num_rows - start)))
    return RowStream(Rows(RecordBatchReader.from_batches(plain or schema, batches)), name=name)


def fetch_all(stream: Any, order: str = "") -> list[tuple[Any, ...]]:
    """All rows of a stream."""
    connection = duckdb.connect(config={"python_enable_replacements": False})
    connection.execute("SET TimeZone = 'UTC'")
    connection.register("stream", stream)
    return connection.sql(f"SELECT * FROM stream {order}").fetchall()


class Workbench:
    """The three drivers over a database ``w.duckdb`` in a folder of the test's own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.file = root / "w.duckdb"
        self.connection = DuckDBConnection(path="w.duckdb", lock_timeout=0.3)
        self._loads = itertools.count(1)

    def ctx(self, load_id: str | None = None) -> Context:
        ctx = Context(self.root, self.connection)
        ctx.load_id = load_id or f"load-{next(self._loads)}"
        return ctx

    def process(self, query: str, *, ctx: Context | None = None, params: Any = None, **inputs: Any) -> Any:
        """The stream that the processor returns; inputs given as SQL text become rows."""
        made = {
            name: make_rows(given, name=name) if isinstance(given, str) else given for name, given in inputs.items()
        }
        if len(made) == 1:
            made["df"] = next(iter(made.values()))
        config = Processor(query=query, query_params=params or {})
        return ProcessorDriver().run(step_id="step", config=config, inputs=made, ctx=ctx or self.ctx())["df"]

    def query(self, query: str, **inputs: Any) -> list[tuple[Any, ...]]:
        """The rows that the processor gives."""
        return fetch_all(self.process(query, **inputs))

    def write(self, rows: Any, *, ctx: Context | None = None, **config: Any) -> Any:
        """Stage and publish ``rows`` (SQL text, or a list of parts); the report."""
        ctx = ctx or self.ctx()
        parts = [
            make_rows(part) if isinstance(part, str) else part for part in ([rows] if isinstance(rows, str) else rows)
        ]
        made = Writer(**{"table": "t", "mode": "append", **config})
        driver = WriterDriver()
        stage = driver.begin(step_id="step", config=made, schema=parts[0].schema, ctx=ctx)
        if stage.published is not None:
            return stage.published
        try:
            receipts = [driver.write(stage, number, part) for number, part in enumerate(parts)]
            return driver.publish(stage, receipts)
        except BaseException:
            driver.abort(stage)
            raise

    def extract(self, *, ctx: Context | None = None, **config: Any) -> Any:
        """The stream that the extractor returns."""
        ctx = ctx or self.ctx()
        return ExtractorDriver().run(step_id="step", config=Extractor(**config), inputs={}, ctx=ctx)["df"]

    def sql(self, *statements: str) -> list[tuple[Any, ...]]:
        """What the last of some statements gives, run on the file by DuckDB itself."""
        connection = duckdb.connect(str(self.file))
        try:
            for statement in statements:
                result = connection.execute(statement).fetchall()
            return result
        finally:
            connection.close()


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    return Workbench(tmp_path)


@pytest.fixture
def ctx(bench: Workbench) -> Context:
    return bench.ctx()


@pytest.fixture
def rows() -> Any:
    return make_rows


@pytest.fixture
def fetch() -> Any:
    return fetch_all
