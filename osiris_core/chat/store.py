"""Conversations on disk: one SQLite file of the project, written after each transition, so that a crash loses nothing
that was said.

Everything in it has passed the redactor. The file's format has a number; an older one is brought up to date, a newer
one is refused.
"""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import attrs

from osiris_core.canonical import digest_bytes
from osiris_core.chat.draft import Draft
from osiris_core.chat.holding import Hold
from osiris_core.chat.memory import Memory
from osiris_core.chat.states import State
from osiris_core.errors import InvalidInput, RunFailed
from osiris_core.redaction import MASK
from osiris_core.run.session import utc_now

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

UNKNOWN: Final = "OSR-CHAT-040"
UNUSABLE: Final = "OSR-CHAT-041"
ELSEWHERE: Final = "OSR-CHAT-043"

FILE: Final = "chat.sqlite"
_BUSY_SECONDS: Final = 10.0

MIGRATIONS: Final = (
    """
    CREATE TABLE conversation (
        id TEXT PRIMARY KEY,
        started TEXT NOT NULL,
        changed TEXT NOT NULL,
        title TEXT NOT NULL,
        state TEXT NOT NULL,
        memory TEXT NOT NULL
    ) STRICT;
    CREATE TABLE line (
        conversation TEXT NOT NULL REFERENCES conversation (id),
        number INTEGER NOT NULL,
        at TEXT NOT NULL,
        who TEXT NOT NULL,
        text TEXT NOT NULL,
        PRIMARY KEY (conversation, number)
    ) STRICT;
    """,
)
"""What brings a file from each format to the next; its number is SQLite's ``user_version``."""


@attrs.frozen(kw_only=True)
class Kept:
    """A conversation in the list of all."""

    id: str
    started: str
    changed: str
    title: str
    state: str


@attrs.frozen(kw_only=True)
class Line:
    """Something that was said: by ``person``, ``model`` or ``program``."""

    at: str
    who: str
    text: str


class Store:
    """The conversations of a project. To be used by one thread; several processes may have it open."""

    def __init__(self, folder: Path, *, clean: Callable[[str], str]) -> None:
        self.path = folder / FILE
        self._clean = clean
        self._holds: list[Hold] = []
        try:
            folder.mkdir(parents=True, exist_ok=True)
            # What is said is nobody else's business; SQLite gives the files beside it the same mode.
            os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
            self._db = sqlite3.connect(self.path, timeout=_BUSY_SECONDS, isolation_level=None)
        except (OSError, sqlite3.Error) as error:
            raise self._unusable(error) from error
        try:
            self._migrate()
        except BaseException as error:
            self._db.close()
            if isinstance(error, sqlite3.Error):
                raise self._unusable(error) from error
            raise

    def close(self) -> None:
        """Let go of the file, and of what is held."""
        self._db.close()
        while self._holds:
            self._holds.pop().release()

    def hold(self, conversation: str) -> None:
        """Have a conversation for oneself until the store is closed. InvalidInput when it is open elsewhere."""
        # A name that holds for any text: the person may have typed it.
        path = self.path.with_name(f"chat-{digest_bytes(conversation.encode())[:16]}.lock")
        try:
            self._holds.append(Hold(path))
        except BlockingIOError as error:
            raise InvalidInput(
                ELSEWHERE,
                f"the conversation '{conversation}' is open elsewhere",
                hint="go on there, or close it there and resume it again",
            ) from error
        except OSError as error:
            raise self._unusable(error) from error

    def keep(self, conversation: str, memory: Memory) -> None:
        """Write ``memory`` as it stands."""
        data = json.dumps(_plain(memory, self._clean), ensure_ascii=False)
        title = self._clean(memory.said[0] if memory.said else "")[:200]
        now = utc_now()
        with self._changing():
            self._db.execute(
                "INSERT INTO conversation VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE "
                "SET changed = excluded.changed, title = excluded.title, "
                "state = excluded.state, memory = excluded.memory",
                (conversation, now, now, title, memory.state.value, data),
            )

    def add(self, conversation: str, who: str, text: str) -> None:
        """Add a line to the transcript."""
        with self._changing():
            self._db.execute(
                "INSERT INTO line SELECT ?, coalesce(max(number), 0) + 1, ?, ?, ? FROM line WHERE conversation = ?",
                (conversation, utc_now(), who, self._clean(text), conversation),
            )

    def load(self, conversation: str) -> Memory:
        """What was kept of a conversation. One that was in the middle of something waits for the person again."""
        with self._reading():
            row = self._db.execute("SELECT memory FROM conversation WHERE id = ?", (conversation,)).fetchone()
        if row is None:
            known = [one.id for one in self.all()[:5]]
            hint = f"the latest are {', '.join(known)}" if known else "there is none yet"
            raise InvalidInput(UNKNOWN, f"there is no conversation '{conversation}'", hint=hint)
        try:
            return _memory(json.loads(row[0]))
        except (ValueError, LookupError, TypeError) as error:
            raise RunFailed(
                UNUSABLE, f"what is kept of the conversation '{conversation}' is damaged", hint="begin another one"
            ) from error

    def lines(self, conversation: str) -> tuple[Line, ...]:
        """The transcript, from the beginning."""
        with self._reading():
            rows = self._db.execute(
                "SELECT at, who, text FROM line WHERE conversation = ? ORDER BY number", (conversation,)
            ).fetchall()
        return tuple(Line(at=at, who=who, text=text) for at, who, text in rows)

    def all(self) -> tuple[Kept, ...]:
        """Every conversation, the latest first."""
        with self._reading():
            rows = self._db.execute(
                "SELECT id, started, changed, title, state FROM conversation ORDER BY changed DESC, id DESC"
            ).fetchall()
        return tuple(
            Kept(id=key, started=started, changed=changed, title=title, state=state)
            for key, started, changed, title, state in rows
        )

    def _migrate(self) -> None:
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA foreign_keys = ON")
        self._db.execute("BEGIN IMMEDIATE")
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if version > len(MIGRATIONS):
            self._db.execute("ROLLBACK")
            message = f"{self.path.name} was written by a newer Osiris (format {version})"
            raise RunFailed(UNUSABLE, message, hint="update osiris-core, or move the file away")
        for number, statements in enumerate(MIGRATIONS[version:], version + 1):
            for statement in statements.split(";"):
                if statement.strip():
                    self._db.execute(statement)
            self._db.execute(f"PRAGMA user_version = {number}")
        self._db.execute("COMMIT")

    @contextmanager
    def _changing(self) -> Iterator[None]:
        try:
            self._db.execute("BEGIN IMMEDIATE")
            yield
            self._db.execute("COMMIT")
        except BaseException as error:
            # Ctrl-C, too: in a transaction left open nothing could be kept any more.
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            if isinstance(error, sqlite3.Error):
                raise self._unusable(error) from error
            raise

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise self._unusable(error) from error

    def _unusable(self, error: BaseException) -> RunFailed:
        return RunFailed(
            UNUSABLE,
            f"the conversations cannot be kept in {self.path}: {error}",
            hint="free space, mend the permissions, or move the file away",
        )


def _plain(memory: Memory, clean: Callable[[str], str]) -> dict[str, Any]:
    return {
        "state": memory.state.value,
        "said": [clean(one) for one in memory.said],
        "asked": {str(at): clean(question) for at, question in memory.asked.items()},
        "goal": clean(memory.goal),
        "connections": list(memory.connections),
        "destination": memory.destination,
        "draft": _plain_draft(memory.draft, clean),
        "previous": _plain_draft(memory.previous, clean),
        "problem": None if memory.problem is None else clean(memory.problem),
        "files": memory.files,
        "cost": memory.cost,
    }


def _plain_draft(draft: Draft | None, clean: Callable[[str], str]) -> dict[str, Any] | None:
    if draft is None:
        return None
    oml = clean(draft.oml)
    return {
        "oml": oml,
        "assumptions": [clean(one) for one in draft.assumptions],
        "masked": draft.masked or oml != draft.oml,
    }


def _memory(data: dict[str, Any]) -> Memory:
    state = State(data["state"])
    draft = _draft(data["draft"])
    # Nothing that was only half done is taken for done, and an approval is given anew.
    if state is State.RUN:
        problem = "it ended in the middle of a run: look at what has been written before you run it again"
    else:
        problem = data["problem"]
    return Memory(
        state=state if state in (State.INIT, State.CLARIFY, State.COMPLETE) else State.ERROR,
        said=list(data["said"]),
        asked={int(at): question for at, question in data.get("asked", {}).items()},  # of before it was kept: none
        goal=data["goal"],
        connections=tuple(data["connections"]),
        destination=data["destination"],
        draft=draft,
        previous=_draft(data["previous"]),
        problem=problem,
        files=dict(data.get("files", {})),  # of before they were noted: none
        cost=float(data.get("cost", 0.0)),
    )


def _draft(data: dict[str, Any] | None) -> Draft | None:
    if data is None:
        return None
    # Drafts of before this was noted: a mask in them is taken for one.
    masked = data.get("masked", MASK in data["oml"])
    return Draft(oml=data["oml"], assumptions=tuple(data["assumptions"]), masked=masked)
