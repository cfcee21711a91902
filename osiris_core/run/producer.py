"""A step that gives rows: its driver runs, and its stream is pulled, on a thread of the step's own.

That thread is what makes extract and load overlap, and what keeps a stream inside a stream off one stack (see
:mod:`osiris_core.run.cstream`).
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Protocol

from osiris_core.errors import DriverError
from osiris_core.run.failure import judged
from osiris_core.run.feed import ConsumerGone, QueueFeed
from osiris_core.run.layout import plain_batch, plain_schema

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from arro3.core import RecordBatch, Schema

    from osiris_core.run.cancel import CancelToken
    from osiris_core.run.dataset import RowStream


class Batches(Protocol):
    """What a driver gives, opened."""

    @property
    def schema(self) -> Schema:
        """The schema of the batches."""
        ...

    def __iter__(self) -> Iterator[RecordBatch]: ...

    def close(self) -> None:
        """Let go of the source."""
        ...


class Producer:
    """One attempt at producing rows. ``start`` is called on the thread; it runs the driver and opens its stream."""

    def __init__(
        self,
        name: str,
        *,
        start: Callable[[], Batches],
        inputs: tuple[RowStream, ...],
        token: CancelToken,
        on_schema: Callable[[Schema], None],
    ) -> None:
        self.name = name
        self.inputs = inputs
        self.feed = QueueFeed(token)
        self.failure: BaseException | None = None
        self._token = token
        self._start = start
        self._on_schema = on_schema
        self._thread = threading.Thread(target=self._main, name=f"osiris-{name}", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def join(self, timeout: float | None) -> bool:
        """Wait for the thread to end, at most ``timeout`` seconds; says whether it has."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _main(self) -> None:
        try:
            self._produce()
        except ConsumerGone:
            self.feed.end()
        except BaseException as error:  # noqa: BLE001 - handed to the consumer and to the runtime, both via the feed
            self.failure = judged(error, stopped=self._token.cancelled)
            self.feed.fail(self.failure)
        else:
            self.feed.end()
        finally:
            for stream in self.inputs:
                stream.close()

    def _produce(self) -> None:
        source = self._start()
        try:
            plain = plain_schema(source.schema)
            schema = plain or source.schema
            self._on_schema(schema)
            self.feed.open(schema)
            for batch in source:
                if batch.num_rows:
                    self.feed.put(batch if plain is None else plain_batch(batch, plain))
        finally:
            source.close()


def only_output(outputs: Any, name: str) -> Any:
    """The stream in what a driver's ``run`` returned; raises DriverError for anything but ``{"df": stream}``."""
    if not isinstance(outputs, dict) or set(outputs) != {"df"}:
        shown = f"keys {sorted(map(str, outputs))}" if isinstance(outputs, dict) else f"a {type(outputs).__name__}"
        raise DriverError(
            "OSR-RUN-022", f"the driver of '{name}' returned {shown}", hint='run() returns {"df": stream}'
        )
    stream = outputs["df"]
    if not hasattr(stream, "__arrow_c_stream__"):
        raise DriverError(
            "OSR-RUN-022",
            f"the driver of '{name}' returned a {type(stream).__name__}, which exports no Arrow stream",
            hint="return an object with __arrow_c_stream__",
        )
    return stream
