"""Old sessions removed, by age, by size, or all but the last ones of each pipeline.

What is never removed: a session that runs or whose folder cannot be read, the last successful run of each pipeline,
and a run whose success tells the next one not to resume an earlier failure (:mod:`osiris_core.run.chain`). What
crashed, is damaged, or is the last word of an unfinished chain goes by age only. Only folders below the logs folder
that are named as sessions are touched, and no symbolic link is followed.

A folder is renamed before it is emptied, so a removal that dies half-way leaves nothing that looks like a session; the
next one takes it away.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import stat
from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Literal

import attrs

from osiris_core.ids import SESSION_ID
from osiris_core.report.below import below
from osiris_core.report.index import Query, find
from osiris_core.report.reader import CRASHED, DAMAGED, RUNNING, is_closed, order_of, read_session
from osiris_core.run.chain import chained_sessions

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from osiris_core.report.reader import SessionRecord

Rule = Literal["days", "max_gb", "keep_last"]

_LEAVING: Final = re.compile(r"\.gc-(?P<session>.+)-[0-9a-f]{8}\Z")
_GIGABYTE: Final = 1_000_000_000
_DEEP: Final = 8


@attrs.frozen(kw_only=True)
class Policy:
    """What may go: what started more than ``days`` ago; the oldest, until all sessions take at most ``max_gb``
    gigabytes (10^9 bytes). ``keep_last`` sessions of each kind and pipeline stay in any case; with it alone, all others
    go.
    """

    days: float | None = None
    max_gb: float | None = None
    keep_last: int | None = None


@attrs.frozen(kw_only=True)
class Removal:
    """A session that goes, or has gone: because of ``rule``; ``size`` in bytes of files."""

    record: SessionRecord
    rule: Rule
    size: int

    def to_json(self) -> dict[str, Any]:
        """The same as plain data."""
        record = self.record
        return {
            "session": record.id,
            "kind": record.kind,
            "pipeline": record.pipeline,
            "status": record.status,
            "started": record.started,
            "bytes": self.size,
            "rule": self.rule,
        }


@attrs.frozen(kw_only=True)
class Plan:
    """What goes, oldest first, and how many stay for which reason. ``size`` is what all sessions take now, in bytes;
    None when it did not matter.
    """

    removals: tuple[Removal, ...]
    kept: Mapping[str, int]
    size: int | None


def plan(logs: Path, policy: Policy, *, now: datetime) -> Plan:
    """What ``policy`` removes of the sessions below ``logs``; changes nothing."""
    records = [record for record in find(logs, Query(reverse=True)) if not record.path.is_symlink()]
    reasons = _protected(records, logs, policy)
    sizes = {record.id: _size(record.path) for record in records} if policy.max_gb is not None else {}
    over = sum(sizes.values()) - _GIGABYTE * (policy.max_gb or 0)
    oldest = None if policy.days is None else _id_time(now - timedelta(days=policy.days))
    removals: list[Removal] = []
    kept: Counter[str] = Counter()
    for record in records:
        reason = reasons.get(record.id)
        old = oldest is not None and _time_of(record.id) < oldest
        rule: Rule | None = None
        if old and reason in (None, *_UNTIL_OLD):
            rule = "days"
        elif reason is None and policy.max_gb is not None and over > 0:
            rule = "max_gb"
        elif reason is None and policy.keep_last is not None and policy.max_gb is None and policy.days is None:
            rule = "keep_last"
        if rule is None:
            kept[reason or _WITHIN] += 1
            continue
        size = sizes[record.id] if record.id in sizes else _size(record.path)
        over -= size
        removals.append(Removal(record=record, rule=rule, size=size))
    return Plan(removals=tuple(removals), kept=dict(kept), size=sum(sizes.values()) if sizes else None)


def remove(logs: Path, removals: Iterable[Removal], *, scratch: Path) -> Iterator[tuple[Removal, OSError | None]]:
    """Remove each, and what the run has left below ``scratch``; yields it with the error that prevented it, if any.

    One that has come back to life, or is gone already, is left alone and not yielded.
    """
    _remove_leaving(logs)
    for removal in removals:
        folder = logs / removal.record.id
        try:
            if not stat.S_ISDIR(folder.lstat().st_mode) or read_session(folder).status == RUNNING:
                continue
            leaving = logs / f".gc-{folder.name}-{secrets.token_hex(4)}"
            folder.rename(leaving)
        except FileNotFoundError:
            continue
        except OSError as error:
            yield removal, error
            continue
        with suppress(OSError):
            _remove_folder(scratch / folder.name)
        try:
            _remove_folder(leaving)
        except OSError as error:
            yield removal, error
        else:
            yield removal, None


RUNS: Final = "it runs"
CLOSED: Final = "its folder cannot be read"
LAST_SUCCESS: Final = "the last success of its pipeline"
ENDS_CHAIN: Final = "its success ends a chain of failures"
AMONG_LAST: Final = "among the last of its pipeline"
OPEN_CHAIN: Final = "not old: the next run may resume it"
UNFINISHED: Final = "not old: it crashed or is damaged"
_WITHIN: Final = "within the limits"
_UNTIL_OLD: Final = (OPEN_CHAIN, UNFINISHED)
"""What protects a session only as long as it is not old."""


def _protected(records: Iterable[SessionRecord], logs: Path, policy: Policy) -> dict[str, str]:
    """Why sessions stay, by id."""
    chained = chained_sessions(logs)
    found: dict[str, str] = {}
    last: Counter[tuple[str, str | None]] = Counter()
    succeeded: set[str | None] = set()
    for record in sorted(records, key=lambda one: order_of(one.id), reverse=True):
        group = (record.kind, record.pipeline)
        last[group] += 1
        success = record.kind == "run" and record.status == "succeeded"
        if is_closed(record.path):
            found[record.id] = CLOSED
        elif record.status == RUNNING:
            found[record.id] = RUNS
        elif success and record.pipeline not in succeeded:
            found[record.id] = LAST_SUCCESS
        elif success and record.id in chained:
            found[record.id] = ENDS_CHAIN
        elif last[group] <= (policy.keep_last or 0):
            found[record.id] = AMONG_LAST
        elif record.id in chained:
            found[record.id] = OPEN_CHAIN
        elif record.status in (CRASHED, DAMAGED):
            found[record.id] = UNFINISHED
        if success:
            succeeded.add(record.pipeline)
    return found


def _remove_leaving(logs: Path) -> None:
    """Take away what an earlier removal left half done."""
    with suppress(OSError), os.scandir(logs) as entries:
        for entry in entries:
            match = _LEAVING.match(entry.name)
            if match and SESSION_ID.match(match["session"]) and _is_folder(entry):
                with suppress(OSError):
                    _remove_folder(logs / entry.name)


def _remove_folder(folder: Path) -> None:
    """Remove ``folder`` and all below it; also when another gc is at it, too, and when it is nested very deeply."""
    while True:
        try:
            shutil.rmtree(folder)
        except FileNotFoundError:
            if not folder.exists():
                return  # the other gc has removed it
        except RecursionError:
            _bring_up(folder)
        else:
            return


def _bring_up(folder: Path) -> None:
    """Make what is nested in ``folder`` less deep: rmtree calls itself for each level."""
    entries = below(folder, taken=lambda name: name.count("/") <= _DEEP)
    deep = [folder / name for name, entry in entries if name.count("/") == _DEEP and _is_folder(entry)]
    if not deep:
        raise OSError("it is nested too deeply")
    for path in deep:
        path.rename(folder / secrets.token_hex(8))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    return entry.is_dir(follow_symlinks=False)


def _size(folder: Path) -> int:
    """Bytes of the files below ``folder``; what cannot be looked at counts as none."""
    total = 0
    for _, entry in below(folder):
        with suppress(OSError):
            total += 0 if _is_folder(entry) else entry.stat(follow_symlinks=False).st_size
    return total


def _time_of(session: str) -> str:
    """When it started, by its id: what a record says may be anything."""
    match = SESSION_ID.match(session)
    assert match is not None
    return match["time"]


def _id_time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y%m%dT%H%M%S%fZ")
