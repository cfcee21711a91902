"""Chains of unsuccessful runs: what makes re-running after a crash or failure safe.

All runs of one manifest in one project, from the first one after a success until the next success, share a *token*:
the id of the first of them. Load ids are made of it, so a step that had published before the crash finds its commit
row when it is run again, and writes nothing. ``<logs>/.chains/<manifest hash>.json`` names the last run and its token.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

import attrs

from osiris_core.project.paths import held
from osiris_core.run.process import ProcessMark, is_alive
from osiris_core.run.reading import read_json
from osiris_core.run.session import write_atomically

if TYPE_CHECKING:
    from pathlib import Path

_FOLDER: Final = ".chains"


@attrs.frozen(kw_only=True)
class Chain:
    """The chain a run belongs to, named by its first run."""

    token: str


def join_chain(logs: Path, manifest_hash: str, session_id: str, *, fresh: bool) -> Chain:
    """Enter the run ``session_id`` of a manifest; with ``fresh`` it starts a chain of its own."""
    path = _path(logs, manifest_hash)
    path.parent.mkdir(parents=True, exist_ok=True)
    chain = Chain(token=session_id)
    with held(path.parent):  # of two runs that start at the same time, only one goes on with what failed
        last = read_json(path)
        if last is not None and not fresh:
            session, token = last.get("session"), last.get("token")
            if isinstance(session, str) and isinstance(token, str) and _unsuccessful(logs / session):
                chain = Chain(token=token)
        write_atomically(path, {"session": session_id, "token": chain.token})
    return chain


def leave_chain(logs: Path, manifest_hash: str, session_id: str) -> None:
    """End the chain with the success of its last run, so that it stays open when a record is removed by hand."""
    path = _path(logs, manifest_hash)
    if (read_json(path) or {}).get("session") == session_id:
        # Where that fails, the run's own record says that it succeeded.
        with suppress(OSError):
            path.unlink()


def chained_sessions(logs: Path) -> frozenset[str]:
    """The ids of the sessions that open chains name: the last of each, and the first, whose id is the token."""
    documents = [read_json(path) or {} for path in (logs / _FOLDER).glob("*.json")]
    named = [document.get(key) for document in documents for key in ("session", "token")]
    return frozenset(name for name in named if isinstance(name, str))


def _path(logs: Path, manifest_hash: str) -> Path:
    return logs / _FOLDER / f"{manifest_hash[:32]}.json"


def process_of(session: Path) -> ProcessMark | None:
    """The process that a record says it belongs to."""
    document = read_json(session / "session.json") or {}
    mark = document.get("process")
    if not isinstance(mark, dict):
        return None
    pid, started, host = mark.get("pid"), mark.get("started"), mark.get("host")
    if not (isinstance(pid, int) and isinstance(started, str) and isinstance(host, str)):
        return None
    return ProcessMark(pid=pid, started=started, host=host)


def _unsuccessful(session: Path) -> bool:
    """Whether the run of that record is over without success; one that is still running is neither.

    A record that is not there any more had not succeeded: success ends the chain.
    """
    status = read_json(session / "status.json")
    if status is not None:
        return status.get("status") != "succeeded"
    mark = process_of(session)
    return mark is None or not is_alive(mark)
