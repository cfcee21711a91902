"""Writes the pages that are made from the code: ``python docs/generate.py``, or ``--check`` to only compare.

Each generator in ``docs/generators`` is a function that returns a page's Markdown; nothing is listed twice, the code is
the one source. ``make check`` fails when a page is not what its generator says now.
"""

from __future__ import annotations

import argparse
import difflib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

DOCS: Final = Path(__file__).resolve().parent
sys.path.insert(0, str(DOCS))

from generators import adr, aiop, cli, components, errors, events, hooks, metrics, settings, types  # noqa: E402
from osiris_core.run.schemas import event_schema, metric_schema  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable

SCHEMAS: Final[dict[str, Callable[[], dict[str, Any]]]] = {
    "reference/events.schema.json": event_schema,
    "reference/metrics.schema.json": metric_schema,
}

PAGES: Final[dict[str, Callable[[], str]]] = {
    "reference/aiop.md": aiop.page,
    "reference/cli.md": cli.page,
    "reference/components.md": components.page,
    "reference/errors.md": errors.page,
    "reference/events.md": events.page,
    "reference/hooks.md": hooks.page,
    "reference/metrics.md": metrics.page,
    "reference/settings.md": settings.page,
    "reference/types.md": types.page,
    "adr/index.md": adr.page,
}

NOTICE: Final = "<!-- Made by docs/generate.py; change the code and run `make docs`. -->\n\n"


def main() -> int:
    """Write or compare every page; 1 when a page differs under ``--check``."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; fail when a page is not up to date")
    check = parser.parse_args().check
    stale = 0
    texts = {name: NOTICE + make().strip() + "\n" for name, make in PAGES.items()}
    texts |= {name: json.dumps(make(), indent=2) + "\n" for name, make in SCHEMAS.items()}
    for name, wanted in texts.items():
        path = DOCS / name
        present = path.read_text(encoding="utf-8") if path.exists() else ""
        if wanted == present:
            continue
        stale += 1
        if check:
            lines = difflib.unified_diff(
                present.splitlines(), wanted.splitlines(), f"docs/{name}", "generated", lineterm=""
            )
            print("\n".join(list(lines)[:40]))
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(wanted, encoding="utf-8")
            print(f"docs/{name}")
    if check and stale:
        print(f"{stale} page(s) are not up to date: run `make docs`")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
