"""Takes pictures of pages in Debian's chromium: ``browse.py ADDRESS FOLDER PATH…``.

A process of its own, since Playwright and gevent each want to be the loop.
"""

import sys
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE_MS = 60_000
WIDE, NARROW = {"width": 1280, "height": 800}, {"width": 400, "height": 800}


def opened(browser: Browser, address: str, theme: Any, size: Any) -> Page:
    """Open a page and wait until its charts are drawn."""
    page = browser.new_context(viewport=size, color_scheme=theme).new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.goto(address)
    page.wait_for_selector("html[data-drawn]", state="attached")
    return page


def name_of(path: str) -> str:
    """Return what a picture of this page is called: overview, retention-zh, areas-narrow."""
    page, _, kind = path.partition("?")
    return "-".join(filter(None, [page.strip("/") or "overview", kind.removeprefix("lang=")]))


def pictures(browser: Browser, address: str, folder: Path, paths: list[str]) -> None:
    """Take a picture of each page in light and dark. ``PATH?narrow``: as a phone shows it."""
    for path in paths:
        size = NARROW if path.endswith("?narrow") else WIDE
        for theme in ("light", "dark"):
            page = opened(browser, address + path.removesuffix("?narrow"), theme, size)
            page.wait_for_timeout(500)
            page.screenshot(path=folder / f"{name_of(path)}-{theme}.png")
            page.context.close()


if __name__ == "__main__":
    address, folder, *paths = sys.argv[1:]
    with sync_playwright() as playwright:
        pictures(
            playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS), address, Path(folder), paths
        )
