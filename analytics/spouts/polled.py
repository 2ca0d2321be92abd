"""What journal lines of the spouts that poll have to say: what the spout would have published. Pure."""

from collections.abc import Collection, Mapping

import msgspec

from analytics.bolts import BOLTS
from analytics.core.areas import Areas
from analytics.core.schema import Schema, schemas
from analytics.core.tuples import EARLIEST, EARLIEST_START, Payment, Syncuser
from analytics.errors import RecordError
from analytics.spouts.normalizing import Record, place
from analytics.spouts.paid import check, users_of
from analytics.spouts.roles import role_of

SCHEMAS: Mapping[str, Schema] = schemas(BOLTS.values())
"""What the records that spouts accept have to say, by topic: what the suite's bolts read."""

POLLED = {
    "payment": msgspec.json.Decoder(Payment).decode,
    "syncuser": msgspec.json.Decoder(Syncuser).decode,
}
"""By spout that polls, how its tuples are decoded."""


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
    try:
        POLLED[spout](line)
    except msgspec.ValidationError as error:
        raise RecordError(f"{spout}: {error}") from error
    if spout in topics and (fault := topics[spout].fault(line)):
        raise RecordError(fault)
