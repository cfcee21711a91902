"""``osiris chat`` in the flights example, at a terminal whose screen is kept as text, and along a pipe."""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path

import duckdb
import pexpect
import pyte
import yaml

from tests.commands import osiris

DATA = Path(__file__).parents[2] / "examples" / "flights" / "data"
COMMAND = [sys.executable, "-m", "osiris_core", "chat"]
ROWS, COLUMNS = 50, 120


def few_flights(folder):
    """The files of the example with the flights of the first two days of each month."""
    folder.mkdir()
    for file in DATA.glob("*.parquet"):
        if file.stem != "flights":
            shutil.copy(file, folder)
    with duckdb.connect() as connection:
        connection.execute(f"COPY (FROM '{DATA}/flights.parquet' WHERE day <= 2) TO '{folder}/flights.parquet'")
    return folder


def project(folder, server, data):
    """The flights with a connection to their files, and the scripted model chosen."""
    folder.mkdir()
    (folder / "data").symlink_to(data)
    llm = {
        "provider": "openai_compatible",
        "providers": {"openai_compatible": {"base_url": server.openai, "model": "test-model"}},
    }
    (folder / "osiris.yaml").write_text(yaml.safe_dump({"run": {"jobs": 1}, "llm": llm}))
    (folder / "osiris_connections.yaml").write_text(
        "connections:\n  filesystem:\n    data: {root: data, writable: false}\n"
    )
    return folder


def variables(**more):
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in ("NO_COLOR", "COLUMNS", "LINES", "VISUAL", "EDITOR")
    }
    return {**kept, "LANG": "C.UTF-8", "TERM": "xterm-256color", **more}


def piped(folder, text, *arguments, **more):
    """The whole conversation that ``text`` is."""
    env = {**variables(**more), "LANG": os.environ.get("LANG", "")}
    return osiris("chat", *arguments, cwd=folder, text=text, env=env)


class Terminal:
    """A terminal with ``osiris chat`` in it. ``raw`` is everything that was written to it."""

    def __init__(self, folder, *arguments, command=COMMAND, **more):
        self.screen = pyte.HistoryScreen(COLUMNS, ROWS, history=10_000)
        self._stream = pyte.Stream(self.screen)
        self.raw = ""
        self.child = pexpect.spawn(
            command[0], [*command[1:], *arguments], cwd=folder, env=variables(**more), encoding="utf-8",
            dimensions=(ROWS, COLUMNS), timeout=60,
        )  # fmt: skip
        self.child.delaybeforesend = None
        self.child.logfile_read = self

    def write(self, text):
        self.raw += text
        self._stream.feed(text)

    def flush(self):
        pass

    def wait(self, *patterns):
        """Until these have been written, in this order."""
        for one in patterns:
            self.child.expect(one)

    def see(self, pattern):
        """Until this is on the screen: the editor draws what is new only, so that a word may come in parts."""
        while not re.search(pattern, "\n".join(self.screen.display)):
            self.child.expect(r"[\s\S]")

    def ready(self, state):
        """Until the prompt with the status line of ``state`` is there."""
        self.wait(rf"{state} \| openai_compatible:test-model")

    def type(self, text):
        self.child.send(text)

    def enter(self, text):
        self.child.send(f"{text}\r")

    @property
    def text(self):
        """What is to be seen, with what has scrolled away."""
        gone = ["".join(line[at].data for at in range(COLUMNS)) for line in self.screen.history.top]
        return "\n".join(line.rstrip() for line in [*gone, *self.screen.display])

    def end(self):
        """The exit status, when it has ended by itself."""
        self.child.expect(pexpect.EOF)
        self.child.close()
        return self.child.exitstatus


def colours(text):
    """The colours and other styles that a text sets."""
    return [one for one in re.findall(r"\x1b\[([0-9;]*)m", text) if one not in ("", "0")]
