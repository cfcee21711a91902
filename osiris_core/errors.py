"""The one tree of errors a user can meet, and the exit code each kind ends in.

Every error answers four questions: what failed (``message``), where (``where`` or the positions of its
``diagnostics``), why (the message's second half or ``__cause__``), and what to do next (``hint``). Codes are stable
and listed in :mod:`osiris_core.catalogue`; an error without its own hint shows the catalogue's remedy.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from osiris_core.diagnostics import Diagnostic


class ExitCode(IntEnum):
    """What a command's exit status says; the same for every command."""

    OK = 0
    FAILED = 1
    INVALID = 2
    STALE = 3
    TRUNCATED = 4
    UNUSABLE = 5
    INTERRUPTED = 130


class OsirisError(Exception):
    """A failure with a stable code, a message for a person, and what to do next.

    ``retriable`` says that the same call may succeed later without anyone changing anything (a lock, a dropped
    connection); the executor retries such a step, and nothing else.
    """

    exit_code: ExitCode = ExitCode.FAILED

    def __init__(
        self,
        code: str,
        message: str,
        *,
        hint: str | None = None,
        where: str | None = None,
        diagnostics: Iterable[Diagnostic] = (),
        retriable: bool = False,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint
        self.where = where
        self.diagnostics = tuple(diagnostics)
        self.retriable = retriable

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


class InvalidInput(OsirisError):
    """OML, configuration, a manifest or a command line that cannot be accepted as it stands."""

    exit_code = ExitCode.INVALID


class RunFailed(OsirisError):
    """A step, or the run around it, failed after it had been accepted."""

    exit_code = ExitCode.FAILED


class DriverError(RunFailed):
    """What a driver raises for a failure it understands (bad data, refused write, missing table)."""


class ConnectionUnusable(OsirisError):
    """A connection or credential does not work: unreachable, refused, unresolved."""

    exit_code = ExitCode.UNUSABLE


class Stale(OsirisError):
    """A check found that something would change."""

    exit_code = ExitCode.STALE


class PluginError(OsirisError):
    """A plugin could not be used as asked (missing, blocked, incompatible, failed, conflicting)."""

    exit_code = ExitCode.INVALID


class Cancelled(OsirisError):
    """Work stopped because the run was interrupted, timed out, or a sibling step failed."""

    exit_code = ExitCode.INTERRUPTED
