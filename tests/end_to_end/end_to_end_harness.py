"""A suite of real processes, and what the end-to-end tests do with it."""

import os
import subprocess
import sys
from pathlib import Path

from analytics.broker.clients import Refill
from analytics.broker.wire import BrokerState
from analytics.config import Config
from analytics.runtime.draining import drain
from analytics.store import open_store
from analytics.testing.ports import free_ports
from analytics.testing.setting import on_ports

ROOT = Path(__file__).resolve().parents[2]
NODES = [["broker"], ["workers", "timers"]]
"""What runs beside a MongoDB, by process: few, as each takes time to start. Without one, the node ``store`` comes first."""

COUNTING = "workers+timers"
"""The name of the process that counts."""


def configured(folder: Path, areas: dict[str, dict[str, str]], timezone: str, mongodb: str) -> Path:
    """Write a configuration with free ports.

    Args:
        areas: maps an area to its ``game`` and ``plat``.
        mongodb: the section ``[mongodb]`` or ``[store]``, as TOML.
    """
    text = f'data = "data"\n{on_ports(*free_ports(4))}{mongodb}[worker]\nflush_seconds = 0.2\n'
    for game in sorted({area["game"] for area in areas.values()}):
        text += f'[games.{game}]\ntimezone = "{timezone}"\n'
    for key, area in areas.items():
        text += f'[games.{area["game"]}.areas.{key}]\nplat = "{area["plat"]}"\n'
    file = folder / "analytics.toml"
    file.write_text(text)
    return file


def pipe(file: Path, lines: list[bytes], *words: str) -> str:
    """Pipe lines in, as a process of its own, and return its closing line."""
    done = subprocess.run(
        [sys.executable, "-m", "analytics", "--config", str(file), "read-stdin-gamelog", *words],
        input=b"".join(line + b"\n" for line in lines),
        capture_output=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode().splitlines()[-1]


def settled(config: Config) -> BrokerState:
    """Wait until everything accepted is counted; return the broker's books."""
    drain(config, 300)
    refill = Refill(config.broker, 60)
    try:
        return refill.state()
    finally:
        refill.close()


def documents(config: Config, collection: str) -> list[dict[str, object]]:
    """Return a collection's documents as they are stored, without parts."""
    store = open_store(config)
    try:
        return [one for one in store.find(collection) if "part_of" not in one]
    finally:
        store.close()
