"""The second half of a batch: what changes in an area becomes documents, bolt by bolt, each after those that it reads."""

from collections.abc import Iterable, Mapping

import msgspec

from analytics.core.bolt import Bolt, Key
from analytics.core.combine import Deltas, combine
from analytics.core.document import Fields, Position
from analytics.core.fold import Delta
from analytics.engine.context import TaskProcess
from analytics.engine.tasks import AreaSettled
from analytics.errors import AnalyticsError


def settle_areas(process: TaskProcess, areas: Mapping[str, Deltas], number: int) -> list[AreaSettled]:
    """Bring the parts that areas have of batch ``number`` into the store. Any number of processes may do so at once, and again.

    The documents of several areas are written together: most of the time is spent waiting for the store.

    Args:
        areas: all that changes in these areas in this batch, by area. It stays as it is.

    Raises:
        Unavailable: the store does not answer. Call again with the same arguments.
        LostWrites: the store holds less than it had acknowledged.
    """
    process.begin(number)
    done = {area: AreaSettled(area) for area in areas}
    following: Deltas = {}
    for bolt in process.bolts.values():
        changed = following.pop(bolt.name, {})
        for deltas in areas.values():
            changed.update(deltas.get(bolt.name, {}))
        if not changed:
            continue
        to = Position(process.context.log, dict.fromkeys(bolt.reads, number))
        is_read = any(bolt.name in one.reads for one in process.bolts.values())
        for portion in process.writer.portions(bolt.name, changed):
            tuples = process.writer.settle(bolt, portion, to)
            if is_read:
                combine(following, process.bolts, _folded(process, bolt, tuples, number))
        _note(done, bolt, changed)
        done[next(iter(changed))[0]].written[bolt.name] = dict(process.writer.latest[bolt.name])
    process.end()
    return list(done.values())


def _folded(
    process: TaskProcess, bolt: Bolt, tuples: Iterable[Fields], number: int
) -> Mapping[str, Mapping[Key, Delta]]:
    """Return what a bolt's tuples change in the documents of the bolts that read them."""
    body = b"\n".join(map(msgspec.json.encode, tuples))
    folded, unusable = process.folder.fold(bolt.name, number, body)
    if unusable:
        raise AnalyticsError(f"{bolt.name}: {unusable[0].reason}: {unusable[0].line!r}")
    return folded


def _note(done: Mapping[str, AreaSettled], bolt: Bolt, keys: Iterable[Key]) -> None:
    starts: dict[str, set[int]] = {}
    for key in keys:
        done[key[0]].documents += 1
        if bolt.period:
            starts.setdefault(key[0], set()).add(key[1])
    if bolt.publishes or bolt.totals:
        for area, some in starts.items():
            done[area].changed[bolt.name] = sorted(some)
