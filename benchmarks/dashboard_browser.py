"""The dashboard's first page in a headless browser that has never seen it: bytes over the wire, and time.

``dashboard_browser.py CHROMIUM ADDRESS``; a process of its own, since Playwright and gevent each want to be the loop.
"""

import statistics
import sys
from typing import Any, NamedTuple

from playwright.sync_api import Browser, sync_playwright

FLAGS = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
TIMES = 5


class Load(NamedTuple):
    """Milliseconds until links work, until all charts are drawn, until something is painted; bytes by address."""

    interactive: float
    drawn: float
    painted: float
    wire: dict[str, int]


def load(browser: Browser, address: str) -> Load:
    """Load the page with an empty cache."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    wire: dict[str, int] = {}
    addresses: dict[str, str] = {}
    devtools = context.new_cdp_session(page)
    devtools.send("Network.enable")

    def answered(event: dict[str, Any]) -> None:
        addresses[event["requestId"]] = event["response"]["url"]

    def finished(event: dict[str, Any]) -> None:
        if event["requestId"] in addresses:
            wire[addresses[event["requestId"]]] = int(event["encodedDataLength"])

    devtools.on("Network.responseReceived", answered)
    devtools.on("Network.loadingFinished", finished)
    page.goto(address)
    page.wait_for_selector("html[data-drawn]", state="attached")
    interactive = page.evaluate("performance.getEntriesByType('navigation')[0].domInteractive")
    drawn = page.evaluate("Number(document.documentElement.dataset.drawn) - performance.timeOrigin")
    painted = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0")
    page.wait_for_load_state("networkidle")
    context.close()
    return Load(interactive, drawn, painted, wire)


def main(chromium: str, address: str) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS.split())
        loads = [load(browser, address) for _ in range(TIMES)]
        browser.close()
    painted = statistics.median(one.painted for one in loads)
    interactive = statistics.median(one.interactive for one in loads)
    drawn = statistics.median(one.drawn for one in loads)
    print(
        f"first load of the overview in Chromium: painted after {painted:.0f} ms, readable after {interactive:.0f} ms, all charts "
        f"drawn and everything interactive after {drawn:.0f} ms (medians of {TIMES})"
    )
    for url, size in loads[-1].wire.items():
        print(f"    {size / 1000:9.1f} kB  {url.split('?')[0]}")
    print(f"    {sum(loads[-1][3].values()) / 1000:9.1f} kB  together, as they come over the wire")


if __name__ == "__main__":
    main(*sys.argv[1:])
