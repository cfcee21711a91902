"""Takes the picture of a run's page that the documentation shows.

``python scripts/picture_report.py RECORD`` (a folder such as ``examples/flights/logs/run_…``) writes
``docs/assets/report.png``; needs what the browser tests need: playwright and a Chromium.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from pathlib import Path
from typing import Final

from playwright.sync_api import sync_playwright

from osiris_core.report.html import write_report

PICTURE: Final = Path(__file__).resolve().parent.parent / "docs" / "assets" / "report.png"


def main() -> None:
    """Write the page beside, open it, keep what a window shows of it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("record", type=Path, help="the folder of a session")
    parser.add_argument("--chromium", default=shutil.which("chromium"), help="the program of the browser")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        page = write_report(given.record, Path(folder) / "report.html")
        browser = playwright.chromium.launch(executable_path=given.chromium, args=["--no-sandbox"])
        window = browser.new_page(viewport={"width": 1280, "height": 1130}, color_scheme="light")
        window.goto(page.as_uri())
        window.screenshot(path=PICTURE)
        browser.close()
    print(f"{PICTURE}: {PICTURE.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
