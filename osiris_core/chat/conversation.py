"""The conversation: a program that drives a model through the states of :mod:`osiris_core.chat.states`.

Whoever shows it (a terminal, a script) says what the person said, edited or approved, and gets back control when it is
the person's turn. What happens meanwhile is told through a :class:`Front`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

import attrs

from osiris_core.chat.declining import declined
from osiris_core.chat.describing import BEGIN, END, destinations_text, enclosed, finding_line, tables_text
from osiris_core.chat.draft import Draft
from osiris_core.chat.forms import UNSAID, Intent, Plan, Query, read_form, schema_of
from osiris_core.chat.guiding import Guide, question
from osiris_core.chat.lowering import lower
from osiris_core.chat.memory import REMEMBERED, Memory
from osiris_core.chat.sketching import sketch
from osiris_core.chat.states import WAITING, Signal, State, following
from osiris_core.diagnostics import Diagnostic
from osiris_core.display import well_formed
from osiris_core.errors import Cancelled, InvalidInput, OsirisError, RunFailed
from osiris_core.plugins.containment import describe
from osiris_core.redaction import MASK
from osiris_core.spec.llm import Message

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from osiris_core.chat.calling import Caller
    from osiris_core.chat.catalog import Sources
    from osiris_core.chat.choosing import Attempt
    from osiris_core.chat.describing import Privacy
    from osiris_core.chat.destinations import Destination
    from osiris_core.chat.looking import Looker
    from osiris_core.chat.templates import Template
    from osiris_core.run.proving import Prover

NOTHING_KNOWN: Final = "OSR-CHAT-030"
NOT_PROVED: Final = "OSR-CHAT-031"
NO_DRAFT: Final = "OSR-CHAT-032"
MASKED: Final = "OSR-CHAT-034"
DEFECT: Final = "OSR-CHAT-036"

_QUESTIONS: Final = 2
"""How often the model may ask before it has to go on with what it knows."""
_LONGEST_QUERY: Final = 400
"""Tokens of a small model's reply: one that goes on for longer repeats itself, and would for minutes."""


class Front(Protocol):
    """Who shows the conversation to the person. Texts may hold anything: it makes them safe to print."""

    def say(self, text: str) -> None:
        """Something the person shall read: an answer, a question, an explanation."""
        ...

    def progress(self, text: str) -> None:
        """What is being done."""
        ...

    def moved(self, before: State, signal: Signal, after: State) -> None:
        """The conversation went from one state to the next."""
        ...


@attrs.frozen(kw_only=True)
class Helpers:
    """What the conversation works with."""

    caller: Caller
    looker: Looker
    prover: Prover
    templates: Mapping[str, Template]
    destinations: tuple[Destination, ...]
    save: Callable[[Draft], None]
    """Keeps a draft that has been proved where the person finds it."""
    components: str = ""
    """What there is to say of the installed components, for prompts that want it."""
    privacy: Privacy = "standard"
    fast: bool = False
    guided: bool = False
    """Whether the model is asked for one query instead of a whole plan, which small models do better."""
    trial: Callable[[str], tuple[tuple[Any, ...], ...]] = lambda _: ()
    """The rows that an OML text would write, to choose between a small model's queries; OsirisError when it fails."""


class Conversation:
    """One conversation. ``keep`` is called with the memory after each transition, so that nothing said is lost."""

    def __init__(
        self,
        helpers: Helpers,
        front: Front,
        *,
        memory: Memory | None = None,
        keep: Callable[[Memory], None] = lambda _: None,
    ) -> None:
        self.memory = memory or Memory()
        self._helpers = helpers
        self._front = front
        self._keep = keep
        self._sources: Sources | None = None
        self._base: Draft | None = None
        """The draft that the wish may want changed."""
        self._wanted: tuple[str, ...] = ()
        self._plan: Plan | None = None
        self._reply = ""
        self._findings: tuple[Diagnostic, ...] = ()
        self._repaired = False
        self._handlers: Mapping[State, Callable[[], Signal]] = {
            State.INTENT: self._intent,
            State.DISCOVERY: self._discovery,
            State.SYNTHESIS: self._synthesis,
            State.VALIDATE: self._validate,
            State.REGENERATE: self._regenerate,
            State.COMPILE: self._compile,
        }

    # What the person does

    def say(self, text: str) -> None:
        """The person said ``text``; works until it is their turn again."""
        self.memory.hear(well_formed(text))
        self._base = self.memory.draft
        self._go(Signal.SAID)

    def edit(self, oml: str) -> None:
        """The person wrote another text of the pipeline."""
        self._set_draft(self._rewritten(well_formed(oml), self.memory.draft))
        self._plan = None
        self._go(Signal.EDITED)

    def undo(self) -> None:
        """Back to the draft before the last change."""
        if self.memory.previous is None:
            raise InvalidInput(NO_DRAFT, "there is no draft before this one")
        self._set_draft(self.memory.previous)
        self._plan = None
        self._go(Signal.EDITED)

    def _rewritten(self, oml: str, before: Draft | None) -> Draft:
        """The draft that another text makes of ``before``; what was masked in it is, until no mask is left."""
        if before is None:
            return Draft(oml=oml)
        return Draft(oml=oml, assumptions=before.assumptions, masked=before.masked and MASK in oml)

    def approve(self, shown: str) -> Draft:
        """The person approves the text that was ``shown`` (:attr:`Draft.hash`): the one thing that may be run."""
        draft = self.memory.draft
        if draft is None or self.memory.state is not State.APPROVAL:
            raise InvalidInput(NO_DRAFT, "there is nothing to approve", hint="say what you want first")
        draft.require_approved(shown)
        self._move(Signal.APPROVED)
        return draft

    def finish(self, signal: Signal, problem: str | None = None) -> None:
        """How it ended: kept, rejected, or of an approved draft succeeded or failed."""
        self.memory.problem = problem
        self._move(signal)

    # The states

    def _go(self, signal: Signal) -> None:
        self._repaired = False
        self._findings = ()
        self._wanted = ()
        self.memory.problem = None
        try:
            self._move(signal)
            while self.memory.state not in WAITING:
                self._move(self._handlers[self.memory.state]())
        except KeyboardInterrupt:
            self._fail("stopped; say it again, or in other words")
            raise Cancelled("OSR-CHAT-033", "stopped; the conversation is as it was") from None
        except OsirisError as error:
            hint = f"; {error.hint}" if error.hint else ""
            self._fail(f"{error.message}{hint}")
            raise
        except Exception as error:
            # Ours or a library's, at whatever a model may have written: from here, too, one can go on.
            self._fail("a defect of Osiris stopped it")
            raise RunFailed(
                DEFECT, f"internal error: {describe(error)}", hint="say it in other words; please report it"
            ) from error
        finally:
            self._unsay()

    def _unsay(self) -> None:
        """Forget what was said with a secret in it: with that among what was said before, nothing could be sent."""
        clean = [one for one in self.memory.said if self._masked(one) == one]
        if clean != self.memory.said:
            self.memory.said = clean
            self._keep(self.memory)

    def _move(self, signal: Signal) -> None:
        before = self.memory.state
        self.memory.state = following(before, signal)
        self._keep(self.memory)
        self._front.moved(before, signal, self.memory.state)

    def _fail(self, problem: str) -> None:
        self.memory.problem = problem
        self._move(Signal.FAILED)

    def _intent(self) -> Signal:
        known = self._helpers.looker.readable()
        if not known:
            raise InvalidInput(
                NOTHING_KNOWN,
                "there is no connection whose tables could be looked at",
                hint="put one into osiris_connections.yaml, e.g. `filesystem: {data: {root: data}}`",
            )
        if self._helpers.guided and (why := declined(self._wish(), families=self._families())) is not None:
            self._front.say(why)
            return Signal.DECLINED
        if self._helpers.fast or self._helpers.guided:
            # A small model understands no wish better than the wish itself says it.
            self.memory.goal, self.memory.connections = self._wish(), known
            return Signal.UNDERSTOOD
        labels = [one.label for one in self._helpers.destinations]
        intent, findings = read_form(Intent, self._call(*self._intent_call(known, self.memory)))
        if intent is None:
            # Without it the wish itself is the goal: discovery and the plan make of it what they can.
            self._front.progress(f"the model's understanding cannot be read ({findings[0].message}); going on without")
            self.memory.goal, self.memory.connections = self._wish(), known
            return Signal.UNDERSTOOD
        if intent.kind == "other":
            self._front.say(intent.answer.strip() or "I build data pipelines: tell me which data you want, and where.")
            return Signal.DECLINED
        if (asked := intent.question.strip()) and len(self.memory.asked) < _QUESTIONS:
            self.memory.ask(asked)
            self._front.say(asked)
            return Signal.UNCLEAR
        chosen = tuple(ref for ref in intent.connections if ref in known)
        self.memory.goal = intent.goal.strip() or self._wish()
        self.memory.connections = chosen or known
        self.memory.destination = intent.destination if intent.destination in labels else UNSAID
        return Signal.UNDERSTOOD

    def _discovery(self) -> Signal:
        looker = self._helpers.looker
        sources = looker.look(self.memory.connections, self.memory.goal, wanted=self._wanted)
        if not sources.described and (rest := [one for one in looker.readable() if one not in self.memory.connections]):
            sources = looker.look(rest, self.memory.goal, wanted=self._wanted)
        if not sources.described:
            why = "; ".join(f"{ref}: {problem}" for ref, problem in sources.problems.items())
            raise InvalidInput(NOTHING_KNOWN, f"no table was found that fits{f' ({why})' if why else ''}")
        self._sources = sources
        return Signal.FOUND

    def _synthesis(self) -> Signal:
        if self._helpers.guided:
            return self._taken(self._guide().proposal(self._plan_messages()))
        asked_before = bool(self._wanted)
        signal = self._planned(self._call(*self._plan_call()))
        if signal is Signal.PLANNED and self._plan is not None and self._plan.more_tables and not asked_before:
            known = {name for labels in self._known().others.values() for name in labels}
            self._wanted = tuple(name for name in self._plan.more_tables if name in known)
            if self._wanted:
                return Signal.LACKS_TABLES
        self._wanted = ()
        return signal

    def _planned(self, reply: str) -> Signal:
        """Take a reply for a plan."""
        self._reply = reply
        plan, findings = read_form(Plan, reply)
        if plan is None:
            self._findings = tuple(findings)
            return Signal.UNUSABLE
        self._plan = plan
        if plan.impossible.strip() and not plan.outputs:
            self._front.say(f"That cannot be done: {plan.impossible.strip()}")
            return Signal.IMPOSSIBLE
        return Signal.PLANNED

    def _taken(self, attempt: Attempt) -> Signal:
        """Take what a small model proposes."""
        self._reply = attempt.reply
        if attempt.missing:
            self._front.say(f"That cannot be done: {attempt.missing}")
            return Signal.IMPOSSIBLE
        if attempt.plan is None or attempt.failed:
            self._findings = attempt.findings
            return Signal.UNUSABLE
        self._plan = attempt.plan
        return Signal.PLANNED

    def _guide(self) -> Guide:
        return Guide(
            wish=self._wish(),
            sources=self._known(),
            destinations=self._helpers.destinations,
            prover=self._helpers.prover,
            trial=self._helpers.trial,
            privacy=self._helpers.privacy,
            again=self._again,
            ask=lambda purpose, messages, temperature: self._call(purpose, messages, self._plan_schema(), temperature),
        )

    def _families(self) -> tuple[str, ...]:
        return tuple(one.partition(".")[0].removeprefix("@") for one in self._helpers.looker.refs())

    def _validate(self) -> Signal:
        if self._plan is not None:
            # What changes a draft, or answers, is said in half a sentence; what came of both is understood whole.
            wish = self.memory.goal if self._base is not None or self.memory.asked else self._wish()
            lowered = lower(self._plan, self._known(), self._helpers.destinations, wish=wish)
            if lowered.oml is None:
                return self._invalid(lowered.findings)
            # The model was told of a text with a secret masked, and has copied the mask as if it were the value.
            # Where the person wrote it, a repair is no reason to think so.
            told = (self._repaired and MASK not in wish) or (self._base is not None and self._base.masked)
            masked = told and MASK in lowered.oml
            self._set_draft(Draft(oml=lowered.oml, assumptions=self._plan.assumptions, masked=masked))
        draft = self.memory.draft
        assert draft is not None
        if draft.masked:
            raise InvalidInput(
                MASKED,
                f"the pipeline held a secret, which is kept nowhere: {MASK} stands in its place, so it is not run",
                hint=f"/edit it and write the value again where {MASK} stands, or say anew what you want",
            )
        self._front.progress("checking the pipeline")
        proof = self._helpers.prover.prove_text(draft.oml, file=f"{draft.name}.yaml")
        self.memory.draft = attrs.evolve(draft, proof=proof)
        if proof.unusable is not None:
            raise proof.unusable
        return Signal.VALID if proof.holds else self._invalid(proof.findings)

    def _invalid(self, findings: Sequence[Diagnostic]) -> Signal:
        if self._plan is None or self._repaired:
            said = "; ".join(finding_line(one) for one in list(findings)[:3])
            raise InvalidInput(
                NOT_PROVED,
                f"the pipeline cannot be used: {said}",
                hint="say it in other words; in the conversation, /edit mends the draft",
                diagnostics=findings,
            )
        self._findings = tuple(findings)
        return Signal.INVALID

    def _regenerate(self) -> Signal:
        self._repaired = True
        errors = [finding_line(one) for one in self._findings]
        messages = [*self._plan_messages(), *self._again(self._reply, errors)]
        self._front.progress("mending the pipeline")
        if self._helpers.guided:
            signal = self._taken(self._guide().repair(messages))
        else:
            signal = self._planned(self._call("repair", messages, self._plan_schema()))
        if signal is Signal.UNUSABLE:
            raise InvalidInput(
                NOT_PROVED,
                f"what the model gave cannot be used: {self._findings[0].message}",
                hint="say it in other words, or choose another model with /model",
            )
        return signal

    def _again(self, reply: str, errors: Sequence[str]) -> tuple[Message, ...]:
        """The model's reply, and what was wrong with it."""
        told = enclosed(self._masked(error) for error in errors)
        prompt = self._helpers.templates["repair"].render({"errors": told})
        answered = Message(role="assistant", text=self._masked(reply) or "{}")
        return answered, Message(role="user", text=prompt)

    def _compile(self) -> Signal:
        assert self.memory.draft is not None
        self._helpers.save(self.memory.draft)
        return Signal.COMPILED

    # Messages

    @property
    def sources(self) -> Sources | None:
        """The tables that the model was told of; None when none was looked for yet."""
        return self._sources

    def all_sources(self) -> Sources:
        """The tables of all connections, as far as they can be looked at now."""
        looker = self._helpers.looker
        return looker.look(looker.readable(), self.memory.goal)

    def outgoing(self, sentence: str) -> tuple[str, Sequence[Message], Mapping[str, Any]] | None:
        """What the next call would send if the person said ``sentence`` now: its purpose, messages and schema.

        None when that depends on what discovery will find: the first call is for a plan, and no table is known yet.
        """
        known = self._helpers.looker.readable()
        # What saying it would change, and nothing else: the call is made by the code that makes the genuine one.
        kept, base, memory = self.memory, self._base, attrs.evolve(self.memory)
        memory.hear(sentence)
        if not self._helpers.fast and not self._helpers.guided:
            return self._intent_call(known, memory)
        if self._sources is None or self._sources.others or self.memory.connections != known:
            return None
        memory.goal = sentence
        try:
            self.memory, self._base = memory, kept.draft
            return self._plan_call()
        finally:
            self.memory, self._base = kept, base

    def ask_guided(self, *, guided: bool) -> None:
        """Ask for plans in the small form from now on, or no longer."""
        self._helpers = attrs.evolve(self._helpers, guided=guided)

    def _intent_call(self, known: Sequence[str], memory: Memory) -> tuple[str, Sequence[Message], Mapping[str, Any]]:
        labels = [one.label for one in self._helpers.destinations]
        enums = {"kind": ("pipeline", "other"), "connections": known, "destination": (UNSAID, *labels)}
        prompt = self._helpers.templates["intent"].render(
            {"connections": "\n".join(known), "destinations": destinations_text(self._helpers.destinations)}
        )
        return "intent", [Message(role="system", text=prompt), *memory.dialogue()], schema_of(Intent, enums)

    def _plan_call(self) -> tuple[str, Sequence[Message], Mapping[str, Any]]:
        form = "guided" if self._helpers.guided else "plan"
        return form, self._plan_messages(), self._plan_schema()

    def _plan_messages(self) -> list[Message]:
        if self._helpers.guided:
            return self._helpers.templates["guided"].messages(
                {
                    "tables": sketch(self._known(), self._helpers.privacy),
                    "question": question(self._question(), self._known(), self._helpers.privacy),
                    "components": self._helpers.components,
                    "begin": BEGIN,
                    "end": END,
                }
            )
        destinations = self._helpers.destinations
        default = next((one for one in destinations if one.label == self.memory.destination), destinations[0])
        prompt = self._helpers.templates["plan"].render(
            {
                "tables": tables_text(self._known(), self._helpers.privacy),
                "destinations": destinations_text(destinations),
                "components": self._helpers.components,
                "begin": BEGIN,
                "end": END,
                "default_destination": default.label,
                "default_ending": default.ending,
            }
        )
        return [Message(role="system", text=prompt), Message(role="user", text=self._question())]

    def _question(self) -> str:
        goal, before = self.memory.goal or self._wish(), self.memory.said[:-1][-REMEMBERED:]
        lines = [goal]
        if self._wish() != goal:
            lines = [f"The wish, as it was said: {self._wish()}", f"As it was understood: {goal}"]
        if before:
            lines += ["", "Said before:", *(f"- {one}" for one in before)]
        if self._base is not None:
            lines += ["", "The pipeline so far, which the wish may want changed:", self._base.oml]
        return "\n".join(lines)

    def _plan_schema(self) -> dict[str, Any]:
        if self._helpers.guided:
            return schema_of(Query, {})
        destinations = self._helpers.destinations
        modes = sorted({mode for one in destinations for mode in one.modes})
        return schema_of(Plan, {"destination": [one.label for one in destinations], "mode": modes})

    def _call(
        self, purpose: str, messages: Sequence[Message], schema: Mapping[str, Any], temperature: float | None = None
    ) -> str:
        self._front.progress(
            {"intent": "understanding", "plan": "planning", "guided": "planning"}.get(purpose, purpose)
        )
        answered = self._helpers.caller.call(
            purpose,
            messages,
            schema=schema,
            schema_name=purpose,
            temperature=temperature,
            output_tokens=_LONGEST_QUERY if self._helpers.guided else None,
        )
        return well_formed(answered.text)

    def _wish(self) -> str:
        return self.memory.said[-1] if self.memory.said else ""

    def _known(self) -> Sources:
        assert self._sources is not None
        return self._sources

    def _masked(self, text: str) -> str:
        return self._helpers.prover.redactor.text(text)

    def _set_draft(self, draft: Draft) -> None:
        if self.memory.draft is not None and self.memory.draft.oml != draft.oml:
            self.memory.previous = self.memory.draft
        self.memory.draft = draft
