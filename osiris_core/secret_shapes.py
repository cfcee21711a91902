"""What looks like a secret although nobody said that it is one: well-known token formats, passwords in URLs, and values
under names like ``password``.

The second line of defence behind :mod:`osiris_core.redaction`'s registered values, and the rule by which literal
secrets are refused in OML and connection files. Formats are those their issuers document for secret scanning.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from osiris_core.ids import SESSION_ID

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Span = tuple[int, int]

MASK: Final = "***"

_URL_PASSWORD = re.compile(
    r"(?<![a-z0-9+.-])[a-z][a-z0-9+.-]{0,30}://[^\s:/@?#\"'<>]*:(?P<secret>[^\s/?#\"'<>]+)@", re.IGNORECASE
)

_FORMATS: Final = (
    # name, a part every token of the format has, the format
    ("JSON Web Token", "eyJ", r"eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}"),
    ("AWS access key", "AKIA", r"AKIA[0-9A-Z]{16}(?![0-9A-Z])"),
    ("AWS temporary access key", "ASIA", r"ASIA[0-9A-Z]{16}(?![0-9A-Z])"),
    ("GitHub token", "gh", r"gh[pousr]_[A-Za-z0-9]{36,255}"),
    ("GitHub fine-grained token", "github_pat_", r"github_pat_[A-Za-z0-9_]{50,255}"),
    ("GitLab token", "glpat-", r"glpat-[A-Za-z0-9_-]{20,}"),
    ("Slack token", "xox", r"xox[abeprs]-[A-Za-z0-9-]{10,}"),
    ("Google API key", "AIza", r"AIza[A-Za-z0-9_-]{35}"),
    ("OpenAI or Anthropic API key", "sk-", r"sk-(?:[a-z0-9]+-){0,3}[A-Za-z0-9_-]{20,}"),
    ("Stripe key", "k_live_", r"[rs]k_live_[A-Za-z0-9]{16,}"),
    ("Supabase secret key", "sb_secret_", r"sb_secret_[A-Za-z0-9_-]{16,}"),
    ("Supabase access token", "sbp_", r"sbp_[a-f0-9]{40}"),
    ("E2B API key", "e2b_", r"e2b_[a-f0-9]{40}"),
    ("Hugging Face token", "hf_", r"hf_[A-Za-z0-9]{30,}"),
    ("npm token", "npm_", r"npm_[A-Za-z0-9]{36}"),
    ("PyPI token", "pypi-", r"pypi-AgE[A-Za-z0-9_-]{50,}"),
    ("DigitalOcean token", "dop_v1_", r"dop_v1_[a-f0-9]{64}"),
)
_COMPILED: Final = (
    *((name, part, re.compile(rf"(?<![A-Za-z0-9_]){pattern}")) for name, part, pattern in _FORMATS),
    (
        "private key",
        "PRIVATE KEY",
        # without its end (cut off, or not yet arrived) as far as it looks like one
        re.compile(
            r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----"
            r"(?:[\s\S]{0,8192}?-----END [A-Z ]{0,30}PRIVATE KEY-----|[A-Za-z0-9+/=\s\\,:-]{0,8192})"
        ),
    ),
)

_LAST_WORDS: Final = ("password", "passwd", "passphrase", "passcode", "secret", "token", "apikey")
_WHOLE_WORDS: Final = frozenset({"pwd", "credential", "credentials", "authorization", "cookie"})
_KEY_QUALIFIERS: Final = frozenset(
    {
        "api",
        "access",
        "private",
        "secret",
        "service",
        "role",
        "anon",
        "encryption",
        "signing",
        "account",
        "shared",
        "auth",
    }
)
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")

_HINTS: Final = (
    "pass",
    "pwd",
    "secret",
    "token",
    "key",
    "credential",
    "authorization",
    "cookie",
    "bearer",
    "identified",
)
_NAME: Final = r"(?<![\w.-])-{0,2}(?P<key>[A-Za-z_][\w.-]{0,63})"
_PAIRS: Final = (
    # key=value, as in a URL's query, a libpq string, a command line
    re.compile(_NAME + r"=(?P<value>\$\{[^}\s]*\}|[^\s&;,\"'<>()\[\]{}]+)"),
    re.compile(_NAME + r"[ \t]{0,3}=[ \t]{0,3}(?P<quote>[\"'])(?P<value>[^\n]{0,8192}?)(?<!\\)(?P=quote)"),
    # "key": "value", also inside JSON text that is itself quoted
    re.compile(
        r"(?P<q>\\{0,7}[\"'])(?P<key>[A-Za-z_][\w.-]{0,63})(?P=q)[ \t]{0,3}:[ \t]{0,3}"
        r"(?:(?P<quote>\\{0,7}[\"'])(?P<value>[^\n]{0,8192}?)(?<!\\)(?P=quote)|(?P<number>-?[0-9][0-9.]*))"
    ),
    # a whole line "key: value"
    re.compile(
        r"^[ \t]*(?:- )?[\"']?(?P<key>[A-Za-z_][\w.-]{0,63})[\"']?:[ \t]+"
        r"(?P<quote>[\"']?)(?P<value>\S+?)(?P=quote)[ \t]*$",
        re.MULTILINE,
    ),
    re.compile(
        r"^[ \t]*(?:- )?(?P<key>[A-Za-z_][\w.-]{0,63}):[ \t]+"
        r"(?P<quote>[\"'])(?P<value>[^\n]{0,8192}?)(?P=quote)[ \t]*$",
        re.MULTILINE,
    ),
    re.compile(r"--(?P<key>[A-Za-z][\w-]{0,63})[ \t]+(?P<value>[^\s-]\S*)"),
)
_PHRASES: Final = (
    re.compile(
        r"\b(?:authorization)[ \t]*[:=][ \t]*(?:bearer|basic|token|digest)[ \t]+(?P<value>[^\s,;\"']+)", re.IGNORECASE
    ),
    re.compile(r"\bbearer[ \t]+(?P<value>[A-Za-z0-9+/_.~-]{20,}=*)", re.IGNORECASE),
    re.compile(r"\b(?:password|identified[ \t]+by)[ \t]+'(?P<value>[^'\n]+)'", re.IGNORECASE),
)
_HARMLESS = re.compile(
    r"(?:\$\{[^}]*\}|\*{3,}|none|null|true|false|\?|%s|\$[0-9]+|:\w+|Secret(?:Str|Ref)\(?|)\Z", re.IGNORECASE
)


def secret_shape(text: str) -> str | None:
    """What kind of secret stands literally in ``text`` (``GitHub token``, ``password in a URL``), or None.

    References (``${NAME}``) are not secrets.
    """
    for name, part, pattern in _COMPILED:
        if part in text and pattern.search(text):
            return name
    if any(True for _ in _url_passwords(text)):
        return "password in a URL"
    return None


def is_sensitive_key(name: str) -> bool:
    """Whether a value under ``name`` is taken for a secret: ``DB_PASSWORD``, ``apiKey``, ``x-auth-token``.

    ``primary_key``, ``tokens`` and ``max_tokens`` are not.
    """
    words = [word.lower() for word in _WORD.findall(name)]
    while words and words[-1].isdigit():
        words.pop()
    if not words:
        return False
    last = words[-1]
    if last.endswith(_LAST_WORDS) or last in _WHOLE_WORDS:
        return True
    if len(words) == 1:
        return False
    return last == "pass" or (last == "key" and words[-2] in _KEY_QUALIFIERS)


def is_harmless_value(text: str) -> bool:
    """Whether a value tells nothing whatever its name: empty, a reference, a mask, a placeholder, a session's id."""
    return _HARMLESS.match(text) is not None or SESSION_ID.match(text) is not None


CONTEXT: Final = 128
"""How many characters before a span decide that it is one, at most (the name in ``name=value``)."""

LONGEST: Final = 8192 + CONTEXT
"""How long a span can be, at most, but for a value without quotes."""


def spans(text: str) -> Iterator[Span]:
    """Where in ``text`` something looks like a secret; in no order, possibly overlapping."""
    for _, part, pattern in _COMPILED:
        if part in text:
            yield from (match.span() for match in pattern.finditer(text))
    if "://" in text:
        yield from _url_passwords(text)
    lowered = text.lower()
    if not any(hint in lowered for hint in _HINTS):
        return
    for pattern in _PAIRS:
        match = pattern.search(text)
        while match:
            sensitive = is_sensitive_key(match["key"])
            if sensitive:
                yield from _value_span(match)
            # another pair may stand inside the value of this one
            match = pattern.search(text, match.end() if sensitive else match.end("key"))
    for pattern in _PHRASES:
        for match in pattern.finditer(text):
            yield from _value_span(match)


def without_shapes(text: str) -> str:
    """``text`` with everything that looks like a secret replaced by ``***``."""
    return masked(text, merged(spans(text)))


def merged(spans: Iterable[Span]) -> list[Span]:
    """The spans in order, those that overlap as one."""
    found: list[Span] = []
    for start, end in sorted(spans):
        if found and start < found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found


def masked(text: str, spans: list[Span]) -> str:
    """``text`` with ``***`` for each of the :func:`merged` ``spans``."""
    pieces: list[str] = []
    last = 0
    for start, end in spans:
        pieces += (text[last:start], MASK)
        last = end
    pieces.append(text[last:])
    return "".join(pieces)


def _value_span(match: re.Match[str]) -> Iterator[Span]:
    group = "number" if match.groupdict().get("number") is not None else "value"
    if not is_harmless_value(match[group]):
        yield match.span(group)


def _url_passwords(text: str) -> Iterator[Span]:
    for match in _URL_PASSWORD.finditer(text):
        if not is_harmless_value(match["secret"]):
            yield match.span("secret")
