"""What is made of a record and may lie in its folder, under which names: the page, the packages, a package's annex.

It is cut for its reader when it is made. A secret that becomes known later is found in the record, but not the half of
it that a cut has left.
"""

from __future__ import annotations

from typing import Final

MARKDOWN: Final = "md"

PAGE: Final = "report.html"
PACKAGES: Final = {"json": "aiop.json", MARKDOWN: "aiop.md"}


def annex_of(package: str) -> str:
    """The name of the folder beside a package, for what it has no room for."""
    return f"{package}.annex"


def is_derived(name: str) -> bool:
    """Whether the file of that name within a record is made of the record."""
    top = name.partition("/")[0]
    return top == PAGE or any(top in (package, annex_of(package)) for package in PACKAGES.values())
