"""``analytics demo``: the whole suite on a simulated game, and what it counted beside what really happened."""

import signal
import sys
import time
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import click
import gevent
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.status import Status

from analytics.cli.console import pace, some
from analytics.cli.demo_results import Compared, compare, verdict
from analytics.cli.demo_setup import ENGINES, STORES, TIMEZONE, engine_section, first_day, make_room
from analytics.cli.demo_store import database, tell_engine
from analytics.cli.demo_tables import CHAPTERS, WIDTH, Numbers
from analytics.config import Config, areas, load
from analytics.config.reading import CHECKOUT
from analytics.core.periods import zone
from analytics.errors import AnalyticsError
from analytics.runtime.draining import drain
from analytics.runtime.report import StatusReport, report, report_with_balance
from analytics.runtime.suite import Suite
from analytics.simulate.conf import SuiteOptions as Place
from analytics.simulate.conf import configuration
from analytics.simulate.game import SimulatedClock, SimulatedGame
from analytics.simulate.server import serve
from analytics.simulate.world import WorldSettings, game_servers
from analytics.store import Store, open_store, store_uri
from analytics.store.store import TOTAL
from analytics.testing.ports import free_ports
from analytics.web.dashboard_node import url

DAYS = 36
ROOT = CHECKOUT.parents[1] if CHECKOUT.exists() else Path()
LIVE_DAYS = 3650
WATCH_SECONDS = 5.0
COUNT_SECONDS = 180.0
AGREE_SECONDS = 30.0
RECOVER_SECONDS = 5.0
ROUNDS = 2
SHOW_SECONDS = 5.0
DAY = 86_400
MACHINERY = [["store"], ["broker"], ["workers"], ["timers"], ["dashboard"]]
WITH_ENGINE = [["store"], ["engine"], ["timers"], ["dashboard"]]
SPOUTS = [["gamelog"], ["payment"], ["syncuser"]]


@click.command()
@click.option("--once", is_flag=True, help="End after the results, instead of letting the game go on.")
@click.option(
    "--areas", "area_count", type=click.IntRange(1, 100), default=5, show_default=True, help="Game servers."
)
@click.option(
    "--players", type=click.IntRange(1, 20_000), default=300, show_default=True,
    help="Players who sign up in an area in its first month, about.",
)  # fmt: skip
@click.option("--days", type=click.IntRange(1, 365), default=DAYS, show_default=True, help="Days to count.")
@click.option(
    "--date", "last", type=click.DateTime(["%Y-%m-%d"]),
    help="The last of these days. [default: yesterday, after which the game goes on as time passes]",
)  # fmt: skip
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed gives the same game.")
@click.option(
    "--seconds",
    type=click.FloatRange(min=1),
    default=30.0,
    show_default=True,
    help="How long these days take.",
)
@click.option(
    "--data", type=click.Path(file_okay=False, path_type=Path), default=ROOT / "data" / "demo",
    show_default="data/demo", help="Where the demo keeps its things; emptied at its start.",
)  # fmt: skip
@click.option(
    "--uri", default="", help="Run on this MongoDB, in a database of its own. [default: the embedded server]"
)
@click.option(
    "--keep", is_flag=True, help="With --uri: keep that database, which is dropped at the end otherwise."
)
@click.option(
    "--store",
    type=click.Choice(STORES),
    default="auto",
    show_default=True,
    help="Without --uri: the embedded server to run.",
)
@click.option(
    "--engine", type=click.Choice([*ENGINES, *STORES]), metavar=f"[{'|'.join(ENGINES)}]", default=None,
    help="Count with an engine instead of broker and workers: processes of this machine, or Spark.",
)  # fmt: skip
@click.option(
    "--master", default="local[2]", show_default=True, metavar="URL",
    help="With --engine spark: the master. The default is Spark in one process.",
)  # fmt: skip
def demo(
    once: bool, area_count: int, players: int, days: int, last: datetime | None, seed: int, seconds: float, data: Path,
    uri: str, keep: bool, store: str, engine: str | None, master: str,
) -> None:  # fmt: skip
    """Run the whole suite on a simulated game: a good month of it, then the results.

    The game is served over HTTP as a real one is. Every document that the suite has made of it is compared with
    what the game itself noted down; the exit status is 1 if anything differs.
    """
    _end_on_signals()
    console = Console(width=None if sys.stdout.isatty() else WIDTH, highlight=False)
    first = first_day(days, last)
    settings = WorldSettings(first, seed, area_count, players, days, TIMEZONE, merges=True)
    data = data.absolute()
    make_room(data)
    console.print(
        f"Starting the suite on a simulated game of {some(area_count, 'area')}; everything is kept in {data} …"
    )
    if engine in STORES:  # as earlier versions named --store
        store, engine = engine, None
    try:
        with database(console, uri, keep) as name:
            ports = free_ports(6)[0]
            place = Place(
                data, name, ports, since=first.isoformat(), dashboard=ports + 5, uri=uri, store=store,
                engine=engine_section(engine, master),
            )  # fmt: skip
            right = _demo(console, settings, place, seconds, once, keep)
    except KeyboardInterrupt:
        console.print("Ended.")
        return
    sys.exit(0 if right else 1)


def _end_on_signals() -> None:
    """Let SIGTERM end it as Ctrl-C does, and both where a shell that started it in the background took SIGINT away.

    Raised wherever the interpreter happens to be, an interrupt may be lost among greenlets: it waits for the hub.
    """
    main = gevent.getcurrent()
    for number in (signal.SIGINT, signal.SIGTERM):
        gevent.signal_handler(number, main.throw, KeyboardInterrupt)


def _demo(
    console: Console, settings: WorldSettings, place: Place, seconds: float, once: bool, keep: bool
) -> bool:
    """Start everything, let the days pass, and show what was counted; return whether all of it is right."""
    data, ports = place.data, place.ports
    file = data / "analytics.toml"
    file.touch(mode=0o600)  # the URI may hold a password
    file.write_text(configuration(game_servers(settings), f"http://127.0.0.1:{ports + 4}", TIMEZONE, place))
    machinery = WITH_ENGINE if place.engine else MACHINERY
    machinery = machinery[1:] if place.uri else machinery
    if not place.uri:
        tell_engine(console, load(file))
    with Suite(file, machinery) as suite:
        game = SimulatedGame(settings, data / "game", settings.days * DAY / seconds)
        server = serve(game, ports + 4)
        try:
            with Suite(file, SPOUTS):
                play(console, game, suite.config)
                right = conclude(console, game, suite.config)
                _print_addresses(console, suite.config, once, keep, _is_recent(game))
                if not once:
                    _go_on(game, suite.config)
        finally:
            server.stop(timeout=1)
            game.close()
    return right


def _go_on(game: SimulatedGame, config: Config) -> None:
    """Let the game go on as time passes, if its last day was yesterday, until Ctrl-C. Raise AnalyticsError if a node dies."""
    if _is_recent(game):
        start = game.clock.end
        game.clock = SimulatedClock.of_this_moment(start, start + LIVE_DAYS * DAY)
    running = gevent.spawn(game.run)
    try:
        while True:
            gevent.sleep(WATCH_SECONDS)
            _raise_if_dead(config)
            if running.ready():
                running.get()
    finally:
        running.kill()


def _is_recent(game: SimulatedGame) -> bool:
    """Return whether the game's last day was yesterday."""
    return time.time() - game.clock.end < DAY


def play(console: Console, game: SimulatedGame, config: Config) -> None:
    """Let the game's clock run to its end while showing how far the suite has followed."""
    running = gevent.spawn(game.run)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[text]}"))
    try:
        with Progress(
            *columns, TimeElapsedColumn(), console=console, disable=not console.is_terminal
        ) as progress:
            task = progress.add_task("", total=game.clock.end - game.clock.start, text="")
            is_time = pace(SHOW_SECONDS)
            while not _look(game, config, progress, task) or not running.ready():
                if not console.is_terminal and is_time():
                    console.print(progress.tasks[0].description, progress.tasks[0].fields["text"])
                gevent.sleep(0.5)
        running.get()
    finally:
        running.kill()


def _look(game: SimulatedGame, config: Config, progress: Progress, task: TaskID) -> bool:
    """Show how far the suite has followed; return whether it accepted every line there is."""
    found = _raise_if_dead(config)
    if found.balance is None:
        return False
    accepted = sum(one.ever_accepted for one in found.balance.spouts if one.name == "gamelog")
    now = datetime.fromtimestamp(game.written_to, ZoneInfo(TIMEZONE))
    rest = f"accepted, {found.lag:,} not counted yet" if found.lag is not None else "counted"
    text = f"{game.ledger.records:,} records, {accepted:,} {rest}"
    progress.update(
        task, completed=game.written_to - game.clock.start, description=f"{now:%Y-%m-%d}", text=text
    )
    return accepted >= game.ledger.records


def _raise_if_dead(config: Config) -> StatusReport:
    """Return the state of the suite. Raise AnalyticsError if a node has died."""
    found = report(config)
    if seemed := _dead(found):
        # Where the whole machine stood still, all of them seem to hang at first.
        gevent.sleep(RECOVER_SECONDS)
        found = report(config)
        if dead := [f"{name} {problem}" for name, problem in _dead(found).items() if name in seemed]:
            raise AnalyticsError(f"{'; '.join(dead)}; see the logs in {config.data / 'log'}")
    return found


def _dead(found: StatusReport) -> dict[str, str]:
    """Return what is wrong with the nodes that do not report their state, by name."""
    return {node.name: node.problem for node in found.nodes if not node.pid}


def conclude(console: Console, game: SimulatedGame, config: Config, patience: float = AGREE_SECONDS) -> bool:
    """Wait until everything is counted, show it, and say whether it agrees with the game's ledger.

    Args:
        patience: seconds after that in which what differs may still come right.
    """
    console.print("\nThe days have ended; counting the last records …")
    with closing(open_store(config)) as store:
        compared = count_and_compare(console, game, config, store, patience)
        agrees = _show(console, game, config, store, compared)
    balance = report_with_balance(config).balance
    silent = "the store does not answer" if config.engine.kind else "the broker does not answer"
    faults = [silent] if balance is None else balance.faults
    for fault in faults:
        console.print(f"✗ balance: {fault}", style="red", markup=False)
    if agrees and not faults:
        count = sum(one.documents for one in compared.values())
        console.print(
            f"All of it agrees: {game.ledger.records:,} records, and each of the {count:,} documents in "
            f"{len(compared)} collections is what the game's ledger says. The balance adds up.",
            style="bold green",
        )
    return agrees and not faults


def count_and_compare(
    console: Console, game: SimulatedGame, config: Config, store: Store, patience: float = AGREE_SECONDS
) -> dict[str, Compared]:
    """Wait until everything is counted; return how each collection compares with the game's ledger."""
    _wait_for_polls(config)
    with console.status("") as line:
        what = "bytes of journals" if config.engine.kind else "records"
        drain(config, COUNT_SECONDS, _lag_printer(console, line, what))
        line.update("Comparing every document …")
        return _compare_at_last(game, config, store, patience)


def _lag_printer(console: Console, line: Status, what: str) -> Callable[[int], None]:
    """Return a function that shows how many records, or bytes, are not counted yet; without a terminal, every few seconds."""
    is_time = pace(SHOW_SECONDS)

    def show(lag: int) -> None:
        text = f"{lag:,} {what} are not counted yet …"
        line.update(text)
        if lag and not console.is_terminal and is_time():
            console.print(text)

    return show


def _wait_for_polls(config: Config) -> None:
    """Return when every spout that polls has gone through all its requests again."""
    before = _rounds(config)
    until = time.monotonic() + COUNT_SECONDS
    while any(count < before.get(name, 0) + ROUNDS for name, count in _rounds(config).items()):
        if time.monotonic() > until:
            return  # what is missing will be seen
        gevent.sleep(0.2)


def _rounds(config: Config) -> dict[str, int]:
    """Return, per spout that polls, how often it has gone through all its requests."""
    return {node.name: node.state["rounds"] for node in report(config).nodes if "rounds" in node.state}


def _compare_at_last(
    game: SimulatedGame, config: Config, store: Store, patience: float
) -> dict[str, Compared]:
    """Compare when all is counted; where anything differs, again until it does not or time is up.

    The last answer of an interface may be in flight, or a day may have begun.
    """
    until = time.monotonic() + patience
    while True:
        compared = compare(store, game.ledger.documents())
        if not any(one.wrong for one in compared.values()) or time.monotonic() > until:
            return compared
        gevent.sleep(0.5)
        drain(config, COUNT_SECONDS)


def _show(
    console: Console, game: SimulatedGame, config: Config, store: Store, compared: dict[str, Compared]
) -> bool:
    """Print every table, and under it whether its collections agree; return whether all do."""
    first, last = game.settings.first_day, game.last_day
    numbers = Numbers(store, areas(config), zone(TIMEZONE), first, last)
    agrees = True
    for chapter in CHAPTERS:
        console.print(f"\n[bold]{chapter.title}[/bold]: {chapter.text}")
        console.print(chapter.table(numbers))
        names = [name for of in chapter.collections for name in (of, f"{of}{TOTAL}")]
        right, lines = verdict(compared[name] for name in names if name in compared)
        for line in lines:
            console.print(line, style="green" if right else "red", markup=False)
        agrees = agrees and right
    console.print()
    return agrees


def _print_addresses(console: Console, config: Config, once: bool, keep: bool, recent: bool) -> None:
    """Say how to look at the documents, and last, where the suite runs on, the dashboard's address."""
    command = f"bin/analytics --config {config.file}"
    if not once:
        going_on = "The game goes on" if recent else "The game has ended; the suite keeps running"
        console.print(f"\n{going_on}. Ctrl-C ends it{', and the suite' if recent else ''}.")
    elif config.mongodb.uri:
        console.print("\nThe suite ends now.")
        if not keep:
            return  # nothing is left to look at
    else:
        console.print(f"\nThe suite ends now. To look at the documents: {command} run store", soft_wrap=True)
    console.print(
        f"MongoDB address: {store_uri(config)} (database {config.mongodb.database})", soft_wrap=True
    )
    console.print(f"Without a client: {command} show server", soft_wrap=True)
    if not once:
        console.print(f"The dashboard: {url(config)}", style="bold", soft_wrap=True)
