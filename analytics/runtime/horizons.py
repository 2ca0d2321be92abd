"""From when on documents of collections are kept: ``documents.keep_days`` drops those of earlier periods.

The note of a collection, in ``positions``: ``{"_id": "dropped:loginhour", "until": 1764374400}``, in Unix seconds. It is written before anything
is dropped, and stays when the configuration keeps documents for longer, or for ever: what is gone does not come back by that.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence

import msgspec

from analytics.core.areas import Areas
from analytics.core.bolt import Bolt, Key
from analytics.core.periods import Zone
from analytics.runtime.position_notes import PositionNotes
from analytics.store import Store

DAY = 86_400

SLACK_DAYS = 5
"""How far the clocks of a writer and of the node ``timers`` may be apart."""


class DropNote(msgspec.Struct, frozen=True):
    """A time (Unix seconds) in the first period of a collection that is kept."""

    until: int


def _notes(store: Store) -> PositionNotes[DropNote]:
    return PositionNotes(store, "dropped", DropNote)


class Horizons:
    """What was dropped. ``until``: per collection, a time (Unix seconds) in the first period that is kept."""

    def __init__(self, until: Mapping[str, int]) -> None:
        self.until = dict(until)

    @classmethod
    def load(cls, store: Store, bolts: Iterable[str]) -> "Horizons":
        """Return those of some collections. Raise Unavailable where the store does not answer."""
        return cls({bolt: note.until for bolt, note in _notes(store).load(bolts).items()})

    def first(self, bolt: Bolt, zone: Zone) -> int:
        """Return the start of the first period of a zone whose documents are kept; 0: none was dropped."""
        until = self.until.get(bolt.name, 0)
        return zone.start(bolt.period, until) if until and bolt.period else 0

    def described(self, zone: Zone) -> str:
        """Return, for ``check``, which documents were dropped; "" if none were."""
        some = [f"{name} before {zone.local(ts):%Y-%m-%d}" for name, ts in sorted(self.until.items())]
        return f"; no longer kept: {', '.join(some)}" if some else ""

    def is_settled(self, bolt: str, end: int) -> bool:
        """Whether documents of a period that ends then may be gone in some zone, so that nothing is to be computed from what is left."""
        return bolt in self.until and end < self.until[bolt] + 3 * DAY

    def move(self, store: Store, bolt: str, until: int) -> None:
        """Note that documents may be dropped up to a time, unless later ones may."""
        if until > self.until.get(bolt, 0):
            _notes(store).save({bolt: DropNote(until)})
            self.until[bolt] = until


class KeptPeriods:
    """What was dropped, for those that write documents meanwhile: :class:`analytics.core.writing.DroppedDocuments`."""

    def __init__(
        self, store: Store, areas: Areas, bolts: Collection[str], keep_days: Mapping[str, int]
    ) -> None:
        self._store = store
        self._areas = areas
        self._bolts = bolts
        self._keep_days = keep_days
        self._noted: Mapping[str, int] | None = None

    def oldest(self, bolt: Bolt, now: float) -> float:
        """As declared. What the configuration no longer drops does not move: its note is read once."""
        if self._noted is None:
            self._noted = Horizons.load(self._store, self._bolts).until
        days = self._keep_days.get(bolt.name)
        until = max(self._noted.get(bolt.name, 0), now - days * DAY if days else 0)
        return until and until + SLACK_DAYS * DAY

    def dropped(self, bolt: Bolt, keys: Sequence[Key]) -> set[Key]:
        """As declared."""
        horizons = Horizons.load(self._store, [bolt.name])
        return {key for key in keys if key[1] < horizons.first(bolt, self._areas[key[0]].zone)}
