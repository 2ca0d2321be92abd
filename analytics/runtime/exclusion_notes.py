"""Whether documents were counted without the accts that the configuration excludes now.

Where a bolt first runs, its worker notes what its games exclude: in the collection ``positions``, ``{"_id": "excluded:loginhour", "games":
{"dl": "24f771e5485b6e48"}}``. A game that is not among them excluded nothing. A rebuild of all days notes the same.
A worker that excludes others than those of its documents notes ``several``: taking the change back does not count what it left out meanwhile.
"""

from collections.abc import Collection, Iterable, Iterator
from hashlib import sha256

import msgspec

from analytics.config import Config
from analytics.config.excluded import exclusions
from analytics.runtime.position_notes import PositionNotes
from analytics.store import Store

SEVERAL = "several"
"""Documents are of more than one exclusion."""

Games = dict[str, str]
"""Per game that excludes accts, a fingerprint of which, or ``SEVERAL``."""


class ExclusionNote(msgspec.Struct, frozen=True):
    """What a bolt's documents were counted without."""

    games: Games = {}


class ExclusionNotes:
    """The notes of what documents were counted without."""

    def __init__(self, config: Config, store: Store) -> None:
        self._config = config
        self._store = store
        self._notes = PositionNotes(store, "excluded", ExclusionNote)
        self._now: Games = {
            game: sha256(msgspec.json.encode((sorted(one.accts), sorted(one.patterns)))).hexdigest()[:16]
            for game, one in exclusions(config).items()
        }

    def changed(self, bolts: Collection[str]) -> dict[str, list[str]]:
        """Return, by bolt, the games whose documents were counted with other accts excluded than now. Raise Unavailable as a store does."""
        found = {}
        for bolt, noted in self._load(bolts).items():
            games = sorted(game for game in self._differing(noted) if self._store.first(bolt, game=game))
            if games:
                found[bolt] = games
        return found

    def sentences(self, bolts: Collection[str]) -> Iterator[str]:
        """Yield, for each game with such documents, that there are some."""
        changed = self.changed(bolts)
        for game in sorted({game for games in changed.values() for game in games}):
            names = [bolt for bolt, games in changed.items() if game in games]
            of = names[0] if len(names) == 1 else f"{len(names)} bolts"
            yield f"games.{game}.excluded: documents of {of} were counted when other accts were excluded than now"

    def note_first_runs(self, bolts: Collection[str]) -> None:
        """Note what is excluded from now on in games where bolts have no documents yet, and ``SEVERAL`` where theirs were counted otherwise."""
        for bolt, noted in self._load(bolts).items():
            games = dict(noted)
            for game in self._differing(noted):
                is_first = self._store.first(bolt, game=game) is None
                games[game] = self._now.get(game, "") if is_first else SEVERAL
            games = {game: one for game, one in games.items() if one}
            if games != noted:
                self._notes.save({bolt: ExclusionNote(games)})

    def note_rebuilt(self, bolts: Collection[str]) -> None:
        """Note that the documents of these bolts are counted as the configuration says now."""
        for bolt, noted in self._load(bolts).items():
            if self._differing(noted):
                self._notes.save({bolt: ExclusionNote(self._now)})

    def _load(self, bolts: Iterable[str]) -> dict[str, Games]:
        bolts = list(bolts)
        found = self._notes.load(bolts)
        return {bolt: found.get(bolt, ExclusionNote()).games for bolt in bolts}

    def _differing(self, noted: Games) -> list[str]:
        """Return the configured games of which accts are excluded that were not, or the other way round."""
        return [game for game in self._config.games if noted.get(game) != self._now.get(game)]
