"""What journal lines of the spouts that poll have to say: what the spout would have published. Pure."""

from collections.abc import Collection, Mapping

from analytics.core.areas import Areas
from analytics.core.exchange import local_day
from analytics.core.schema import Schema, schema
from analytics.core.tuples import EARLIEST, EARLIEST_START, Payment, Syncuser
from analytics.errors import RecordError
from analytics.spouts.normalizing import Record, place
from analytics.spouts.paid import check, read_otherwise, users_of
from analytics.spouts.roles import RoleFields, role_of

POLLED = {"payment": schema("payment", [Payment]), "syncuser": schema("syncuser", [Syncuser])}
"""By spout that polls, what its tuples say, whatever bolts read."""


class PolledReaders:
    """What bolts read of payments and roles."""

    def __init__(self, schemas: Mapping[str, Schema]) -> None:
        """``schemas``: by topic."""
        self.roles = RoleFields(schemas)
        self.payments = read_otherwise(schemas)
        self.by_spout = {spout: (own, schemas.get(spout)) for spout, own in POLLED.items()}


def check_polled(
    record: Record,
    line: bytes,
    spout: str,
    areas: Areas,
    claimed: Collection[str],
    latest: int,
    readers: PolledReaders,
) -> None:
    """Raise RecordError unless a journal line of a spout that polls says what that spout would have published.

    ``latest``: the greatest ``ts`` that can be (Unix seconds).
    """
    place(record, areas, claimed, EARLIEST_START if spout == "payment" else EARLIEST, latest)
    if spout == "payment":
        area = areas[record["area"]]
        day = record["day"] if isinstance(record.get("day"), str) else local_day(area, record["ts"])
        for reason in check(users_of(record), readers.payments, area.exchange, day)[1].values():
            raise RecordError(reason)
    else:
        role_of(record, areas[record["area"]], latest, readers.roles)
    for one in readers.by_spout[spout]:
        if one is not None and (fault := one.fault(line)):
            raise RecordError(fault)
