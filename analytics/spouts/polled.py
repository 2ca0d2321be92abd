"""What journal lines of the spouts that poll have to say: what the spout would have published. Pure."""

from collections.abc import Collection, Mapping

from analytics.core.areas import Areas
from analytics.core.schema import Schema, schema
from analytics.core.tuples import EARLIEST, EARLIEST_START, Payment, Syncuser
from analytics.errors import RecordError
from analytics.spouts.normalizing import Record, place
from analytics.spouts.paid import check, users_of
from analytics.spouts.roles import role_of

POLLED = {"payment": schema("payment", [Payment]), "syncuser": schema("syncuser", [Syncuser])}
"""By spout that polls, what its tuples say, whatever bolts read."""


def check_polled(
    record: Record,
    line: bytes,
    spout: str,
    areas: Areas,
    claimed: Collection[str],
    latest: int,
    topics: Mapping[str, Schema],
) -> None:
    """Raise RecordError unless a journal line of a spout that polls says what that spout would have published.

    Args:
        latest: the greatest ``ts`` that can be (Unix seconds).
        topics: what bolts read, by topic.
    """
    place(record, areas, claimed, EARLIEST_START if spout == "payment" else EARLIEST, latest)
    if spout == "payment":
        for reason in check(users_of(record))[1].values():
            raise RecordError(reason)
    else:
        role_of(record, areas[record["area"]], latest)
    for one in (POLLED[spout], topics.get(spout)):
        if one is not None and (fault := one.fault(line)):
            raise RecordError(fault)
