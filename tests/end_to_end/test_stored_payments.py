"""Payments on a real store: orders that move to another day while nodes die, an area that turns out to lie further west, and rates
that a game gets or loses."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import gevent
import pytest
from end_to_end_harness import COUNTING, IN_ONE, NODES, ROOT, configured, settled
from forms import THOROUGH, thorough
from gevent.pywsgi import WSGIServer
from in_process import in_process
from waiting import eventually

from analytics.core.periods import zone
from analytics.runtime.suite import Suite
from analytics.store import open_store

AREA, OTHER = "549140c8dbdb67794fc0fa3b", "5461bb1bec8b9c686a8b4576"
AREAS = {one: {"game": "dl", "plat": "2001"} for one in (AREA, OTHER)}
LOCAL = zone("Asia/Shanghai")
FIRST, SECOND, NOW = "2026-03-01", "2026-03-02", LOCAL.day_of("2026-03-02") + 50_000
WITH_PAYMENTS = [[*IN_ONE[0], "payment"]]
BOLTS = ("paysummary", "payorderdetail", "revenueday", "server", "userpay")


class OrderInterface:
    """Lists orders, an acct each, by area and day. ``listed``: by area and order, its day and whether it was refunded."""

    def __init__(self) -> None:
        self.listed: dict[tuple[str, str], tuple[str, bool]] = {}
        self.currencies: dict[str, str] = {}
        self._server = WSGIServer(("127.0.0.1", 0), self._answer, log=None, error_log=None)
        self._server.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def _answer(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        body: dict[str, Any] = {"now": NOW}
        if environ["PATH_INFO"] != "/clock":
            area, day = environ["PATH_INFO"].strip("/").split("/")
            orders = [
                {
                    "order_id": id_,
                    "acct": f"a{id_}",
                    "amount": 6,
                    "status": "refunded" if refunded else "paid",
                }
                for (at, id_), (its, refunded) in self.listed.items()
                if (at, its) == (area, day)
            ]
            for one in orders:
                one |= (
                    {"currency": self.currencies[one["order_id"]]}
                    if one["order_id"] in self.currencies
                    else {}
                )
            body = {"orders": orders}
        start_response("200 OK", [("Content-Type", "application/json")])
        return [json.dumps(body).encode()]

    def sums(self) -> dict[tuple[str, str], tuple[int, int, int]]:
        """Return, by area and day, how many payers there are, how many orders, and how much they paid."""
        found: dict[tuple[str, str], tuple[int, int, int]] = {}
        for (area, _), (day, refunded) in self.listed.items():
            payers, orders, amount = found.get((area, day), (0, 0, 0))
            found[area, day] = payers + (not refunded), orders + 1, amount + 6 * (not refunded)
        return found

    def stop(self) -> None:
        self._server.stop(timeout=1)


@pytest.fixture
def interface() -> Iterator[OrderInterface]:
    made = OrderInterface()
    yield made
    made.stop()


@pytest.fixture
def file(tmp_path: Path, database: Any, interface: OrderInterface) -> Path:
    written = configured(tmp_path, AREAS, "Asia/Shanghai", database.toml)
    url = interface.url
    written.write_text(
        written.read_text()
        + f'[timers]\nevery_seconds = 1\n[payment]\nurl = "{url}/{{area}}/{{day}}"\nclock_url = "{url}/clock"\n'
        f'every_seconds = 0.2\nsince = "{FIRST}"\nsettle_hours = 48\n'
    )
    return written


def stored(file: Path) -> dict[tuple[str, str], tuple[int, int, int]]:
    """Return what ``paysummary`` says of each area and day that anybody paid on, once ``revenueday`` and ``server`` agree."""
    store = open_store(Suite(file).config)
    try:
        days: dict[str, dict[tuple[str, str], tuple[int, int, int]]] = {}
        for name, fields in (
            ("paysummary", ("count", "pay_count", "pay_amout")),
            ("server", ("pay_user", "pay_count", "pay_amout")),
        ):
            days[name] = {
                (one["area"], one["day"]): tuple(one[field] for field in fields)  # type: ignore[misc]
                for one in store.find(name)
                if "part_of" not in one and one["pay_count"]
            }
        assert days["server"] == days["paysummary"]
        nets = {(one["area"], one["day"]): one["net"] for one in store.find("revenueday") if one["gross"]}
        assert nets == {key: amount for key, (_, _, amount) in days["paysummary"].items()}
        return days["paysummary"]
    finally:
        store.close()


def expect(file: Path, expected: dict[tuple[str, str], tuple[int, int, int]]) -> None:
    """Wait until the documents say this."""
    config = Suite(file).config
    until = time.monotonic() + 180
    while True:
        settled(config)
        try:
            assert stored(file) == expected
            return
        except AssertionError:
            if time.monotonic() > until:
                raise
            gevent.sleep(0.5)


def rebuilt(file: Path, *words: str, names: Sequence[str] = BOLTS) -> list[dict[str, Any]]:
    """Return what a rebuild of payments changes."""
    bolts = [word for name in names for word in ("--bolt", name)]
    done = in_process("--config", str(file), "rebuild", "--json", *bolts, *words)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_orders_that_move_count_once_whatever_dies(file: Path, interface: OrderInterface) -> None:
    interface.listed = {(area, f"{n}"): (FIRST, False) for n in range(4) for area in AREAS}
    interface.listed |= {(AREA, f"{n}"): (SECOND, False) for n in range(4, 7)}
    with Suite(file, [*NODES, ["payment"]]) as suite:
        expect(file, interface.sums())
        interface.listed |= {
            (AREA, "0"): (SECOND, False),
            (AREA, "5"): (FIRST, True),
            (OTHER, "1"): (SECOND, False),
        }
        suite.kill("payment")
        suite.restart("payment")
        expect(file, interface.sums())
        interface.listed |= {
            (AREA, "0"): (FIRST, False),
            (AREA, "1"): (SECOND, True),
            (OTHER, "1"): (FIRST, True),
        }
        gevent.sleep(0.3)  # some of the answers are read
        suite.kill(COUNTING)
        suite.kill("payment")
        suite.restart(COUNTING)
        suite.restart("payment")
        expect(file, interface.sums())
        assert rebuilt(file, "--dry-run") == []


@pytest.mark.parametrize(
    "further",
    [
        pytest.param("Europe/London", marks=thorough),
        "Pacific/Honolulu",
        pytest.param("Pacific/Auckland", marks=thorough),
    ],
)
def test_payments_stay_on_their_days_when_the_zone_is_corrected(
    file: Path, interface: OrderInterface, further: str
) -> None:
    interface.listed = {
        (AREA, "1"): (FIRST, False),
        (AREA, "2"): (SECOND, False),
        (OTHER, "3"): (SECOND, False),
    }
    with Suite(file, WITH_PAYMENTS):
        expect(file, interface.sums())
    file.write_text(file.read_text().replace('timezone = "Asia/Shanghai"', f'timezone = "{further}"'))
    with Suite(file, IN_ONE):
        assert rebuilt(file) != []
        settled(Suite(file).config)
        assert stored(file) == interface.sums()
        assert rebuilt(file, "--dry-run") == []
        with closing(open_store(Suite(file).config)) as store:
            store.delete("paysummary", [f"{AREA}:{zone(further).day_of(FIRST)}"])
        rebuilt(file, "--from", FIRST, "--to", FIRST, names=["paysummary"])
        assert stored(file) == interface.sums(), "also by days"


def command(file: Path, *words: str) -> tuple[int, str]:
    """Return the exit status of a command, and all that it says."""
    done = in_process("--config", str(file), *words)
    return done.returncode, " ".join((done.stdout + done.stderr).split())


def noted_rates(file: Path) -> Any:
    with closing(open_store(Suite(file).config)) as store:
        return store.load("positions", ["rates:dl"]).get("rates:dl", {}).get("rates")


def test_a_game_gets_rates_and_can_not_lose_those_that_payments_need(
    file: Path, interface: OrderInterface
) -> None:
    own = file.read_text().replace("[games.dl]\n", '[games.dl]\ncurrency = "CNY"\n')
    rated = own.replace("[games.dl.areas", f'[games.dl.rates.USD]\n"{FIRST}" = "7"\n[games.dl.areas', 1)
    file.write_text(own)
    interface.listed = {(AREA, "1"): (FIRST, False), (OTHER, "2"): (SECOND, False)}
    with Suite(file, WITH_PAYMENTS):
        expect(file, interface.sums())
    file.write_text(rated)
    assert "were converted at other rates" not in command(file, "check")[1]
    interface.listed[AREA, "3"] = SECOND, False
    interface.currencies["3"] = "USD"
    expected = interface.sums() | {(AREA, SECOND): (1, 1, 42)}
    with Suite(file, IN_ONE):
        # A payment in USD that is journaled before workers know of the rates may have been counted without.
        eventually(lambda: noted_rates(file))
    with Suite(file, WITH_PAYMENTS):
        expect(file, expected)
        assert "were converted at other rates" not in command(file, "check")[1]
    file.write_text(own)
    why = "games.dl.rates: expected rates, as payments are in USD, which would count one to one in CNY without, got none"
    status, said = command(file, "check")
    assert status and why in said
    with Suite(file, [["broker"]]):
        for words in (["rebuild"], ["start"], *([["restart"]] if THOROUGH else [])):
            status, said = command(file, *words)
            assert status and why in said
        if THOROUGH:
            counting = [sys.executable, "-m", "analytics", "--config", str(file), "run", "workers"]
            done = subprocess.run(
                counting, capture_output=True, text=True, cwd=ROOT, timeout=600, check=False
            )
            assert done.returncode and why in " ".join((done.stdout + done.stderr).split())
    assert stored(file) == expected
    file.write_text(rated)
    with Suite(file, IN_ONE):
        expect(file, expected)
        assert rebuilt(file, "--dry-run") == []
