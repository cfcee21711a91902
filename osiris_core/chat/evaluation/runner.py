"""Runs a suite: every wish is said to the genuine conversation in a project of its own, and what comes of it judged.

A project has the suite's tables as Parquet files behind ``@filesystem.data``, which is read only, and an empty database
``@duckdb.main``. What is judged: whether a pipeline could be approved, and whether its rows are the right ones. The
rows of a file are those that would be written to it, with their types; those of a table are what it holds after the
run.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import attrs

from osiris_core.chat.calling import LATE, REFUSED, SHORT
from osiris_core.chat.evaluation.compare import Table, difference
from osiris_core.chat.evaluation.suite import table_files
from osiris_core.chat.session import ChatSession, World
from osiris_core.chat.states import State
from osiris_core.chat.trying import try_out
from osiris_core.errors import Cancelled, InvalidInput, OsirisError
from osiris_core.model.yaml_write import dump
from osiris_core.plugins.containment import contained
from osiris_core.project.connections import load_connections
from osiris_core.project.environment import load_environment
from osiris_core.project.paths import find_project
from osiris_core.project.settings import load_settings
from osiris_core.spec.llm import LLMCode, LLMError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from osiris_core.chat.calling import Caller, Listener
    from osiris_core.chat.evaluation.suite import Intent, Suite
    from osiris_core.chat.session import Choices
    from osiris_core.chat.states import Signal
    from osiris_core.compile.manifest import ManifestStep
    from osiris_core.plugins.registry import Registry
    from osiris_core.redaction import Redactor

NO_QUERY: Final = "OSR-EVL-006"
DATABASE: Final = "main.duckdb"
_TABLES: Final = "osiris_core.builtin.duckdb.results"
_MOST_ROWS: Final = 1_000_000
_SECONDS: Final = 120.0
_ANSWERS: Final = 2
_ANSWER: Final = "Decide yourself."
_OF_THE_MODEL: Final = frozenset({REFUSED, SHORT, LATE, LLMCode.TOOL_CALL, LLMCode.UNUSABLE, LLMCode.TOO_LONG})
"""How a call fails that says something about the model; what else does says it of the service."""
_FOR_GOOD: Final = frozenset(
    {
        LLMCode.NOT_INSTALLED, LLMCode.NO_KEY, LLMCode.KEY_REFUSED, LLMCode.NOT_ALLOWED, LLMCode.NO_MODEL,
        LLMCode.EXHAUSTED, LLMCode.IN_THE_CLEAR, LLMCode.LOCAL_MODEL,
    }
)  # fmt: skip
"""How one call fails that every other one would fail by, too."""

_CONNECTIONS: Final = {
    "connections": {
        "filesystem": {"data": {"root": "data", "writable": False}},
        "duckdb": {"main": {"path": DATABASE}},
    }
}


@attrs.frozen(kw_only=True)
class Verdict:
    """What came of a wish. ``bound`` says that a pipeline reached approval; ``right`` that everything was as wanted,
    and ``why`` otherwise what was not. One that is not ``answered``, as the service failed, says nothing of the model.
    """

    id: str
    answered: bool = True
    right: bool
    bound: bool
    why: str | None
    state: str
    repairs: int
    questions: int
    questions_after_discovery: int
    calls: int
    input_tokens: int
    output_tokens: int
    cost_usd: float | None
    seconds: float
    oml: str | None = None


@attrs.frozen(kw_only=True)
class Evaluator:
    """What it takes: the suite and where it stands, the plugins, and how a caller is made for each conversation."""

    suite: Suite
    path: Path
    registry: Registry
    choices: Choices
    make_caller: Callable[[Listener], Caller]
    redactor: Redactor

    def run(self, intents: tuple[Intent, ...]) -> Iterator[Verdict]:
        """A verdict for each of ``intents``, in their order.

        What the suite itself has queries for is computed before the first wish is said: a mistake in the last of them
        would otherwise be found when all calls are paid. What stops a wish (Cancelled), or would stop every
        other one too (a refused key), stops them all: it is raised.
        """
        answers = {intent.id: self._answers(intent) for intent in intents}
        for intent in intents:
            with tempfile.TemporaryDirectory(prefix="osiris-eval-") as folder:
                yield self._one(intent, answers[intent.id], Path(folder))

    def _one(self, intent: Intent, answers: tuple[Table, ...], folder: Path) -> Verdict:
        world = self._world(folder)
        self._before(intent, folder)
        front = _Front()
        session = ChatSession(world, self.choices, front, self.make_caller)
        began = time.monotonic()
        try:
            error = _talk(session, intent.utterance)
            seconds = round(time.monotonic() - began, 2)
            bound = session.state is State.APPROVAL
            answered = not _of_the_service(error)
            if error is not None and error.code in _FOR_GOOD:
                raise error
            problem = None if error is None else error.message
            why = self._judged(intent, answers, session, world, problem, front.said)
        finally:
            session.close()
        spent = session.caller.spent
        return Verdict(
            id=intent.id,
            answered=answered,
            right=why is None,
            bound=bound,
            why=why,
            state=session.state.value,
            repairs=front.states.count(State.REGENERATE),
            questions=front.questions,
            questions_after_discovery=front.late_questions,
            calls=spent.calls,
            input_tokens=spent.input,
            output_tokens=spent.output,
            cost_usd=None if spent.unknown else spent.cost,
            seconds=seconds,
            oml=None if session.draft is None else session.draft.oml,
        )

    def _judged(
        self,
        intent: Intent,
        answers: tuple[Table, ...],
        session: ChatSession,
        world: World,
        problem: str | None,
        said: str,
    ) -> str | None:
        """What is not as wanted, or None; ``said`` is what the person was told last."""
        if intent.expect == "refused":
            if session.state is State.APPROVAL:
                return "a pipeline was proposed where the wish should have been declined"
            return None if session.state is State.COMPLETE else f"it ended in {session.state}: {problem}"
        if session.state is not State.APPROVAL:
            return problem or f"it ended in {session.state}: {said}"
        try:
            found = self._rows(intent, session, world)
        except Cancelled:
            raise
        except OsirisError as error:
            return f"the pipeline does not run: {error.message}"
        if isinstance(found, str):
            return found
        differences = [
            difference(found, answer, ordered=gold.ordered, extra_columns=gold.extra_columns)
            for gold, answer in zip(intent.gold, answers, strict=True)
        ]
        return None if None in differences else differences[0]

    def _rows(self, intent: Intent, session: ChatSession, world: World) -> Table | str:
        """What is at the destination, or why that is not the one that was wished for."""
        assert session.draft is not None
        assert session.draft.proof is not None
        assert session.draft.proof.manifest is not None
        writes = [step for step in session.draft.proof.manifest.steps if step.mode == "write"]
        if len(writes) != 1:
            return f"there are {len(writes)} outputs"
        write = writes[0]
        wrong = _misplaced(intent, write)
        if wrong is not None:
            return wrong
        if write.component != "duckdb.writer":
            (tried,) = try_out(session.draft.oml, world, rows=_MOST_ROWS, seconds=_SECONDS)
            return Table(tuple(name for name, _ in tried.columns), tried.rows)
        outcome = session.run(session.draft.hash)
        if outcome.error is not None:
            raise outcome.error
        read = self.registry.load(f"{_TABLES}:read_rows")
        columns, rows, _ = read(world.loaded.project.root / DATABASE, str(write.config["table"]), _MOST_ROWS)
        return Table(tuple(name for name, _ in columns), rows)

    def _answers(self, intent: Intent) -> tuple[Table, ...]:
        """What each gold gives; InvalidInput where one, or what is to be there before, is no query."""
        if intent.destination is not None and intent.destination.before is not None:
            self._queried(intent, "before", intent.destination.before)
        return tuple(self._queried(intent, "gold", gold.sql) for gold in intent.gold)

    def _queried(self, intent: Intent, name: str, sql: str) -> Table:
        query = self.registry.load(f"{_TABLES}:query_files")
        outcome = contained(lambda: query(table_files(self.suite, self.path), sql))
        if outcome.failure is not None:
            message = f"the '{name}' of '{intent.id}' is no query over the suite's tables: {outcome.failure.message}"
            raise InvalidInput(NO_QUERY, message)
        return Table(*outcome.get())

    def _before(self, intent: Intent, folder: Path) -> None:
        """Put what is to be there before the run where it belongs."""
        wanted = intent.destination
        if wanted is None or wanted.before is None:
            return
        store = self.registry.load(f"{_TABLES}:store_query")
        store(folder / DATABASE, str(wanted.target), wanted.before, table_files(self.suite, self.path), wanted.key)

    def _world(self, folder: Path) -> World:
        (folder / "data").mkdir()
        for name, file in table_files(self.suite, self.path).items():
            shutil.copyfile(file, folder / "data" / f"{name}.parquet")
        (folder / "osiris.yaml").write_text("{}\n")
        (folder / "osiris_connections.yaml").write_text(dump(_CONNECTIONS))
        project = find_project(folder)
        environment = load_environment(project.root, {}, project.root)
        loaded = load_settings(project, environment)
        return World(
            loaded=loaded,
            environment=environment,
            registry=self.registry,
            connections=load_connections(loaded.project, self.registry),
            redactor=self.redactor,
        )


def _of_the_service(error: OsirisError | None) -> bool:
    return isinstance(error, LLMError) and error.code not in _OF_THE_MODEL


def _talk(session: ChatSession, utterance: str) -> OsirisError | None:
    """Say it, and tell the model to decide itself what it asks; what went wrong."""
    try:
        session.say(utterance)
        for _ in range(_ANSWERS):
            if session.state is State.CLARIFY:
                session.say(_ANSWER)
    except Cancelled:
        raise
    except OsirisError as error:
        return error
    return None


def _misplaced(intent: Intent, write: ManifestStep) -> str | None:
    """Why the destination is not the one that was wished for."""
    wanted = intent.destination
    if wanted is None:
        return None
    target = write.config.get("path") or write.config.get("table")
    found = {
        "component": write.component,
        "target": target,
        "mode": write.config.get("mode"),
        "key": tuple(write.config.get("primary_key") or ()),
    }
    for name, value in found.items():
        wish = getattr(wanted, name)
        if wish not in (None, ()) and wish != value:
            return f"the {name} is {value} instead of {wish}"
    return None


class _Front:
    """Counts what is said and where."""

    def __init__(self) -> None:
        self.states: list[State] = []
        self.said = ""
        self.questions = 0
        self.late_questions = 0

    def say(self, text: str) -> None:
        self.said = text
        if not text.rstrip().endswith("?"):
            return
        if State.DISCOVERY in self.states:
            self.late_questions += 1
        else:
            self.questions += 1

    def progress(self, text: str) -> None:
        pass

    def moved(self, before: State, signal: Signal, after: State) -> None:  # noqa: ARG002 - of a front
        self.states.append(after)
