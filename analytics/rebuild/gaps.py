"""What the journals do not hold any more, and so which days can't be derived from them.

A record's ``ts`` is a day ahead of its journaling at most. Journals are deleted oldest first. So where the first
records of a source are missing, what they say lies before the day after the oldest journal that is left was last
written: later days are complete. Where records in the middle of a source are missing, no day is known to be complete. Nor
is one where other hosts may have journals of their own.
"""

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass

from analytics.config import Config
from analytics.core.areas import Area
from analytics.core.journal_lines import SPOUTS
from analytics.core.numberset import NumberSet
from analytics.rebuild.journals import JournalInfo
from analytics.spouts.records import DAY

FOR_EVER = 1 << 62
LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True)
class Gap:
    """Accepted records of one source that no journal holds. ``until``: every one's ``ts`` is before that."""

    source: str
    game: str
    records: int
    until: int

    @property
    def spout(self) -> str:
        """The spout whose topics they are on."""
        return self.source.partition("/")[0]


def gaps(
    config: Config,
    accepted: Mapping[str, NumberSet],
    seen: Mapping[str, NumberSet],
    files: Iterable[JournalInfo],
    unread: Container[str] = (),
) -> list[Gap]:
    """Return what is missing.

    Args:
        unread: sources of which the journals hold lines that can't be read.
        accepted: per source what the filter had accepted before the journals were listed.
        seen: per source what they hold.
        files: the journals that were read.
    """
    mine = [one for one in files if one.path.parent == config.data]
    oldest = {
        spout: min((one.written for one in mine if one.spout == spout), default=float(FOR_EVER))
        for spout in SPOUTS
    }
    one_host = config.broker.host in LOOPBACK
    found = []
    for source, numbers in accepted.items():
        there = seen.get(source, NumberSet())
        missing = numbers - there
        if not missing:
            continue
        spout = source.partition("/")[0]
        from_the_middle = source in unread or (bool(there) and there.first() < missing.first())
        # Whatever is piped in goes to journals of gamelog.
        left = max(oldest.get(spout, float(FOR_EVER)), oldest["gamelog"] if spout != "gamelog" else 0.0)
        known = one_host and not from_the_middle and left < FOR_EVER
        until = int(left) + 1 + DAY if known else FOR_EVER
        found.append(Gap(source, _game(config, source), missing.count(), until))
    return found


def complete_from(found: Iterable[Gap], area: Area, topics: Iterable[str]) -> int:
    """Return from when on (Unix seconds) an area's records on ``topics`` are all there; 0: always."""
    spouts = {topic.partition(".")[0] for topic in topics}
    return max((one.until for one in found if one.spout in spouts and one.game in ("", area.game)), default=0)


def _game(config: Config, source: str) -> str:
    """Return the game whose areas a source's records belong to, "" where it may be any."""
    spout, _, rest = source.partition("/")
    name = rest.rpartition("@")[0]
    return name if spout != "gamelog" and name in config.games else ""
