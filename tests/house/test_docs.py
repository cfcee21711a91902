"""Links lead somewhere, generated pages are current, make targets that are named exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

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
