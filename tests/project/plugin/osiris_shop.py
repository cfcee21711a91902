"""A plugin with a connection family whose doctor does what its connection says, and a secret store."""

from __future__ import annotations

import builtins
import os
import time
from collections.abc import Iterable, Mapping

from osiris_core.api import (
    ConnectionSpec,
    Health,
    OsirisError,
    Problem,
    Secret,
    SecretStoreSpec,
    config,
    field,
    hookimpl,
)

OSIRIS_API = "1.0"


@config
class Login:
    """A user and a password."""

    user: str = field(doc="The user.")
    password: Secret | None = field(default=None, doc="The password.")


@config
class Shop:
    """A shop that can be opened."""

    host: str = field(doc="The host.", identity=True, override="allowed", pattern="[a-z0-9.-]+")
    port: int = field(default=3306, doc="The port.", minimum=1, maximum=65535, identity=True, override="warn")
    database: str | None = field(default=None, doc="The database.", identity=True, override="forbidden")
    password: Secret | None = field(default=None, doc="The password.")
    ratio: float = field(default=1.0, doc="A number.")
    tls: bool = field(default=True, doc="Whether to encrypt.")
    tags: tuple[str, ...] = field(default=(), doc="Words.")
    login: Login | None = field(default=None, doc="Another login.")
    headers: Mapping[str, Secret] = field(factory=dict, doc="Secret headers.")
    behave: str = field(default="ok", doc="What the doctor does.")

    def check(self) -> Iterable[Problem]:
        if self.host == "nowhere":
            yield Problem(field=("host",), message="'nowhere' is no host")


class Doctor:
    """Does as the connection says."""

    def check(self, connection, *, project_root, timeout) -> Health:
        secret = connection.password.reveal() if connection.password else ""
        match connection.behave:
            case "ok":
                return Health(ok=True, category="ok", message=f"hello from {connection.host}")
            case "auth":
                return Health(ok=False, category="auth", message=f"{secret!r} was refused", hint=f"not {secret}?")
            case "hang":
                time.sleep(600)
            case "busy":
                while True:
                    pass
            case "raise":
                raise RuntimeError(f"driver says: login with {secret} failed")
            case "osiris":
                raise OsirisError("OSR-SHOP-001", f"shut: {secret}", hint="come back")
            case "panic":
                raise PanicException(f"panicked at {secret}")
            case "TimeoutError" | "PermissionError" | "FileNotFoundError" | "ConnectionResetError" as kind:
                raise getattr(builtins, kind)(secret)
            case "lying":
                return Health(ok=True, category="auth", message="ok?", details={"large": ["x" * 20_000]})
            case "stopped":
                raise KeyboardInterrupt
            case "meet":
                (project_root / f"{connection.host}.here").touch()
                while len(list(project_root.glob("*.here"))) < 4:
                    time.sleep(0.01)
                return Health(ok=True, category="ok", message="all are here")
            case "exit":
                os._exit(7)
            case "nonsense":
                return 5
            case "sleep":
                time.sleep(0.5)
                return Health(ok=True, category="ok", message="slow")
        return Health(ok=False, category="no such category", message="\x1b[2J[/bad] " + "x" * 5000)


class PanicException(BaseException):
    """What a Rust library raises."""


class Vault:
    """A store that needs a token from the environment."""

    def __init__(self, environment) -> None:
        self._token = environment.get("VAULT_TOKEN")

    def get(self, name):
        if self._token is None:
            raise OsirisError("OSR-SHOP-002", "VAULT_TOKEN is not set", hint="set it")
        if name == "broken":
            raise RuntimeError("the vault fell over, its key was hunter2hunter2")  # pragma: allowlist secret
        return {"db/password": "from-the-vault-1", "number": 7}.get(name)  # pragma: allowlist secret


@hookimpl
def osiris_connections():
    return [
        ConnectionSpec(family="shop", config=Shop, summary="A shop.", doctor="osiris_shop:Doctor"),
        ConnectionSpec(family="shop_quiet", config=Shop, summary="A shop without a doctor."),
    ]


@hookimpl
def osiris_secret_stores():
    return [SecretStoreSpec(scheme="vault", ref="osiris_shop:Vault", summary="A vault.")]
