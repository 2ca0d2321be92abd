"""The dashboard as readers use it, in Chromium: themes, live updates, the keyboard, CSV, log-in, and what goes wrong."""

import csv
import io
import json
import os
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any

import gevent
import pytest
from forms import THOROUGH
from gevent import subprocess
from month import start
from needed import need, need_mongod
from reader import LAST_DAY, LOOKS, PASSWORD, SPAN, SPAN_DAYS, USER, WALKS
from running import Suite, a_suite
from werkzeug.security import generate_password_hash

from analytics.config import MongoDB
from analytics.store import Write, open_store
from analytics.store.mongo import DEFAULTS
from analytics.testing.mongod import Server as Mongod
from analytics.testing.ports import free_ports

HERE = Path(__file__).parent
SILENCE_SECONDS = 600
ROOT = HERE.parents[1]
USERS = {USER: generate_password_hash(PASSWORD, "pbkdf2:sha256:1000")}
MORE = 1000


class Beside:
    """What happens beside the browser: dashboards, and a store that goes away and comes back."""

    def __init__(self, suite: Suite, mongod: Mongod) -> None:
        self._suite = suite
        self._mongod = mongod
        self._ports = dict(zip(("open", "guarded"), free_ports(2), strict=True))
        self._running: dict[str, ExitStack] = {}

    def addresses(self) -> list[str]:
        """Return where the dashboards are: of all, and of users."""
        return [f"http://127.0.0.1:{port}" for port in self._ports.values()]

    def start(self) -> None:
        self._run("open")
        self._run("guarded", users=USERS)

    def stop(self) -> None:
        for running in self._running.values():
            running.close()

    def happen(self, what: str) -> None:
        getattr(self, what.replace(" ", "_"))()

    def store_away(self) -> None:
        self._mongod.stop()

    def store_back(self) -> None:
        if not self._mongod.running:
            self._mongod.start()

    def dashboard_away(self) -> None:
        self._running.pop("open").close()

    def dashboard_back(self) -> None:
        if "open" not in self._running:
            self._run("open")

    def guarded_anew(self) -> None:
        self._running.pop("guarded").close()
        self._run("guarded", users=USERS)

    def more_accts(self) -> None:
        id, document = newest(self._suite)
        with closing(open_store(self._suite.config)) as store:
            store.write(
                "kpi_total", [Write(id, {**document, "_id": id, "dau": document["dau"] + MORE}, None)]
            )

    def _run(self, name: str, **keys: Any) -> None:
        running = self._running[name] = ExitStack()
        running.enter_context(self._suite.dashboard(port=self._ports[name], **keys))


def newest(suite: Suite) -> tuple[str, dict[str, Any]]:
    """Return the whole game's document of the last day that is looked at."""
    id = f"game:dl:{start_of(LAST_DAY)}"
    return id, suite.month.documents["kpi_total"][id]


def start_of(day: str) -> int:
    return start(date.fromisoformat(day))


@pytest.fixture(scope="module")
def mongod(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mongod]:
    """A server of our own, which goes away and comes back."""
    need_mongod()
    with Mongod(tmp_path_factory.mktemp("mongod")) as server:
        yield server


@pytest.fixture(scope="module")
def suite(mongod: Mongod, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Suite]:
    need("chromium", "apt-get install chromium")
    with a_suite(tmp_path_factory.mktemp("walks"), MongoDB(mongod.uri), areas=3, players=30) as running:
        yield running


@pytest.fixture(scope="module")
def patience() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.fixture(scope="module")
def walks(suite: Suite, mongod: Mongod, patience: pytest.MonkeyPatch) -> dict[str, Any]:
    """Take all walks; return what was met on each."""
    patience.setitem(DEFAULTS, "serverSelectionTimeoutMS", 500)
    beside = Beside(suite, mongod)
    met: dict[str, Any] = {}
    try:
        beside.start()
        take(beside, WALKS, met)
        if left := [name for name in WALKS if name not in met]:
            beside.happen("store back")
            beside.happen("dashboard back")
            take(beside, left, met)
        return met
    finally:
        beside.stop()


def take(beside: Beside, names: Iterable[str], met: dict[str, Any]) -> None:
    """Take walks until one of them says nothing any more, as it happens on a busy machine: a browser's silence has no limit."""
    command = [sys.executable, str(HERE / "walking.py"), need("chromium", "apt-get install chromium")]
    walker = subprocess.Popen(
        [*command, *beside.addresses(), *names],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"},
    )
    try:
        while True:
            line = b""
            with gevent.Timeout(SILENCE_SECONDS, False):
                line = walker.stdout.readline()
            if not line:
                return
            told = json.loads(line)
            if "do" in told:
                beside.happen(told["do"])
                walker.stdin.write(b"done\n")
                walker.stdin.flush()
            else:
                met[told["walk"]] = told["found"]
    finally:
        walker.kill()
        walker.wait()


def on(walks: dict[str, Any], name: str) -> dict[str, Any]:
    """Return what was met on a walk. It has to have come to its end."""
    assert name in walks, "the browser stopped answering on this walk, or one before, twice"
    found: dict[str, Any] = walks[name]
    assert "broke off" not in found, found["broke off"]
    return found


def test_a_theme_follows_the_system_until_one_is_chosen_which_is_kept(walks):
    met = on(walks, "theme")
    assert met["system dark"] == [True, "Theme: as the system"]
    assert met["system light"] == [False, "Theme: as the system"]
    for where in ("chose light", "next page", "loaded again"):
        assert met[where] == [False, "Theme: light"], where
    assert met["chose dark"] == [True, "Theme: dark"] and met["an error"][0] is True
    assert met["chose the system"] == [False, "Theme: as the system"]


def test_new_numbers_leave_a_reader_where_they_are(walks, suite):
    met, (_, document) = on(walks, "place"), newest(suite)
    assert [met["old"], met["new"]] == [f"{document['dau']:,}", f"{document['dau'] + MORE:,}"]
    assert f"{document['dau'] + MORE:,}" in met["last row"]
    assert met["after"] == met["before"]
    before = met["before"]
    assert before["y"] > 0 and before["inner"] > 0 and before["open"] and before["focus"] and before["chart"]
    assert met["told"] == 0, "who listens is not told of each update"


def test_new_numbers_leave_sorting_and_what_is_typed(walks):
    met = on(walks, "areas")
    assert met["after"] == met["before"]
    before = met["before"]
    assert (before["value"], before["caret"], before["focus"]) == ("server", 5, True)
    assert before["sorted"] == "Sign-ups ↑ascending" and len(before["order"]) == met["every"] > 1
    assert met["half typed"] == "half an i" and met["hurried"] == "server"


@pytest.mark.parametrize("way", ["forward", "back, narrow", *(["back", "narrow"] if THOROUGH else [])])
def test_the_keyboard_reaches_everything_and_one_sees_where_it_is(walks, way):
    met = on(walks, "keyboard")[way]
    assert [one for one in met if not one["seen"]] == []
    order = [one["number"] for one in met]
    assert order == sorted(order), "the focus goes on, and is trapped nowhere"
    names = {one["name"] for one in met}
    wanted = {"Skip to the numbers", "analytics", "System", "Theme: as the system", "中文"}
    wanted |= {"Filter"} if "narrow" in way else {"area", "from", "to", "the last 7 days", "Reset"}
    assert wanted <= {name.split(" dl")[0] for name in names}
    assert {"Revenue", "CSV: Revenue", "What these numbers mean"} <= names
    assert any(name.startswith("Table") for name in names)


def test_the_keyboard_does_what_a_mouse_does(walks):
    met = on(walks, "keyboard")
    assert met["skipped to"] == "main" and met["opened"] == "scroll"
    assert met["filtered"] == ["plat", True] and met["days"] == "7 d"
    assert "accts that logged in on the day" in met["means"] and met["hushed"]
    assert met["sorted"] == ["Sign-ups", "Sign-ups"] and met["theme"] == "light"


@pytest.mark.parametrize("table", ["income", "top", "reasons", "areas"])
def test_a_csv_is_what_the_table_shows(walks, table):
    met = on(walks, "csv")[table]
    names = {
        "income": "payment-days",
        "top": "payment-top",
        "reasons": "economy-reasons",
        "areas": "areas-areas",
    }
    assert met["name"] == f"{names[table]}.csv" and SPAN in met["still there"]
    rows = list(csv.DictReader(io.StringIO(met["csv"])))
    first = {"income": "day", "top": "acct", "reasons": "reason", "areas": "server_name"}[table]
    areas = {
        row["area"]: row["server_name"]
        for row in csv.DictReader(io.StringIO(on(walks, "csv")["areas"]["csv"]))
    }
    assert [row[first] for row in rows][: len(met["shown"])] == [row["first"] for row in met["shown"]]
    compared = 0
    for row, shown in zip(rows, met["shown"], strict=False):
        for field in set(row) & set(shown) - {"area", "share", "change"}:
            text, value = shown[field].replace(",", ""), row[field]
            assert text == value or float(text) == pytest.approx(float(value), abs=0.006), (
                field,
                text,
                value,
            )
            compared += 1
        assert "area" not in shown or shown["area"] == areas[row["area"]]
    assert compared >= len(met["shown"]) > 0


def test_a_csv_is_complete(walks, suite):
    payers = {one["acct"] for one in suite.month.some("userpay", game="dl") if one["pay_amout"]}
    top = list(csv.DictReader(io.StringIO(on(walks, "csv")["top"]["csv"])))
    assert len(top) == len(payers) and {row["acct"] for row in top} == payers
    days = list(csv.DictReader(io.StringIO(on(walks, "csv")["income"]["csv"])))
    assert len(days) == SPAN_DAYS
    for row in days:
        document = suite.month.of_game("kpi", date.fromisoformat(row["day"]))
        assert float(row["revenue"]) == document["revenue"] and int(row["payers"]) == document["payers"]


def test_what_is_not_there_says_so(walks):
    met = on(walks, "wrong")
    assert met["nowhere"][0] == 404 and "There is no such page" in met["nowhere"][1]
    assert met["filter"][0] == 400 and 'there is no area "nope"' in met["filter"][1]
    assert met["without"].endswith("/payment")


def test_a_filter_that_cannot_be_is_told_in_place_and_can_be_mended(walks):
    met = on(walks, "wrong")
    assert 'there is no area "nope"' in met["in place"] and "the previous ones" in met["in place"]
    assert met["address"].endswith(f"/payment?{SPAN}") and met["kept"] == ["nope", True]
    assert met["mended"].endswith(f"/payment?{SPAN}")


def test_figures_that_grow_old_are_told_of_in_words(walks):
    met = on(walks, "away")
    assert "The store does not answer" in met["live"]["words"]
    assert re.search(r" \d+ (s|min) old", met["live"]["words"])
    assert "数据库没有响应" in met["dark zh"]["words"] and "未更新" in met["dark zh"]["words"]
    older = re.search(r" (\d+) min old", met["older"])
    assert older and int(older[1]) >= 5
    # Who listens is told once what is wrong, and again where it is something else, not each time that it is tried.
    assert met["heard"] and all(one != other for one, other in pairwise(met["heard"])), met["heard"]
    assert met["live again"][2] == "The figures are up to date again"


def test_a_page_opened_while_the_store_is_away_comes_back_by_itself(walks):
    met = on(walks, "away")
    status, words = met["opened"]
    assert status == 503 and "The store does not answer" in words and "Connection refused" in words
    assert "No record is lost" in words and "retries automatically" in words
    assert met["tried again"] == ["Try now", 0], "trying takes no focus, and is not told"
    assert met["back"][0].endswith(f"/payment?{SPAN}") and met["back"][1] == SPAN_DAYS
    assert met["without JavaScript"][0].endswith(f"/progress?{SPAN}") and met["without JavaScript"][1] > 0


def test_what_is_chosen_while_the_store_is_away_is_shown_when_it_is_back(walks):
    met = on(walks, "away")
    assert "from=2026-03-27" in met["chosen"] and met["live again"][:2] == [met["chosen"], 7]


def test_pages_wait_for_a_dashboard_that_is_started_again_without_hammering_it(walks):
    met = on(walks, "away")["gone"]
    assert (
        "bin/analytics status" in met["waiting"]
        and met["title"] == "The dashboard does not answer · analytics"
    )
    assert met["told"] == "The dashboard does not answer" and "The dashboard does not answer" in met["live"]
    for times in met["asked"]:
        assert 5 <= times <= 20, "in five minutes"
    assert met["then"] == "The store does not answer"


def test_a_log_in_lands_on_the_page_that_was_asked_for(walks):
    met = on(walks, "log-in")
    assert met["sent to"] == "登录"
    assert met["wrong"] == ["User or password is wrong.", "password"] and met["name kept"] == USER
    assert "has expired" in met["old form"], "the dashboard was started again meanwhile"
    assert met["landed"].endswith(f"/areas?{SPAN}&lang=en")


def test_a_log_out_ends_it(walks):
    met = on(walks, "log-in")
    assert "/login?" in met["logged out"] and "/login?" in met["kept cookie"]
    assert met["session ended"].endswith(f"/areas?{SPAN}"), "and one logs in again to where one was"


def test_who_guesses_is_told_to_wait(walks):
    met = on(walks, "log-in")
    assert "Too many wrong passwords" in met["guessed"] and "/login?" in met["guessed and in"]


@pytest.mark.parametrize("look", LOOKS)
def test_nothing_grave_is_found_where_something_is_in_the_way(walks, look):
    met = {
        "log-in": on(walks, "log-in").get(look),
        **{path: on(walks, "wrong").get(f"{path} {look}") for path in ("/nowhere", "/?area=nope")},
        "live": on(walks, "away").get(look),
        "error": on(walks, "away").get(f"error {look}"),
        "wrong": on(walks, "log-in")["wrong looks"] if look == "light en" else None,
    }
    seen = {name: one for name, one in met.items() if one}
    assert len(seen) >= (5 if THOROUGH else 3)
    for name, one in seen.items():
        assert one["grave"] == [] and one["too wide"] <= 0, name
        assert one["language"] == ("zh-Hans" if look.endswith("zh") else "en"), name
