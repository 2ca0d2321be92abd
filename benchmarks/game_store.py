"""A store full of a benchmark's documents: the embedded server's, or a database of the MongoDB that a variable names."""

import itertools
import os
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import click
from pymongo import MongoClient

from analytics.config import Config, load
from analytics.core.periods import zone
from analytics.runtime.suite import Suite
from analytics.store import embedded_uri
from analytics.store.mongo import FURTHER_INDEXES, READERS_INDEXES
from analytics.testing.ports import free_ports
from benchmarks.game_days import GAME, World

URI = "ANALYTICS_TEST_MONGODB_URI"
DATABASE = "analytics_benchmark"
AT_ONCE = 2_000
TIMEZONE = "Asia/Shanghai"
STORE, BROKER, DASHBOARD = ["store"], ["broker"], ["dashboard"]


def configure(folder: Path, world: World) -> Path:
    """Write a configuration that claims the world's areas, and return its path."""
    receiver, sender, refill, store, dashboard = free_ports(5)
    claimed = "\n".join(
        f'{area} = {{ plat = "{world.plat(n)}", server_name = "server{n + 1}" }}'
        for n, area in enumerate(world.ids())
    )
    variable = URI if os.environ.get(URI) else ""
    path = folder / "analytics.toml"
    path.write_text(
        f'data = "data"\ntimezone = "{TIMEZONE}"\n[mongodb]\nuri_env = "{variable}"\ndatabase = "{DATABASE}"\n'
        f"[store]\nport = {store}\n[dashboard]\nport = {dashboard}\n"
        f"[broker]\nreceiver_port = {receiver}\nsender_port = {sender}\nrefill_port = {refill}\n"
        f"[games.{GAME}.areas]\n{claimed}\n"
    )
    return path


def stores() -> list[list[str]]:
    """Return the nodes that a store needs."""
    return [] if os.environ.get(URI) else [STORE]


def uri(config: Config) -> str:
    return os.environ.get(URI) or embedded_uri(config)


def filled(folder: Path, areas: int, days: int) -> Path:
    """Return the configuration of a store with so many areas and days in ``folder``; fill it where that was not done yet."""
    path, done = folder / "analytics.toml", folder / f"filled-{areas}-{days}"
    zone_ = zone(TIMEZONE)
    world = World(areas, days, zone_.local(int(time.time())).date(), zone_)
    if done.exists():
        age = datetime.now() - datetime.fromtimestamp(done.stat().st_mtime)
        click.echo(f"{folder} was filled {age} ago: {done.read_text()}")
        return path
    folder.mkdir(parents=True, exist_ok=True)
    path = configure(folder, world)
    begin = time.monotonic()
    with Suite(path, stores()):
        count = fill(load(path), world)
    told = f"{count:,} documents in {time.monotonic() - begin:.0f} s"
    done.write_text(told)
    click.echo(f"{areas:,} areas, {days} days: {told}")
    return path


def fill(config: Config, world: World) -> int:
    """Write every document of ``world``; return how many. Indexes are the readers' own."""
    total = 0
    client: MongoClient[dict[str, Any]] = MongoClient(uri(config))
    with client:
        client.drop_database(DATABASE)
        for name, documents in world.collections():
            collection = client[DATABASE][name]
            if total == 0 or collection.estimated_document_count() == 0:
                for fields in (*READERS_INDEXES, *FURTHER_INDEXES.get(name, ())):
                    collection.create_index([(field, 1) for field in fields])
            count, begin = 0, time.monotonic()
            while some := list(itertools.islice(documents, AT_ONCE)):
                collection.insert_many(some, ordered=False)
                count += len(some)
            total += count
            click.echo(f"    {name:16} {count:10,} documents {time.monotonic() - begin:6.0f} s", err=True)
    return total
