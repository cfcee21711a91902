"""A headless Chromium, one for each process of the tests, and pages watched while they are open in it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

ARTIFACTS = Path(__file__).resolve().parents[3] / ".artifacts" / "report"
_NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
_WATCH = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (one) => violations.push(`${one.violatedDirective} ${one.blockedURI}`));
"""


@pytest.fixture(scope="session")
def chromium():
    """The browser; tests that need it are skipped where there is none."""
    named = os.environ.get("OSIRIS_TEST_CHROMIUM")
    program = named or next((found for name in _NAMES if (found := shutil.which(name))), None)
    if program is None:
        pytest.skip("no Chromium is installed ('make servers' installs it on Debian; OSIRIS_TEST_CHROMIUM names one)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # The sandbox of Chromium needs what containers do not give; the pages are our own.
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


class Visit:
    """A page of a browser, and everything it did that a page from a disk must not do."""

    def __init__(self, page):
        self.page = page
        self.requests, self.said = [], []
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("dialog", lambda dialog: (self.said.append(f"dialog {dialog.message}"), dialog.dismiss()))
        page.on("pageerror", lambda error: self.said.append(f"error {error}"))
        page.on("console", lambda message: self.said.append(f"console {message.type} {message.text}"))
        page.on("popup", lambda popup: self.said.append(f"popup {popup.url}"))
        page.add_init_script(_WATCH)

    def open(self, path):
        """Open a file."""
        self.page.goto(path.absolute().as_uri())
        return self

    def picture(self, name, *, whole=True):
        """Keep a picture of the page among the artifacts of the tests."""
        ARTIFACTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=ARTIFACTS / f"{name}.png", full_page=whole)

    def check(self, *, scripts=True):
        """It asked for nothing but files, said nothing, broke no rule, ran nothing that is not its own."""
        assert [url for url in self.requests if not url.startswith("file:")] == []
        assert self.said == []
        if scripts:
            assert self.page.evaluate("window.violations") == []
            assert self.page.evaluate("window.hit") is None


@pytest.fixture
def visit(chromium):
    """Opens pages; at the end each must have been harmless."""
    opened = []

    def begin(path, **options):
        context = chromium.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
        seen = Visit(context.new_page())
        opened.append((context, seen, options.get("java_script_enabled", True)))
        return seen.open(path)

    yield begin
    for context, seen, scripts in opened:
        seen.check(scripts=scripts)
        context.close()
