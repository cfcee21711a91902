"""A conversation within a project: assembled, kept on disk, recorded, and able to run what was approved.

The record is a session of the kind ``chat`` (:mod:`osiris_core.run.session`): ``chat.*`` events with their facts, never
the text of a prompt or reply; the pipeline as an artifact, the same bytes as the file in ``output/`` unless a secret in
them is masked.
"""

from __future__ import annotations

from contextlib import suppress
from itertools import count
from typing import TYPE_CHECKING, Any, Final

import attrs

from osiris_core.canonical import digest_bytes
from osiris_core.chat import events
from osiris_core.chat.asking import pipeline_of
from osiris_core.chat.components_text import components_text
from osiris_core.chat.conversation import Conversation, Helpers
from osiris_core.chat.destinations import destinations_of
from osiris_core.chat.looking import Looker
from osiris_core.chat.memory import Memory
from osiris_core.chat.providers import guided_for
from osiris_core.chat.states import Signal, State
from osiris_core.chat.store import UNKNOWN, Store
from osiris_core.chat.trying import try_out
from osiris_core.display import well_formed
from osiris_core.errors import Cancelled, InvalidInput, OsirisError
from osiris_core.model.yaml_write import dump
from osiris_core.run.api import RunOptions, run_manifest
from osiris_core.run.outcome import error_data
from osiris_core.run.proving import Prover
from osiris_core.run.session import Session, replace_file, utc_now

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from osiris_core.chat.calling import Caller, Candidate, Listener
    from osiris_core.chat.conversation import Front
    from osiris_core.chat.describing import Privacy
    from osiris_core.chat.destinations import Destination
    from osiris_core.chat.draft import Draft
    from osiris_core.chat.templates import Template
    from osiris_core.chat.trying import Tried
    from osiris_core.plugins.registry import Registry
    from osiris_core.project.connections import Connections
    from osiris_core.project.environment import Environment
    from osiris_core.project.settings import Loaded
    from osiris_core.redaction import Redactor
    from osiris_core.run.executor import Interrupts
    from osiris_core.run.outcome import RunOutcome

KIND: Final = "chat"
OUTPUT: Final = "output"
LAST: Final = "last"
"""Stands for the latest conversation."""
_TRIED_ROWS: Final = 2000
_TRIED_OF_EACH: Final = 1_000_000
_TRIED_SECONDS: Final = 60.0
UNWRITTEN: Final = "OSR-CHAT-042"


@attrs.frozen(kw_only=True)
class World:
    """The project that is talked about."""

    loaded: Loaded
    environment: Environment
    registry: Registry
    connections: Connections
    redactor: Redactor


@attrs.frozen(kw_only=True)
class Choices:
    """How the person wants it: which prompts, how private, whether clarification is skipped, where the text goes."""

    templates: Mapping[str, Template]
    privacy: Privacy = "standard"
    fast: bool = False
    guided: bool = False
    out: Path | None = None
    resume: str | None = None


class ChatSession:
    """An open conversation; to be closed. ``caller`` is made by ``make_caller``, which gets what listens to calls."""

    def __init__(
        self,
        world: World,
        choices: Choices,
        front: Front,
        make_caller: Callable[[Listener], Caller],
    ) -> None:
        self.world = world
        self._choices = choices
        self._front = front
        project = world.loaded.project
        self.store = Store(project.root / ".osiris", clean=world.redactor.text)
        try:
            resumed = self._resumed(choices.resume)
            memory = Memory()
            if resumed:
                self.store.hold(resumed)
                memory = self.store.load(resumed)
            self.caller = make_caller(lambda event: _emit(self._record, event))
            self.caller.before = memory.cost
            helpers = self._helpers()
            # Last, so that no record is left open by what cannot even begin.
            self._record = Session.create(
                KIND,
                project.logs,
                details={"resumed": choices.resume},
                redactor=world.redactor,
                enabled=world.loaded.event_enabled,
                level=world.loaded.settings.logging.level,
            )
            self.id = resumed or self._record.id
            if not resumed:
                self.store.hold(self.id)
        except BaseException:
            self.store.close()
            raise
        self.file: Path | None = None
        self.conversation = Conversation(
            helpers,
            _Kept(front, self.store, self._record, self.id),
            memory=memory,
            keep=self._keep,
        )
        for template in choices.templates.values():
            _emit(
                self._record,
                events.Template(purpose=template.purpose, sha256=template.hash, origin=template.origin),
            )

    def _resumed(self, wanted: str | None) -> str | None:
        """The conversation to go on with: the one that is named, or the latest."""
        if wanted != LAST:
            return None if wanted is None else well_formed(wanted)
        known = self.store.all()
        if not known:
            raise InvalidInput(UNKNOWN, "there is no conversation to go on with")
        return known[0].id

    def ask_first(self, candidate: Candidate) -> None:
        """Ask ``candidate`` from now on; in the small form where the settings leave that to the provider."""
        self.caller.ask_first(candidate)
        guided = guided_for(candidate.provider_name, self.world.loaded.settings.llm)
        self.conversation.ask_guided(guided=guided)

    @property
    def state(self) -> State:
        """Where the conversation stands."""
        return self.conversation.memory.state

    @property
    def draft(self) -> Draft | None:
        """The pipeline as it stands."""
        return self.conversation.memory.draft

    @property
    def destinations(self) -> tuple[Destination, ...]:
        """Where a pipeline may write."""
        entries = self.world.connections.all()
        refs = [entry.ref for entry in entries if entry.raw.get("writable") is not False]
        return destinations_of(self.world.registry, refs)

    def say(self, text: str) -> None:
        """The person said something."""
        text = well_formed(text)
        self._keep(self.conversation.memory)  # a line belongs to a conversation that is known
        self.store.add(self.id, "person", text)
        self.conversation.say(text)

    def question(self, query: str) -> dict[str, Any]:
        """The pipeline that answers a query of the person's over the draft's steps and all tables that can be found.

        Raises InvalidInput for what is no query, or reads what there is not.
        """
        draft = None if self.draft is None or self.draft.masked else self.draft.oml
        known = self.conversation.sources
        if known is not None:
            with suppress(InvalidInput):
                return pipeline_of(query, draft, known)
        # Not among those that the wish is about; there may be others behind the connections.
        return pipeline_of(query, draft, self.conversation.all_sources())

    def answer(self, document: Mapping[str, Any], *, rows: int, seconds: float, interrupts: Interrupts) -> Tried:
        """The first ``rows`` of what a :meth:`question` asks. Raises InvalidInput for what may not be asked, RunFailed
        when it fails, after ``seconds`` too.
        """
        try:
            (answer,) = try_out(dump(document), self.world, rows=rows, seconds=seconds, interrupts=interrupts)
        except InvalidInput as error:
            # Where it stands in a document that nobody wrote says nothing.
            first = next((one for one in error.diagnostics if one.is_error), None)
            if first is None:
                raise
            raise InvalidInput(first.code, first.message, hint=first.advice) from error
        return answer

    def resume(self) -> None:
        """Bring a resumed conversation to where it waits for the person: its draft is proved anew."""
        memory = self.conversation.memory
        if memory.draft is not None and memory.state is State.ERROR:
            self.conversation.edit(memory.draft.oml)

    def run(self, shown: str, **options: Any) -> RunOutcome:
        """Approve the text that was ``shown`` (the draft's hash) and run it; InvalidInput when it is another by now.

        ``options`` are those of ``RunOptions``.
        """
        world = self.world
        draft = self.conversation.approve(shown)
        _emit(self._record, events.Approved(oml_sha256=draft.hash, pipeline=draft.name))
        assert draft.proof is not None
        assert draft.proof.manifest is not None
        try:
            outcome = run_manifest(
                draft.proof.manifest,
                project=world.loaded.project,
                registry=world.registry,
                loaded_settings=world.loaded,
                environment=world.environment,
                connections=world.connections,
                options=RunOptions(redactor=world.redactor, **options),
            )
        except BaseException as error:  # it could not even begin: no outcome says so
            self.conversation.finish(Signal.FAILED, error.message if isinstance(error, OsirisError) else "stopped")
            raise
        problem = outcome.error.message if outcome.error else None
        self.conversation.finish(Signal.FAILED if outcome.error else Signal.SUCCEEDED, problem)
        _emit(self._record, events.Ran(run=outcome.session_id, status=outcome.status.value))
        return outcome

    def close(self, error: BaseException | None = None) -> None:
        """End the record, which says what it was ended by; the conversation can be resumed."""
        memory = self.conversation.memory
        stopped = isinstance(error, Cancelled | KeyboardInterrupt)
        failed = isinstance(error, OsirisError) or memory.state is State.ERROR
        self._record.close(
            {
                "format": 1,
                "session": self._record.id,
                "kind": KIND,
                "status": "interrupted" if stopped else "failed" if failed else "succeeded",
                "error": error_data(error) if isinstance(error, OsirisError) else None,
                "state": memory.state.value,
                "conversation": self.id,
                "problem": memory.problem,
                "calls": self.caller.spent.calls,
                "tokens_in": self.caller.spent.input,
                "tokens_out": self.caller.spent.output,
                "cost_usd": None if self.caller.spent.unknown else self.caller.spent.cost,
                "started": self._record.started,
                "finished": utc_now(),
            }
        )
        self.store.close()

    def _helpers(self) -> Helpers:
        world, choices = self.world, self._choices
        project = world.loaded.project
        return Helpers(
            caller=self.caller,
            looker=Looker(
                project=project,
                environment=world.environment,
                registry=world.registry,
                connections=world.connections,
                redactor=world.redactor,
                done=self._front.progress,
            ),
            prover=Prover(
                loaded=world.loaded,
                environment=world.environment,
                registry=world.registry,
                connections=world.connections,
                redactor=world.redactor,
            ),
            templates=choices.templates,
            destinations=self.destinations,
            components=components_text(world.registry)
            if any("components" in template.placeholders for template in choices.templates.values())
            else "",
            save=self._save,
            privacy=choices.privacy,
            fast=choices.fast,
            guided=choices.guided,
            trial=self._trial,
        )

    def _trial(self, oml: str) -> tuple[tuple[Any, ...], ...]:
        """The first rows of what would be written."""
        tried = try_out(oml, self.world, rows=_TRIED_ROWS, seconds=_TRIED_SECONDS, of_each_source=_TRIED_OF_EACH)
        return tuple(row for one in tried for row in one.rows)

    def _keep(self, memory: Memory) -> None:
        memory.cost = self.caller.total
        self.store.keep(self.id, memory)

    def _save(self, draft: Draft) -> None:
        """The pipeline's text in ``output/`` and in the record: the same bytes, unless a secret is masked there."""
        folder = self.world.loaded.project.root / OUTPUT
        path = self._choices.out or folder / f"{draft.name}.yaml"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if self._choices.out is None:
                path = self._reserved(folder, draft)
            replace_file(path, draft.oml.encode())
        except OSError as error:
            shown = self.world.loaded.project.shown(path)
            raise InvalidInput(UNWRITTEN, f"the pipeline cannot be written to {shown}: {error.strerror}") from error
        self.file = path
        self._record.write_file(f"artifacts/{draft.name}.yaml", self.world.redactor.text(draft.oml).encode())
        _emit(self._record, events.Drafted(oml_sha256=draft.hash, pipeline=draft.name))

    def _reserved(self, folder: Path, draft: Draft) -> Path:
        """The file in ``folder`` for ``draft``: one by its name, numbered where another conversation's file, or the
        person's own work, is in the way.
        """
        mine = self.conversation.memory.files
        for number in count(1):
            path = folder / (f"{draft.name}.yaml" if number == 1 else f"{draft.name}-{number}.yaml")
            try:
                path.open("xb").close()
            except FileExistsError:
                if not path.is_file() or path.is_symlink():
                    continue
                there = digest_bytes(path.read_bytes())
                if there != mine.get(path.name):
                    if there == draft.hash:
                        break  # somebody has written the very same
                    continue
            mine[path.name] = draft.hash
            break
        return path


def _emit(record: Session, event: object) -> None:
    record.emit_named(*events.chat_event_fields(event))


class _Kept:
    """A front, with what is said kept and what happens recorded."""

    def __init__(self, front: Front, store: Store, record: Session, conversation: str) -> None:
        self._front = front
        self._store = store
        self._record = record
        self._conversation = conversation

    def say(self, text: str) -> None:
        self._store.add(self._conversation, "model", text)
        self._front.say(text)

    def progress(self, text: str) -> None:
        self._front.progress(text)

    def moved(self, before: State, signal: Signal, after: State) -> None:
        _emit(self._record, events.State(before=before.value, signal=signal.value, after=after.value))
        self._front.moved(before, signal, after)
