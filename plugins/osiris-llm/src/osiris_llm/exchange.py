"""One call over HTTP: a client of its own, three time limits, one kind of error, and the terminal marker demanded.

The SDKs let a read time out by one number only, end a cut stream without a word and let exceptions of the HTTP client
through. Around each call stands therefore: a client that is closed with it, sends the one key that belongs to it and
follows nowhere; a watch that ends the connection when no text comes in time; and a reader that passes on events until
``Done``.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

import attrs

from osiris_core.api import llm
from osiris_llm.failure import broke_off, failure, is_loading, said_by, unusable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import TracebackType

    import httpx2

    from osiris_llm.route import Route

T = TypeVar("T")

_DOORS: Final = ("authorization", "x-api-key", "api-key", "x-goog-api-key", "openai-organization", "openai-project")
"""Headers that an SDK may fill from variables of the process; only the route's own is let through."""

ASKING: Final = llm.Timeouts(connect=5.0, first=30.0, between=30.0)
"""For calls that no conversation waits for: listing models."""


class Exchange:
    """A call: ``client`` is for the SDK, ``pieces`` stands around what the SDK yields."""

    def __init__(self, route: Route, timeouts: llm.Timeouts) -> None:
        self.route = route
        self.expired = False
        self._key = route.key()
        self._timeouts = timeouts
        self._socket: Any = None
        self._begun = False
        self._waited = 0.0
        self._left = max(timeouts.first, timeouts.total)
        self._deadline: float | None = None
        self._ended = False
        self._changed = threading.Condition()
        self._client: httpx2.Client | None = None

    @property
    def key(self) -> str:
        """The key, empty where none is sent."""
        return self._key.reveal() if self._key else ""

    @property
    def client(self) -> httpx2.Client:
        """The HTTP client of this call."""
        if self._client is None:
            import httpx2

            self._client = httpx2.Client(
                # Made here, because without the environment's proxies it would not see SSL_CERT_FILE either.
                verify=httpx2.create_ssl_context(),
                trust_env=not self.route.is_near,
                event_hooks={"request": [self._sending], "response": [self._answering]},
                follow_redirects=False,
            )
        return self._client

    def pieces(self, stream: Iterable[T]) -> Iterator[T]:
        """What ``stream`` yields, as long as it is in time (:class:`~osiris_core.spec.llm.Timeouts`). Only the waiting
        counts: a slow reader is not a slow server.
        """
        iterator = iter(stream)
        while True:
            quiet = self._timeouts.between - self._waited if self._begun else self._timeouts.first
            began = time.monotonic()
            self._expect(began + min(quiet, self._left))
            try:
                piece = next(iterator)
            except StopIteration:
                return
            finally:
                self._expect(None)
            waited = time.monotonic() - began
            self._waited += waited
            self._left -= waited
            yield piece

    def heard(self) -> None:
        """A piece of text has come: what is no text gives the next one no more time."""
        self._waited = 0.0
        if not self._begun:
            self._begun, self._left = True, self._timeouts.total

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._changed:
            self._ended = True
            self._changed.notify_all()
        if self._client is not None:
            self._client.close()

    def _sending(self, request: httpx2.Request) -> None:
        for name in _DOORS:
            request.headers.pop(name, None)
        if self._key is not None:
            request.headers[self.route.header] = f"{self.route.prefix}{self._key.reveal()}"
        # Here and not where the client is made: an SDK hands over limits of its own, or none, with each request.
        connect, first = self._timeouts.connect, self._timeouts.first
        request.extensions["timeout"] = {"connect": connect, "pool": connect, "read": first, "write": first}

    def _answering(self, response: httpx2.Response) -> None:
        """The headers have come: from now on the watch keeps time, to each piece its own."""
        stream = response.extensions.get("network_stream")
        if response.is_success and stream is not None:
            self._socket = stream.get_extra_info("socket")
        longest = max(self._timeouts.first, self._timeouts.between)
        response.request.extensions["timeout"]["read"] = longest * 2
        if self._socket is not None:
            self._expect(time.monotonic() + self._timeouts.first)
            threading.Thread(target=self._watch, name="osiris-llm-watch", daemon=True).start()

    def _expect(self, deadline: float | None) -> None:
        with self._changed:
            self._deadline = deadline
            self._changed.notify_all()

    def _watch(self) -> None:
        with self._changed:
            while not self._ended:
                left = None if self._deadline is None else self._deadline - time.monotonic()
                if left is not None and left <= 0:
                    self.expired = True
                    # Past the TLS layer, whose own shutdown would pull its state from under the thread that reads.
                    with contextlib.suppress(OSError):
                        socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
                    return
                self._changed.wait(left)


def exchanged(
    route: Route, request: llm.Request, own_limit: int | None, speak: Callable[[Exchange, int], Iterator[llm.Event]]
) -> Iterator[llm.Event]:
    """The events of a call that ``speak`` makes, of as many tokens as ``request`` and the provider's config allow; ends
    with Done, or raises LLMError.
    """
    tokens = min(request.max_output_tokens, own_limit or request.max_output_tokens)
    with Exchange(route, request.timeouts) as exchange:
        heard = False
        try:
            for event in speak(exchange, tokens):
                if isinstance(event, llm.Done):
                    if event.stop == "end" and not heard:
                        raise unusable(route, "the reply is empty")
                    clamped = event.stop == "max_tokens" and tokens < request.max_output_tokens
                    yield attrs.evolve(event, limit=tokens) if clamped else event
                    return
                if isinstance(event, llm.Text):
                    if not event.text:
                        continue
                    heard = True
                    exchange.heard()
                yield event
        except llm.LLMError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever an SDK raises becomes an LLMError
            said = said_by(error)
            if said is not None and is_loading(said):
                yield llm.Notice(f"{route.provider}: the server is still loading its model")
            # Not chained: what the SDK says may hold what it was told, the key among it.
            raise failure(error, route, heard=heard, expired=exchange.expired) from None
        if exchange.expired:
            raise failure(TimeoutError(), route, heard=heard, expired=True)
        raise broke_off(route)


def asked(route: Route, ask: Callable[[Exchange], T]) -> T:
    """The result of a call that answers at once."""
    with Exchange(route, ASKING) as exchange:
        try:
            return ask(exchange)
        except llm.LLMError:
            raise
        except Exception as error:  # noqa: BLE001 - as above
            raise failure(error, route, heard=False, expired=exchange.expired) from None
