"""Takes pictures of pages in Debian's chromium: ``screenshots_browser.py ADDRESS FOLDER PATH…``.

A process of its own, since Playwright and gevent each want to be the loop.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
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
WIDE, NARROW = {"width": 1280, "height": 400}, {"width": 400, "height": 400}

HEIGHT = "document.querySelector('#h-journals')?.parentElement.parentElement.offsetTop ?? document.documentElement.scrollHeight"
"""How high a picture is: as its page; System's ends above the journals, whose times the kernel writes by its own clock."""

FREQUENT, RARE = 192, 64


def opened(browser: Browser, address: str, theme: Any, size: Any) -> Page:
    """Open a page and wait until its charts are drawn."""
    page = browser.new_context(viewport=size, color_scheme=theme).new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.goto(address)
    page.wait_for_selector("html[data-drawn]", state="attached")
    # As high as the page is, so that what keeps to the window's edges keeps to the picture's.
    height = page.evaluate(HEIGHT)
    page.set_viewport_size({"width": size["width"], "height": height})
    page.wait_for_timeout(500)
    return page


def small(picture: Path) -> None:
    """Rewrite it with 256 colours, the frequent ones unchanged: less than half of the bytes, with no visible difference."""
    image = Image.open(picture).convert("RGB")
    colours, places = np.unique(np.asarray(image).reshape(-1, 3), axis=0, return_inverse=True)
    frequent = colours[np.argsort(-np.bincount(places.reshape(-1)))[:FREQUENT]]
    others = image.quantize(RARE, Image.Quantize.MAXCOVERAGE).getpalette() or []
    palette = np.concatenate([frequent, np.array(others, int).reshape(-1, 3)]).astype(int)
    nearest = [int(np.argmin(((palette - colour) ** 2).sum(axis=1))) for colour in colours.astype(int)]
    drawn = np.array(nearest, np.uint8)[places.reshape(image.height, image.width)]
    made = Image.fromarray(drawn)
    made.putpalette(palette.astype(np.uint8).tobytes())
    made.save(picture, optimize=True)


def name_of(path: str) -> str:
    """Return what a picture of this page is called: overview, retention-zh, areas-narrow."""
    page, _, kind = path.partition("?")
    return "-".join(filter(None, [page.strip("/") or "overview", kind.removeprefix("lang=")]))


def pictures(browser: Browser, address: str, folder: Path, paths: list[str]) -> None:
    """Take a picture of each page in light and dark. ``PATH?narrow``: as a phone shows it, in light."""
    for path in paths:
        narrow = path.endswith("?narrow")
        for theme in ("light",) if narrow else ("light", "dark"):
            page = opened(browser, address + path.removesuffix("?narrow"), theme, NARROW if narrow else WIDE)
            picture = folder / f"{name_of(path)}-{theme}.png"
            page.screenshot(path=picture)
            page.context.close()
            small(picture)


if __name__ == "__main__":
    address, folder, *paths = sys.argv[1:]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        pictures(browser, address, Path(folder), paths)
