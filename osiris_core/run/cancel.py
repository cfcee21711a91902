"""Stopping work: one token that every wait, every loop and every driver of a run listens to."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final, Self

from osiris_core.errors import Cancelled, OsirisError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType


ACTION_SECONDS: Final = 1.0
"""How long leaving a registration waits for its action, which one that hangs must not hold up for ever."""


class Registration:
    """An action to take on cancellation, from ``__enter__`` to ``__exit__`` (or :meth:`close`)."""

    def __init__(self, token: CancelToken, action: Callable[[], object]) -> None:
        self._token = token
        self._action = action
        self._acting = threading.RLock()
        self._closed = False

    def __enter__(self) -> Self:
        self._token.add(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Forget the action; safe to call more than once.

        It is not taken afterwards, when what it acts on may serve another purpose (cleaning up); one that is under way
        gets :data:`ACTION_SECONDS` to end.
        """
        self._token.remove(self)
        ended = self._acting.acquire(timeout=ACTION_SECONDS)
        self._closed = True
        if ended:
            self._acting.release()

    def fire(self) -> None:
        """Take the action on a thread of its own: one that hangs must not hold up the others."""
        threading.Thread(target=self._act, name="osiris-cancel", daemon=True).start()

    def _act(self) -> None:
        with self._acting:
            if self._closed:
                return
            try:
                self._action()
            except Exception as error:  # noqa: BLE001 - recorded below; an action that fails must not hide the reason
                self._token.complain(error)


class CancelToken:
    """Says whether work shall stop, and why. A child is cancelled with its parent, not the other way round."""

    def __init__(
        self, parent: CancelToken | None = None, *, complain: Callable[[Exception], object] | None = None
    ) -> None:
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._reason: OsirisError | None = None
        self._registrations: dict[Registration, None] = {}
        self._listeners: dict[CancelToken | Callable[[], object], None] = {}
        self._parent = parent
        self._complain = complain
        if parent is not None:
            parent.attach(self)

    @property
    def reason(self) -> OsirisError | None:
        """Why work shall stop, or None while it may go on."""
        return self._reason

    @property
    def cancelled(self) -> bool:
        """Whether work shall stop."""
        return self._stopped.is_set()

    def cancel(self, reason: OsirisError) -> bool:
        """Ask everything below this token to stop; False when that has been asked before."""
        with self._lock:
            if self._reason is not None:
                return False
            self._reason = reason
            registrations = list(self._registrations)
            listeners = list(self._listeners)
            self._registrations.clear()
            self._listeners.clear()
            self._stopped.set()
        for listener in listeners:
            if isinstance(listener, CancelToken):
                listener.cancel(reason)
            else:
                listener()
        for registration in registrations:
            registration.fire()
        return True

    def check(self) -> None:
        """Raise ``Cancelled`` when work shall stop."""
        reason = self._reason
        if reason is not None:
            raise Cancelled("OSR-RUN-002", f"stopped: {reason.message}", hint=reason.hint) from None

    def wait(self, seconds: float) -> bool:
        """Sleep for ``seconds`` or until cancelled; says whether it was cancelled."""
        return self._stopped.wait(seconds)

    def on_cancel(self, action: Callable[[], object]) -> Registration:
        """A context manager: while it is open, ``action`` is called on cancellation."""
        return Registration(self, action)

    def attach(self, listener: CancelToken | Callable[[], object]) -> None:
        """Tell ``listener`` on cancellation, at once and on the cancelling thread; it must not block."""
        with self._lock:
            if self._reason is None:
                self._listeners[listener] = None
                return
        if isinstance(listener, CancelToken):
            listener.cancel(self._reason)
        else:
            listener()

    def detach(self, listener: CancelToken | Callable[[], object]) -> None:
        """Forget ``listener``."""
        with self._lock:
            self._listeners.pop(listener, None)

    def close(self) -> None:
        """Let go of the parent; a token that has been closed is not cancelled by it any more."""
        if self._parent is not None:
            self._parent.detach(self)

    def add(self, registration: Registration) -> None:
        """Take up ``registration``, or fire it when it comes too late."""
        with self._lock:
            if self._reason is None:
                self._registrations[registration] = None
                return
        registration.fire()

    def remove(self, registration: Registration) -> None:
        """Drop ``registration``."""
        with self._lock:
            self._registrations.pop(registration, None)

    def complain(self, error: Exception) -> None:
        """Record that an action on cancellation failed."""
        if self._complain is not None:
            self._complain(error)
        elif self._parent is not None:
            self._parent.complain(error)
