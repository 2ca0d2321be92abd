"""What of the records is of use: which share of each source is rejected, and which topics no bolt reads."""

import difflib
from collections.abc import Collection, Iterable, Mapping

import msgspec

from analytics.broker.wire import BrokerState

_PREFIX = "gamelog."
_REST = "gamelog.~"
_MOST = 20
_NEAR = 0.6
"""As `difflib` suggests: `login_logcont` finds `login_logcount`, and other words find nothing."""


class SourceShare(msgspec.Struct, frozen=True):
    """How many distinct records of a configured source were accepted and rejected, ever. With an engine, those that are counted, and that were rejected since it counts."""

    spout: str
    source: str
    accepted: int
    rejected: int

    @property
    def percent(self) -> float:
        """The share of them that was rejected."""
        total = self.accepted + self.rejected
        return round(100 * self.rejected / total, 2) if total else 0.0


class Unread(msgspec.Struct, frozen=True):
    """A topic that no bolt reads: how many records it has, and the op code that it may stand for, "" where none is near."""

    op_code: str
    records: int
    nearest: str


def source_shares(state: BrokerState) -> list[SourceShare]:
    """Return what became of the records of each source, in the order of names."""
    return [
        SourceShare(*source.partition("/")[::2], known.accepted, known.rejected)
        for source, known in sorted(state.sources.items())
    ]


def counted_shares(sources: Mapping[str, int], rejected: Mapping[str, int]) -> list[SourceShare]:
    """Return how many records of each source an engine has counted, and its spout rejected, in the order of names."""
    return [
        SourceShare(*source.partition("/")[::2], sources.get(source, 0), rejected.get(source, 0))
        for source in sorted(sources.keys() | rejected.keys())
    ]


def unread_topics(topics: Mapping[str, int], bolts: Iterable[Collection[str]]) -> list[Unread]:
    """Return the op codes that no bolt reads, those with the most records first, at most 20.

    Args:
        topics: records by topic.
        bolts: of each bolt, the topics that it reads.
    """
    read = {topic for some in bolts for topic in some}
    known = {topic.removeprefix(_PREFIX) for topic in read if topic.startswith(_PREFIX)}
    found = [
        Unread(code := topic.removeprefix(_PREFIX), records, nearest(code, known))
        for topic, records in topics.items()
        if topic.startswith(_PREFIX) and topic not in read and topic != _REST and records
    ]
    return sorted(found, key=lambda one: (-one.records, one.op_code))[:_MOST]


def unseen_codes(topics: Mapping[str, int], reads: Iterable[str]) -> list[Unread]:
    """Return the op codes among the topics that a bolt reads of which no record came in, each with one like it that did.

    None where records may have come under the topic that many op codes share. ``topics``: records by topic.
    """
    seen = {
        topic.removeprefix(_PREFIX)
        for topic, records in topics.items()
        if records and topic.startswith(_PREFIX)
    }
    if topics.get(_REST):
        return []
    codes = [topic.removeprefix(_PREFIX) for topic in reads if topic.startswith(_PREFIX)]
    return [Unread(code, 0, nearest(code, seen)) for code in codes if code not in seen]


def nearest(code: str, known: Collection[str]) -> str:
    """Return the op code that another one is most like, "" where it is like none."""
    by_stem = {_stem(one): one for one in sorted(known)}
    stem = _stem(code)
    close = difflib.get_close_matches(stem, by_stem, n=1, cutoff=_NEAR)
    within = [
        one
        for other, one in by_stem.items()
        if min(len(stem), len(other)) > 3 and (stem in other or other in stem)
    ]
    return next(iter(within), "") or (by_stem[close[0]] if close else "")


def _stem(code: str) -> str:
    """Return what makes an op code differ from others: without its case, its punctuation, and what many end in."""
    plain = "".join(char for char in code.casefold() if char.isalnum())
    for ending in ("logcount", "logchange", "log"):
        if plain.endswith(ending) and len(plain) > len(ending):
            return plain.removesuffix(ending)
    return plain
