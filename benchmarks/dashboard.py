"""Each page and API call of the dashboard over many areas and days: how long, how much memory, how large; and its first load.

The store and the dashboard run as processes of their own, as they do in the suite. *First* is the first request of its kind
since the dashboard was started; the others follow it.
"""

import http.client
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode

import click
from pymongo import MongoClient

from analytics.cluster import LocalRegistry
from analytics.config import Config, areas, load
from analytics.errors import Unavailable
from analytics.runtime.suite import Suite
from analytics.store import MemoryStore
from analytics.store.reading import ReadOnly
from analytics.web.data import Data
from analytics.web.page_set import PageSet
from benchmarks import end_to_end, stores
from benchmarks.game_days import GAME
from benchmarks.game_store import BROKER, DASHBOARD, DATABASE, address, filled, nodes
from benchmarks.queries import RecordingReader

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

BROWSER = Path(__file__).with_name("dashboard_browser.py")
GOAL_MS = 200
"""Of the 95th percentile of each page, API call and CSV."""
PAGES = ("overview", "retention", "payment", "economy", "progress", "areas", "system", "collections/cointype")
OPTIONS: dict[str, list[dict[str, str]]] = {
    "retention": [{}, {"of": "payment"}, {"axis": "open_day"}],
    "collections/cointype": [{}, {"field": "gain_amount", "split": "all"}, {"reason": "shop"}],
    "areas": [{}, {"sort": "revenue", "order": "asc", "page": "7"}, {"search": "server12"}, {"size": "1000"}],
}
CSVS = (
    "overview/days", "overview/hours", "retention/cohorts", "retention/average", "payment/days", "payment/top", "payment/ltv",
    "economy/days", "economy/hours", "economy/reasons", "economy/items", "progress/quests", "progress/dungeons",
    "progress/levels", "areas/areas", "system/rejected", "system/journals",
    "collections/cointype/periods", "collections/cointype/keys", "collections/cointype/cells",
)  # fmt: skip


@dataclass(frozen=True)
class Answer:
    """How long an answer took, in ms, and how many bytes came over the wire and after unpacking."""

    ms: float
    wire: int
    size: int


class Client:
    """Asks the dashboard, over one connection, as a browser does."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)

    def get(self, path: str) -> Answer:
        """Get ``path``."""
        began = time.perf_counter()
        self._connection.request("GET", path, headers={"Accept-Encoding": "zstd"})
        answer = self._connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise Unavailable(f"{path}: {answer.status} {body[:500]!r}")
        took = (time.perf_counter() - began) * 1000
        unpacked = zstd.decompress(body) if answer.headers.get("Content-Encoding") == "zstd" else body
        return Answer(took, len(body), len(unpacked))


def views(config: Config, days: int, last: date) -> Iterator[tuple[str, str, str]]:
    """Yield what is looked at, the page, and the query."""
    every = list(areas(config).values())
    span = {"from": str(last - timedelta(days=days - 1)), "to": str(last)}
    of = {
        "game": {},
        "plat": {"plat": every[0].plat},
        "area": {"area": every[0].id},
        "10 areas": {"area": ",".join(one.id for one in every[:10])},
    }
    for view, chosen in of.items():
        for page in PAGES:
            if page == "system":
                if view == "game":
                    yield view, page, ""
                continue
            for options in OPTIONS.get(page, [{}]):
                if view in ("game", "plat") or page != "areas" or not options:
                    yield view, page, urlencode({"game": GAME, **chosen, **span, **options}, safe=",")


def state(config: Config) -> dict[str, Any]:
    """Return what the dashboard says of itself."""
    found = [entry.state for entry in LocalRegistry(config.data).list() if entry.name == "dashboard"]
    return dict(found[0]) if found else {}


@dataclass(frozen=True)
class Measured:
    """The answers to one question, asked several times, and what each cost the dashboard's process, in ms of CPU."""

    answers: list[Answer]
    cpu: float

    @property
    def p95(self) -> float:
        """How long 95 % of the answers took at most, in ms."""
        times = sorted(one.ms for one in self.answers)
        return times[min(len(times) - 1, int(0.95 * len(times)))]

    @property
    def mark(self) -> str:
        """``!`` where the goal is missed."""
        return "!" if self.p95 > GOAL_MS else ""


def measure(client: Client, path: str, times: int, pid: int) -> Measured:
    """Ask several times; ``pid`` is the dashboard's process."""
    answers = [client.get(path)]
    before = end_to_end.usage(pid).cpu
    answers += [client.get(path) for _ in range(times)]
    return Measured(answers, (end_to_end.usage(pid).cpu - before) * 1000 / times)


def resident(pid: int) -> float:
    """Return how much memory a process has, in MB."""
    rows = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(row.split()[1]) for row in rows if row.startswith("VmRSS")) / 1024


def row(what: str, found: Measured) -> None:
    first, *warm = found.answers
    median = statistics.median(one.ms for one in warm)
    click.echo(
        f"{what:66} {first.ms:8.0f} {median:8.0f} {found.p95:8.0f} {found.cpu:8.0f} "
        f"{warm[-1].wire / 1000:8.0f} {warm[-1].size / 1000:8.0f} {found.mark}"
    )


@click.command()
@click.option("--areas", "area_count", default=1000, show_default=True)
@click.option("--days", default=90, show_default=True)
@click.option("--times", default=10, show_default=True, help="Requests after the first.")
@click.option(
    "--folder", type=click.Path(path_type=Path), help="Where the store lies; it is filled once, and kept."
)
@click.option(
    "--chromium", default="/usr/bin/chromium", show_default=True, help="For the first load; empty: left out."
)
@click.option(
    "--store",
    type=click.Choice([stores.EMBEDDED, stores.MONGOD]),
    default=stores.EMBEDDED,
    show_default=True,
    help="The suite's own, or a mongod beside it.",
)
def main(area_count: int, days: int, times: int, folder: Path | None, chromium: str, store: str) -> None:
    """Measure the dashboard."""
    with ExitStack() as stack:
        folder = folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dashboard-")))
        uri, servers = stack.enter_context(stores.opened(store, folder / "mongod"))
        path = filled(folder, area_count, days, uri)
        suite = stack.enter_context(Suite(path, [*nodes(load(path)), BROKER, DASHBOARD]))
        first(suite.config)
        plans(suite.config, days)
        over = look(suite, days, times)
        if chromium:
            load_page(suite.config, chromium)
        for name, pid in (servers | {name: suite.pid(name) for name in suite.names}).items():
            used = end_to_end.usage(pid)
            click.echo(f"{name:10} {used.cpu:6.1f} CPU s, {used.peak:6,.0f} MB at most")
        click.echo(f"over {GOAL_MS} ms: {', '.join(over) or 'none'}")
    sys.exit(bool(over))


def first(config: Config) -> None:
    """Be the first visitor of a dashboard that was just started."""
    began = Client(config.dashboard.port).get("/")
    click.echo(f"the overview, as the first page of a dashboard that was just started: {began.ms:.0f} ms")


def plans(config: Config, days: int) -> None:
    """Ask the server how it finds what pages search for; fail where it would read whole collections."""
    reader = RecordingReader()
    data = Data(config, ReadOnly(MemoryStore()), reader, areas(config))
    last, pages = date.today(), PageSet(data).by_name
    for _, page, query in views(config, days, last):
        if page != "system":
            pages[page].read(data, parse_qs(query))
    shapes = {one.shape(): one for one in reader.asked}
    client: MongoClient[dict[str, Any]] = MongoClient(address(config))
    with client:
        found = {
            shape: str(one.plan(client[DATABASE][one.query.collection])) for shape, one in shapes.items()
        }
    if bad := [shape for shape, plan in found.items() if "COLLSCAN" in plan or "IXSCAN" not in plan]:
        raise click.ClickException(f"not by an index: {bad}")
    click.echo(f"{len(reader.asked)} searches of {len(shapes)} shapes, each by an index")


def look(suite: Suite, days: int, times: int) -> list[str]:
    """Measure everything; return what misses the goal."""
    config, pid = suite.config, suite.pid("dashboard")
    client = Client(config.dashboard.port)
    click.echo(f"{'':66} {'first':>8} {'median':>8} {'p95':>8} {'CPU':>8} {'kB':>8} {'unpacked':>8}")
    newest = json.loads(_body(config, "/api/v1/overview"))["scope"]["last"]
    over = []
    for view, page, query in views(config, days, date.fromisoformat(newest)):
        asked = {"": f"/{'' if page == 'overview' else page}", "api": f"/api/v1/{page}"}
        for kind, path in asked.items():
            options = "&".join(part for part in query.split("&") if part.split("=")[0] in OPTION_NAMES)
            what = f"{view:9} {kind:4} {page} {options}"
            found = measure(client, f"{path}?{query}", times, pid)
            row(what, found)
            over += [what.strip()] if found.mark else []
    for view, chosen in (("game", ""), ("plat", f"&plat={next(iter(areas(config).values())).plat}")):
        for csv in CSVS:
            span = f"?game={GAME}&from={date.fromisoformat(newest) - timedelta(days=days - 1)}&to={newest}{chosen}"
            query = "" if csv.startswith("system") else span
            found = measure(client, f"/api/v1/{csv}.csv{query}", times, pid)
            row(f"{view:9} csv  {csv}", found)
            over += [f"{view} csv {csv}"] if found.mark else []
    click.echo(f"then {resident(pid):.0f} MB, at most {end_to_end.usage(pid).peak:.0f} MB; {state(config)}")
    return over


OPTION_NAMES = ("of", "axis", "sort", "order", "search", "page", "size", "field", "split", "reason")


def _body(config: Config, path: str) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", config.dashboard.port, timeout=600)
    connection.request("GET", path)
    return connection.getresponse().read()


def load_page(config: Config, chromium: str) -> None:
    """Load the first page in a browser that knows nothing of it."""
    address = f"http://127.0.0.1:{config.dashboard.port}/"
    found = subprocess.run(
        [sys.executable, str(BROWSER), chromium, address], check=True, capture_output=True, text=True
    )
    click.echo(found.stdout.strip())


if __name__ == "__main__":
    main()
