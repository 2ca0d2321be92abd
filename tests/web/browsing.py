"""Looks at every page with Chromium, and writes what it saw as JSON. A process of its own: gevent is not patched here."""

import json
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from forms import THOROUGH
from looks import SHORT_FORM, THEMES, WIDTHS, languages_at, languages_of
from month import a_month
from own_bolts import NUMBERS, OWN_PAGES, an_arena
from playwright.sync_api import Page, sync_playwright
from werkzeug.serving import make_server

from analytics.spouts.rejected import Rejected
from analytics.web.pages import PAGES
from analytics.web.translation import LANGUAGES

FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
)
WAIT_MS = 240_000
GRAVE = ("serious", "critical")
VIOLATIONS = {"resultTypes": ["violations"]}
"""Has axe list only what it finds wrong: to say where everything is that is right takes half of its time."""
SOME_ROWS = {} if THOROUGH else {"exclude": [["tbody > tr:nth-child(n+4):nth-last-child(n+4)"]]}
"""What of a page axe looks at: where there is little time, of each table the first and the last rows, as all are alike."""

DRAWN = "html[data-drawn]"
CUT = """[...document.querySelectorAll(".scroll")].filter((one) => one.checkVisibility() && one.scrollWidth > one.clientWidth)
  .map((one) => `${one.getAttribute("aria-label")}: ${one.scrollWidth} px in ${one.clientWidth}`)"""
"""Tables that are wider than their place: whoever looks sees only a part of them."""

LABELS = """(() => {
  const axis = drawn.funnel_steps.view.model.document.get_model_by_name("funnel_steps.labels");
  return [axis.major_label_policy.type, axis.major_label_orientation];
})()"""
"""How the steps below the funnel are written: which may be left out, and how they lie."""

REASON = 'expected an integer, got "abc"'
MISPLACED = """() => {
  const found = [];
  if (document.documentElement.scrollWidth > innerWidth) found.push("the page is too wide");
  const tab = document.querySelector(".rail nav a[aria-current]").getBoundingClientRect();
  if (tab.left < 0 || tab.right > innerWidth || tab.bottom > innerHeight) found.push("the active tab is out of sight");
  for (const row of document.querySelectorAll("tr")) {
    if (!row.checkVisibility()) continue;
    const cells = [...row.children].map((cell) => {
      const range = document.createRange();
      range.selectNodeContents(cell);
      return { cell, place: cell.getBoundingClientRect(), content: range.getBoundingClientRect() };
    }).filter(({ content }) => content.width);
    cells.forEach(({ cell, place, content }, n) => {
      const after = cells[n + 1];
      const out = content.left < place.left - 1 || content.right > place.right + 1 || content.bottom > place.bottom + 1;
      const over = after && getComputedStyle(cell).position !== "sticky" && content.right > after.content.left + 0.5;
      if (out || over) found.push(`${row.closest("table").id}: ${cell.textContent.trim()} ${out ? "leaves its cell" : "lies over the next"}`);
    });
  }
  return found;
}"""
"""Contents of tables that leave their cell or lie over the next one, an active tab that is hidden, a page that is too wide."""


LOW = 480
IN_SIGHT = """() => {
  const [list, tab] = [".rail nav", ".rail nav a[aria-current]"].map((one) => document.querySelector(one).getBoundingClientRect());
  return tab.top >= list.top && tab.bottom <= list.bottom + 1;
}"""


def main(chromium: str) -> None:
    """Serve the month, and look at it."""
    month = a_month(Path(tempfile.mkdtemp()))
    rejected = Rejected(month.data.config)
    for source, raw in (("gamelog/game-server-2@f0", b'{"acct":"kutheso@hotmail.com"}'), ("", b"x" * 700)):
        rejected.put(spout="gamelog", source=source, reason=f"$.data.amount: {REASON}", raw=raw, n=12_345)
    arena = an_arena(Path(tempfile.mkdtemp()), numbers=NUMBERS)
    servers = [make_server("127.0.0.1", 0, one.app, threaded=True) for one in (month, arena)]
    for one in servers:
        threading.Thread(target=one.serve_forever, daemon=True).start()
    server, other = servers
    own = arena.app.extensions["pages"].by_name
    pages = [(page, server.server_port) for page in PAGES] + [
        (own[name], other.server_port) for name in OWN_PAGES
    ]
    names = [one.name for one, _ in pages]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS.split())
        seen: dict[str, Any] = {}
        for width, theme in THEMES.items():
            context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=theme)  # type: ignore[arg-type]
            page = context.new_page()
            page.set_default_timeout(WAIT_MS)
            errors: list[str] = []
            page.on("pageerror", lambda error, errors=errors: errors.append(str(error)))
            page.on(
                "console",
                lambda message, errors=errors: (
                    errors.append(message.text) if message.type == "error" else None
                ),
            )
            for one, port in pages:
                errors.clear()
                for language in LANGUAGES:
                    whole = language in languages_at(width, one.name, names)
                    overlaps = language == SHORT_FORM[width] and language in languages_of(one.name, names)
                    if not (whole or overlaps):
                        continue
                    page.goto(f"http://127.0.0.1:{port}{one.path}?lang={language}")
                    page.wait_for_selector(DRAWN, state="attached")
                    if whole:
                        seen[f"{one.name} {width} {theme} {language}"] = look(page) | {
                            "errors": list(errors),
                            "charts": len(one.charts),
                        }
                    if whole and one.name == "funnels":
                        seen[f"labels {width}"] = page.evaluate(LABELS)
                    if overlaps:
                        seen[f"places {one.name} {language}"] = misplaced(page)
                        page.set_viewport_size({"width": width, "height": 900})
            if width < 1000:
                seen["folded"] = folded(page, f"http://127.0.0.1:{server.server_port}")
            if width > 1000:
                seen["in Chinese"] = in_chinese(page, f"http://127.0.0.1:{server.server_port}")
                context.clear_cookies()
                seen["low window"] = in_sight(page, f"http://127.0.0.1:{server.server_port}")
                seen["in place"] = in_place(page, f"http://127.0.0.1:{server.server_port}")
            context.close()
        browser.close()
    json.dump(seen, sys.stdout)


def look(page: Page) -> dict[str, Any]:
    """Return what a page that is drawn shows: charts that are drawn, its width, and what axe finds grave."""
    return {
        "language": page.locator("html").get_attribute("lang"),
        "canvases": page.locator("[data-chart] canvas").count(),
        "too_wide": page.evaluate("document.documentElement.scrollWidth - innerWidth"),
        "cut": page.evaluate(CUT),
        "grave": grave(page),
    }


def grave(page: Page) -> list[str]:
    """Return what axe finds grave."""
    found = Axe().run(page, context=SOME_ROWS or None, options=VIOLATIONS).response["violations"]
    return [f"{one['id']}: {one['nodes'][0]['html'][:150]}" for one in found if one["impact"] in GRAVE]


def misplaced(page: Page) -> dict[str, list[str]]:
    """Return, by the width of the window, what is not where it should be, with every table open."""
    page.evaluate("document.querySelectorAll('details.data').forEach((one) => { one.open = true })")
    found = {}
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        found[str(width)] = page.evaluate(MISPLACED)
    return found


def in_sight(page: Page, address: str) -> list[bool]:
    """Return whether the active tab of the first and the last page is in its list's sight, in a low window."""
    page.set_viewport_size({"width": 1280, "height": LOW})
    found = []
    for one in (PAGES[0], PAGES[-1]):
        page.goto(f"{address}{one.path}")
        page.wait_for_selector(DRAWN, state="attached")
        found.append(page.evaluate(IN_SIGHT))
    page.set_viewport_size({"width": 1280, "height": 900})
    return found


def in_place(page: Page, address: str) -> dict[str, Any]:
    """Return what becomes of a page when it is filtered, and of a heading that is reached with the keyboard."""
    page.goto(address)
    page.wait_for_selector(DRAWN, state="attached")
    page.locator("#h-active").evaluate("node => { node.same = 'yes' }")
    page.locator("details.data summary").first.click()
    page.get_by_role("link", name="the last 7 days").click()
    page.wait_for_url("**from=**")
    page.locator(".tile .term").first.focus()
    found = {
        "rows": page.locator("#table-active tbody tr").count(),
        "open": page.locator("details.data").first.evaluate("node => node.open"),
        "same": page.locator("#h-active").evaluate("node => node.same"),
        "means": page.locator("#tip").inner_text(),
    }
    page.locator("[data-picks]").first.fill("2026-04-02")
    page.wait_for_url("**from=2026-04-02**")
    return found | {"picked": page.locator("[name=from]").input_value()}


def in_chinese(page: Page, address: str) -> dict[str, Any]:
    """Return where the switch to Chinese leads, and whether the next page, a filter and a new visit stay with it."""
    page.goto(f"{address}/areas?game=dl")
    page.locator("a[data-language=zh]").click()
    page.wait_for_url("**lang=zh**")
    switched = {"url": page.url, "heading": page.locator("h1").inner_text()}
    page.locator("nav a", has_text="漏斗").first.click()
    page.wait_for_url("**/funnels**")
    following = {"url": page.url, "heading": page.locator("h1").inner_text()}
    page.get_by_role("link", name="最近 7 天").click()
    page.wait_for_url("**from=**")
    filtered = page.url
    page.goto(address)
    return {
        "switched": switched,
        "following": following,
        "filtered": filtered,
        "again": page.locator("h1").inner_text(),
    }


def folded(page: Page, address: str) -> list[bool]:
    """Return whether a narrow page shows its filter: at first, when it is opened, and after it was used."""
    page.goto(address)
    page.wait_for_selector(DRAWN, state="attached")
    shown = page.get_by_role("link", name="the last 7 days")
    found = [shown.is_visible()]
    page.locator(".filter > summary").click()
    found.append(shown.is_visible())
    shown.click()
    page.wait_for_url("**from=**")
    page.wait_for_selector("[aria-current=true]:text('7 d')")
    return [*found, shown.is_visible()]


if __name__ == "__main__":
    main(sys.argv[1])
