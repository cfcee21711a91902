"""A client of Supabase's Data API: one project, one schema, and nothing that its key could leave for.

The genuine ``supabase`` package is not used, for the reasons in ADR 17.
"""

from __future__ import annotations

import json
import logging
import random
import socket
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode, urlsplit

import attrs
import httpx

from osiris_core.api import ConnectionUnusable, DriverError
from osiris_supabase.rest.failures import Refusal, Refused
from osiris_supabase.rest.keys import revealed
from osiris_supabase.rest.names import schema_header, table_path

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager

    from osiris_supabase.connection import SupabaseConnection

ATTEMPTS: Final = 5
_LONGEST_PAUSE: Final = 30.0
SCHEMA_LAG: Final = 30.0
"""Seconds until a schema cache that lags behind a table that is there is given up."""
_LAG_PAUSE: Final = 1.0
_SLICE: Final = 0.1
Params = Sequence[tuple[str, str]]

# httpx writes every URL, filters and all, at level INFO.
for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.WARNING)


@attrs.frozen(kw_only=True)
class Answer:
    """A body, and how many rows the request was about where that was asked."""

    body: bytes
    total: int | None
    content_type: str


@attrs.frozen(kw_only=True)
class Halting:
    """How a client notices that the run has ended: ``check`` raises, ``on_cancel`` as in ``DriverContext``."""

    check: Callable[[], None]
    on_cancel: Callable[[Any], AbstractContextManager[Any]]


class RestClient:
    """Requests to the tables of one schema; not for several threads at once."""

    def __init__(
        self,
        connection: SupabaseConnection,
        *,
        schema: str,
        halting: Halting,
        largest: int = 256 << 20,
        pause: float = 0.2,
        longest: float | None = None,
        attempts: int = ATTEMPTS,
    ) -> None:
        assert connection.url is not None
        assert connection.key is not None
        key = revealed(connection.key)
        if not key.isascii() or not key.isprintable() or " " in key:
            raise ConnectionUnusable(
                "OSR-SUPA-102", "'key' of the connection is no key: it holds blanks or other signs"
            )
        parts = urlsplit(connection.url)
        self.origin = f"{parts.scheme}://{parts.netloc}"
        self._root = f"{self.origin}/rest/v1/"
        self._profile = schema_header(schema)
        self._halting = halting
        self._largest = largest
        self._pause = pause
        self._attempts = attempts
        self._socket: Any = None
        # A secret key is no JWT, and some gateways refuse what is not one as a bearer token.
        bearer = {"Authorization": f"Bearer {key}"} if key.count(".") == 2 else {}
        stall = min(connection.stall_timeout, longest or connection.stall_timeout)
        connect = min(connection.connect_timeout, longest or connection.connect_timeout)
        self._client = httpx.Client(
            follow_redirects=False,
            trust_env=False,
            verify=_trust(),
            timeout=httpx.Timeout(stall, connect=connect),
            headers={"apikey": key, "User-Agent": "osiris-supabase", "Accept": "application/json", **bearer},
        )

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def root(self) -> Answer:
        """The description of all tables of the schema."""
        return self._request("GET", "", (), headers={"Accept": "application/openapi+json, application/json"}, lag=0.0)

    def read(self, table: str, params: Params, *, lag: float = SCHEMA_LAG) -> Answer:
        """Rows of a table; one that the schema cache does not have is asked for again for ``lag`` seconds."""
        return self._request("GET", table_path(table), params, headers={"Prefer": "timezone=UTC"}, lag=lag)

    def count(self, table: str, params: Params) -> int:
        """The number of rows. Not by HEAD, whose refusals come without their reason."""
        headers = {"Prefer": "count=exact"}
        answer = self._request("GET", table_path(table), (*params, ("limit", "1")), headers=headers, lag=SCHEMA_LAG)
        if answer.total is None:
            raise DriverError("OSR-SUPA-105", f"counting '{table}': the answer does not say how many rows there are")
        return answer.total

    def upsert(self, table: str, params: Params, body: bytes, *, prefer: str) -> Answer:
        """Rows sent, which may be sent again: ``prefer`` says what becomes of those that are there."""
        headers = {"Prefer": prefer, "Content-Type": "application/json"}
        return self._request("POST", table_path(table), params, headers=headers, body=body, lag=SCHEMA_LAG)

    def pause(self, attempt: int) -> None:
        """Wait as between two requests that a schema cache lags behind."""
        self._wait(attempt, None, _LAG_PAUSE)

    def _request(
        self,
        method: str,
        path: str,
        params: Params,
        *,
        headers: Mapping[str, str],
        lag: float,
        body: bytes | None = None,
    ) -> Answer:
        """One request, repeated while that may help; ``Refused`` when it does not."""
        url = self._root + path + (f"?{urlencode(params)}" if params else "")
        profile = "Accept-Profile" if method == "GET" else "Content-Profile"
        sent = {**headers, profile: self._profile}
        attempt, started = 1, time.monotonic()
        while True:
            self._halting.check()
            asked, longest = None, _LONGEST_PAUSE
            try:
                return self._once(method, url, sent, body)
            except Refused as refused:
                refusal = refused.refusal
                lagging = refusal.lags and time.monotonic() - started < lag
                retry = refusal.passes and attempt < self._attempts and not (refusal.too_much and method == "POST")
                if not (lagging or retry) or (refusal.retry_after or 0) > _LONGEST_PAUSE * 4:
                    refused.attempts = attempt
                    raise
                asked, longest = refusal.retry_after, _LAG_PAUSE if lagging else _LONGEST_PAUSE
            except (ConnectionUnusable, DriverError) as error:
                if not error.retriable or attempt >= self._attempts:
                    raise
            self._wait(attempt, asked, longest)
            attempt += 1

    def _wait(self, attempt: int, asked: float | None, longest: float) -> None:
        """Full jitter, and not less than the server asked for."""
        pause = random.uniform(0, min(longest, self._pause * 2**attempt))  # noqa: S311 - no secret
        until = time.monotonic() + max(pause, asked or 0.0)
        while (left := until - time.monotonic()) > 0:
            self._halting.check()
            time.sleep(min(left, _SLICE))

    def _once(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Answer:
        try:
            with self._halting.on_cancel(self._interrupt):
                request = self._client.build_request(method, url, headers=dict(headers), content=body)
                request.extensions["trace"] = self._trace
                response = self._client.send(request, stream=True)
                try:
                    content = self._content(response)
                finally:
                    response.close()
        except httpx.HTTPError as error:
            self._halting.check()
            raise self._network(error) from None
        except (httpx.InvalidURL, UnicodeError):
            raise DriverError("OSR-SUPA-112", "the request cannot be written as a URL") from None
        return self._judge(response, content)

    def _content(self, response: httpx.Response) -> bytes:
        parts, size = [], 0
        for part in response.iter_bytes():
            self._halting.check()
            parts.append(part)
            size += len(part)
            if size > self._largest:
                raise Refused(Refusal(status=413, message=f"the answer is larger than {self._largest >> 20} MiB"))
        return b"".join(parts)

    def _judge(self, response: httpx.Response, content: bytes) -> Answer:
        status = response.status_code
        if 300 <= status < 400:
            to = _origin(response.headers.get("Location", ""))
            raise ConnectionUnusable(
                "OSR-SUPA-104", f"{self.origin} redirects to {to}; the key is sent nowhere else", where="url"
            )
        if status >= 400:
            raise Refused(Refusal.of(status, content, response.headers.get("Retry-After")))
        kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if content and kind != "application/json" and not kind.endswith("+json"):
            raise ConnectionUnusable(
                "OSR-SUPA-105", f"{self.origin} answers HTTP {status} with {kind or 'no type'}, not with JSON"
            )
        _, slash, total = response.headers.get("Content-Range", "").partition("/")
        counted = int(total) if slash and total.isdecimal() else None
        return Answer(body=content, total=counted, content_type=kind)

    def _network(self, error: httpx.HTTPError) -> ConnectionUnusable | DriverError:
        if isinstance(error, httpx.TimeoutException) and not isinstance(error, httpx.ConnectTimeout):
            return DriverError("OSR-SUPA-107", f"{self.origin} did not answer in time", retriable=True)
        if isinstance(error, httpx.RemoteProtocolError | httpx.DecodingError | httpx.ReadError | httpx.WriteError):
            return DriverError("OSR-SUPA-101", f"the connection to {self.origin} broke off", retriable=True)
        # httpx names the reason in its message: it holds no part of the request.
        why = "no answer in time" if isinstance(error, httpx.ConnectTimeout) else _reason(error)
        passes = "CERTIFICATE_VERIFY_FAILED" not in why
        return ConnectionUnusable("OSR-SUPA-101", f"{self.origin} cannot be reached: {why}", retriable=passes)

    def _trace(self, name: str, info: Mapping[str, Any]) -> None:
        """Remember the socket in use, for :meth:`_interrupt`."""
        if name.endswith((".connect_tcp.complete", ".start_tls.complete")):
            self._socket = info["return_value"].get_extra_info("socket")

    def _interrupt(self) -> None:
        """End the request that another thread is waiting for."""
        if self._socket is not None:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)


@cache
def _trust() -> ssl.SSLContext:
    """Which certificates are trusted: the usual ones. Reading them takes longer than most requests, so once."""
    return httpx.create_ssl_context(trust_env=False)


def parse_rows(answer: Answer, *, what: str) -> list[dict[str, Any]]:
    """The rows of an answer; anything but a list of objects is an error."""
    try:
        rows = json.loads(answer.body)
    except (ValueError, RecursionError):
        raise DriverError(
            "OSR-SUPA-105", f"{what}: the answer is cut off or no JSON ({len(answer.body)} bytes)", retriable=True
        ) from None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise DriverError("OSR-SUPA-105", f"{what}: the answer is JSON, but no list of rows")
    return rows


def _origin(location: str) -> str:
    """Where a redirect leads, without path, user and query."""
    try:
        parts = urlsplit(location)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "an address that is no URL"
    return f"{parts.scheme}://{parts.hostname}{port}" if parts.hostname else "another path of itself"


def _reason(error: httpx.HTTPError) -> str:
    line = " ".join(str(error).split())
    return line[:200] or type(error).__name__
