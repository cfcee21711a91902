"""The way out for OpenLineage events: the genuine client, configured by its own variables and files."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Final

from openlineage.client import OpenLineageClient

from osiris_observability.complaints import Complaints, without_credentials

if TYPE_CHECKING:
    from openlineage.client.event_v2 import RunEvent

_SECONDS: Final = 30.0
_TYPE: Final = "OPENLINEAGE__TRANSPORT__TYPE"


class _Client(OpenLineageClient):
    """The client, without what it does to the process.

    It copies OPENLINEAGE_URL into variables from which composite transports are configured. The environment must not
    change while drivers' threads read it, and where no transport is named by a variable nothing reads those copies.
    """

    def _alias_env_vars(self) -> None:
        if _TYPE in os.environ:
            super()._alias_env_vars()


class Emitter:
    """Sends events; a receiver that cannot be reached costs the events and nothing else."""

    def __init__(self) -> None:
        # What the client logs in detail includes the headers it sends.
        logger = logging.getLogger("openlineage")
        if logger.level == logging.NOTSET:
            logger.setLevel(logging.INFO)
        self._complaints = Complaints("openlineage")
        self._client = _Client()
        location = self._client.config.facets.source_code_location
        if location.repo_url is None:
            # It would be read from .git/config, where an address may hold a token.
            location.disabled = True
        self._unsent = 0
        self._why = ""

    def emit(self, event: RunEvent) -> None:
        """Send one event, trying as often as the client is configured to."""
        try:
            self._client.emit(event)
        except Exception as error:  # noqa: BLE001 - said at the end; each transport raises its own
            self._unsent += 1
            self._why = self._why or f"{type(error).__name__}: {error}"

    def close(self) -> str | None:
        """Send what the transport still holds, and close it; what could not be sent, in words, or None."""
        sent = self._client.close(_SECONDS)
        complaint = self._complaints.end()
        if self._unsent:
            complaint = f"{self._unsent} events could not be sent: {self._why}"
        elif not sent:
            complaint = complaint or "not everything could be sent"
        return without_credentials(complaint) if complaint else None
