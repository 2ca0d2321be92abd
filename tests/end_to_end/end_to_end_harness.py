"""A suite of real processes, and what the end-to-end tests do with it."""

import tempfile
from contextlib import closing
from pathlib import Path

from analytics.broker.clients import Refill
from analytics.broker.wire import BrokerState
from analytics.config import Config, load
from analytics.runtime.draining import drain
from analytics.spouts.stdin import Piped
from analytics.store import open_store
from analytics.testing.ports import free_ports
from analytics.testing.setting import on_ports

ROOT = Path(__file__).resolve().parents[2]
NODES = [["broker"], ["workers", "timers"]]
"""What runs beside a MongoDB, by process: few, as each takes time to start. Without one, the node ``store`` comes first."""

IN_ONE = [[name for names in NODES for name in names]]
"""The same in one process, where a test kills none of them."""

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


def pipe(file: Path, lines: list[bytes], source: str = "") -> str:
    """Put lines in as ``read-stdin-gamelog`` does, and return its closing line.

    Args:
        source: the name of lines that have no id.
    """
    with tempfile.TemporaryFile() as stream:
        stream.writelines(line + b"\n" for line in lines)
        stream.seek(0)
        with closing(Piped(load(file), source)) as piped:
            return str(piped.read(stream.fileno()))


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
