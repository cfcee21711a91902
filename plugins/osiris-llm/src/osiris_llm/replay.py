"""Recorded calls instead of a model: what was asked before is answered as before, anything else is an error."""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

from osiris_core.api import llm, recording

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from osiris_llm.config import ReplayConfig

MODEL = "recorded"
"""The name of the model where none is needed."""


class ReplayProvider:
    """The provider ``replay``. Calls of one key are answered in their order, the last one again and again."""

    def __init__(self, config: ReplayConfig, context: llm.ProviderContext) -> None:
        self._path = Path(config.path)
        self._calls: Mapping[str, list[recording.Recorded]] | None = None
        self._given: Counter[str] = Counter()
        self._announced = False

    def default_model(self) -> str:
        """A name only."""
        return MODEL

    def price(self, model: str) -> llm.Price:
        """Nothing: nobody is asked."""
        return llm.Price(input=0.0, output=0.0)

    def secrets(self) -> tuple[str, ...]:
        """None."""
        return ()

    def stream(self, request: llm.Request) -> Iterator[llm.Event]:
        """The recorded reply; LLMError when there is none."""
        calls = self._recorded()
        if not self._announced:
            self._announced = True
            yield llm.Notice(f"this is a replay of {self._path}: no model is asked")
        key = recording.key_of(request)
        replies = calls.get(key)
        if not replies:
            message = f"the recording '{self._path}' has no call '{request.purpose}' like this one ({key[:12]})"
            raise llm.LLMError(llm.LLMCode.NOT_RECORDED, message)
        reply = replies[min(self._given[key], len(replies) - 1)]
        self._given[key] += 1
        if reply.text:
            yield llm.Text(reply.text)
        yield llm.Done(stop=reply.stop, usage=reply.usage, model=reply.model)

    def models(self) -> tuple[str, ...]:
        """The models that were recorded."""
        found = {reply.model or MODEL for replies in self._recorded().values() for reply in replies}
        return tuple(sorted(found))

    def health(self, model: str) -> llm.ProviderHealth:
        """Whether the file can be read."""
        try:
            count = sum(map(len, self._recorded().values()))
        except llm.LLMError as error:
            return llm.ProviderHealth(checks=(("recording", False, f"{error.message} [{error.code}]"),))
        return llm.ProviderHealth(checks=(("recording", count > 0, f"{count} recorded calls in {self._path}"),))

    def close(self) -> None:
        """Nothing is open."""

    def _recorded(self) -> Mapping[str, list[recording.Recorded]]:
        if self._calls is None:
            found = defaultdict(list)
            for reply in recording.read(self._path):
                found[reply.key].append(reply)
            self._calls = dict(found)
        return self._calls
