"""The run card: a package as Markdown on a page, for people and for models that are shown a page. Errors come first.

Text of the record is text: what Markdown or HTML would act on is escaped.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_MARKUP: Final = re.compile(r"([\\`*_\[\]|~])")
_CUT: Final = "\n_Cut: {} lines more; make the package as JSON, or raise the limit._\n"


def card(document: dict[str, Any], cap: int) -> tuple[bytes, bool]:
    """The card of a package, at most ``cap`` bytes long, and whether it was cut at a line to be so."""
    lines = [*_lines(document)]
    whole = ("\n".join(lines) + "\n").encode()
    if len(whole) <= cap:
        return whole, False
    room = cap - len(_CUT.format(len(lines)).encode())
    kept: list[str] = []
    for line in lines:
        room -= len(line.encode()) + 1
        if room < 0:
            break
        kept.append(line)
    return ("\n".join(kept) + "\n" + _CUT.format(len(lines) - len(kept))).encode(), True


def _lines(document: dict[str, Any]) -> Iterator[str]:
    evidence, metadata = document["evidence"], document["metadata"]
    run = evidence["run"]
    yield f"# {_text(run['name'] or 'a run')}: {run['status']}"
    yield ""
    yield f"`{run['@id']}`"
    if run["pipeline"]:
        yield f"`{run['pipeline']}`"
    for error in evidence["errors"]:
        yield ""
        yield f"**{_text(error['code'])}**{_at(error)}: {_text(error['message'])} {_cited([error['@id']])}"
        if error["hint"]:
            yield f"To do: {_text(error['hint'])}"
    if metadata["cuts"]:
        yield ""
        cut = ", ".join(f"{one['section']} ({one['kept']:,} of {one['of']:,})" for one in metadata["cuts"])
        yield f"Cut: {_text(cut)}."
    yield from _section("What happened", [_sentence(one) for one in document["narrative"]["sentences"]])
    yield from _section("Steps", _steps(evidence["steps"]))
    yield from _section("Since the run before", [_change(one) for one in document["delta"]["changes"]])
    yield from _section("What may be done next", [_action(one) for one in document["control"]["actions"]])
    yield from _section("How to read this", [f"- {_text(one)}" for one in metadata["primer"]])


def _section(title: str, lines: Sequence[str]) -> Iterator[str]:
    if lines:
        yield from ("", f"## {title}", "", *lines)


def _sentence(sentence: dict[str, Any]) -> str:
    return f"- {_text(sentence['text'])} {_cited(sentence['cites'])}"


def _steps(steps: Sequence[dict[str, Any]]) -> list[str]:
    if not steps:
        return []
    rows = [
        f"| {_text(step['name'])} | {_text(step['status'])} | {_number(step['rows_read'])} | "
        f"{_number(step['rows_written'])} | {_number(step['duration_ms'])} | {_text(step['destination'])} |"
        for step in steps
    ]
    return ["| step | status | rows in | rows out | ms | destination |", "|---|---|--:|--:|--:|---|", *rows]


def _change(change: dict[str, Any]) -> str:
    before, after = (_text(_number(change[key])) or "nothing" for key in ("before", "after"))
    return f"- {_text(change['what'])}{_at(change)}: {before} → {after} {_cited([change['@id']])}"


def _action(action: dict[str, Any]) -> str:
    asked = " **Ask a person first.**" if action["approval"] == "person" else ""
    return f"- `{' '.join(action['command'])}`: {_text(action['why'])}.{asked} {_text('; '.join(action['effects']))}."


def _at(item: dict[str, Any]) -> str:
    return f" at {_text(item['step'])}" if item["step"] else ""


def _cited(ids: Sequence[str]) -> str:
    return "`[" + ", ".join(one.replace("`", "'") for one in ids) + "]`"


def _number(value: Any) -> Any:
    return f"{value:,}" if isinstance(value, int) else value


def _text(value: Any) -> str:
    """A text of the record in one line, in which nothing is markup."""
    if value is None:
        return ""
    line = " ".join(str(value).split())
    return _MARKUP.sub(r"\\\1", line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"))
