"""Which documents of timer bolts are asked for by hand."""

from collections.abc import Collection
from dataclasses import dataclass

from analytics.runtime.timers.scopes import Scope


@dataclass(frozen=True)
class Wanted:
    """What to compute.

    Attributes:
        timers: names of timer bolts.
        area, game: only this area, without its game's and plat's whole; only this game. "": all.
        since, until: only periods that begin on these days or between them; None: no bound.
        remove_many: remove documents without facts even where they are many.
    """

    timers: Collection[str]
    area: str = ""
    game: str = ""
    since: int | None = None
    until: int | None = None
    remove_many: bool = False

    @property
    def is_everything(self) -> bool:
        """Whether all scopes and all times are wanted."""
        return not self.area and not self.game and self.since is None and self.until is None

    def includes(self, scope: Scope) -> bool:
        """Whether documents of the scope are wanted."""
        return self.area in ("", scope.area) and self.game in ("", scope.game)

    def holds(self, first: int) -> bool:
        """Whether periods that begin on that day are wanted."""
        return (self.since is None or self.since <= first) and (self.until is None or first <= self.until)
