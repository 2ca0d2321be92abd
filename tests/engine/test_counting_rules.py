"""What tasks know of a configuration, and what a batch keeps of it."""

import pickle
from pathlib import Path

import pytest

from analytics.config import (
    AreaSection,
    Config,
    EngineSection,
    EtcdSection,
    Game,
    GamelogSection,
    MongoDB,
    Source,
)
from analytics.config.sections import FunnelSection, Roles
from analytics.engine.blocks import Uncountable
from analytics.engine.context import running_bolts, task_context
from analytics.engine.position import PLANS_KEPT
from analytics.engine.rules import COLLECTION, CountingRules, KeptRules
from analytics.store import MemoryStore

SECRET = "s3cr3t"
AREAS = {"549140c8dbdb67794fc0fa3b": AreaSection(plat="1")}


def config_of(folder: Path, timezone: str = "Asia/Tokyo") -> Config:
    return Config(
        data=folder,
        engine=EngineSection(kind="spark", master="spark://h:1", conf={"spark.authenticate.secret": SECRET}),
        mongodb=MongoDB(uri="mongodb://u:password@db/"),
        etcd=EtcdSection(endpoints=[f"http://u:{SECRET}@h:1"]),
        syncuser=Roles(url=f"http://h/?token={SECRET}", headers={"token": SECRET}),
        gamelog=GamelogSection(
            sources=[
                Source(
                    name="log", kind="http", url=f"http://{SECRET}@h/", headers={"token": SECRET}, format="json",
                    opcode="login_logcount",
                ),
                Source(name="plain", kind="http", url=f"http://{SECRET}@h/"),
            ]
        ),
        games={"dl": Game(timezone=timezone, areas=AREAS)},
        funnels={"one": FunnelSection(["signup", "createrole"])},
    )  # fmt: skip


def test_tasks_know_no_secret_but_the_address_of_the_store(tmp_path: Path) -> None:
    config = config_of(tmp_path)
    context = task_context(config, tmp_path, "engine:1")
    assert SECRET.encode() not in pickle.dumps(context)
    assert context.uri == "mongodb://u:password@db/" and not context.config.mongodb.uri
    assert CountingRules.of(context.config) == CountingRules.of(config)
    assert running_bolts(context.config).keys() == running_bolts(config).keys() > {"acctstep"}


def test_rules_are_kept_as_long_as_plans(tmp_path: Path) -> None:
    store = MemoryStore()
    kept = KeptRules(store)
    rules = [CountingRules.of(config_of(tmp_path, zone)) for zone in ("Asia/Tokyo", "Europe/Berlin", "UTC")]
    kept.keep(rules[0], 1)
    kept.keep(rules[1], 10)
    kept.keep(rules[2], 9 + PLANS_KEPT)
    assert [kept.load(one.fingerprint, 5) for one in rules] == rules
    kept.keep(rules[2], 11 + PLANS_KEPT)
    assert set(store.ids(COLLECTION)) == {one.fingerprint for one in rules[1:]}
    with pytest.raises(Uncountable, match="batch 5 has begun by another configuration"):
        kept.load(rules[0].fingerprint, 5)
