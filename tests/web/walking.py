"""Walks through a running dashboard with Chromium, as readers do: ``walking.py CHROMIUM OPEN GUARDED COLD [WALK…]``.

What it met goes to stdout as JSON, one line a walk. What has to happen beside it meanwhile (the store goes away, numbers
change) it asks for on a line of its own, ``{"do": …}``, and goes on when a line comes back. A process of its own: gevent is
not patched here.
"""

import json
import re
import sys
import time
from collections.abc import Callable
from typing import Any

from browsing import DRAWN, FLAGS, WAIT_MS, grave
from forms import THOROUGH
from playwright.sync_api import Browser, BrowserContext, Error, Page, Route, sync_playwright
from reader import PASSWORD, SPAN, USER, WALKS, looks_of

SHOWN = "#trouble:not([hidden])"
STEP_MS = 4000

FOCUSED = """() => {
  const one = document.activeElement;
  if (!one || one === document.body) return null;
  window.met ??= [];
  if (!window.met.includes(one)) window.met.push(one);
  const style = getComputedStyle(one), at = one.getBoundingClientRect();
  const top = document.elementFromPoint(
    Math.min(Math.max(at.left + at.width / 2, 1), innerWidth - 1), Math.min(Math.max(at.top + Math.min(at.height / 2, 12), 1), innerHeight - 1));
  const ringed = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 1;
  const inside = at.bottom > 0 && at.top < innerHeight && at.right > 0 && at.left < innerWidth && at.width > 0 && at.height > 0;
  return {
    number: window.met.indexOf(one),
    kind: one.localName + (one.className ? "." + String(one.className).split(" ").join(".") : ""),
    name: (one.getAttribute("aria-label") || one.innerText || one.name || one.id || "").trim().slice(0, 60),
    seen: ringed && inside && (one === top || one.contains(top) || !!top?.contains(one)),
  };
}"""
"""What has the focus, a number for it, and whether who looks can see that: it has a ring, and nothing lies over it."""

IDLE = "typeof turn === 'undefined' || turn !== null"
"""Whether the page waits for no answer: one that takes three seconds must not seem to take minutes."""

LISTENING = """() => {
  window.heard = [];
  const said = document.getElementById("said");
  new MutationObserver(() => heard.push(said.innerText)).observe(said, {childList: true, characterData: true});
}"""
"""Notes what a screen reader is told."""


def main(chromium: str, open_to_all: str, guarded: str, *names: str) -> None:
    """Take the walks of these names, or every one."""
    walks: dict[str, Callable[[Browser, str], Any]] = {
        "theme": theme,
        "place": place,
        "areas": areas,
        "keyboard": keyboard,
        "csv": csv,
        "wrong": wrong_addresses,
        "away": away,
        "log-in": log_in,
    }
    addresses = {"log-in": guarded}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS.split())
        for name in names or WALKS:
            try:
                found = walks[name](browser, addresses.get(name, open_to_all))
            except (Error, AssertionError) as error:
                found = {"broke off": f"{type(error).__name__}: {error}"}
                KEPT.clear()
                for what in ("store back", "dashboard back"):
                    happen(what)
            kept = [page.context for page in KEPT.values()]
            for context in browser.contexts:
                if context not in kept:
                    context.close()
            print(json.dumps({"walk": name, "found": found}), flush=True)
        browser.close()


def happen(what: str) -> None:
    """Have something happen outside of the browser; return when it has."""
    print(json.dumps({"do": what}), flush=True)
    assert sys.stdin.readline().strip() == "done"


KEPT: dict[bool, Page] = {}
"""Wide pages that walks have left, by whether they are timed: what a browser has compiled for one, it need not again."""


def a_page(browser: Browser, timed: bool = False, **context: Any) -> Page:
    """Return a new page, or one that an earlier walk has left. ``timed``: its clock can be put forward."""
    if not context and timed in KEPT:
        return KEPT[timed]
    page = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **context}).new_page()
    page.set_default_timeout(WAIT_MS)
    if timed:
        page.clock.install()
    if not context:
        KEPT[timed] = page
    return page


def shown(page: Page, address: str) -> Page:
    """Go to an address, and return when the page is drawn."""
    page.goto(address)
    page.wait_for_selector(DRAWN, state="attached")
    return page


def until(page: Page, true: str, step: int = STEP_MS) -> None:
    """Put the page's clock forward until an expression is true there. (Playwright's own waiting would need unsafe-eval.)"""
    end = time.monotonic() + WAIT_MS / 1000
    while not _holds(page, true):
        assert time.monotonic() < end, f"never true: {true}; {page.locator('body').inner_text()[:300]}"
        if step and _holds(page, IDLE):
            page.clock.fast_forward(step)
        page.wait_for_timeout(50)


def soon(page: Page, true: str) -> None:
    """Wait until an expression is true there."""
    until(page, true, step=0)


def new_numbers(page: Page) -> None:
    """Put the page's clock forward until it has taken in new numbers."""
    until(page, f"got > {page.evaluate('got')}")


def _holds(page: Page, true: str) -> bool:
    try:
        return bool(page.evaluate(true))
    except Error:  # it is being loaded
        return False


def rows(page: Page, table: str) -> int:
    """Return how many rows a table has."""
    return page.locator(f"#table-{table} tbody tr").count()


# Themes ---------------------------------------------------------------------------------------------------------------


def theme(browser: Browser, address: str) -> dict[str, Any]:
    """Follow the system, then choose, and see whether that is kept."""
    page = a_page(browser)
    page.emulate_media(color_scheme="dark")
    shown(page, f"{address}/areas")
    found = {"system dark": look(page)}
    page.emulate_media(color_scheme="light")
    found["system light"] = look(page)
    page.locator("#theme").click()
    page.emulate_media(color_scheme="dark")
    found["chose light"] = look(page)
    page.locator("nav a[href*='/funnels']").first.click()
    page.wait_for_url("**/funnels**")
    page.wait_for_selector(DRAWN, state="attached")
    found["next page"] = look(page)
    page.reload()
    page.wait_for_selector(DRAWN, state="attached")
    found["loaded again"] = look(page)
    page.evaluate("drawn.funnel_steps.view.mine = true")
    page.locator("#theme").click()
    soon(page, "drawn.funnel_steps.view && !drawn.funnel_steps.view.mine")  # its charts, too
    page.emulate_media(color_scheme="light")
    found["chose dark"] = look(page)
    page.goto(f"{address}/nowhere")
    found["an error"] = look(page)
    shown(page, f"{address}/areas").locator("#theme").click()
    found["chose the system"] = look(page)
    return found


def look(page: Page) -> list[Any]:
    """Return whether the page is dark, and what the switch says."""
    dark = page.evaluate("getComputedStyle(document.documentElement).backgroundColor") == "rgb(15, 18, 23)"
    switch = page.locator("#theme")
    return [dark, switch.get_attribute("title") if switch.count() else None]


# A live update --------------------------------------------------------------------------------------------------------

AT_ITS_END = "one => one.scrollTop > 0 && one.scrollTop + one.clientHeight >= one.scrollHeight - 1"
PLACE = """() => {
  const region = document.querySelector("#table-active").closest(".scroll");
  return {
    y: scrollY, inner: region.scrollTop, open: region.closest("details").open,
    focus: document.activeElement === window.before, selected: String(getSelection()),
    chart: document.querySelector("[data-chart=active]") === window.chart,
  };
}"""


def place(browser: Browser, address: str) -> dict[str, Any]:
    """Settle down in a page, and see what of that is left when new numbers come."""
    page = shown(a_page(browser, timed=True), f"{address}/?{SPAN}")
    table = page.locator("details.data", has=page.locator("#table-active"))
    table.locator("summary").click()
    table.locator(".scroll").focus()
    page.keyboard.press("End")
    soon(page, f"({AT_ITS_END})(document.querySelector('#table-active').closest('.scroll'))")
    page.locator(".tools a").last.focus()
    page.evaluate("""() => {
      window.before = document.activeElement; window.chart = document.querySelector("[data-chart=active]");
      scrollBy(0, -40); getSelection().selectAllChildren(document.querySelector("#h-active"));
      window.before.focus({preventScroll: true});
    }""")
    page.wait_for_timeout(200)  # scrolling is over
    page.evaluate(LISTENING)
    before, old = page.evaluate(PLACE), page.locator(".tile .value").first.inner_text()
    happen("more accts")
    until(page, f"document.querySelector('.tile .value').innerText !== {old!r}")
    page.wait_for_timeout(200)
    last = page.locator("#table-active tbody tr").last.inner_text()
    return {
        "before": before,
        "after": page.evaluate(PLACE),
        "old": old,
        "new": page.locator(".tile .value").first.inner_text(),
        "last row": last,
        "told": page.evaluate("heard.length"),
    }


AREAS = """() => {
  const search = document.getElementById("search");
  return {value: search.value, focus: document.activeElement === search, caret: search.selectionStart,
    order: [...document.querySelectorAll("#table-areas tbody th")].map((one) => one.innerText),
    sorted: document.querySelector("[aria-sort]").innerText + document.querySelector("[aria-sort]").getAttribute("aria-sort")};
}"""


def areas(browser: Browser, address: str) -> dict[str, Any]:
    """Sort and search the areas, and type on while new numbers come."""
    page = shown(a_page(browser, timed=True), f"{address}/areas?{SPAN}&sort=reg&order=asc")
    every = rows(page, "areas")
    slow: list[Route] = []
    page.route(lambda url: url.endswith("search=ser"), lambda route: slow.append(route))
    page.locator("#search").press_sequentially("ser")
    page.clock.fast_forward(300)
    while not slow:
        page.wait_for_timeout(10)
    page.locator("#search").press_sequentially("ver")  # while "ser" is searched for
    slow[0].continue_()
    soon(page, "location.search.includes('search=ser')")
    hurried = page.locator("#search").input_value()
    page.clock.fast_forward(300)
    page.wait_for_url("**search=server**")
    page.keyboard.press("ArrowLeft")
    before = page.evaluate(AREAS)
    new_numbers(page)
    after = page.evaluate(AREAS)
    page.locator("[name=area]").press_sequentially("half an i")  # is sent when it is left
    new_numbers(page)
    typed = page.locator("[name=area]").input_value()
    return {"every": every, "before": before, "after": after, "half typed": typed, "hurried": hurried}


# The keyboard ---------------------------------------------------------------------------------------------------------


def keyboard(browser: Browser, address: str) -> dict[str, Any]:
    """Use the dashboard without a mouse."""
    page = shown(a_page(browser), f"{address}/?{SPAN}")
    narrow = shown(a_page(browser, viewport={"width": 400, "height": 800}), f"{address}/payment?{SPAN}")
    found: dict[str, Any] = {"forward": stops(page, "Tab"), "back, narrow": stops(narrow, "Shift+Tab")}
    if THOROUGH:
        found |= {"back": stops(page, "Shift+Tab"), "narrow": stops(narrow, "Tab")}
    shown(page, f"{address}/?{SPAN}")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    found["skipped to"] = page.evaluate("document.activeElement.id")
    tab_to(page, "one.localName === 'summary' && !!one.closest('details.data')")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    found["opened"] = page.evaluate("document.activeElement.className")
    tab_to(page, "one.matches('.scroll')")
    page.keyboard.press("PageDown")
    soon(page, "document.activeElement.scrollTop > 0")
    page.reload()
    page.wait_for_selector(DRAWN, state="attached")
    tab_to(page, "one.name === 'plat'")
    page.keyboard.press("ArrowDown")
    page.wait_for_url("**plat=**")
    found["filtered"] = page.evaluate("[document.activeElement.name, document.activeElement.value !== '']")
    tab_to(page, "one.innerText === '7 d'")
    page.keyboard.press("Enter")
    page.wait_for_selector("[aria-current=true]:text('7 d')")
    found["days"] = page.evaluate("document.activeElement.innerText")
    tab_to(page, "one.matches('.tile .term')")
    found["means"] = page.locator("#tip").inner_text()
    page.keyboard.press("Escape")
    found["hushed"] = page.locator("#tip").is_hidden()
    shown(page, f"{address}/areas?{SPAN}")
    tab_to(page, "one.matches('th a') && one.innerText.startsWith('Sign-ups')")
    sorted_so = []
    for order in ("descending", "ascending"):
        page.keyboard.press("Enter")
        page.wait_for_selector(f"th[aria-sort={order}] a:text('Sign-ups')")
        sorted_so.append(page.evaluate("document.activeElement.innerText.slice(0, 8)"))
    found["sorted"] = sorted_so
    tab_to(page, "one.id === 'theme'", "Shift+Tab")
    page.keyboard.press("Space")
    found["theme"] = page.evaluate("document.documentElement.dataset.theme")
    return found


def stops(page: Page, key: str) -> list[dict[str, Any]]:
    """Return what gets the focus, one after the other, until the page's end; or a hundred stops later."""
    found: list[dict[str, Any]] = []
    page.evaluate("document.activeElement.blur(); window.met = []")
    while len(found) < 300:
        page.keyboard.press(key)
        now = page.evaluate(FOCUSED)
        if now is None or (found and now["number"] == 0):
            break
        found.append(now)
    return found


def tab_to(page: Page, wanted: str, key: str = "Tab") -> None:
    """Go on with the keyboard until what is wanted has the focus."""
    for _ in range(300):
        page.keyboard.press(key)
        if page.evaluate(f"(() => {{ const one = document.activeElement; return !!one && ({wanted}); }})()"):
            return
    raise AssertionError(f"the keyboard never reaches what fits: {wanted}")


# CSV ------------------------------------------------------------------------------------------------------------------

TABLE = """(id) => [...document.querySelectorAll(`#table-${id} tbody tr`)].map((row) =>
  Object.fromEntries([["first", row.querySelector("th").innerText],
    ...[...row.querySelectorAll("[data-field]")].map((cell) => [cell.dataset.field, cell.innerText.trim()])]))"""


def csv(browser: Browser, address: str) -> dict[str, Any]:
    """Take down the CSV of some tables, and what the page shows of them."""
    page = a_page(browser)
    found = {}
    for path, table, link in (
        (f"/payment?{SPAN}", "income", "CSV: Revenue"),
        (f"/payment?{SPAN}", "top", "CSV: Top payers"),
        (f"/economy?{SPAN}", "reasons", "CSV: Coins by reason"),
        (f"/areas?{SPAN}&sort=reg&order=asc&search=server", "areas", "CSV: Areas"),
    ):
        if page.url != address + path:
            shown(page, address + path)
        with page.expect_download() as begun:
            page.get_by_role("link", name=link, exact=True).click()
        text = begun.value.path().read_bytes().decode()
        assert text.startswith("\ufeff")
        text = re.sub(r'"=""([^"]*)"""', r"\1", text.removeprefix("\ufeff"))  # as a spreadsheet shows it
        page.evaluate("document.querySelectorAll('details.data').forEach((one) => (one.open = true))")
        found[table] = {
            "name": begun.value.suggested_filename,
            "csv": text,
            "shown": page.evaluate(TABLE, table),
            "still there": page.url,
        }
    return found


# Errors ---------------------------------------------------------------------------------------------------------------


def wrong_addresses(browser: Browser, address: str) -> dict[str, Any]:
    """Ask for what there is not, and for what can't be."""
    found: dict[str, Any] = {
        f"{path} {name}": looked_at(a_page(browser, **context), address + path)
        for path, one in (("/nowhere", "light en"), ("/?area=nope", "dark zh"))
        for name, context in looks_of(one).items()
    }
    page = a_page(browser, timed=True)
    for name, path in (("nowhere", "/nowhere"), ("filter", "/payment?game=dl&area=nope")):
        answer = page.goto(address + path)
        found[name] = [answer and answer.status, page.locator("main").inner_text()]
    page.get_by_role("link", name="Without a filter").click()
    page.wait_for_selector(DRAWN, state="attached")
    found["without"] = page.url
    shown(page, f"{address}/payment?{SPAN}")
    page.locator("[name=area]").fill("nope")
    page.keyboard.press("Tab")
    page.wait_for_selector(SHOWN)
    found["in place"] = page.locator("#trouble").inner_text()
    found["address"] = page.url
    new_numbers(page)
    found["kept"] = [page.locator("[name=area]").input_value(), page.locator("#trouble").is_visible()]
    page.locator("[name=area]").fill("")
    page.keyboard.press("Tab")
    page.wait_for_selector("#trouble", state="hidden")
    found["mended"] = page.url
    return found


def away(browser: Browser, address: str) -> dict[str, Any]:
    """Have pages open, and open others, while the store is away, then the dashboard too; then they come back."""
    live = shown(a_page(browser, timed=True), f"{address}/?{SPAN}")
    narrow = {name: a_page(browser, timed=True, **context) for name, context in looks_of("dark zh").items()}
    for page in narrow.values():
        shown(page, f"{address}/areas?{SPAN}")
    live.evaluate(LISTENING)
    happen("store away")
    found: dict[str, Any] = {}
    for name, page in {"live": live, **narrow}.items():
        until(page, f"document.querySelector({SHOWN!r})")
        found[name] = {"words": page.locator("#trouble").inner_text()} | (
            judged(page) if page != live else {}
        )
    for name, context in reversed(looks_of("light en").items()):
        opened = a_page(browser, timed=True, **context)
        answer = opened.goto(f"{address}/payment?{SPAN}")
        found[f"error {name}"] = judged(opened)
    found["opened"] = [answer and answer.status, opened.locator("main").inner_text()]
    opened.evaluate(LISTENING)
    opened.get_by_role("link", name="Try now").focus()
    with opened.expect_response("**/payment**"):
        until(opened, "turn === null")
    soon(opened, "turn !== null")
    found["tried again"] = opened.evaluate("[document.activeElement.innerText, heard.length]")
    live.clock.fast_forward(5 * 60_000)
    soon(live, "document.querySelector('#trouble').innerText.includes('min')")
    found["older"] = live.locator("#trouble").inner_text()
    found["heard"] = live.evaluate("heard.map(one => one.split('. ')[0])")
    found["gone"] = gone(live, opened)
    without = a_page(browser, java_script_enabled=False)
    without.goto(f"{address}/progress?{SPAN}")
    live.get_by_role("link", name="the last 7 days").press("Enter")
    soon(live, "document.querySelector('#trouble').innerText.includes('Your choice')")
    found["chosen"] = live.url
    happen("store back")
    until(opened, "document.documentElement.dataset.drawn")
    found["back"] = [opened.url, rows(opened, "income")]
    until(live, f"!document.querySelector({SHOWN!r})")
    found["live again"] = [live.url, rows(live, "active"), live.locator("#said").inner_text()]
    without.wait_for_selector("#table-quests")
    found["without JavaScript"] = [without.url, rows(without, "quests")]
    return found


def gone(live: Page, waiting: Page) -> dict[str, Any]:
    """Have the dashboard itself away for five minutes of the pages' time."""
    happen("dashboard away")
    nobody = "The dashboard does not answer"
    until(waiting, f"document.querySelector('h1').innerText === {nobody!r}")
    until(live, f"document.querySelector('#trouble').innerText.includes({nobody!r})")
    found: dict[str, Any] = {
        "waiting": waiting.locator("main").inner_text(),
        "title": waiting.title(),
        "told": waiting.locator("#said").inner_text(),
        "live": live.locator("#trouble").inner_text(),
    }
    asked: list[str] = []
    for page in (live, waiting):
        page.on("request", lambda request: asked.append(request.url))
    for _ in range(60):
        for page in (live, waiting):
            soon(page, IDLE)
            page.clock.fast_forward(5000)
        live.wait_for_timeout(20)
    found["asked"] = [
        sum(one.partition("?")[0].endswith(path) for one in asked) for path in ("/", "/payment")
    ]
    happen("dashboard back")
    until(waiting, f"document.querySelector('h1').innerText !== {nobody!r}")
    found["then"] = waiting.locator("h1").inner_text()
    return found


# Log-in ---------------------------------------------------------------------------------------------------------------


def log_in(browser: Browser, address: str) -> dict[str, Any]:
    """Log in, wrongly and rightly, and out; then guess."""
    found: dict[str, Any] = {
        look: looked_at(a_page(browser, **context), f"{address}/areas?{SPAN}")
        for look, context in looks_of("dark zh").items()
    }
    page = a_page(browser)
    page.goto(f"{address}/areas?{SPAN}&lang=zh")
    found["sent to"] = page.locator("h1").inner_text()
    page.locator("a[data-language=en]").click()
    page.wait_for_url("**lang=en**")
    give(page, "wrong")
    found["wrong"] = [page.locator("[role=alert]").inner_text(), page.evaluate("document.activeElement.name")]
    found["wrong looks"] = judged(page)
    found["name kept"] = page.locator("[name=user]").input_value()
    happen("guarded anew")
    give(page, PASSWORD)
    found["old form"] = page.locator("[role=alert]").inner_text()
    give(page, PASSWORD)
    page.wait_for_selector(DRAWN, state="attached")
    found["landed"] = page.url
    cookies = page.context.cookies()
    page.get_by_role("button", name=f"Log out {USER}").click()
    page.wait_for_url("**/login**")
    page.goto(f"{address}/payment")
    found["logged out"] = page.url
    page.context.add_cookies(cookies)  # as somebody has them who kept a copy
    page.goto(f"{address}/payment")
    found["kept cookie"] = page.url
    page.context.clear_cookies()
    session_ends(page, address, found)
    guess(page.context, address, found)
    return found


def session_ends(page: Page, address: str, found: dict[str, Any]) -> None:
    """Have a page open while its session ends: it asks for the log-in by itself, and comes back to where it was."""
    page.clock.install()
    page.goto(f"{address}/areas?{SPAN}")
    give(page, PASSWORD)
    page.wait_for_selector(DRAWN, state="attached")
    happen("guarded anew")
    until(page, "location.pathname === '/login'")
    give(page, PASSWORD)
    page.wait_for_selector(DRAWN, state="attached")
    found["session ended"] = page.url


def guess(context: BrowserContext, address: str, found: dict[str, Any]) -> None:
    """Guess until that is enough, then use the right password."""
    context.clear_cookies()
    page = context.new_page()
    page.goto(f"{address}/login")
    for _ in range(5):
        give(page, "guess")
    give(page, PASSWORD)
    found["guessed"] = page.locator("[role=alert]").inner_text()
    page.goto(f"{address}/payment")
    found["guessed and in"] = page.url


def give(page: Page, password: str) -> None:
    """Fill in the form, with the keyboard alone."""
    page.locator("[name=user]").fill(USER)
    page.locator("[name=password]").fill(password)
    with page.expect_navigation():
        page.keyboard.press("Enter")


# Looks ----------------------------------------------------------------------------------------------------------------


def looked_at(page: Page, address: str) -> dict[str, Any]:
    """Go to an address; return how that page is judged."""
    page.goto(address)
    return judged(page)


def judged(page: Page) -> dict[str, Any]:
    """Return what axe finds grave about what is to be seen now, how much too wide it is, and its language."""
    return {
        "grave": grave(page),
        "too wide": page.evaluate("document.documentElement.scrollWidth - innerWidth"),
        "language": page.locator("html").get_attribute("lang"),
    }


if __name__ == "__main__":
    main(*sys.argv[1:])
