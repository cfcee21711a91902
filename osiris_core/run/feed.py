"""The hand-over between two steps: a few batches, a lock, and whatever went wrong on the producer's side."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Protocol

from osiris_core.errors import Cancelled

if TYPE_CHECKING:
    from arro3.core import RecordBatch, Schema

    from osiris_core.run.cancel import CancelToken

CAPACITY = 2
"""Batches a producer may be ahead of its consumer; what bounds the memory of an edge."""


class Feed(Protocol):
    """Where a stream's batches come from."""

    @property
    def schema(self) -> Schema:
        """The schema; may wait until the producer knows it."""
        ...

    @property
    def failure(self) -> BaseException | None:
        """What stopped the producer, if anything did."""
        ...

    def next_batch(self) -> RecordBatch | None:
        """The next batch, or None after the last one; raises the producer's failure."""
        ...

    def close(self) -> None:
        """Tell the producer that nobody reads any more."""
        ...


class ConsumerGone(BaseException):
    """Raised when nobody reads any more, at both ends; not an error, and not for drivers to catch."""


class QueueFeed:
    """A bounded queue between a producer's thread and whatever thread the consumer pulls from."""

    def __init__(self, token: CancelToken, capacity: int = CAPACITY) -> None:
        self._token = token
        self._capacity = capacity
        self._changed = threading.Condition()
        self._batches: deque[RecordBatch] = deque()
        self._schema: Schema | None = None
        self._failure: BaseException | None = None
        self._ended = False
        self._closed = False
        token.attach(self._wake)

    # The producer's side.

    def open(self, schema: Schema) -> None:
        """Say what the batches will look like."""
        with self._changed:
            self._schema = schema
            self._changed.notify_all()

    def put(self, batch: RecordBatch) -> None:
        """Hand over one batch, waiting for room; raises ConsumerGone or Cancelled when there is no point in more."""
        with self._changed:
            while len(self._batches) >= self._capacity and not self._closed and not self._token.cancelled:
                self._changed.wait()
            if self._closed:
                raise ConsumerGone
            self._token.check()
            self._batches.append(batch)
            self._changed.notify_all()

    def end(self) -> None:
        """Say that there are no more batches."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def fail(self, failure: BaseException) -> None:
        """Say that there will be no more batches because of ``failure``."""
        with self._changed:
            self._failure = failure
            self._ended = True
            self._changed.notify_all()

    # The consumer's side.

    @property
    def schema(self) -> Schema:
        """The schema; waits until the producer has said it."""
        with self._changed:
            while self._schema is None and self._failure is None:
                self._check()
                self._changed.wait()
            if self._schema is None:
                assert self._failure is not None
                raise self._failure
            return self._schema

    @property
    def failure(self) -> BaseException | None:
        """What stopped the producer, if anything did."""
        return self._failure

    def next_batch(self) -> RecordBatch | None:
        """The next batch, or None after the last one; raises the producer's failure, Cancelled or ConsumerGone."""
        with self._changed:
            while not self._batches and not self._ended:
                self._check()
                self._changed.wait()
            self._token.check()
            if self._batches:
                batch = self._batches.popleft()
                self._changed.notify_all()
                return batch
            if self._failure is not None:
                raise self._failure
            return None

    def close(self) -> None:
        """Nobody reads any more: what waits is dropped, and the producer stops at its next batch."""
        with self._changed:
            self._closed = True
            self._batches.clear()
            self._changed.notify_all()
        self._token.detach(self._wake)

    def _check(self) -> None:
        """Stop waiting for rows that nobody wants any more: after ``close`` the token does not wake anybody here."""
        if self._closed:
            raise ConsumerGone
        self._token.check()

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()


def is_collateral(error: BaseException) -> bool:
    """Whether ``error`` only says that somebody else stopped the work."""
    return isinstance(error, Cancelled | ConsumerGone)
