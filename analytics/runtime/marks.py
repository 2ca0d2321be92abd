"""What bolts with totals report when their documents have changed, unless ``timers`` reads what they publish: a tuple of ``changes``.

    {"id": "changes@worker:7", "bolt": "coinday", "game": "dl", "ts": [1420646400], "tuples": 0}

It says of a game when the periods begin of which a document of any area has changed, and accounts for no records.
"""

from collections import defaultdict
from collections.abc import Iterable

from analytics.bolts import BOLTS
from analytics.core.areas import Areas
from analytics.core.bolt import Bolt, Key
from analytics.core.document import Fields


def reports_changes(bolt: Bolt) -> bool:
    """Whether a bolt reports its changes by such tuples: the node ``timers`` reads what built-in bolts with totals publish."""
    return bolt.totals and not (bolt.publishes and bolt.name in BOLTS)


class Marks:
    """Gathers what has changed."""

    def __init__(self) -> None:
        self._starts: dict[tuple[str, str, str], set[int]] = defaultdict(set)

    def note(self, bolt: Bolt, game: str, ts: int, area: str = "") -> None:
        """Note that a document was written, or may have been. ``area``: whose, where readers need to know."""
        self._starts[bolt.name, game, area].add(ts)

    def note_keys(self, bolt: Bolt, keys: Iterable[Key], areas: Areas) -> None:
        """Note the documents of these keys."""
        for area, ts, *_ in keys:
            self.note(bolt, areas[area].game, ts)

    def tuples(self) -> list[Fields]:
        """Return a tuple for each bolt and game, and area that was noted."""
        return [
            {
                "bolt": bolt,
                "game": game,
                **({"area": area} if area else {}),
                "ts": sorted(starts),
                "tuples": 0,
            }
            for (bolt, game, area), starts in self._starts.items()
        ]
