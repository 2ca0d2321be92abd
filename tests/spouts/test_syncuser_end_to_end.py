"""Roles all the way: a spout that is killed at random, journals played back, the simulated game's interface."""

import itertools
import json
import os
import random
import signal
import subprocess
import sys
import time
from datetime import date

import gevent
import msgspec
import pytest
from forms import THOROUGH
from gamelogs import OVER_TCP
from polling import RunningBroker, step_until
from roles import (
    AREAS,
    BEGIN,
    DL,
    WSDX,
    Hall,
    check_names,
    journal,
    newest,
    role,
    rounds,
)
from waiting import eventually

from analytics.config import AreaSection, Config, Game, Roles
from analytics.core.areas import Area, Areas
from analytics.core.periods import zone
from analytics.core.tuples import Syncuser as SyncuserTuple
from analytics.simulate.game import SimulatedGame
from analytics.simulate.server import serve
from analytics.simulate.world import WorldSettings
from analytics.spouts import poller
from analytics.spouts.stdin import LineCounts, Piped
from analytics.spouts.syncuser import SyncuserSpout

SECONDS = float(os.environ.get("ANALYTICS_CRASH_SECONDS", "8" if THOROUGH else "3"))
SEED = int(os.environ.get("ANALYTICS_CRASH_SEED", "0")) or random.randrange(1 << 30)
GAMES = {area.game: Game(areas={area.id: AreaSection(plat=area.plat)}) for area in AREAS.values()}
GREEK = b'{"roles": [{"uid": "alpha", "gra'


@pytest.fixture
def broker(tmp_path):
    running = RunningBroker(tmp_path / "broker")
    yield running
    running.stop()


@pytest.fixture
def hall():
    running = Hall(size=40)
    yield running
    running.stop()


def configuration(broker, hall, **settings):
    """Return the text of a configuration for a process of its own."""
    ports = {
        name: value
        for name, value in msgspec.structs.asdict(broker.section).items()
        if name.endswith("_port")
    }
    asking = {
        "url": hall.template,
        "clock_url": hall.clock_url,
        "every_seconds": 0.05,
        "timeout_seconds": 5,
    } | settings
    lines = ['data = "data"', "[broker]", OVER_TCP, *(f"{name} = {value}" for name, value in ports.items())]
    lines += ["[syncuser]", *(f"{name} = {json.dumps(value)}" for name, value in asking.items())]
    for area in AREAS.values():
        lines += [f"[games.{area.game}.areas.{area.id}]", f'plat = "{area.plat}"']
    return "\n".join(lines)


def test_killed_at_any_instant_every_roles_newest_state_arrives_and_no_record_twice(tmp_path, broker, hall):
    print(f"ANALYTICS_CRASH_SEED={SEED}")
    draw = random.Random(SEED)
    file = tmp_path / "analytics.toml"
    file.write_text(configuration(broker, hall, retries=1, full_every_seconds=3, overlap_seconds=1))
    hall.broken = lambda *_: draw.choice([b"<html>oops</html>", b"", GREEK]) if draw.random() < 0.05 else None
    log = (tmp_path / "spout.log").open("ab")
    states = itertools.count()  # each state of a role is one of its own

    def spout():
        command = [sys.executable, "-m", "analytics", "run", "syncuser"]
        return subprocess.Popen(
            command, env=os.environ | {"ANALYTICS_CONFIG": str(file)}, stdout=log, stderr=log
        )

    def play():
        while True:
            hall.now += draw.random() < 0.3
            for _ in range(draw.randrange(30)):
                hall.put(
                    role(f"r{draw.randrange(400)}", int(hall.now), score=next(states)),
                    area=draw.choice([WSDX, DL]),
                )
            gevent.sleep(0.02)

    playing, kills = gevent.spawn(play), 0
    process = spout()
    try:
        until = time.monotonic() + SECONDS
        while kills < 3 or time.monotonic() < until:
            hall.asked.clear()
            eventually(lambda: hall.asked, 120)
            gevent.sleep(draw.random() ** 2)
            assert process.poll() is None, (tmp_path / "spout.log").read_text()[-2000:]
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            kills += 1
            process = spout()
        playing.kill()
        expected = {(area, uid): one for area, roles in hall.roles.items() for uid, one in roles.items()}
        eventually(lambda: newest(broker.tuples("syncuser")) == expected or process.poll() is not None, 180)
        assert process.poll() is None, (tmp_path / "spout.log").read_text()[-2000:]
        process.terminate()
        process.wait()
    finally:
        playing.kill()
        process.kill()
        process.wait()
        log.close()
    found = broker.tuples("syncuser")
    assert expected and newest(found) == expected
    check_names(found)
    assert {one["id"] for one in found} == {json.loads(line)["id"] for line in journal(tmp_path / "data")}
    assert len({one["score"] for one in found}) == len(found), "no state has two names"


def pipe(config, data):
    reading, writing = os.pipe()
    child = subprocess.Popen(
        [sys.executable, "-c", "import sys; sys.stdout.buffer.write(sys.stdin.buffer.read())"],
        stdin=subprocess.PIPE, stdout=writing,
    )  # fmt: skip
    os.close(writing)
    piped = Piped(config)
    try:
        child.stdin.write(data)
        child.stdin.close()
        return piped.read(reading)
    finally:
        piped.close()
        os.close(reading)
        child.wait()


def test_a_journal_played_back_twice_and_reversed(tmp_path, broker, hall):
    interface = Roles(url=hall.template, clock_url=hall.clock_url, every_seconds=0.05)
    config = Config(data=tmp_path / "data", broker=broker.section, syncuser=interface, games=GAMES)
    node = SyncuserSpout(config, AREAS)
    node.start()
    for step in range(5):
        hall.put(*(role(str(n), BEGIN + step, score=step) for n in range(step, 100, step + 1)))
        hall.put(*(role(str(n), BEGIN + step, score=step) for n in range(10)), area=DL)
        rounds(node, hall)
    node.stop()
    lines, before = journal(config.data), broker.tuples("syncuser")
    assert len(lines) == len(before) > 250
    assert pipe(config, b"".join(lines)) == LineCounts(len(lines), 0, len(lines), 0)
    other = RunningBroker(tmp_path / "other" / "broker")
    elsewhere = msgspec.structs.replace(config, data=tmp_path / "other", broker=other.section)
    backwards = b"".join(reversed(lines))
    try:
        assert pipe(elsewhere, b"".join(lines[50:120])).accepted == 70
        assert pipe(elsewhere, backwards + backwards) == LineCounts(
            2 * len(lines), len(lines) - 70, len(lines) + 70, 0
        )
        assert sorted(other.tuples("syncuser"), key=str) == sorted(before, key=str)
        bad = lines[0].replace(b'"grade":3', b'"grade":"x"').replace(b':1",', b':900001",')
        assert pipe(elsewhere, bad) == LineCounts(1, 0, 0, 1)
    finally:
        other.stop()


def test_the_simulated_games_roles(tmp_path, broker, monkeypatch):
    """Whole, with pages and faults, while the game goes on: each role is in the end as the game's own book says."""
    monkeypatch.setattr(poller, "FIRST_DELAY", 0.01)
    settings = WorldSettings(date(2026, 3, 2), areas=2, players=1500, days=3)
    game = SimulatedGame(settings, tmp_path / "game", speed=3 * 86400 / 6)
    server = serve(game, faults=0.05)
    areas = Areas(Area(s.id, s.game, s.plat, zone(settings.timezone)) for s in game.servers)
    url = f"http://127.0.0.1:{server.server_port}"
    interface = Roles(
        url=url + "/syncuser?since={since}&area={area}&page={page}",
        clock_url=url + "/clock",
        every_seconds=0.1,
        timeout_seconds=5,
    )
    node = SyncuserSpout(Config(data=tmp_path / "data", broker=broker.section, syncuser=interface), areas)
    node.start()
    playing = gevent.spawn(game.run)
    step_until(node, playing.ready)
    playing.get()

    def expected():
        return {(one["area"], one["uid"]): one for s in game.servers for one in game.ledger.roles(s.id)}

    def found():
        where = {area.id: {"game": area.game, "area": area.id, "plat": area.plat} for area in areas.values()}
        return {key: one | where[key[0]] for key, one in newest(broker.tuples("syncuser")).items()}

    until = iter(range(200))
    while found() != expected() and next(until, None) is not None:
        node.step()
    tuples = broker.tuples("syncuser")
    node.stop()
    server.stop(timeout=1)
    assert len(expected()) > 1000 and found() == expected()
    check_names(tuples)
    decode = msgspec.json.Decoder(SyncuserTuple).decode
    assert all(decode(line).grade >= 0 for line in journal(tmp_path / "data"))
    assert node.state()["published"] == len(tuples) and node.state()["rejected"] == 0
    game.close()
