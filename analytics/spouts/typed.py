"""Whether those who read a line with a type take it for what it says: bolts, rebuild, and the readers of journals. Pure."""

from collections import defaultdict
from collections.abc import Callable, Collection

import msgspec

from analytics.bolts import BOLTS
from analytics.core.areas import Areas
from analytics.core.tuples import EARLIEST, EARLIEST_START, UNDECODABLE, Payment, Syncuser
from analytics.errors import RecordError
from analytics.spouts import mending
from analytics.spouts.paid import check, users_of
from analytics.spouts.roles import role_of

POLLED: dict[str, Callable[[bytes], object]] = {
    "payment": msgspec.json.Decoder(Payment).decode,
    "syncuser": msgspec.json.Decoder(Syncuser).decode,
}
"""By asking spout, how bolts read its tuples."""

_READERS: dict[str, list[Callable[[bytes], object]]] = defaultdict(list)
"""By topic, how bolts read its tuples."""

for _topic, _kind in {
    (topic, reads.tuple_type) for bolt in BOLTS.values() for topic, reads in bolt.reads.items()
}:
    _READERS[_topic].append(msgspec.json.Decoder(_kind).decode)


class _Op(msgspec.Struct, gc=False):
    code: str


class _Head(msgspec.Struct, gc=False):
    """What every tuple says."""

    op: _Op
    area: str
    ts: int


_decode_head = msgspec.json.Decoder(_Head).decode


def reads_as_one(line: bytes, topic: str) -> bool:
    """Say whether a line that is read with a type comes to the same.

    Where a field comes twice the last one counts, but such a reader wants all of them to be right.
    """
    try:
        for decode in (_decode_head, *_READERS.get(topic, ())):
            decode(line)
    except UNDECODABLE:
        return False
    return True


def check_polled(
    record: mending.Record, line: bytes, spout: str, areas: Areas, claimed: Collection[str], latest: int
) -> None:
    """Raise RecordError unless a journal line of an asking spout says what that spout would have published.

    Args:
        latest: the greatest ``ts`` that can be (Unix seconds).
    """
    earliest = EARLIEST_START if spout == "payment" else EARLIEST
    mending.place(record, areas, claimed, earliest, latest)
    if spout == "payment":
        for reason in check(users_of(record))[1].values():
            raise RecordError(reason)
    else:
        role_of(record, areas[record["area"]], latest)
    try:
        POLLED[spout](line)
    except msgspec.ValidationError as error:
        raise RecordError(f"{spout}: {error}") from error
