"""What a rebuild is asked for, and its result."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from analytics.config import Catalogue, Config, catalogue
from analytics.core.areas import Area
from analytics.core.periods import PeriodName
from analytics.rebuild.check import DocumentCounts
from analytics.rebuild.gaps import Gap
from analytics.rebuild.unusable import CountedNowhere
from analytics.runtime.nodes import readers


@dataclass(frozen=True)
class Selection:
    """What to rebuild.

    Attributes:
        bolts, timers: names.
        catalogue: all bolts.
        area: only this one; "": all.
        since, until: only periods that begin on these days or between them; None: no bound.
        complete: a day from which on all records are in the journals, whatever seems to be missing.
        remove_many: remove documents that no record supports, even if they are many.
        dry: only say what would change.
        timeout: seconds to wait for bolts that make no progress.
        folders: where further journals lie, of other hosts or kept longer.
    """

    bolts: tuple[str, ...]
    timers: tuple[str, ...]
    catalogue: Catalogue
    area: str = ""
    since: date | None = None
    until: date | None = None
    complete: date | None = None
    remove_many: bool = False
    dry: bool = False
    timeout: float = 60.0
    folders: tuple[Path, ...] = ()


@dataclass
class RebuildResult:
    """What a rebuild did.

    Attributes:
        files, lines: journals read, and their lines.
        nowhere: those of the lines that count nowhere.
        without_mapping: record sources whose lines can't be read, each with the configured source that is gone.
        damaged: gzipped journals that end too early.
        gaps: accepted records that no journal holds any more.
        left_out: descriptions of documents that could not be derived, with the number of areas.
        dropped: descriptions of documents that `documents.keep_days` has dropped, with the number of areas.
        unaccepted: journaled records that the filter has not accepted.
        spared: per bolt, documents that no record supports, left alone because they are many.
        kept: per timer bolt, documents at another zone's midnights, whose day documents could not be derived again.
        listed: records that bolts could not use, and that are new on the list of rejected ones.
        resolved: records of that list that count now.
        dated: documents without journals that got nothing but their dates.
        done: what became of documents.
    """

    files: int = 0
    lines: int = 0
    nowhere: CountedNowhere = field(default_factory=CountedNowhere)
    without_mapping: dict[str, str] = field(default_factory=dict)
    damaged: list[str] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)
    unaccepted: int = 0
    spared: Counter[str] = field(default_factory=Counter)
    kept: Counter[str] = field(default_factory=Counter)
    listed: int = 0
    resolved: int = 0
    dated: int = 0
    done: DocumentCounts = field(default_factory=DocumentCounts)


def configured(config: Config) -> list[str]:
    """Return the bolts that the configuration runs."""
    return [name for name in readers(config) if name in catalogue(config)]


def kinds_of(wanted: Selection) -> dict[PeriodName | None, list[str]]:
    """Return the bolts by the periods that their documents fall into: those of hours go with those of days."""
    found: dict[PeriodName | None, list[str]] = {}
    for name in wanted.bolts:
        period = wanted.catalogue[name].period
        found.setdefault("day" if period == "hour" else period, []).append(name)
    return found


def span(wanted: Selection, area: Area, kind: PeriodName | None = None) -> tuple[int | None, int | None]:
    """Return from when to when records of an area are wanted, for documents of one kind or of any."""
    local, since, until = area.zone, wanted.since, wanted.until
    begin = None if since is None else local.day_of(since.isoformat())
    if until is None:
        return begin, None
    end = local.day_after(local.day_of(until.isoformat()), 1)
    kinds = [kind] if kind else kinds_of(wanted)
    # The last week and month may end later.
    return begin, max(local.next(one, local.start(one, end - 1)) for one in kinds or ["day"] if one)
