"""``analytics simulate`` as a process of its own."""

import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager

import requests

from analytics.config import load


def command(*words):
    return [sys.executable, "-m", "analytics", "simulate", *map(str, words)]


@contextmanager
def simulating(*words):
    """Run it on a free port and yield the process and its url."""
    process = subprocess.Popen(command("--port", 0, *words), stdout=subprocess.PIPE, text=True)
    try:
        yield process, re.search(r"http://[\d.:]+", process.stdout.readline())[0]
    finally:
        process.terminate()
        process.wait(600)
        process.stdout.close()


def test_it_serves_on_after_the_last_day_until_it_is_told_to_end(tmp_path):
    conf = tmp_path / "sim.toml"
    with simulating("--days", 2, "--players", 50, "--speed", 1e7, "--conf", conf, "--data", tmp_path) as (
        process,
        url,
    ):
        until = time.monotonic() + 120
        while not (found := requests.get(url).json())["finished"]:
            assert time.monotonic() < until
            time.sleep(0.05)
        assert len(found["areas"]) == 4
        log = requests.get(url + found["areas"][0]["log"])
        assert log.status_code == 200 and log.content.endswith(b"}}\n")
        config = load(conf)
        assert config.gamelog.sources[0].url == url + found["areas"][0]["log"]
        assert requests.get(config.payment.clock_url).json()["now"] == found["now"] <= time.time()
        assert any("Still serving" in line for line in process.stdout)
        process.send_signal(signal.SIGTERM)
        assert process.wait(600) == 0


def test_the_same_seed_serves_the_same_logs():
    logs = []
    for _ in range(2):
        words = ("--days", 2, "--players", 50, "--speed", 1e7, "--seed", 9, "--from", "2026-03-02", "--flat")
        with simulating(*words) as (_, url):
            while not (found := requests.get(url).json())["finished"]:
                time.sleep(0.05)
            logs.append([requests.get(url + area["log"]).content for area in found["areas"]])
    assert logs[0] == logs[1] and b'"area"' not in logs[0][0] and logs[0][0]


def test_with_exit_it_ends_with_the_last_day():
    words = ("--days", 1, "--players", 20, "--speed", 1e7, "--exit", "--port", 0)
    done = subprocess.run(command(*words), capture_output=True, text=True, timeout=600)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(r"^1 days, [\d,]+ records\.$", done.stdout, re.MULTILINE)


def test_what_can_not_be_is_said():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for words, said in (
            (["--port", port], f"port {port} on 127.0.0.1"),
            (["--timezone", "Mars/Olympus"], "expected an IANA name"),
            (["--from", "2999-01-01"], "reach beyond today"),
            (["--token-env", "NOT_SET_ANYWHERE"], "NOT_SET_ANYWHERE"),
            (["--speed", "0"], "--speed"),
        ):
            done = subprocess.run(command(*words), capture_output=True, text=True, timeout=600)
            assert done.returncode != 0 and said in done.stderr and "Traceback" not in done.stderr, (
                done.stderr
            )
