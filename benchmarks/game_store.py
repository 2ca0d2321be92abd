"""A store full of a benchmark's documents."""

import itertools
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import click
from pymongo import MongoClient, WriteConcern

from analytics.config import Config, load
from analytics.core.periods import zone
from analytics.runtime.suite import Suite
from analytics.store import embedded_uri
from analytics.store.mongo import indexes
from analytics.testing.ports import free_ports
from benchmarks.game_days import GAME, World

DATABASE = "analytics_benchmark"
AT_ONCE = 2_000
TIMEZONE = "Asia/Shanghai"
STORE, BROKER, DASHBOARD = ["store"], ["broker"], ["dashboard"]


def configure(folder: Path, world: World, uri: str) -> Path:
    """Write a configuration that claims the world's areas, and return its path. ``uri``: "" for the node ``store``."""
    folder.mkdir(parents=True, exist_ok=True)
    receiver, sender, refill, store, dashboard = free_ports(5)
    claimed = "\n".join(
        f'{area} = {{ plat = "{world.plat(n)}", server_name = "server{n + 1}" }}'
        for n, area in enumerate(world.ids())
    )
    path = folder / "analytics.toml"
    path.write_text(
        f'data = "data"\ntimezone = "{TIMEZONE}"\n[mongodb]\nuri = "{uri}"\ndatabase = "{DATABASE}"\n'
        f"[store]\nport = {store}\n[dashboard]\nport = {dashboard}\n"
        f"[broker]\nreceiver_port = {receiver}\nsender_port = {sender}\nrefill_port = {refill}\n"
        f"[games.{GAME}.areas]\n{claimed}\n"
    )
    return path


def nodes(config: Config) -> list[list[str]]:
    """Return the nodes that the store needs."""
    return [] if config.mongodb.uri else [STORE]


def address(config: Config) -> str:
    """Return where any client finds the store."""
    return config.mongodb.uri or embedded_uri(config)


def filled(folder: Path, areas: int, days: int, uri: str) -> Path:
    """Return the configuration of a store with so many areas and days in ``folder``; fill it where that was not done yet."""
    done = folder / f"filled-{areas}-{days}"
    zone_ = zone(TIMEZONE)
    world = World(areas, days, zone_.local(int(time.time())).date(), zone_)
    path = configure(folder, world, uri)
    if done.exists():
        age = datetime.now() - datetime.fromtimestamp(done.stat().st_mtime)
        click.echo(f"{folder} was filled {age} ago: {done.read_text()}")
        return path
    begin = time.monotonic()
    config = load(path)
    with Suite(path, [*nodes(config), BROKER]):
        count = fill(config, world)
    summary = f"{count:,} documents in {time.monotonic() - begin:.0f} s"
    done.write_text(summary)
    click.echo(f"{areas:,} areas, {days} days: {summary}")
    return path


def fill(config: Config, world: World) -> int:
    """Write every document of ``world``; return how many. Indexes are the readers' own."""
    total = 0
    client: MongoClient[dict[str, Any]] = MongoClient(address(config))
    with client:
        client.drop_database(DATABASE)
        for name, documents in world.collections():
            # What is measured comes later: no insert waits for the disk.
            collection = client[DATABASE].get_collection(name, write_concern=WriteConcern(w=1, j=False))
            if total == 0 or collection.estimated_document_count() == 0:
                for fields in indexes(name):
                    collection.create_index([(field, 1) for field in fields])
            count, begin = 0, time.monotonic()
            while some := list(itertools.islice(documents, AT_ONCE)):
                collection.insert_many(some, ordered=False)
                count += len(some)
            total += count
            click.echo(f"    {name:16} {count:10,} documents {time.monotonic() - begin:6.0f} s", err=True)
    return total
