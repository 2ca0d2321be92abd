"""Forgetting where an engine counts: its journals are those of all hosts, and no batch may begin until all is done.

    no batch has begun ─▶ (all is looked at) ─▶ position held by "forget" ─▶ everything is replaced ─▶ position free

The hold is a write of the position on condition of the version that was read before all was looked at. So a driver that has gone on meanwhile,
on whatever host, is noticed before anything is changed, and one that starts later finds the hold and waits.
"""

import shutil
import time
from collections.abc import Callable

from analytics.broker.opening import FORGETTING as MARK
from analytics.config import Config
from analytics.engine.engines.local import FOLDER
from analytics.engine.engines.spark import DELTAS, SCRATCH
from analytics.engine.position import FORGETTING, HELD_SECONDS, DriverOvertaken, EnginePosition, SavedPosition
from analytics.engine.rules import COLLECTION as RULES
from analytics.engine.rules import CountingRules
from analytics.errors import AnalyticsError, Unavailable
from analytics.runtime.engine_progress import counting
from analytics.spouts.ends import journal_folders, shared_folder
from analytics.store import Store
from analytics.system import files

LOOK_SECONDS = 1.0
"""Between looks whether a backfill still renews its hold."""

Say = Callable[[str], None]


class EngineAtRest:
    """Keeps an engine from counting while accts are forgotten. Without one, nothing is done.

    Every method raises Unavailable if the store or the shared folder does not answer.
    """

    def __init__(self, config: Config, store: Store) -> None:
        self._config = config
        self._store = store
        self._position = EnginePosition(store)
        self._saved: SavedPosition | None = None
        self._fingerprint = CountingRules.of(config).fingerprint

    def expect(self, dry: bool, say: Say) -> None:
        """Raise AnalyticsError where a batch has begun, a backfill runs, or journals are away: before anything is looked at.

        ``dry``: whether nothing will be changed.
        """
        if not self._config.engine.kind:
            if counting(self._store) == "engine":
                raise AnalyticsError(
                    "an engine counts in this database, and the configuration has no [engine]: put it back, as its journals have to be "
                    "replaced as well, or call `bin/analytics engine release` with it"
                )
            return
        saved = self._position.load()
        self._expect_journals(saved)
        if saved.held and saved.held != FORGETTING:
            saved = self._without_holder(saved, dry, say)
        plan = self._position.plan(saved.batch + 1)
        otherwise = plan is not None and plan.rules not in ("", self._fingerprint)
        if saved.frozen or otherwise:
            raise AnalyticsError(
                f"batch {saved.batch + 1} of the engine has begun{' by another configuration' if otherwise else ''}, and its tasks may still "
                "have accts. Nothing was changed: start the suite, call `bin/analytics drain`, stop it, and call this again"
            )
        self._saved = saved

    def hold(self) -> None:
        """Let no batch begin from now on, and no spout of this folder acknowledge anything. Raise AnalyticsError where one has begun."""
        if self._saved is None:
            return
        try:
            self._position.hold(self._saved, FORGETTING)
        except DriverOvertaken as error:
            raise AnalyticsError(
                "the engine has gone on meanwhile, so a node runs. Nothing was changed: stop the suite on all hosts, and call this again"
            ) from error
        mark = shared_folder(self._config) / MARK
        if mark.parent != self._config.data:
            files.write(mark, b"")

    def clean(self) -> None:
        """Remove what tasks that were killed have left, and rules of earlier batches, which may name accts that were excluded then."""
        if self._saved is None:
            return
        shared = shared_folder(self._config)
        for folder in (self._config.data / FOLDER, shared / DELTAS, shared / SCRATCH):
            shutil.rmtree(folder, ignore_errors=True)
        self._store.delete(RULES, [id_ for id_ in self._store.ids(RULES) if id_ != self._fingerprint])

    def free(self) -> None:
        """Let batches begin, if this holds them."""
        if self._saved is None:
            return
        (shared_folder(self._config) / MARK).unlink(missing_ok=True)
        saved = self._position.load()
        if saved.held == FORGETTING:
            self._position.resume(saved)

    def _expect_journals(self, saved: SavedPosition) -> None:
        """Raise Unavailable where storage is not mounted: documents would have pseudonyms, and journals not."""
        shared = shared_folder(self._config)
        known = {*journal_folders(self._config)}
        missing = {(shared / journal).parent for journal in saved.ends} - known
        if not shared.is_dir() or missing:
            raise Unavailable(
                f"{min(missing, default=shared)} is missing, where journals lie: is the storage of engine.shared mounted? Nothing was changed"
            )

    def _without_holder(self, saved: SavedPosition, dry: bool, say: Say) -> SavedPosition:
        """Wait until it is sure that a backfill has died, and end its hold as a driver does. Raise AnalyticsError if it runs."""
        say("waiting whether a backfill still runs")
        until = time.monotonic() + HELD_SECONDS
        while time.monotonic() < until:
            time.sleep(LOOK_SECONDS)
            now = self._position.load()
            if now.version != saved.version:
                raise AnalyticsError(
                    "`bin/analytics engine backfill` runs, on this host or another: let it end, then call this again. Nothing was changed"
                )
        return saved if dry else self._position.release(saved)
