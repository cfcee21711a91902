"""Templates to a page: one file that needs no other, with a policy that lets nothing in it run but its own script.

Every value goes through one door: :func:`osiris_core.report.html.text.displayed` makes it short and visible, Jinja2
escapes it. Style and script are the package's own, inlined and allowed by their digests; no other style or script, no
image, no request and no form is (Content Security Policy Level 3).
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import jinja2

from osiris_core.report.html import text

if TYPE_CHECKING:
    from collections.abc import Mapping


def render(template: str, scripts: tuple[str, ...], context: Mapping[str, Any]) -> bytes:
    """The page that ``template`` makes of ``context``, with the style and ``scripts`` of the package inlined."""
    style, script = _asset("style.css"), "".join(_asset(name) for name in scripts)
    policy = "; ".join(
        (
            "default-src 'none'",
            f"script-src '{_digest(script)}'",
            f"style-src '{_digest(style)}'",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )
    page = _environment().get_template(template).render(context, style=style, script=script, policy=policy)
    return (page + "\n").encode("utf-8")


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader(__package__),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=text.displayed,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        duration=text.duration, number=text.number, amount=text.amount, rate=text.rate, moment=text.moment
    )
    return environment


@cache
def _asset(name: str) -> str:
    return (files(__package__) / "assets" / name).read_text(encoding="utf-8")


def _digest(inlined: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(inlined.encode()).digest()).decode()}"
