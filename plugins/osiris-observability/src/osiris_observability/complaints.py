"""What an SDK says in its log about what it could not send: it neither raises nor returns it."""

from __future__ import annotations

import logging
import re
from typing import Final

_CREDENTIALS: Final = re.compile(r"(?<=//)[^/\s@]+@")


class Complaints(logging.Handler):
    """Listens to the loggers below ``name`` from now until :meth:`end`, and keeps the first error."""

    def __init__(self, name: str) -> None:
        super().__init__(logging.ERROR)
        self._logger = logging.getLogger(name)
        # A logger that nobody listens to prints on the terminal, also after the run has ended.
        if not any(isinstance(handler, logging.NullHandler) for handler in self._logger.handlers):
            self._logger.addHandler(logging.NullHandler())
        self._first: str | None = None
        self._logger.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the first message."""
        if self._first is None:
            self._first = record.getMessage()

    def end(self) -> str | None:
        """Stop listening; the first error, or None."""
        self._logger.removeHandler(self)
        return self._first


def without_credentials(text: str) -> str:
    """``text`` with ``user:password@`` taken out of its addresses."""
    return _CREDENTIALS.sub("", text)
