"""A month through real processes, with repeated lines and a crash: all documents equal the second opinion."""

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from datetime import date
from pathlib import Path
from random import Random

import gevent
from databases import Database
from forms import LONG, THOROUGH
from near_suite import MERGED_ON, money_of
from plain_numbers import FUNNELS, Record, World, emptied, of_days, of_records, of_steps
from raw_months import AUTUMN, sent, world
from role_interface import RoleInterface
from sameness import differences, public

from analytics.broker.clients import Refill
from analytics.config import Config
from analytics.runtime.draining import drain
from analytics.runtime.suite import Suite
from analytics.store import open_store
from analytics.testing.ports import free_ports
from analytics.testing.setting import on_ports

ROOT = Path(__file__).resolve().parents[2]
NODES = [["broker"], ["workers", "timers"], ["syncuser"]]
WITHIN_SECONDS = 900
SHORTER = (
    {"first": date(2018, 10, 20), "players": 3} if THOROUGH else {"first": date(2018, 10, 27), "players": 2}
)
MONTHS = AUTUMN if LONG else replace(AUTUMN, **SHORTER)
ROLE = {"uid", "ts", "name", "grade", "rest_yuanbao", "birthday", "acctid", "score", "login_time"}


def configured(folder: Path, there: World, roles: RoleInterface, mongodb: str) -> Path:
    """Write a configuration of the world's games with free ports; ``mongodb``: its section, as TOML."""
    text = f"""data = "data"
{on_ports(*free_ports(4))}
{mongodb}[worker]
flush_seconds = 0.2
[syncuser]
url = "{roles.template}"
every_seconds = 1
"""
    for game, zone in there.zones.items():
        text += f'[games.{game}]\ntimezone = "{zone}"\n'
        money = money_of(there, game)
        if money:
            text += f'currency = "{money["currency"]}"\n'
        for currency, days in money.get("rates", {}).items():
            text += f"[games.{game}.rates.{currency}]\n"
            text += "".join(f'{day} = "{rate}"\n' for day, rate in days.items())
    for id_, one in there.areas.items():
        text += f'[games.{one.game}.areas.{id_}]\nplat = "{one.plat}"\ntimezone = "{one.zone}"\n'
        if one.money:
            text += f'currency = "{one.money.area}"\n'
        if id_ in there.merged:
            text += f'merged_into = "{there.merged[id_]}"\nmerged_on = "{MERGED_ON}"\n'
    for name, (steps, within) in FUNNELS.items():
        text += f'[funnels.{name}]\nsteps = {json.dumps(steps)}\nwithin = "{within // 3600}h"\n'
    file = folder / "analytics.toml"
    file.write_text(text)
    return file


def pipe(file: Path, lines: list[str]) -> str:
    """Pipe lines in, as a process of its own, and return its closing line."""
    done = subprocess.run(
        [sys.executable, "-m", "analytics", "--config", str(file), "read-stdin-gamelog", "replay"],
        input="".join(line + "\n" for line in lines).encode(),
        capture_output=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=WITHIN_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode().splitlines()[-1]


def in_order(records: list[Record]) -> list[Record]:
    """Return records so that of each role the newest state is the last."""
    return sorted(
        records, key=lambda one: (one[1]["ts"], one[1].get("at", 0), int(one[1]["id"].rpartition(":")[2]))
    )


def until_collected(config: Config, roles: int) -> None:
    """Wait until the broker has so many roles."""
    refill, until = Refill(config.broker, WITHIN_SECONDS), time.monotonic() + WITHIN_SECONDS
    try:
        while (head := refill.state().heads.get("syncuser")) is None or head.records < roles:
            assert time.monotonic() < until, head
            gevent.sleep(0.2)
    finally:
        refill.close()


def test_a_month_through_the_suite(tmp_path: Path, database: Database):
    random = Random(21)
    records = [one.record for one in sent(21, MONTHS)]
    piped = [one for one in records if one[0] != "syncuser"]
    newest = {
        (one["area"], one["uid"]): (topic, one) for topic, one in in_order(records) if topic == "syncuser"
    }
    lines = [json.dumps(one, separators=(",", ":")) for _, one in piped]
    random.shuffle(lines)
    half = len(lines) // 2
    again = random.sample(lines[:half], half // 2)
    roles = RoleInterface(
        {name: value for name, value in one.items() if name in ROLE | {"area"}} for _, one in newest.values()
    )
    file = configured(tmp_path, world(), roles, database.toml)
    try:
        with Suite(file, NODES) as suite:
            assert pipe(file, lines[:half]) == f"read {half}, accepted {half}, repeated 0, rejected 0"
            suite.kill("workers+timers")
            suite.restart("workers+timers")
            new = len(lines) - half
            rest = lines[half:] + again
            random.shuffle(rest)
            assert pipe(file, rest) == f"read {len(rest)}, accepted {new}, repeated {len(again)}, rejected 0"
            until_collected(suite.config, len(newest))
            drain(suite.config, WITHIN_SECONDS)
            counted = [*piped, *newest.values()]
            now = int(time.time())
            expected = of_records(world(), counted) | of_steps(world(), counted)
            expected |= of_days(world(), counted, now)
            store = open_store(suite.config)
            try:
                found = {
                    name: public(
                        {
                            one["_id"]: store.whole(name, one)
                            for one in store.find(name)
                            if "part_of" not in one
                        }
                    )
                    for name in expected
                }
            finally:
                store.close()
    finally:
        roles.stop()
    assert all(expected.values())
    assert differences(expected, found, emptied(world(), counted, now)) == []
