"""Where a provider's calls go and what opens the door: an address and a key, both checked before anything is sent."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import attrs

from osiris_core.api import SecretStr, llm

if TYPE_CHECKING:
    from collections.abc import Mapping


@attrs.frozen(kw_only=True)
class Route:
    """``provider`` names who calls, ``key_names`` the variables that may hold the key, in order; none: no key is sent.

    ``header`` is the one that carries the key, after ``prefix``.
    """

    provider: str
    base_url: str
    key_names: tuple[str, ...]
    allow_insecure: bool
    variables: Mapping[str, str] = attrs.field(repr=False)
    header: str = "authorization"
    prefix: str = "Bearer "

    def found(self) -> SecretStr | None:
        """The key, or None."""
        values = (self.variables.get(name) for name in self.key_names)
        return next((SecretStr(value) for value in values if value), None)

    def key(self) -> SecretStr | None:
        """The key to send, None where none is needed. LLMError where one is missing, or would be sent in the clear."""
        key = self.found()
        if self.key_names and key is None:
            names = " or ".join(self.key_names)
            raise llm.LLMError(
                llm.LLMCode.NO_KEY, f"the provider '{self.provider}' needs a key, and {names} is not set"
            )
        if key is not None and not key.reveal().isascii():
            raise llm.LLMError(llm.LLMCode.KEY_REFUSED, f"the key in {self.key_names[0]} holds characters no key has")
        if key is not None and not self.allow_insecure and not self.is_private:
            message = f"the key of '{self.provider}' would be sent to {self.base_url} without encryption"
            raise llm.LLMError(llm.LLMCode.IN_THE_CLEAR, message)
        return key

    @property
    def is_private(self) -> bool:
        """Whether nobody on the way can read along: TLS, or this machine."""
        address = self._address
        return urlsplit(self.base_url).scheme == "https" or (address is not None and address.is_loopback)

    @property
    def is_near(self) -> bool:
        """Whether it is this machine, or by its number one of a private network. No proxy of the environment stands on
        the way there: it would get in the clear what is thought not to leave.
        """
        address = self._address
        return address is not None and (address.is_loopback or address.is_private)

    @property
    def _address(self) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
        """The host's number; None for a name that is not this machine's."""
        host = (urlsplit(self.base_url).hostname or "").casefold().rstrip(".")
        try:
            return ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
        except ValueError:
            return None

    def secrets(self) -> tuple[str, ...]:
        """Every key that the variables hold."""
        return tuple(value for name in self.key_names if (value := self.variables.get(name)))
