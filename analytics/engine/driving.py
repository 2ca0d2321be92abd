"""The driver's process: one batch after the other, until standard input is closed. Run by :mod:`analytics.engine.node`.

    python -m analytics.engine.driving CONFIGURATION PARENT

Standard output has a :class:`DriverReport` of JSON every second.
"""

import logging
import os
import sys
import threading
import time
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from analytics.config import Config, load
from analytics.engine.adopt import begin_to_count
from analytics.engine.blocks import Uncountable
from analytics.engine.engines import BatchEngine
from analytics.engine.game_jobs import GameJobs
from analytics.engine.journals import ClosedJournals
from analytics.engine.live import EngineDriver
from analytics.engine.position import DriverOvertaken
from analytics.errors import AnalyticsError, Unavailable
from analytics.runtime.engine_progress import EngineProgress
from analytics.runtime.logs import set_up
from analytics.spouts.ends import report_counted, shared_folder
from analytics.store import Store, open_store
from analytics.system.processes import die_with

LOOK_SECONDS = 0.5
"""Between looks for new records while there are none."""

RETRY_SECONDS = 1.0
UNCOUNTABLE_SECONDS = 10.0
"""A person has to do something; each try folds again what comes before."""

COUNTED_SECONDS = 30.0
"""How often spouts learn which journals they may delete."""

log = logging.getLogger(__name__)


class DriverReport(msgspec.Struct):
    """What the process reports: its state, and at its end why it can't go on."""

    state: dict[str, Any] = {}
    fatal: str = ""


class Driving:
    """Runs a driver, and reports."""

    def __init__(
        self, config: Config, store: Store, driver: EngineDriver, games: GameJobs | None = None
    ) -> None:
        self._config = config
        self._store = store
        self._noted = False
        self._driver = driver
        self._games = games
        self._shared = shared_folder(config)
        self._batch_seconds = config.engine.batch_seconds
        self._batch_bytes = config.engine.batch_mb * 1e6
        self._error = ""
        self._complete = time.time()
        self._waiting = False
        self._counted_at = 0.0
        self._counted_batch = -1
        self.ending = threading.Event()

    def run(self) -> None:
        """Drive until :attr:`ending` is set. Raise AnalyticsError for what waiting does not repair."""
        while not self.ending.is_set():
            try:
                if not self._noted:
                    begin_to_count(self._config, self._store)
                    self._noted = True
                self.ending.wait(self._batch())
                self._error = ""
            # This is the elected driver: one that has overtaken it was elected before.
            except (Unavailable, DriverOvertaken, OSError) as error:
                self._fail(str(error), RETRY_SECONDS)
            except Uncountable as error:
                self._fail(str(error), UNCOUNTABLE_SECONDS)

    def line(self) -> DriverReport:
        """Return what to report now."""
        state = self._driver.state()
        records = state.pop("records", {})  # status reads them from the store
        lag = time.time() - self._complete if self._waiting or self._error else 0.0
        state["folded"] = sum(records.values())
        error = self._error or (self._games.error if self._games else "") or state.get("error", "")
        return DriverReport({**state, "lag_seconds": round(lag, 1), "error": error})

    def _batch(self) -> float:
        """Do a batch, if there is anything for one; return how long to wait for the next."""
        began = time.time()
        self._waiting = True
        found = self._driver.step()
        backlog = found and self._driver.state()["waiting_bytes"] >= self._batch_bytes
        if not backlog:
            self._complete, self._waiting = began, found
        self._report_counted()
        if backlog:
            return 0.0
        return max(0.0, began + self._batch_seconds - time.time()) if found else LOOK_SECONDS

    def _report_counted(self) -> None:
        """Let spouts know, now and then, what is counted of their journals."""
        if time.monotonic() < self._counted_at:
            return
        position = EngineProgress.load(self._store)
        if position is not None and position.batch != self._counted_batch:
            try:
                report_counted(self._shared, {**ClosedJournals(self._store).ends(), **position.ends})
                self._counted_batch = position.batch
            except OSError as error:
                log.warning("spouts can't learn what is counted, so they keep old journals: %s", error)
        self._counted_at = time.monotonic() + COUNTED_SECONDS

    def _fail(self, error: str, seconds: float) -> None:
        if error != self._error:
            log.warning("%s; trying again", error)
        self._error = error
        self.ending.wait(seconds)


def open_engine(config: Config) -> BatchEngine:
    """Return the engine of a configuration. Only its own libraries are imported."""
    if config.engine.kind == "spark":
        from analytics.engine.engines.spark import SparkEngine

        return SparkEngine(config.engine)
    from analytics.engine.engines.local import LocalEngine

    return LocalEngine(config.engine.tasks)


def main(file: str, parent: str) -> int:
    if not die_with(int(parent)):
        return 1
    _reports()
    config = load(Path(file))
    set_up(config.log_level, config.log_format, ["engine"])
    store = open_store(config)
    engine = open_engine(config)
    driver = EngineDriver(config, store, engine)
    games = GameJobs(config, open_store(config), engine) if config.engine.kind == "spark" else None
    driving = Driving(config, store, driver, games)
    threading.Thread(target=_end_with_stdin, args=(driving.ending,), daemon=True).start()
    threading.Thread(target=_report_for_ever, args=(driving,), daemon=True).start()
    if games:
        threading.Thread(target=games.run, args=(driving.ending,), daemon=True).start()
    try:
        driving.run()
    except AnalyticsError as error:
        log.error("%s", error)
        _print(DriverReport(driving.line().state, str(error)))
        return 1
    finally:
        driver.close()
        store.close()
    return 0


def _report_for_ever(driving: Driving) -> None:
    while True:
        _print(driving.line())
        time.sleep(1)


def _end_with_stdin(ending: threading.Event) -> None:
    sys.stdin.read()
    ending.set()


def _print(line: DriverReport) -> None:
    os.write(_reports(), msgspec.json.encode(line) + b"\n")


@cache
def _reports() -> int:
    """Return what standard output was. What Java prints there belongs to the log."""
    reports = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return reports


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
