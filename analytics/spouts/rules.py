"""What a source's records are checked against: areas, op codes, and the schemas of topics."""

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from analytics.core.areas import Areas
from analytics.core.compiled import scanner
from analytics.core.schema import GAMELOG, Schema
from analytics.core.tuples import EARLIEST
from analytics.spouts.polled import PolledReaders
from analytics.spouts.schemas import SCHEMAS

if TYPE_CHECKING:
    from analytics.spouts.mapping.compiled import LineMapping
    from analytics.spouts.renaming import Renaming

_MOST_ALIKE = 100


class Rules:
    """What a source's records are checked against. ``game`` empty: areas of any game are valid."""

    def __init__(
        self,
        areas: Areas,
        opcodes: Mapping[str, Mapping[str, str]],
        game: str = "",
        schemas: Mapping[str, Schema] = SCHEMAS,
        mappings: "Mapping[str, LineMapping] | None" = None,
        source: str = "",
        renaming: "Renaming | None" = None,
    ) -> None:
        """``opcodes``: per game, its own op codes to the suite's. ``schemas``: what a record has to say, by topic.
        ``mappings``: of sources of another shape, by name; ``source`` is the one whose lines these are.
        ``renaming``: replaces forgotten accts; None: there are none."""
        self.mappings = mappings or {}
        self.mapping = self.mappings.get(source)
        self.renaming = renaming
        self.areas = areas
        self.game = game
        self.claimed = {key for key, area in areas.items() if not game or area.game == game}
        self.opcodes = opcodes
        self.foreign = {own for name, codes in opcodes.items() if not game or name == game for own in codes}
        self.alike: dict[str, str] = {}
        """Op codes that were seen and that nothing reads, but that differ from one in case or punctuation alone: from which."""
        self.topics = schemas
        self.codes = {
            topic.removeprefix(GAMELOG): schema
            for topic, schema in schemas.items()
            if topic.startswith(GAMELOG)
        }
        self._known = {*self.foreign, *self.codes}
        self._spellings = {_spelling(code): code for code in self._known}
        self.scanner = scanner(self.claimed, EARLIEST, self.codes)

    def of_source(self, name: str, game: str) -> "Rules":
        """Return the rules of another configured source, which shares areas, schemas and mappings with this one: with many they are much."""
        return Rules(self.areas, self.opcodes, game, self.topics, self.mappings, name, self.renaming)

    @cached_property
    def polled(self) -> PolledReaders:
        """What bolts read of payments and roles."""
        return PolledReaders(self.topics)

    def notice(self, codes: Iterable[str]) -> None:
        """Notice those of ``codes`` that seem to be misspelt."""
        for code in codes:
            if code not in self._known and len(self.alike) < _MOST_ALIKE:
                known = self._spellings.get(_spelling(code))
                if known is not None:
                    self.alike[code] = known


def _spelling(code: str) -> str:
    return "".join(char for char in code.casefold() if char.isalnum())
