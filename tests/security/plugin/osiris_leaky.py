"""A plugin that tells its secrets to whoever listens, in every way a careless driver might."""

from __future__ import annotations

import atexit
import base64
import json
import logging
import os
import subprocess
import sys
import threading
import time
import warnings
from typing import Literal
from urllib.parse import quote

from osiris_core.api import (
    ColumnInfo,
    ColumnProfile,
    ComponentSpec,
    ConnectionSpec,
    DiscovererSpec,
    DriverError,
    DriverSpec,
    Health,
    Role,
    Sample,
    Secret,
    Table,
    TableProfile,
    ValueCount,
    config,
    field,
    hookimpl,
)

OSIRIS_API = "1.0"


@config
class Leaky:
    """A connection full of secrets."""

    host: str = field(doc="Not a secret.", identity=True)
    password: Secret = field(doc="One secret.")
    dsn: Secret = field(doc="A URL with one inside.")
    key: Secret = field(doc="One of several lines.")
    six: Secret = field(doc="A short one.")
    token: Secret = field(doc="A well-known format.")


@config
class Extractor:
    """Rows, and whatever is told on the way."""

    how: Literal["events", "driver_error", "exception", "panic", "lazy", "unretried", "print"] = field(
        doc="The way to leak."
    )


def secrets_of(connection):
    names = ("password", "dsn", "key", "six", "token")
    return {name: getattr(connection, name).reveal() for name in names}


def told(secret):
    """A secret in the forms in which drivers and servers quote it."""
    return (
        f"{secret} | {secret!r} | {secret.encode()!r} | {json.dumps(secret)} | {json.dumps(json.dumps([secret]))} | "
        f"{quote(secret, safe='')} | {quote(secret)} | {base64.b64encode(b'me:' + secret.encode()).decode()}"
    )


class Driver:
    def run(self, *, step_id, config, inputs, ctx):
        secrets = secrets_of(ctx.connection)
        return {"df": getattr(self, config.how)(step_id, secrets, ctx)}

    def events(self, step_id, secrets, ctx):
        for name, secret in secrets.items():
            ctx.emit("leaky.note", text=told(secret), nested={"a": [{"b": secret}]}, **{f"field_{name}": secret})
            ctx.emit("leaky.key", by_key={secret: 1}, pair=f"{name}={secret}", as_bytes=repr(secret.encode()))
            ctx.log_metric(f"leaky.metric {secret}", 1.0, secret)
            logging.getLogger("leaky").warning("a secret: %s", told(secret))
            warnings.warn(f"a secret: {told(secret)}", stacklevel=1)
            try:
                raise RuntimeError(told(secret))
            except RuntimeError:
                logging.getLogger("leaky").exception("with a traceback")
        ctx.artifact("note.txt").write_text("an artifact without a secret")
        # long enough for the test to look at the process list
        time.sleep(0.5)
        return _rows(3)

    def driver_error(self, step_id, secrets, ctx):
        raise DriverError("OSR-LEAKY-001", told("".join(secrets.values())), hint=told(secrets["password"]))

    def exception(self, step_id, secrets, ctx):
        try:
            raise ConnectionError(*secrets.values())
        except ConnectionError as error:
            raise KeyError(told(secrets["password"])) from error

    def panic(self, step_id, secrets, ctx):
        raise PanicException(told(secrets["dsn"]))

    def lazy(self, step_id, secrets, ctx):
        def batches():
            yield from _rows(2)
            raise RuntimeError(told(secrets["password"]) + told(secrets["token"]))

        return batches()

    def unretried(self, step_id, secrets, ctx):
        raise DriverError("OSR-LEAKY-002", told(secrets["six"]), retriable=True)

    def print(self, step_id, secrets, ctx):
        for secret in secrets.values():
            print(told(secret))
            print(told(secret), file=sys.stderr)

        text = told(secrets["password"])
        print("print:", text)
        print("to stderr:", text, file=sys.stderr)
        os.write(1, f"descriptor 1: {text}\n".encode())
        os.write(2, f"descriptor 2: {text}\n".encode())
        subprocess.run(["/bin/cat"], input=f"a child: {secrets['six']}\n".encode(), check=True)
        atexit.register(print, "at exit:", text)

        def work():
            print("in a thread:", text)
            raise RuntimeError(text)

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        print("unfinished:", text, end="", flush=True)
        return _rows(1)


class PanicException(BaseException):
    """What a Rust library raises."""


class Doctor:
    def check(self, connection, *, project_root, timeout):
        text = told("".join(secrets_of(connection).values()))
        print(text)
        print(text, file=sys.stderr)
        if connection.host == "raise":
            raise RuntimeError(text)
        return Health(ok=False, category="auth", message=text, hint=text, details={"deep": [text], text: 1})


class Discoverer:
    """Tells secrets as names, comments, values and errors."""

    def open(self, connection, *, project_root, deadline):
        self.secrets = secrets_of(connection)
        text = told("".join(self.secrets.values()))
        print(text)
        print(text, file=sys.stderr)
        if connection.host == "raise":
            raise RuntimeError(text)
        return self

    def fingerprint(self):
        return "always the same"

    def tables(self):
        for name, secret in self.secrets.items():
            column = ColumnInfo(name="c", type="text", comment=told(secret), default=secret)
            yield Table(name=name, kind="table", comment=told(secret), columns=(column,), rows=10**9)

    def profile(self, table, *, basis):
        if basis == "full":
            raise DriverError("OSR-LEAKY-003", told(self.secrets["password"]))
        text = told(self.secrets[table.name])
        top = (ValueCount(value=text, count=2),)
        column = ColumnProfile(name="c", nulls=0, distinct=1, minimum=text, maximum=text, top=top)
        return TableProfile(basis=basis, examined=2, columns=(column,))

    def sample(self, table, *, rows):
        return Sample(columns=("c",), rows=((told(self.secrets[table.name]),),))

    def overlap(self, table, column, other, other_column, *, values):
        return None

    def close(self):
        raise RuntimeError(told(self.secrets["dsn"]))


def _rows(count):
    import pyarrow as pa

    return pa.RecordBatchReader.from_batches(
        pa.schema([("n", pa.int64())]), [pa.record_batch({"n": list(range(count))})]
    )


@hookimpl
def osiris_components():
    return [
        ComponentSpec(
            name="leaky.extractor",
            version="1.0.0",
            role=Role.EXTRACTOR,
            config=Extractor,
            connection="leaky",
            summary="Leaks.",
        )
    ]


@hookimpl
def osiris_drivers():
    return [DriverSpec(component="leaky.extractor", ref="osiris_leaky:Driver")]


@hookimpl
def osiris_connections():
    return [ConnectionSpec(family="leaky", config=Leaky, summary="Leaks.", doctor="osiris_leaky:Doctor")]


@hookimpl
def osiris_discoverers():
    return [DiscovererSpec(family="leaky", ref="osiris_leaky:Discoverer")]
