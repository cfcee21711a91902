"""Named points at which a fault test stops, fails or holds up a run.

    OSIRIS_TEST_FAILPOINTS=1 OSIRIS_FAILPOINT='before_publish@load:kill'

``<name>[@<step>]:<action>[*<times>]``, several separated by commas. The first variable is the safety catch: without it
the second is ignored. The runtime's points, in the order a write step passes them:

    begin            the stage is open, nothing is staged
    mid_write        the first batch has been taken
    staged           all rows are staged
    before_publish   the last moment before publishing
    after_publish    the destination has the rows, the record does not say so yet
    before_status    the run is over, ``status.json`` is not written

A driver may have points of its own, called through ``ctx.failpoint``. Actions: ``kill`` (SIGKILL), ``exit`` (at once,
without clean-up), ``raise`` (a failure), ``retry`` (a failure that may pass), ``full`` (no space left on device),
``hang`` (deaf to cancellation), ``interrupt`` (SIGINT to itself; goes on when the run has noticed).
"""

from __future__ import annotations

import errno
import os
import re
import signal
import threading
from typing import TYPE_CHECKING, Final, NoReturn

import attrs

from osiris_core.errors import DriverError, InvalidInput

if TYPE_CHECKING:
    from collections.abc import Mapping

    from osiris_core.run.cancel import CancelToken

RUNTIME_POINTS: Final = ("begin", "mid_write", "staged", "before_publish", "after_publish", "before_status")
ACTIONS: Final = ("kill", "exit", "raise", "retry", "full", "hang", "interrupt")

_NOTICED_SECONDS: Final = 30.0

_ENTRY = re.compile(r"(?P<name>[a-z0-9_.]+)(?:@(?P<step>[a-z0-9_-]+))?:(?P<action>[a-z]+)(?:\*(?P<times>[0-9]+))?\Z")


@attrs.define(kw_only=True)
class _Armed:
    name: str
    step: str | None
    action: str
    left: int


class Failpoints:
    """The armed points of a run; almost always none."""

    def __init__(self, armed: list[_Armed] | None = None) -> None:
        self._armed = armed or []
        self._lock = threading.Lock()

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Failpoints:
        """The points that the process's environment arms."""
        text = environ.get("OSIRIS_FAILPOINT", "")
        if not text or environ.get("OSIRIS_TEST_FAILPOINTS") != "1":
            return cls()
        armed = []
        for entry in text.split(","):
            match = _ENTRY.match(entry.strip())
            if match is None or match["action"] not in ACTIONS:
                raise InvalidInput("OSR-RUN-040", f"'{entry}' in OSIRIS_FAILPOINT is not '<name>[@<step>]:<action>'")
            left = int(match["times"] or 1)
            armed.append(_Armed(name=match["name"], step=match["step"], action=match["action"], left=left))
        return cls(armed)

    def reach(self, name: str, step: str | None = None, *, token: CancelToken | None = None) -> None:
        """Pass the point ``name`` of ``step``; acts when it is armed. ``token`` is what an interrupt cancels."""
        if not self._armed:
            return
        with self._lock:
            found = next(
                (one for one in self._armed if one.left and one.name == name and one.step in (None, step)), None
            )
            if found is None:
                return
            found.left -= 1
        _act(found.action, name, token)


def _act(action: str, name: str, token: CancelToken | None) -> None:
    match action:
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
            threading.Event().wait()
        case "exit":
            os._exit(86)
        case "hang":
            threading.Event().wait()
        case "interrupt":
            os.kill(os.getpid(), signal.SIGINT)
            if token is not None:  # the main thread handles it when it gets there: be sure that it has
                token.wait(_NOTICED_SECONDS)
        case _:
            _fail(action, name)


def _fail(action: str, name: str) -> NoReturn:
    if action == "full":
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    raise DriverError("OSR-RUN-041", f"failpoint '{name}' was reached", retriable=action == "retry")
