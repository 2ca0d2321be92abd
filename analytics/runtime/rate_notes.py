"""Whether payments were converted at the rates that the configuration says now.

Where workers start, and an engine's driver settles the first batch by other rules, they note the currencies of each game: in the collection ``positions``, ``{"_id": "rates:dl", "currencies": "CNY …",
"rates": {"USD": {"2026-03-01": "7.1034"}}, "since": "2026-03-02"}``. ``since`` is the first day whose payments may have been converted at other
rates, "" where there is none. A rebuild of all days of all bolts that read payments takes it back.

A game without rates takes all payments to be in one currency. So it may get its first rates, or lose all of them, and no number changes, unless journaled
payments are in another currency. With such payments, rates that are gone would make them count one to one: what folds payments refuses to start.
"""

from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

import msgspec

from analytics.config import Config, Game, areas, catalogue
from analytics.errors import ConfigError
from analytics.runtime.position_notes import PositionNotes
from analytics.spouts.ends import journal_folders
from analytics.spouts.journaled_currencies import foreign_currency
from analytics.store import Store

TOPIC = "payment"
ALL_DAYS = "2000-01-01"
"""Since when payments differ if their currencies do, not their rates."""

_NEXT = "; "

Rates = dict[str, dict[str, str]]


class RateNote(msgspec.Struct, frozen=True):
    """What payments of a game were converted by. ``currencies``: the game's, and those of its areas that have others."""

    currencies: str = ""
    rates: Rates = {}
    since: str = ""

    def differs_since(self, other: "RateNote") -> str:
        """Return the first day on which ``other`` converts otherwise, or a day before it; "" where there is none."""
        if self.currencies != other.currencies:
            return ALL_DAYS
        names = sorted(self.rates.keys() | other.rates.keys())
        days = (_first_difference(self.rates.get(one, {}), other.rates.get(one, {})) for one in names)
        return min(filter(None, days), default="")

    @property
    def game_currency(self) -> str:
        return self.currencies.partition(_NEXT)[0]

    @property
    def area_currencies(self) -> dict[str, str]:
        """The currencies of areas that have others."""
        return dict(one.split(" ", 1) for one in self.currencies.split(_NEXT)[1:])


class RateNotes:
    """The notes of what payments were converted by."""

    def __init__(self, config: Config, store: Store) -> None:
        self._store = store
        self._notes = PositionNotes(store, "rates", RateNote)
        self._config = config
        self._areas = areas(config)
        self._foreign: dict[str, str | None] = {}
        self._zones = {area.game: area.zone for area in self._areas.values()}
        self._now = {name: _note(game) for name, game in config.games.items() if name in self._zones}
        bolts = catalogue(config)
        self._readers = {
            name for name, bolt in bolts.items() if TOPIC in bolt.reads and not bolt.of_excluded
        }.difference(config.worker.left_out)

    def changed(self) -> dict[str, str]:
        """Return, by game, since which day payments were converted at other rates than now. Raise Unavailable as a store does."""
        found = {}
        for game, noted in self._load().items():
            days = filter(None, (noted.since, self._differs_since(game, noted)))
            if (since := min(days, default="")) and self._is_paid(game, since):
                found[game] = since
        return found

    def changed_bolts(self, bolts: Collection[str]) -> set[str]:
        """Return those of ``bolts`` of which some documents were."""
        return self._readers.intersection(bolts) if self.changed() else set()

    def sentences(self) -> Iterator[str]:
        """Yield, for each game with such payments, that there are some, and what is enough to correct them."""
        bolts = " ".join(f"--bolt {name}" for name in sorted(self._readers))
        for game, since in sorted(self.changed().items()):
            days = "payments" if since == ALL_DAYS else f"payments since {since}"
            yield f"games.{game}.rates: {days} were converted at other rates than now ({bolts} is enough)"

    def lost(self, folders: Iterable[Path] = ()) -> Iterator[str]:
        """Yield, for each game whose rates are gone while journaled payments need them, what is expected and found.

        ``folders``: of further journals.
        """
        for game, noted in self._load().items():
            if noted.currencies and not self._now[game].currencies:
                further = foreign_currency(folders, noted.game_currency, self._own(game, noted))
                if name := self._counted_in(game, noted) or further or self._foreign_in(game, noted):
                    yield (
                        f"games.{game}.rates: expected rates, as payments are in {name}, which would count one to one in {noted.game_currency} "
                        "without, got none: put the rates back"
                    )

    def refuse_lost(self, bolts: Collection[str], folders: Iterable[Path] = ()) -> None:
        """Raise ConfigError where rates are gone that payments need, if any of ``bolts`` reads payments. ``folders``: of further journals."""
        if not self._readers.isdisjoint(bolts) and (lost := list(self.lost(folders))):
            raise ConfigError("\n".join(f"{self._config.file}: {one}" for one in lost))

    def note_first_runs(self, bolts: Collection[str]) -> None:
        """Note by what payments are converted from now on."""
        if self._readers.isdisjoint(bolts):
            return
        for game, noted in self._load().items():
            now = self._now[game]
            differs = self._differs_since(game, noted)
            if differs and not self._is_paid(game, differs):
                differs = ""  # nothing was converted at others
            since = min(filter(None, (noted.since, differs)), default="")
            self._write(game, noted, msgspec.structs.replace(now, since=since))

    def note_rebuilt(self, bolts: Collection[str]) -> None:
        """Note that the payments in the documents of these bolts are converted as the configuration says now."""
        if self._readers <= {*bolts}:
            for game, noted in self._load().items():
                self._write(game, noted, self._now[game])

    def _differs_since(self, game: str, noted: RateNote) -> str:
        """Return the first day on which payments were converted otherwise than now, or a day before it; "" where there is none."""
        now = self._now[game]
        if bool(noted.currencies) != bool(now.currencies) and self._foreign_in(game, noted) == "":
            return ""  # with rates or without, all payments count as they are
        return noted.differs_since(now)

    def _foreign_in(self, game: str, noted: RateNote) -> str | None:
        """Return another currency than the game's that journaled payments are in, by what is noted or else configured; as :func:`foreign_currency`."""
        if game not in self._foreign:
            rated = noted if noted.currencies else self._now[game]
            folders = journal_folders(self._config)
            self._foreign[game] = foreign_currency(folders, rated.game_currency, self._own(game, rated))
        return self._foreign[game]

    def _counted_in(self, game: str, noted: RateNote) -> str:
        """Return another currency than the game's that documents have payments in, "" where there is none."""
        for one in self._store.rows("revenueday", ["gross_in"], game=game):
            found = one.get("gross_in") or {}
            if name := next((name for name in found if name != noted.game_currency and found[name]), ""):
                return str(name)
        return ""

    def _own(self, game: str, rated: RateNote) -> dict[str, str]:
        """Return, by area of a game, the currency of payments that name none."""
        return {
            area.id: rated.game_currency for area in self._areas.values() if area.game == game
        } | rated.area_currencies

    def _load(self) -> dict[str, RateNote]:
        return {game: RateNote() for game in self._now} | self._notes.load(self._now)

    def _write(self, game: str, noted: RateNote, note: RateNote) -> None:
        if note != noted:
            self._notes.save({game: note})

    def _is_paid(self, game: str, since: str) -> bool:
        """Whether there are payments of a game since a day."""
        somewhere = self._zones[game]
        begin = somewhere.day_after(somewhere.day_of(since), -1)  # a day may begin earlier elsewhere
        for one in self._store.rows("paysummary", ["area", "ts"], game=game, since=begin):
            local = self._areas[one["area"]].zone if one["area"] in self._areas else somewhere
            if one["ts"] >= local.day_of(since):
                return True
        return False


def _note(game: Game) -> RateNote:
    others = sorted(
        f"{area} {one.currency}"
        for area, one in game.areas.items()
        if one.currency not in ("", game.currency)
    )
    if not game.rates and not others:
        return RateNote()
    return RateNote(_NEXT.join([game.currency, *others]), game.rates)


def _first_difference(before: dict[str, str], after: dict[str, str]) -> str:
    """Return the first day on which the rates of a currency differ, "" where there is none. A day without one has the one before."""
    rates: tuple[str | None, str | None] = (None, None)
    for day in sorted(before.keys() | after.keys()):
        rates = before.get(day, rates[0]), after.get(day, rates[1])
        if rates[0] != rates[1]:
            return day
    return ""
