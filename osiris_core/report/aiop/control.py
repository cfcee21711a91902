"""The control contract: what may be done next, as data.

Each action says what it takes, changes and needs, and why it is offered for this run. Commands are lists of arguments;
``{name}`` stands for what ``parameters`` describes.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import attrs

from osiris_core.compile.build import MANIFEST, folder_name
from osiris_core.errors import ExitCode
from osiris_core.ids import CONNECTION_REF
from osiris_core.report.again import OPEN, SAME, resumes
from osiris_core.report.aiop.names import local_id
from osiris_core.report.reader import DAMAGED, RUNNING, number_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from osiris_core.report.session import Session

PERSON: Final = "person"
NOBODY: Final = "nobody"
"""Who has to approve an action before it is done."""

_PIPELINE: Final = {"pipeline_file": "the pipeline's OML file, such as pipelines/NAME.yaml"}
_CODE: Final = re.compile(r"[A-Z][A-Z0-9-]{1,40}\Z")
_MOST_CONNECTIONS: Final = 20


@attrs.frozen(kw_only=True)
class Action:
    """Something that may be done next. ``approval``: ``person`` or ``nobody``."""

    name: str
    command: tuple[str, ...]
    why: str
    effects: tuple[str, ...]
    preconditions: tuple[str, ...] = ()
    approval: str = NOBODY
    parameters: dict[str, str] = attrs.field(factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The action as plain data."""
        parameters = [{"name": name, "text": text} for name, text in self.parameters.items()]
        return {
            "@id": local_id("action", self.name),
            "@type": "Action",
            **attrs.asdict(self, recurse=False),
            "command": list(self.command),
            "effects": list(self.effects),
            "preconditions": list(self.preconditions),
            "parameters": parameters,
        }


def actions_of(session: Session) -> list[dict[str, Any]]:
    """What is offered for this run, most useful first."""
    return [action.to_json() for action in _actions(session)]


def _actions(session: Session) -> Iterator[Action]:
    if session.status == RUNNING:
        yield Action(
            name="look-again",
            command=("osiris", "logs", "show", session.id, "--events"),
            why="the run has not ended",
            effects=("shows the record as it is by then",),
        )
        return
    yield from _runs(session)
    yield from _repairs(session)
    yield Action(
        name="edit",
        command=("osiris", "compile", "{pipeline_file}"),
        why="a pipeline is changed by editing its OML, never its manifest",
        preconditions=("the OML file has been edited, and a person has seen the change",),
        effects=("checks the pipeline", "writes a build under another hash; moves no rows"),
        parameters=_PIPELINE,
    )
    yield Action(
        name="explain",
        command=("osiris", "explain", "{pipeline_file}"),
        why="shows whether a changed pipeline would bind, before it is run",
        preconditions=("the connections can be reached",),
        effects=("asks the connected systems for columns; moves no rows",),
        parameters=_PIPELINE,
    )
    for ref in _connections(session):
        yield Action(
            name=f"discover-{ref[1:].replace('.', '-')}",
            command=("osiris", "discover", ref),
            why=f"a step uses {ref}: its tables may have changed",
            preconditions=("the connection can be reached",),
            effects=("reads the catalog of the connected system; changes nothing in it",),
        )


def _runs(session: Session) -> Iterator[Action]:
    manifest = session.manifest
    if manifest is None:
        if session.status == DAMAGED or session.kind == "run":
            yield Action(
                name="show",
                command=("osiris", "logs", "show", session.id, "--events"),
                why="the record has no manifest that can be read, so the run cannot be repeated from it",
                effects=("shows what of the record can be read",),
            )
        return
    path = "{build}/" + f"{manifest.name}/{folder_name(manifest)}/{MANIFEST}"
    build = {"build": "the project's folder of builds: the setting build.dir, `build` by default"}
    there = "the build is still there, or is made again by `osiris compile` from the unchanged pipeline"
    if resumes(session.record):
        yield Action(
            name="resume",
            command=("osiris", "run", path),
            why=f"the run is {session.status}",
            preconditions=(
                there,
                "the cause of the failure is removed",
                "the records lie in the same folder",
                OPEN,
                SAME,
            ),
            effects=(
                "steps that had published do nothing",
                "the other steps are run, and write their destinations",
                "where a precondition fails, every step is run, and an append appends again",
            ),
            approval=PERSON,
            parameters=build,
        )
        yield Action(
            name="start-over",
            command=("osiris", "run", path, "--fresh"),
            why=f"the run is {session.status}, and sources may have changed since",
            preconditions=(there, "the cause of the failure is removed"),
            effects=("every step is run", "what had been published is written again; an append appends again"),
            approval=PERSON,
            parameters=build,
        )
    else:
        yield Action(
            name="run-again",
            command=("osiris", "run", path),
            why=f"the run is {session.status}; the same manifest can be run again",
            preconditions=(there,),
            effects=("every step is run, and writes its destination: an append appends again",),
            approval=PERSON,
            parameters=build,
        )
    yield Action(
        name="dry-run",
        command=("osiris", "run", path, "--dry-run"),
        why="shows what a run would do",
        preconditions=(there,),
        effects=("moves no rows",),
        parameters=build,
    )


def _repairs(session: Session) -> Iterator[Action]:
    error = session.error or {}
    code = error.get("code")
    if not isinstance(code, str) or not _CODE.match(code):
        return
    if number_of(error, "exit_code") == ExitCode.UNUSABLE:
        yield Action(
            name="check-connections",
            command=("osiris", "connections", "doctor"),
            why=f"{code} says that a connection is unusable",
            effects=("opens each connection and closes it; changes nothing",),
        )


def _connections(session: Session) -> list[str]:
    refs = {step.connection for step in session.steps if step.connection and CONNECTION_REF.match(step.connection)}
    return sorted(ref for ref in refs if len(ref) <= 80)[:_MOST_CONNECTIONS]
