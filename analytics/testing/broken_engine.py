"""Engines that a crash test breaks while they count: what can happen to each besides the death of the suite's nodes."""

import random
from pathlib import Path
from typing import Literal, Self

from analytics.testing.spark import SparkCluster

LOCAL, SPARK = "local", "spark"
ENGINES = (LOCAL, SPARK)
EngineKind = Literal["", "local", "spark"]

SECTION = """[engine]
kind = "{kind}"
batch_seconds = 0.5
block_mb = 1
batch_mb = 8
tasks = 2
"""
SPECULATION = {
    "spark.speculation": "true",
    "spark.speculation.interval": "50ms",
    "spark.speculation.multiplier": "1.1",
    "spark.speculation.quantile": "0.3",
}
"""Whatever takes a little longer than others is run twice at a time."""

EVERY_GAME_IS_LARGE = """[timers]
max_known_mb = 0.001
every_seconds = 2
"""
"""So the cluster computes timer bolts as well."""


class BrokenEngine:
    """What counts; without a cluster it has only nodes that die. Used in ``with``, it runs.

    Attributes:
        section: ``[engine]`` of the configuration, "" for broker and workers.
    """

    def __init__(self, section: str = "", cluster: SparkCluster | None = None) -> None:
        self.section = section
        self._cluster = cluster

    def disturb(self, rng: random.Random) -> str:
        """Break something at random, undo it, and return what it was; "" where only nodes can be broken."""
        return self._cluster.disturb(rng) if self._cluster else ""

    def settle(self) -> None:
        """Return when everything runs again."""
        if self._cluster:
            self._cluster.wait_until_up()

    def __enter__(self) -> Self:
        if self._cluster:
            self._cluster.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        if self._cluster:
            self._cluster.stop()


def open_broken_engine(kind: EngineKind, folder: Path) -> BrokenEngine:
    """Return the engine of that kind, "" for broker and workers. ``folder``: for what a cluster writes."""
    if kind != SPARK:
        return BrokenEngine(SECTION.format(kind=kind) if kind else "")
    cluster = SparkCluster(folder)
    settings = {**cluster.conf(), **SPECULATION}
    conf = ", ".join(f'"{name}" = "{value}"' for name, value in settings.items())
    section = (
        f'{SECTION.format(kind=kind)}master = "{cluster.url}"\nconf = {{ {conf} }}\n{EVERY_GAME_IS_LARGE}'
    )
    return BrokenEngine(section, cluster)
