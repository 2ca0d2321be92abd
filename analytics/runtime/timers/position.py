"""How far the timer bolts are, kept in the store, and who may go on from there."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import msgspec

from analytics.broker.wire import Head
from analytics.errors import AnalyticsError
from analytics.store import POSITIONS, Store, Write

NODE = "timers"

LAYOUT = 2
"""Which collections a saved position is about; it is raised when there are new ones, which are then computed from all that is
stored."""


class Overtaken(AnalyticsError):
    """Another instance has gone on from the saved position."""


@dataclass
class Saved:
    """What is stored.

    Attributes:
        log, heads: everything through these messages is in the documents.
        now: the time that the documents were computed for, in Unix seconds; 0 before there was any.
        run: the run that is under way, or ended half-way; "" if none is.
        version: of the stored document, 0 if there is none.
        layout: see ``LAYOUT``.
        rules: those by which documents were counted: see :func:`~analytics.runtime.timers.rules.rules`.
    """

    log: str = ""
    heads: dict[str, Head] = field(default_factory=dict)
    now: int = 0
    run: str = ""
    version: int = 0
    layout: int = LAYOUT
    rules: dict[str, str] = field(default_factory=dict)


class TimersPosition:
    """The saved position. An instance that begins a run writes that there, on condition that no other has since it looked.

    So an instance that was overtaken while it was stalled learns it before it writes from what it remembers; and one
    that finds a run that did not end knows that documents may be written whose tuples were never published.
    """

    def __init__(self, store: Store, me: str) -> None:
        self._store = store
        self._me = me
        self._in_doubt = False
        self.saved = Saved()

    def load(self) -> Saved:
        """Take up what is stored."""
        found = self._load()
        self._in_doubt = False
        self.saved = Saved()
        if found is not None:
            heads = {topic: Head(*head) for topic, *head in found["topics"]}
            self.saved = Saved(
                found["log"], heads, found["now"], found.get("run", ""), found["_v"], found.get("layout", 0),
                found.get("rules", {}),
            )  # fmt: skip
        return self.saved

    def begin(self, run: str) -> None:
        """Write that a run is under way. Raise Overtaken if another instance is at work."""
        # What the tuples spoke of has to be seen by this run, also on a primary that was just elected.
        self._store.barrier()
        if self._in_doubt:
            self._resolve()
        saved = self.saved
        self._write(replace(saved, run=run, version=saved.version + 1))

    def finish(self, log: str, heads: dict[str, Head], now: int, rules: dict[str, str]) -> None:
        """Write that everything through ``heads`` and ``now`` is in the documents. Raise Overtaken as above."""
        version = self.saved.version + 1
        self._write(Saved(log, heads, now, "", version, rules=rules))

    def check(self) -> None:
        """Raise Overtaken if another instance has written since."""
        found = self._load()
        if found is None or found["_v"] != self.saved.version:
            raise Overtaken(_OVERTAKEN)

    def went_on(self, version: int) -> None:
        """Take it that this run has gone on elsewhere, and the saved position is at that version."""
        self.saved = replace(self.saved, version=version)

    def _write(self, new: Saved) -> None:
        document: dict[str, Any] = {
            "log": new.log,
            "topics": [[topic, *msgspec.structs.astuple(head)] for topic, head in new.heads.items()],
            "now": new.now,
            "layout": new.layout,
            "rules": new.rules,
            "by": self._me,
            "_v": new.version,
            "updated": datetime.now(UTC),
        }
        if new.run:
            document["run"] = new.run
        self._in_doubt = True  # until the store has answered: the write may still take effect
        if self._store.write(POSITIONS, [Write(NODE, document, self.saved.version)]):
            raise Overtaken(_OVERTAKEN)
        self._in_doubt = False
        self.saved = new

    def _resolve(self) -> None:
        """Learn whether the last write took effect, of which the store gave no answer."""
        expected, found = self.saved.version, self._load()
        if found is not None and found["_v"] != expected and found["by"] != self._me:
            raise Overtaken(_OVERTAKEN)
        self.load()

    def _load(self) -> dict[str, Any] | None:
        return self._store.load(POSITIONS, [NODE]).get(NODE)


_OVERTAKEN = "another instance of timers has gone on meanwhile; beginning again where it stands"
