"""Records that a worker could not use, and that a rebuild has counted since: they leave the list of rejected records."""

from collections.abc import Iterable

import msgspec

from analytics.config import Catalogue
from analytics.core.areas import Areas
from analytics.core.fold import Folder
from analytics.core.journal_lines import Line
from analytics.core.tuples import UNDECODABLE
from analytics.rebuild.journals import SPOUTS
from analytics.spouts.rejected import Reject

_decoder = msgspec.json.Decoder(Line)


class _AreaOnly(msgspec.Struct):
    area: str


_areas = msgspec.json.Decoder(_AreaOnly)


def resolved(rejects: Iterable[Reject], bolts: Catalogue, areas: Areas, only: str = "") -> list[Reject]:
    """Return those that workers have rejected and every bolt can use now.

    Args:
        only: an area, whose records alone are looked at; "": all.
    """
    folder = Folder(bolts.values(), areas)
    read = {topic for bolt in bolts.values() for topic in bolt.reads}
    found = []
    for one in rejects:
        if one.spout in SPOUTS:
            continue
        line = one.original()
        try:
            topic, area = _topic(one.source, line), _areas.decode(line).area
        except UNDECODABLE:
            continue
        if topic in read and only in ("", area) and not folder.fold(topic, 1, line)[1]:
            found.append(one)
    return found


def _topic(source: str, line: bytes) -> str:
    """Return the topic on which a worker has read a line."""
    spout, slash, _ = source.partition("/")
    if not slash:
        return source.partition("@")[0]  # a bolt's own
    if spout != "gamelog":
        return spout
    op = _decoder.decode(line).op
    return f"gamelog.{op.code if op else ''}"
