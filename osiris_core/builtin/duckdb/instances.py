"""Hardened instances of DuckDB that serve one step of a run after the other.

A new instance costs some 30 ms of CPU, all of it for its catalog of functions; a new connection to one that is there
costs a fiftieth. A step has its instance to itself while it runs, so its limits are its own. Nothing is left in it for
the next one: a query is a SELECT, and inputs are temporary views and tables, which end with the connection. Only what
ended well is used again, and only within its run, since it spills into that run's scratch folder.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final

import attrs

from osiris_core.builtin.duckdb.hardened import closed_connection

if TYPE_CHECKING:
    from pathlib import Path

    from osiris_core.api import DriverContext

_KEPT: Final = 4
"""Idle instances at most; each has threads and some memory."""


@attrs.frozen
class _Kind:
    """Who may share an instance, one after the other."""

    run: str
    scratch: Path
    memory: int
    threads: int


@attrs.frozen
class Lease:
    """A connection for one step."""

    connection: Any
    _instance: Any
    _kind: _Kind

    def close(self, *, sound: bool = False) -> None:
        """End the connection; ``sound`` says that all went well, so that the instance may serve again."""
        self.connection.close()
        if sound:
            _idle.give(self._kind, self._instance)
        else:
            self._instance.close()


class _Idle:
    """The instances that wait for a step."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: list[tuple[_Kind, Any]] = []

    def take(self, kind: _Kind) -> Any:
        """One of ``kind``, or None; those of other runs end."""
        with self._lock:
            same = [one for one in self._kept if one[0].run == kind.run and one[0].scratch == kind.scratch]
            ended = [one for one in self._kept if one not in same]
            found = next((one for one in same if one[0] == kind), None)
            self._kept = [one for one in same if one is not found]
        _end(ended)
        return found[1] if found else None

    def give(self, kind: _Kind, instance: Any) -> None:
        """Keep ``instance``, and no more than a few."""
        with self._lock:
            self._kept.append((kind, instance))
            ended, self._kept = self._kept[:-_KEPT], self._kept[-_KEPT:]
        _end(ended)


_idle: Final = _Idle()


def lease(ctx: DriverContext, *, memory_limit: int | None, threads: int | None) -> Lease:
    """A connection that can read what is registered on it and no more, within the step's limits or lower ones."""
    kind = _Kind(
        run=ctx.run_id,
        scratch=ctx.scratch.parent,
        memory=min(ctx.memory_limit, memory_limit or ctx.memory_limit),
        threads=min(ctx.threads, threads or ctx.threads),
    )
    instance = _idle.take(kind) or closed_connection(ctx, memory_limit=kind.memory, threads=kind.threads)
    return Lease(instance.cursor(), instance, kind)


def _end(kept: list[tuple[_Kind, Any]]) -> None:
    for _, instance in kept:
        instance.close()
