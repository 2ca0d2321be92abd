"""``analytics simulate``: a simulated game to try the suite with."""

import os
import signal
import sys
import tempfile
import time
from contextlib import nullcontext
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click
import gevent
from gevent.event import Event
from gevent.pywsgi import WSGIServer
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from analytics.cli.console import some
from analytics.simulate.conf import SuiteOptions, configuration
from analytics.simulate.game import SimulatedGame
from analytics.simulate.server import serve
from analytics.simulate.world import WorldSettings

DAY_SECONDS = 86_400


def _zone(_context: click.Context, _option: click.Parameter, name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise click.BadParameter(f'expected an IANA name like "Asia/Shanghai", got "{name}"') from None
    return name


@click.command()
@click.option("--areas", type=click.IntRange(1, 1000), default=4, show_default=True, help="Game servers.")
@click.option(
    "--players", type=click.IntRange(1, 1_000_000), default=500, show_default=True,
    help="The approximate number of sign-ups of an area in its first thirty days.",
)  # fmt: skip
@click.option("--days", type=click.IntRange(1, 3650), default=14, show_default=True, help="Days to simulate.")
@click.option(
    "--from", "first_day", type=click.DateTime(["%Y-%m-%d"]),
    help="First day. [default: so that the last one is yesterday]",
)  # fmt: skip
@click.option(
    "--speed", type=click.FloatRange(min=0, min_open=True), default=14_400.0, show_default=True,
    help="Simulated seconds a second; 86400 makes a day a second.",
)  # fmt: skip
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed gives the same game.")
@click.option(
    "--timezone", default="Asia/Shanghai", show_default=True, callback=_zone, help="Where days begin."
)
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8100, show_default=True, help="0: any free port."
)
@click.option("--flat", is_flag=True, help="Log flat records without an area.")
@click.option(
    "--break", "faults", type=click.FloatRange(0, 0.9), is_flag=False, flag_value=0.05, default=0.0,
    help="The share of answers that fail: errors, half bodies, delays, resets. [without a value: 0.05]",
)  # fmt: skip
@click.option(
    "--work", type=click.Path(file_okay=False, path_type=Path), help="The folder of logs, which are kept."
)
@click.option("--token-env", default="", help="The variable with a token that requests must have.")
@click.option(
    "--conf", type=click.Path(dir_okay=False, path_type=Path), help="Write a configuration for the suite."
)
@click.option("--data", type=click.Path(path_type=Path), default=Path("data"), help="In it: the data folder.")
@click.option("--database", default="analytics", help="In it: the database.")
@click.option(
    "--ports", type=click.IntRange(0, 65532), default=0, help="In it: the first of the suite's four ports."
)
@click.option("--exit", "leave", is_flag=True, help="End after the last day, instead of continuing to serve.")
def simulate(
    areas: int, players: int, days: int, first_day: datetime | None, speed: float, seed: int, timezone: str,
    port: int, flat: bool, faults: float, work: Path | None, token_env: str, conf: Path | None, data: Path,
    database: str, ports: int, leave: bool,
) -> None:  # fmt: skip
    """Serve a simulated game over HTTP: growing logs, payments and roles.

    Its players sign up, come back, pay, quest and shop. Its days pass at the given speed, and are in the past, since the
    suite rejects records that are ahead of the clock.
    """
    first = first_day or datetime.now(ZoneInfo(timezone)) - timedelta(days=days)
    if first.timestamp() + days * DAY_SECONDS > time.time() + DAY_SECONDS:
        raise click.UsageError(
            f"--from, --days: {days} days from {first:%Y-%m-%d} reach beyond today; start earlier"
        )
    settings = WorldSettings(first.date(), seed, areas, players, days, timezone)
    if token_env and not os.environ.get(token_env):
        raise click.UsageError(
            f"--token-env: expected a token in the variable {token_env}, found none; export it"
        )
    with nullcontext(work) if work else tempfile.TemporaryDirectory(prefix="simulate-") as folder:
        game = SimulatedGame(settings, Path(folder), speed, flat)
        server = _serve(game, port, os.environ.get(token_env, ""), faults)
        url = f"http://127.0.0.1:{server.server_port}"
        if conf:
            suite = SuiteOptions(data, database, ports, 0.5, f"{first:%Y-%m-%d}")
            conf.write_text(configuration(game.servers, url, timezone, suite, token_env))
        _introduce(game, url, conf)
        try:
            _play(game, leave)
        finally:
            server.stop(timeout=1)
            game.close()


def _serve(game: SimulatedGame, port: int, token: str, faults: float) -> WSGIServer:
    try:
        return serve(game, port, token, faults)
    except OSError as error:
        raise click.ClickException(
            f"port {port} on 127.0.0.1: {error.strerror}; choose another --port"
        ) from error


def _introduce(game: SimulatedGame, url: str, conf: Path | None) -> None:
    click.echo(f"Simulated game with {some(len(game.servers), 'area')} at {url} (list: {url}/)")
    for server in game.servers[:10]:
        opens = game.settings.first_day + timedelta(days=server.opens)
        click.echo(f"  {server.game:4} {server.plat} {url}/logs/{server.id}/gamelog.log  opens {opens}")
    if len(game.servers) > 10:
        click.echo(f"  … and {len(game.servers) - 10} more")
    click.echo(f"  payments: {url}/payment?area=AREA&day=YYYY-MM-DD&page=1")
    click.echo(f"  roles:    {url}/syncuser?area=AREA&since=0&page=1")
    if conf:
        click.echo(f"Configuration written: {conf}")


def _play(game: SimulatedGame, leave: bool) -> None:
    """Advance the game's time, then keep serving unless ``leave``; end at SIGINT or SIGTERM."""
    stop = Event()
    handlers = [gevent.signal_handler(number, stop.set) for number in (signal.SIGINT, signal.SIGTERM)]
    running = gevent.spawn(game.run)
    try:
        _show_progress(game, running, stop)
        if not leave and not stop.is_set():
            click.echo("The last day has ended. Still serving; Ctrl-C ends.")
            stop.wait()
    finally:
        running.kill()
        for handler in handlers:
            handler.cancel()


def _show_progress(game: SimulatedGame, running: "gevent.Greenlet[..., None]", stop: Event) -> None:
    zone, clock = ZoneInfo(game.settings.timezone), game.clock
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
    with Progress(*columns, TimeElapsedColumn(), disable=not sys.stdout.isatty()) as progress:
        task = progress.add_task("", total=clock.end - clock.start)
        while not stop.is_set() and not running.ready():
            stop.wait(0.2)
            now = datetime.fromtimestamp(game.written_to, zone)
            text = f"{now:%Y-%m-%d %H:%M}  {game.ledger.records:,} records"
            progress.update(task, completed=game.written_to - clock.start, description=text)
    if running.ready():
        running.get()  # raises the server's error, if it failed
        click.echo(f"{game.settings.days} days, {game.ledger.records:,} records.")
