"""The simulated game over real HTTP: ranges, pages, misfortune, and logs that grow by its clock."""

import json
import time
import tomllib
from collections import Counter
from datetime import date
from pathlib import Path

import gevent
import msgspec
import pytest
import requests

from analytics.config import Config
from analytics.simulate.conf import SuiteOptions, configuration
from analytics.simulate.game import SimulatedClock, SimulatedGame
from analytics.simulate.server import PAGE_SIZE, byte_range, serve
from analytics.simulate.world import WorldSettings

SETTINGS = WorldSettings(date(2026, 3, 2), areas=2, players=200, days=3)
FAST = 1e9


class StoppedClock:
    """A real clock that a test moves."""

    passed = 0.0

    def __call__(self):
        return self.passed


@pytest.fixture
def game(tmp_path):
    game = SimulatedGame(SETTINGS, tmp_path, speed=FAST)
    game.run()
    yield game
    game.close()


@pytest.fixture
def start():
    servers = []

    def serving(game, **options):
        servers.append(serve(game, **options))
        return f"http://127.0.0.1:{servers[-1].server_port}"

    yield serving
    for server in servers:
        server.stop(timeout=1)


@pytest.fixture
def log(game, start):
    """The url of the first area's log, and its bytes."""
    area = game.servers[0].id
    return f"{start(game)}/logs/{area}/gamelog.log", game.log_path(area).read_bytes()


def test_a_log_is_served_whole_and_by_range(log):
    url, data = log
    whole = requests.get(url)
    assert whole.status_code == 200 and whole.content == data and whole.headers["Accept-Ranges"] == "bytes"
    size = len(data)
    for header, first, last in (
        ("bytes=100-199", 100, 199),
        ("bytes=100-", 100, size - 1),
        ("bytes=-50", size - 50, size - 1),
        (f"bytes=10-{size * 2}", 10, size - 1),
        (f"bytes=-{size * 2}", 0, size - 1),
    ):
        part = requests.get(url, headers={"Range": header})
        assert (part.status_code, part.content) == (206, data[first : last + 1]), header
        assert part.headers["Content-Range"] == f"bytes {first}-{last}/{size}"


def test_a_range_past_the_end_is_refused_and_nonsense_is_ignored(log):
    url, data = log
    past = requests.get(url, headers={"Range": f"bytes={len(data)}-"})
    assert (past.status_code, past.headers["Content-Range"], past.content) == (
        416,
        f"bytes */{len(data)}",
        b"",
    )
    for header in ("bytes=5-2", "lines=0-1", "bytes=-", "bytes=0-1,5-6"):
        answer = requests.get(url, headers={"Range": header})
        assert (answer.status_code, len(answer.content)) == (200, len(data)), header
    conditional = requests.get(url, headers={"Range": "bytes=5-", "If-Range": '"abc"'})
    assert (conditional.status_code, len(conditional.content)) == (200, len(data))


def test_head_says_the_size_and_sends_nothing(log):
    url, data = log
    answer = requests.head(url)
    assert answer.headers["Content-Length"] == str(len(data)) and answer.content == b""


@pytest.mark.parametrize("header", ["bytes=0-", "bytes=-5", "bytes=0-0"])
def test_an_empty_log_has_no_range(header):
    first, last = byte_range(header, 0)
    assert first > last


def test_what_is_not_there_is_said_so(game, start):
    url = start(game)
    area = game.servers[0].id
    for path, status in (
        ("/nothing", 404),
        ("/logs/../../etc/passwd", 404),
        (f"/logs/{area}/other.log", 404),
        ("/payment?area=nowhere&day=2026-03-02", 404),
        (f"/payment?area={area}&day=yesterday", 400),
        (f"/payment?area={area}&day=2026-03-02&page=0", 400),
        (f"/syncuser?area={area}&since=x", 400),
    ):
        answer = requests.get(url + path)
        assert answer.status_code == status and answer.json()["error"], path
    assert requests.post(url + "/").status_code == 405


def test_payments_and_roles_come_in_pages_that_add_up(tmp_path, start):
    game = SimulatedGame(WorldSettings(date(2026, 3, 2), areas=1, players=4000, days=3), tmp_path, speed=FAST)
    game.run()
    url, area = start(game), game.servers[0].id
    roles, page = [], 1
    while page:
        answer = requests.get(f"{url}/syncuser?area={area}&page={page}").json()
        roles += answer["roles"]
        page = answer["next"]
    assert roles == game.ledger.roles(area) and len(roles) > PAGE_SIZE
    for key, document in game.ledger.documents()["paysummary"].items():
        day = date.fromordinal(date(2026, 3, 2).toordinal() + (document["ts"] - game.clock.start) // 86400)
        users = requests.get(f"{url}/payment?area={area}&day={day}&page=1").json()["users"]
        payers = [acct for acct, user in users.items() if user["amount"] > user["refunded"]]
        assert sorted(payers) == document["userlist"], key
        assert sum(user["times"] for user in users.values()) == document["pay_count"]
        net = sum(user["amount"] - user["refunded"] for user in users.values())
        assert net == pytest.approx(document["pay_amout"])
    game.close()


def test_all_pages_of_an_answer_are_of_one_moment_and_told_when_it_is_whole(tmp_path, start):
    game = SimulatedGame(WorldSettings(date(2026, 3, 2), areas=1, players=4000, days=3), tmp_path, speed=1)
    real = StoppedClock()
    game.clock = SimulatedClock(game.clock.start, game.clock.end, 1, real)
    real.passed = 1.5 * 86_400
    game.advance()
    url, area = start(game), game.servers[0].id
    ask = f"{url}/syncuser?area={area}&since=0&page="
    expected = game.ledger.roles(area)
    first = requests.get(f"{ask}1").json()
    real.passed = 3 * 86_400
    game.advance()
    roles, following = list(first["roles"]), first["next"]
    while following:
        assert not game.ledger.documents()["userlevel"]
        answer = requests.get(ask + following).json()
        assert requests.get(ask + following).json() == answer  # may be asked for again
        roles, following = roles + answer["roles"], answer["next"]
    assert roles == expected != game.ledger.roles(area)
    users = [one["users"] for one in game.ledger.documents()["userlevel"].values()]
    assert sum(users) == len(roles) > PAGE_SIZE
    assert requests.get(f"{ask}2-999").status_code == 410
    assert requests.get(f"{ask}x").status_code == 400
    game.close()


def test_a_token_is_asked_for(game, start):
    url = start(game, token="secret")
    assert requests.get(url).status_code == 401
    assert requests.get(url, headers={"Authorization": "Bearer secret"}).status_code == 200


def test_logs_grow_by_the_clock_and_never_ahead_of_it(tmp_path):
    game, real = SimulatedGame(SETTINGS, tmp_path, speed=3600), StoppedClock()
    game.clock = SimulatedClock(game.clock.start, game.clock.end, 3600, real)
    path, data = game.log_path(game.servers[0].id), b""
    for seconds in (0.0, 9.5, 20.0, 30.0, 71.9, 72.0, 500.0):
        real.passed = seconds
        game.advance()
        before, data = data, path.read_bytes()
        assert data.startswith(before)
        times = [json.loads(line)["ts"] for line in data.splitlines()]
        assert all(ts <= game.clock.now() for ts in times)
    assert game.finished and game.clock.now() == game.clock.end and max(times) < game.clock.end
    game.close()


def test_a_game_can_go_on_by_the_real_clock(tmp_path, monkeypatch):
    monkeypatch.setattr(time, "time", now := StoppedClock())
    now.passed = SimulatedGame(SETTINGS, tmp_path / "other").clock.end + 7200.5
    game = SimulatedGame(SETTINGS, tmp_path, speed=FAST)
    game.run()
    end, records = game.clock.end, game.ledger.records
    game.clock = SimulatedClock.of_this_moment(end, end + 86400)
    game.advance()
    assert game.written_to == end + 7200 and game.ledger.records > records and not game.finished
    game.close()


def test_the_same_game_whatever_the_speed(tmp_path, game):
    slow = SimulatedGame(SETTINGS, tmp_path / "slow", speed=1)
    real = StoppedClock()
    slow.clock = SimulatedClock(game.clock.start, game.clock.end, 1, real)
    for seconds in range(0, 3 * 86400 + 5000, 5000):
        real.passed = seconds
        slow.advance()
    for server in game.servers:
        assert slow.log_path(server.id).read_bytes() == game.log_path(server.id).read_bytes()
    assert slow.ledger.documents() == game.ledger.documents()
    slow.close()


def test_answers_break_in_every_way_and_the_rest_are_right(game, start):
    url = start(game, faults=0.5)
    area = game.servers[0].id
    right = game.log_path(area).read_bytes()
    outcomes = Counter()

    def ask(path):
        try:
            answer = requests.get(url + path, timeout=300)
        except requests.ConnectionError:
            return "reset"
        except requests.exceptions.ChunkedEncodingError:
            return "half"
        if answer.status_code != 200:
            return answer.status_code
        if path.startswith("/logs/"):
            assert answer.content == right
            return 200
        return "json" if answer.headers["Content-Type"] == "application/json" else answer.content[:6]

    paths = [f"/logs/{area}/gamelog.log"] * 60 + ["/clock"] * 90
    for outcome in [gevent.spawn(ask, path) for path in paths]:
        outcomes[outcome.get()] += 1
    assert set(outcomes) == {"reset", "half", 500, 503, 200, "json", b"", b"<html>"}


def test_the_configuration_it_writes_is_one(tmp_path, game):
    text = configuration(
        game.servers, "http://127.0.0.1:81", "UTC", SuiteOptions(Path(tmp_path), "sim", 7000), "TOKEN"
    )
    found = msgspec.convert(tomllib.loads(text), Config, dec_hook=lambda kind, value: kind(value))
    assert [source.kind for source in found.gamelog.sources] == ["http", "http"]
    assert {area for item in found.games.values() for area in item.areas} == {s.id for s in game.servers}
    assert (found.broker.refill_port, found.store.port, found.mongodb.database) == (7002, 7003, "sim")
    assert found.payment.url.startswith("http://127.0.0.1:81/payment?") and found.payment.token_env == "TOKEN"
