"""Starts an engine for the rules that a batch follows, which may be those of before."""

from pathlib import Path

from analytics.config import Config
from analytics.engine.blocks import Uncountable
from analytics.engine.context import running_bolts, task_context
from analytics.engine.engines import BatchEngine
from analytics.engine.position import Plan, SavedPosition
from analytics.engine.rules import CountingRules, KeptRules
from analytics.runtime.declarations import Declarations
from analytics.runtime.rate_notes import RateNotes
from analytics.store import Store

_NOTHING = ("", 0, "")


class EngineStarter:
    """Keeps the engine started as the next batch needs it.

    ``fingerprint``: of the rules that new batches count by.
    """

    def __init__(self, config: Config, store: Store, engine: BatchEngine, shared: Path) -> None:
        self._config = config
        self._store = store
        self._engine = engine
        self._shared = shared
        self._rules = CountingRules.of(config)
        self.fingerprint = self._rules.fingerprint
        self._kept = KeptRules(store)
        self._started = _NOTHING
        self._current = self._rules
        self._noted = ""

    def keep(self, batch: int) -> None:
        """Keep the rules for batches from ``batch`` on."""
        self._kept.keep(self._rules, batch)

    def start(self, saved: SavedPosition, plan: Plan | None) -> None:
        """Have tasks follow the rules of now, or those of a plan; their caches begin empty after a backfill.

        Raise Uncountable if the rules of the plan are gone, or rates that payments need, Unavailable if store or cluster do not answer.
        """
        wanted = (plan and plan.rules) or self.fingerprint
        if self._started == (saved.log, saved.backfills, wanted):
            return
        if plan is None:
            for text in RateNotes(self._config, self._store).lost():
                raise Uncountable(text)
        rules = self._rules if wanted == self.fingerprint else self._kept.load(wanted, saved.batch + 1)
        self._started = _NOTHING
        self._engine.start(task_context(self._config, self._shared, saved.log, rules))
        self._started = (saved.log, saved.backfills, wanted)
        self._current = rules

    def doubt(self) -> None:
        """Take it that others may have noted something else."""
        self._noted = ""

    def note_rules(self) -> None:
        """Note by which declarations, excluded accts and rates documents are counted from now on, if that is not noted yet.

        To be called once a batch is frozen, before it is settled: no batch of other rules can change documents any more, so
        those that there are say what was counted otherwise. Raise Unavailable if the store does not answer.
        """
        current = self._current.fingerprint
        if self._noted != current:
            config = self._current.applied_to(self._config)
            Declarations(config, self._store).note_first_runs(running_bolts(config), None)
            self._noted = current

    def stop(self) -> None:
        """Let go of the engine until the next start."""
        if self._started != _NOTHING:
            self._started = _NOTHING
            self._engine.close()
