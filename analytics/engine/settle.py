"""The second half of a batch: what changes in an area becomes documents, bolt by bolt, each after those that it reads."""

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from analytics.core.bolt import Bolt, Key
from analytics.core.combine import Deltas, combine
from analytics.core.document import Fields, Position
from analytics.core.fold import Delta
from analytics.engine.context import TaskProcess
from analytics.engine.tasks import AreaSettled
from analytics.errors import AnalyticsError


def settle_area(process: TaskProcess, area: str, deltas: Deltas, number: int) -> AreaSettled:
    """Bring an area's part of batch ``number`` into the store. Any number of processes may do so at once, and again.

    Args:
        deltas: all changes of the area in this batch. They stay as they are.

    Raises:
        Unavailable: the store does not answer. Call again with the same arguments.
        LostWrites: the store holds less than it had acknowledged.
    """
    process.begin(number)
    done = AreaSettled(area)
    following: Deltas = {}
    for bolt in process.bolts.values():
        changed = {**deltas.get(bolt.name, {}), **following.pop(bolt.name, {})}
        if not changed:
            continue
        to = Position(process.context.log, dict.fromkeys(bolt.reads, number))
        readers = {one.name for one in process.bolts.values() if bolt.name in one.reads}
        for portion in process.writer.portions(bolt.name, changed):
            tuples = process.writer.settle(bolt, portion, to)
            if readers:
                combine(following, process.bolts, _folded(process, bolt, tuples, number))
        done.documents += len(changed)
        if bolt.publishes or bolt.totals:
            done.changed[bolt.name] = sorted(_starts(bolt, changed))
        done.written[bolt.name] = process.writer.latest[bolt.name]
    process.end()
    return done


def _folded(
    process: TaskProcess, bolt: Bolt, tuples: Iterable[Fields], number: int
) -> Mapping[str, Mapping[Key, Delta]]:
    """Return what a bolt's tuples change in the documents of the bolts that read them."""
    body = b"\n".join(map(msgspec.json.encode, tuples))
    folded, unusable = process.folder.fold(bolt.name, number, body)
    if unusable:
        raise AnalyticsError(f"{bolt.name}: {unusable[0].reason}: {unusable[0].line!r}")
    return folded


def _starts(bolt: Bolt, keys: Iterable[Key]) -> Iterator[int]:
    """Yield when the periods of documents begin; of those without a period, nothing."""
    if bolt.period:
        yield from {key[1] for key in keys}
