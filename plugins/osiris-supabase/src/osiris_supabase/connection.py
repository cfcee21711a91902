"""The family ``supabase``: a project by its database (``dsn``), by its Data API (``url`` and ``key``), or by both."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, Literal
from urllib.parse import urlsplit

from osiris_core.api import Problem, Secret, config, field

LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
"""Hosts that are this machine: the only ones that may be reached without TLS unless that is stated."""

_LOCK_SECONDS: Final = 60.0
_IDENTIFIER: Final = r"[^\x00-\x1f\x7f]{1,63}"
_LONGEST: Final = 63
_HOST: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|[0-9A-Fa-f:]+")


@config
class SupabaseConnection:
    """A Supabase project, or any PostgreSQL database."""

    dsn: Secret | None = field(
        default=None,
        doc="The database's connection string (a postgresql:// URL with user, password and host); every component then "
        "speaks SQL. Supabase: use the session pooler (port 5432) or, with IPv6, the direct host.",
    )
    url: str | None = field(
        default=None,
        doc="The project's URL, for the Data API; used where no dsn is given.",
        max_length=2000,
        examples=("https://abcdefghijklmnopqrst.supabase.co",),
        identity=True,
    )
    key: Secret | None = field(
        default=None, doc="The project's secret key (sb_secret_… or the service_role key), for the Data API."
    )
    schema: str = field(
        default="public",
        doc="The schema of tables that a step names without one.",
        pattern=_IDENTIFIER,
        identity=True,
        override="allowed",
    )
    allow_functions: tuple[str, ...] = field(
        default=(),
        doc="Functions made in the database, or by its extensions, that queries may call although the server calls "
        "them volatile or they are not in SQL, as 'name' or 'schema.name'. A read-only transaction keeps them from "
        "writing to tables, and from nothing else.",
    )
    tls: Literal["disable", "require", "verify-ca", "verify-full"] | None = field(
        default=None,
        doc="How the database connection is encrypted; not given: 'verify-full' with ca_file, else 'require', and "
        "none to this machine. The Data API always verifies.",
        identity=True,
    )
    ca_file: str | None = field(
        default=None,
        doc="The certificate authority's file (PEM) that the database's certificate is checked against, relative to "
        "the project's root.",
        min_length=1,
        pattern=r"[^\x00-\x1f\x7f]+",
    )
    connect_timeout: float = field(
        default=15.0, doc="Seconds until a connection must stand.", minimum=1, maximum=600, override="allowed"
    )
    stall_timeout: float = field(
        default=600.0,
        doc="Seconds the server may stay silent while it owes an answer, before the connection counts as lost.",
        minimum=1,
        maximum=86400,
        override="allowed",
    )
    statement_timeout: float | None = field(
        default=None,
        doc="Seconds after which the server ends a statement; no limit when not given, whatever the role's is.",
        minimum=1,
        maximum=86400,
        override="allowed",
    )
    lock_timeout: float = field(
        default=_LOCK_SECONDS,
        doc="Seconds to wait for a table that another session holds, before the step fails and may be retried.",
        minimum=1,
        maximum=3600,
        override="allowed",
    )

    def check(self) -> Iterable[Problem]:
        """A way to the database or to the Data API, stated whole."""
        if (self.url is None) != (self.key is None):
            name, other = ("key", "url") if self.key is None else ("url", "key")
            yield Problem(field=(other,), message=f"'{other}' needs '{name}' beside it: the Data API takes both")
        yield from check_length(("schema",), self.schema)
        if self.dsn is None and self.url is None and self.key is None:
            yield Problem(
                message="give 'dsn' (the database), or 'url' and 'key' (the Data API)",
                hint="dsn: ${SUPABASE_DSN}",
            )
        if self.url is not None and (wrong := _wrong_url(self.url)):
            yield Problem(field=("url",), message=wrong, hint="url: https://<project>.supabase.co")
        if self.dsn is None:
            waits = None if self.lock_timeout == _LOCK_SECONDS else self.lock_timeout
            if self.allow_functions:
                yield Problem(field=("allow_functions",), message="'allow_functions' is for queries: it needs 'dsn'")
            given = {"tls": self.tls, "ca_file": self.ca_file, "statement_timeout": self.statement_timeout}
            for name, value in {**given, "lock_timeout": waits}.items():
                if value is not None:
                    yield Problem(field=(name,), message=f"'{name}' is for the database connection: it needs 'dsn'")
        if self.tls in ("verify-ca", "verify-full") and self.ca_file is None:
            yield Problem(field=("tls",), message=f"'tls: {self.tls}' needs 'ca_file'")
        if self.ca_file is not None and self.tls in ("disable", "require"):
            yield Problem(field=("ca_file",), message=f"'ca_file' is not looked at with 'tls: {self.tls}'")


def check_length(path: tuple[str, ...], name: str | None) -> Iterable[Problem]:
    """A problem with a name of which PostgreSQL would keep a part only, which may be the name of something else."""
    if name is not None and len(name.encode()) > _LONGEST:
        yield Problem(field=path, message=f"'{name}' is longer than the {_LONGEST} bytes that PostgreSQL keeps")


def _wrong_url(text: str) -> str | None:
    """What is wrong with the URL of a project; None when nothing is."""
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        return "'url' is no URL"
    if not host or not _HOST.fullmatch(host) or port == 0 or not text.isascii():
        return "'url' names no host"
    if "@" in parts.netloc:
        return "'url' holds a user or password; the key belongs in 'key'"
    if parts.path not in ("", "/") or parts.query or parts.fragment or "?" in text or "#" in text:
        return "'url' is the project's address alone, without a path"
    if parts.scheme == "https" or (parts.scheme == "http" and host in LOOPBACK):
        return None
    return "'url' must begin with https://"
