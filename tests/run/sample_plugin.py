"""A plugin whose drivers count what they do and fail as told. Its destination is a folder with one JSON file.

``store.json`` holds ``{"loads": {load_id: rows}, "rows": [...]}`` and is replaced at once, so that the commit row and
the rows appear together; a stage is a file beside it. Every call of a driver is a line of ``calls.jsonl``.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import sys
import threading
import time
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from osiris_core.api import (
    Capability,
    ComponentSpec,
    ConnectionSpec,
    ConnectionUnusable,
    DriverError,
    DriverSpec,
    Incremental,
    Receipt,
    Report,
    Role,
    Secret,
    Split,
    Stage,
    config,
    field,
    hookimpl,
)

OSIRIS_API = "1.0"
KEEPS = frozenset({Capability.STAGED, Capability.KEEPS_STATE})

Fault = Literal[
    "none",
    "driver",
    "retriable",
    "foreign",
    "panic",
    "exit",
    "full",
    "memory",
    "connection",
    "cancelled",
    "hang",
    "deaf",
]


@config
class Numbers:
    """Rows id, name."""

    rows: int = field(default=10, doc="How many.")
    batch: int = field(default=4, doc="Rows in a batch.")
    first: int = field(default=0, doc="The first id.")
    fault: Fault = field(default="none", doc="How it fails.")
    fault_after: int = field(default=-1, doc="Batches given before that; -1: in run() itself.")
    faults: int = field(default=1, doc="How often it fails before it works.")
    output: Literal["stream", "foreign", "none", "list", "two", "duplicate", "whole", "uneven", "nosplit"] = field(
        default="stream", doc="What run() returns."
    )
    encoded: bool = field(default=False, doc="Whether name is dictionary-encoded.")
    wait_for: str | None = field(default=None, doc="A file to wait for before the first batch.")
    pause_at: int = field(default=0, doc="The batch before which to wait.")
    says: str | None = field(default=None, doc="What to print, log and warn.")
    snoop: str | None = field(default=None, doc="A file outside the project to read.")
    hungry: bool = field(default=False, doc="Ask for more memory than there is.")
    forks: bool = field(default=False, doc="Leave a fork of the process behind.")
    incremental: Incremental | None = field(default=None, doc="Reads on; the cursor is id.")
    limit: int | None = field(default=None, doc="Taken by no code: a limit is refused with a cursor.")
    outside: bool = field(default=False, doc="Give rows from outside of the window, too.")


@config
class Pass:
    """Gives on what it gets."""

    fault: Fault = field(default="none", doc="How it fails.")
    fault_after: int = field(default=0, doc="Batches given before that.")
    faults: int = field(default=1, doc="How often it fails before it works.")
    take: int = field(default=-1, doc="Batches to take; -1: all.")
    twice: bool = field(default=False, doc="Read the input twice.")
    swallow: bool = field(default=False, doc="Take a failure of the input for its end.")
    emit: str | None = field(default=None, doc="An event to emit.")


@config
class Store:
    """The folder's JSON file."""

    path: str = field(default="store", doc="The folder.")
    fault: Fault = field(default="none", doc="How it fails.")
    fault_in: Literal["begin", "write", "publish", "after", "abort"] = field(default="write", doc="Where.")
    faults: int = field(default=1, doc="How often it fails before it works.")
    cheat: Literal["none", "short", "early", "swallow", "report"] = field(default="none", doc="How it lies.")
    mode: Literal["append", "upsert"] = field(default="upsert", doc="What it says that it does; it appends.")
    wait_for: str | None = field(default=None, doc="A file to wait for before publishing.")
    touch: str | None = field(default=None, doc="A file to make when the first batch arrives.")


@config
class Sink:
    """A writer that is not staged."""

    path: str = field(default="sink.json", doc="The file.")
    cheat: Literal["none", "rows", "early"] = field(default="none", doc="How it lies.")


@config
class SampleConnection:
    """A connection with a secret."""

    host: str = field(doc="Host.", identity=True)
    password: Secret = field(doc="Password.")


@config
class Leak:
    """Says its connection's password everywhere a driver can."""

    fail: bool = field(default=False, doc="Say it in an exception, too.")
    wait_for: str | None = field(default=None, doc="A file to wait for.")


def call(ctx, what):
    with (ctx.project_root / "calls.jsonl").open("a") as file:
        file.write(json.dumps({"step": ctx.step_id, "call": what}) + "\n")


def times(ctx, what):
    path = ctx.project_root / "calls.jsonl"
    if not path.exists():
        return 0
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return sum(line == {"step": ctx.step_id, "call": what} for line in lines)


def fail(kind, ctx):
    call(ctx, "fault")
    match kind:
        case "driver":
            raise DriverError("OSR-SAMPLE-001", "as told", hint="tell it otherwise")
        case "retriable":
            raise DriverError("OSR-SAMPLE-002", "try again", retriable=True)
        case "connection":
            raise ConnectionUnusable("OSR-SAMPLE-003", "no such host")
        case "foreign":
            raise ZeroDivisionError("one by nothing")
        case "panic":
            raise BaseException("as a Rust panic would be")
        case "exit":
            sys.exit(7)
        case "full":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "somewhere")
        case "memory":
            raise MemoryError
        case "cancelled":
            from osiris_core.errors import Cancelled

            raise Cancelled("OSR-SAMPLE-004", "of itself")
        case "hang":
            stopped = threading.Event()
            with ctx.on_cancel(stopped.set):
                stopped.wait(60)
            call(ctx, "stopped")
            ctx.check()
        case "deaf":
            time.sleep(3600)


def wait_for(ctx, name):
    while name and not (ctx.project_root / name).exists():
        ctx.check()
        time.sleep(0.01)


def wanted(ids, config, ctx):
    window = ctx.window
    if window is None or config.outside:
        return list(ids)
    lower = int(window.lower) if window.lower is not None else -1
    upper = int(window.upper) if window.upper is not None else 1 << 40
    return [one for one in ids if lower <= one < upper]


def batches(config, ctx):
    from arro3.core import Array, DataType, RecordBatch, Schema

    schema = Schema.from_arrow(
        RecordBatch.from_arrays(
            [Array([0], DataType.int64()), Array(["a"], DataType.string())], names=["id", "name"]
        ).schema
    )
    for number, start in enumerate(range(config.first, config.first + config.rows, config.batch)):
        if number == config.pause_at:
            wait_for(ctx, config.wait_for)
        if config.fault != "none" and config.fault_after == number and times(ctx, "fault") < config.faults:
            fail(config.fault, ctx)
        ids = wanted(range(start, min(start + config.batch, config.first + config.rows)), config, ctx)
        yield RecordBatch.from_arrays(
            [Array(ids, DataType.int64()), Array([f"n{i}" for i in ids], DataType.string())], schema=schema
        )


class Reader:
    """Batches as a stream that keeps its exceptions."""

    def __init__(self, rows):
        from arro3.core import DataType, Field, Schema

        self.schema = Schema([Field("id", DataType.int64()), Field("name", DataType.string())])
        self.rows = rows

    def batches(self):
        return self.rows

    def __arrow_c_stream__(self, requested_schema=None):
        from arro3.core import RecordBatchReader

        return RecordBatchReader.from_batches(self.schema, self.rows).__arrow_c_stream__(requested_schema)


class Foreign:
    """The same as a C stream only."""

    def __init__(self, inner):
        self.inner = inner

    def __arrow_c_stream__(self, requested_schema=None):
        return self.inner.__arrow_c_stream__(requested_schema)


def reader(rows):
    return Reader(rows)


class NumbersDriver:
    def run(self, *, step_id, config, inputs, ctx):
        call(ctx, "run")
        if config.says:
            print(config.says)
            os.write(1, config.says.encode() + b"\n")
            logging.getLogger("sample").warning("logged: %s", config.says)
            warnings.warn(f"warned: {config.says}", stacklevel=1)
        if config.snoop:
            Path(config.snoop).read_bytes()
        if config.forks and os.fork() == 0:
            time.sleep(20)
            os._exit(0)
        if config.hungry:
            bytearray(1 << 45)
        if config.fault != "none" and config.fault_after == -1 and times(ctx, "fault") < config.faults:
            fail(config.fault, ctx)
        if config.encoded:
            import pyarrow as pa

            return {"df": pa.table({"id": [1, 2], "name": pa.array(["x", "x"]).dictionary_encode()})}
        match config.output:
            case "none":
                return None
            case "list":
                return {"df": [1, 2]}
            case "two":
                return {"df": reader(iter(())), "other": reader(iter(()))}
        made = reader(batches(config, ctx))
        return {"df": Foreign(made) if config.output == "foreign" else made}

    def splits(self, *, config, count, ctx):
        call(ctx, "splits")
        if config.output == "duplicate":
            return [Split(part=0, spec={}), Split(part=0, spec={})]
        if config.output == "whole":
            return []
        if config.output == "nosplit":
            return "no list"
        share = -(-config.rows // count)
        return [
            Split(
                part=part, spec={"first": config.first + part * share, "rows": min(share, config.rows - part * share)}
            )
            for part in range(count)
        ]

    def run_split(self, *, step_id, config, split, ctx):
        import attrs

        call(ctx, f"split {split.part}")
        if config.output == "uneven" and split.part == 1:
            import pyarrow as pa

            return {"df": pa.table({"other": [1]})}
        if split.part > 0 and config.fault_after != -1:
            config = attrs.evolve(config, fault="none")
        return {"df": reader(batches(attrs.evolve(config, **split.spec), ctx))}


class PassDriver:
    def run(self, *, step_id, config, inputs, ctx):
        call(ctx, "run")
        if config.emit:
            lost = {"column": "name", "source": "a", "target": "b", "loses": "c"}
            ctx.emit(config.emit, **(lost if config.emit == "type_lost" else {"source": "x", "columns": []}))
        (rows,) = {id(one): one for one in inputs.values()}.values()
        if config.twice:
            list(rows.batches())
        passed = self._pass(rows, config, ctx)
        return {"df": reader(self._swallowing(passed) if config.swallow else passed)}

    def _swallowing(self, batches):
        try:
            yield from batches
        except Exception:
            return

    def _pass(self, rows, config, ctx):
        for number, batch in enumerate(rows.batches()):
            if number == config.take:
                return
            if config.fault != "none" and number == config.fault_after and times(ctx, "fault") < config.faults:
                fail(config.fault, ctx)
            yield batch


class StoreDriver:
    def begin(self, *, step_id, config, schema, ctx):
        self.config, self.ctx = config, ctx
        call(ctx, "begin")
        self.folder = ctx.project_root / config.path
        self.folder.mkdir(exist_ok=True)
        for left in self.folder.glob(f"{step_id}.*.stage"):
            left.unlink()
        self._fault("begin")
        state = load(self.folder)
        if ctx.load_id in state["loads"]:
            report = Report(target=config.path, rows=state["loads"][ctx.load_id])
            return Stage(load_id=ctx.load_id, target=config.path, published=report)
        (self.folder / f"{step_id}.{ctx.load_id}.stage").touch()
        return Stage(load_id=ctx.load_id, target=config.path)

    def write(self, stage, part, rows):
        call(self.ctx, "write")
        taken = []
        try:
            for batch in rows.batches():
                taken += batch.to_struct_array().to_pylist()
                if self.config.touch:
                    (self.ctx.project_root / self.config.touch).touch()
                with self._stage().open("a") as file:
                    file.write("x")
                self._fault("write")
                if self.config.cheat == "early":
                    break
        except Exception:
            if self.config.cheat != "swallow":
                raise
        self._stage().write_text(json.dumps(taken))
        told = len(taken) - (self.config.cheat == "short")
        return Receipt(part=part, rows=told, bytes=self._stage().stat().st_size)

    def publish(self, stage, receipts):
        call(self.ctx, "publish")
        wait_for(self.ctx, self.config.wait_for)
        self._fault("publish")
        state = load(self.folder)
        staged = json.loads(self._stage().read_text())
        state["rows"] += staged
        state["loads"][stage.load_id] = len(staged)
        beside = self.folder / f"{self.ctx.step_id}.new"
        beside.write_text(json.dumps(state))
        beside.replace(self.folder / "store.json")
        self._stage().unlink()
        self._fault("after")
        if self.config.cheat == "report":
            return "published"
        return Report(target=self.config.path, rows=len(staged), details={"loads": len(state["loads"])})

    def abort(self, stage):
        call(self.ctx, "abort")
        if self.config.fault_in == "abort":
            raise (BaseException if self.config.fault == "panic" else RuntimeError)("cannot clean up")
        self._stage().unlink(missing_ok=True)

    def _stage(self):
        return self.folder / f"{self.ctx.step_id}.{self.ctx.load_id}.stage"

    def _fault(self, place):
        config = self.config
        if config.fault != "none" and config.fault_in == place and times(self.ctx, "fault") < config.faults:
            fail(config.fault, self.ctx)


class KeeperDriver(StoreDriver):
    """A store that keeps states, beside it."""

    def read_state(self, *, step_id, config, key, ctx):
        call(ctx, "read_state")
        path = ctx.project_root / config.path / "states.json"
        return json.loads(path.read_text()).get(key) if path.exists() else None

    def write_state(self, *, step_id, config, state, ctx):
        path = ctx.project_root / config.path / "states.json"
        path.write_text(json.dumps({state.key: state.text}))

    def publish(self, stage, receipts):
        report = super().publish(stage, receipts)
        state = self.ctx.load_state()
        if state is not None:
            self.write_state(step_id=self.ctx.step_id, config=self.config, state=state, ctx=self.ctx)
        return report


class ForgetfulDriver(KeeperDriver):
    """Never asks for the state."""

    publish = StoreDriver.publish


def load(folder):
    path = Path(folder) / "store.json"
    return json.loads(path.read_text()) if path.exists() else {"loads": {}, "rows": []}


class SinkDriver:
    def run(self, *, step_id, config, inputs, ctx):
        call(ctx, "run")
        taken = []
        for batch in inputs["df"].batches():
            taken += batch.to_struct_array().to_pylist()
            if config.cheat == "early":
                break
        (ctx.project_root / config.path).write_text(json.dumps(taken))
        return {"df": []} if config.cheat == "rows" else {}


class LeakDriver:
    def bind(self, *, step_id, config, inputs, ctx):
        print("bound with", ctx.connection.password.reveal())
        return {"df": reader(iter(())).schema}

    def run(self, *, step_id, config, inputs, ctx):
        password = ctx.connection.password.reveal()
        ctx.emit("sample.said", text=f"the password is {password}", password=password)
        ctx.emit("files_read", files=[{"path": f"/x?password={password}"}])
        print("on stderr:", password, file=sys.stderr)
        print("on stdout:", password)
        wait_for(ctx, config.wait_for)
        if config.fail:
            raise RuntimeError(f"cannot log in with {password}")
        return {"df": reader(iter(()))}


class HollowDriver:
    def run(self, *, step_id, config, inputs, ctx):
        return {}


def component(name, role, cls, **more):
    return ComponentSpec(name=f"sample.{name}", version="1.0.0", role=role, config=cls, summary="For tests.", **more)


@hookimpl
def osiris_components():
    return (
        component("numbers", Role.EXTRACTOR, Numbers),
        component("pass", Role.PROCESSOR, Pass),
        component("store", Role.WRITER, Store),
        component("sink", Role.WRITER, Sink),
        component("leak", Role.EXTRACTOR, Leak, connection="sample"),
        component("hollow", Role.WRITER, Sink),
        component("keeper", Role.WRITER, Store),
        component("forgetful", Role.WRITER, Store),
        component("empty", Role.WRITER, Store),
    )


@hookimpl
def osiris_drivers():
    here = __name__
    return (
        DriverSpec(
            component="sample.numbers", ref=f"{here}:NumbersDriver", capabilities=frozenset({Capability.PARTITIONED})
        ),
        DriverSpec(component="sample.pass", ref=f"{here}:PassDriver"),
        DriverSpec(component="sample.store", ref=f"{here}:StoreDriver", capabilities=frozenset({Capability.STAGED})),
        DriverSpec(component="sample.sink", ref=f"{here}:SinkDriver"),
        DriverSpec(component="sample.leak", ref=f"{here}:LeakDriver"),
        DriverSpec(component="sample.keeper", ref=f"{here}:KeeperDriver", capabilities=KEEPS),
        DriverSpec(component="sample.forgetful", ref=f"{here}:ForgetfulDriver", capabilities=KEEPS),
        DriverSpec(component="sample.empty", ref=f"{here}:StoreDriver", capabilities=KEEPS),
        DriverSpec(component="sample.hollow", ref=f"{here}:HollowDriver", capabilities=frozenset({Capability.STAGED})),
    )


@hookimpl
def osiris_connections():
    return (ConnectionSpec(family="sample", config=SampleConnection, summary="For tests."),)


SEEN = []


@hookimpl
def osiris_run_event(event: Mapping):
    SEEN.append(dict(event))
    if os.environ.get("SAMPLE_OBSERVER") == "fails":
        raise ValueError("cannot observe")
