"""Links lead somewhere, generated pages are current, make targets that are named exist."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from osiris_core.cli import osiris

ROOT = Path(__file__).resolve().parents[2]
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
EXTERNAL = ("https://semver.org", "https://keepachangelog.com", "https://diataxis.fr")


def _pages():
    found = [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/**/*.md"),
        *ROOT.glob("plugins/*/*.md"),
        *ROOT.glob("examples/**/*.md"),
    ]
    return [*sorted(found), ROOT / "llms.txt"]


def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ +(.+)$", FENCE.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.replace("`", "")).strip().lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", _pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    broken = []
    for target in LINK.findall(FENCE.sub("", page.read_text(encoding="utf-8"))):
        if target.startswith(("http://", "https://", "mailto:")):
            if not target.startswith(EXTERNAL):
                broken.append(f"{target}: an external link nobody has listed")
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        if not file.exists():
            broken.append(f"{target}: no such file")
        elif anchor and file.suffix == ".md" and anchor not in _anchors(file):
            broken.append(f"{target}: no such heading")
    assert broken == []


def test_every_page_of_the_reference_is_in_llms_txt():
    listed = set(LINK.findall((ROOT / "llms.txt").read_text(encoding="utf-8")))
    pages = {
        str(path.relative_to(ROOT))
        for folder in ("reference", "how-to")
        for path in (ROOT / "docs" / folder).glob("*.md")
    }
    assert pages <= listed


NOT_YET = ("roadmap.md", "adr")
"""Pages that also speak of commands there are not."""

COMMAND = re.compile(r"(?:`|^\$ |^)osiris (?P<words>[a-z][a-z-]*(?: [a-z][a-z-]*)?)(?=[^a-z-]|$)", re.MULTILINE)


def _texts():
    pages = [page for page in _pages() if page.suffix == ".md" and not set(NOT_YET) & set(page.parts)]
    code = [*ROOT.glob("osiris_core/**/*.py"), *ROOT.glob("plugins/*/src/**/*.py")]
    return sorted({*pages, *code})


def test_commands_that_are_named_exist():
    missing = []
    for path in _texts():
        for found in COMMAND.finditer(path.read_text(encoding="utf-8")):
            name, _, below = found["words"].partition(" ")
            context = click.Context(osiris)
            at = osiris.get_command(context, name)
            if at is None or (isinstance(at, click.Group) and below and below not in at.list_commands(context)):
                missing.append(f"{path.relative_to(ROOT)}: osiris {found['words']}")
    assert missing == []


def test_make_targets_named_in_the_docs_exist():
    made = set(
        re.findall(r"^([a-z0-9-]+(?: [a-z0-9-]+)*):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    )
    targets = {target for line in made for target in line.split()}
    named = {
        name
        for page in _pages()
        for name in re.findall(r"(?:^|`)make ([a-z][a-z0-9-]+)", page.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert named <= targets


def test_decisions_named_in_the_code_exist(texts):
    titles = {
        path.read_text(encoding="utf-8").partition(". ")[2].partition("\n")[0] for path in ROOT.glob("docs/adr/0*.md")
    }
    named = {
        title
        for path, text in texts.items()
        if path.suffix == ".py" and "tests" not in path.parts
        for title in re.findall(r'ADR "([^"]+)"', text)
    }
    assert {title for title in named if not any(known.startswith(title) for known in titles)} == set()
