"""The index of architecture decisions, from the pages themselves."""

from __future__ import annotations

import re
from pathlib import Path

from generators.markdown import table

FOLDER = Path(__file__).resolve().parent.parent / "adr"
_STATUS = re.compile(r"^Status: *(.+)$", re.MULTILINE)


def page() -> str:
    """The page."""
    rows = []
    for path in sorted(FOLDER.glob("[0-9]*.md")):
        text = path.read_text(encoding="utf-8")
        title = text.partition("\n")[0].lstrip("# ").strip()
        status = _STATUS.search(text)
        rows.append((path.name[:4], f"[{title.split('. ', 1)[-1]}]({path.name})", status[1] if status else "accepted"))
    return "\n\n".join(
        [
            "# Architecture decisions",
            "One page a decision: what stood to be decided, what was decided, what follows. A decision is not edited "
            "when it is overturned; a new page says so and the old one's status names it.",
            table(("", "decision", "status"), rows),
        ]
    )
