"""The spout as a process, killed at random: every line is accepted exactly once."""

import os
import random
import subprocess
import sys
import time

import gevent
from forms import THOROUGH
from gamelogs import accts, configured, exactly, line, toml
from waiting import eventually

from analytics.broker.broker import Broker
from analytics.config import Source

SECONDS = float(os.environ.get("ANALYTICS_CRASH_SECONDS", "8" if THOROUGH else "3"))
SEED = int(os.environ.get("ANALYTICS_CRASH_SEED", "0")) or random.randrange(1 << 30)


def spout(file, log):
    command = [sys.executable, "-m", "analytics", "run", "gamelog"]
    return subprocess.Popen(command, env=os.environ | {"ANALYTICS_CONFIG": str(file)}, stdout=log, stderr=log)


def test_killed_at_random_every_line_is_accepted_once(tmp_path, started, web):
    print(f"ANALYTICS_CRASH_SEED={SEED}")
    chance = random.Random(SEED)
    folder = tmp_path / "logs"
    folder.mkdir()
    logs = [folder / "game.log", web.folder / "web.log"]
    sources = [
        Source(name="s1", kind="file", path=str(logs[0]), poll_seconds=0.05),
        Source(name="s2", kind="http", url=web.url("web.log"), poll_seconds=0.05, timeout_seconds=2),
    ]
    config = configured(tmp_path, *sources)
    file = toml(config, tmp_path / "analytics.toml")
    started(Broker(config.broker, config.data))
    written = [0]

    def write():
        while True:
            for log in logs:
                with log.open("ab") as out:
                    for _ in range(chance.randrange(200)):
                        written[0] += 1
                        out.write(line(f"u{written[0]}"))
            if chance.random() < 0.05:
                logs[0].rename(folder / f"game.log.{written[0]}")
            gevent.sleep(0.02 + chance.random() * 0.05)

    with (tmp_path / "spout.log").open("ab") as told:
        process = spout(file, told)
        # What was rotated away before a source was first looked at is not asked for.
        state = config.data / "state" / "gamelog.json"
        eventually(lambda: state.exists() or process.poll() is not None, 120)
        assert process.poll() is None, (tmp_path / "spout.log").read_text()[-2000:]
        writer = gevent.spawn(write)
        kills = 0
        try:
            until = time.monotonic() + SECONDS
            while kills < 3 or time.monotonic() < until:
                gevent.sleep(0.6 + chance.random() * 1.2)
                process.kill()
                process.wait()
                kills += 1
                process = spout(file, told)
            writer.kill()
            eventually(lambda: len(accts(config)) >= written[0] or process.poll() is not None, 180)
            assert process.poll() is None, (tmp_path / "spout.log").read_text()[-2000:]
            exactly(config, 1, written[0], 60)
        finally:
            writer.kill()
            process.kill()
            process.wait()
