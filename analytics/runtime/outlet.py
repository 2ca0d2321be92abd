"""What bolts publish: tuples as lines, each with an id of its own, in batches."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec
from gevent.event import AsyncResult

from analytics.broker.clients import Publisher
from analytics.broker.wire import Ack, Batch, BatchHeader, Part, portions

LINES_A_BATCH = 2_000
"""A tuple is some 200 bytes: far below the largest message."""

ITEMS_A_TUPLE = 5_000
"""A longer list travels in several tuples: a reader, who unions them, holds one at a time."""


def new_session() -> str:
    """Return a name for this process' own tuples that no other process has used."""
    return f"{time.time_ns():x}"


class Outlet:
    """Publishes tuples of bolts under one session's ids. Usable from many greenlets.

    ``session``: a name that no other process has used, see :func:`new_session`.
    """

    def __init__(self, publisher: Publisher, session: str) -> None:
        self.publisher = publisher
        self._session = session
        self._published = 0

    def publish(
        self, bolt: str, tuples: Iterable[Mapping[str, Any]], list_fields: Sequence[str] = ()
    ) -> None:
        """Publish a bolt's tuples, and wait until they are durable; see :meth:`send`."""
        for result in list(self.send(bolt, tuples, list_fields)):
            result.get()

    def send(
        self, bolt: str, tuples: Iterable[Mapping[str, Any]], list_fields: Sequence[str] = ()
    ) -> "Iterator[AsyncResult[Ack]]":
        """Publish a bolt's tuples, batch by batch; yield for each batch a result that is set when it is durable.

        Args:
            tuples: each with ``tuples``, the number of incoming ones that it accounts for.
            list_fields: fields with lists that may be long.
        """
        lines = (line for one in tuples for line in self._lines(bolt, one, list_fields))
        for batch in portions(lines, LINES_A_BATCH, lambda pair: len(pair[0])):
            part = Part(bolt, len(batch), sum(weight for _, weight in batch))
            header = BatchHeader(f"{bolt}@{self._session}", [], [part])
            yield self.publisher.publish(Batch(header, [b"\n".join(line for line, _ in batch)]))

    def _lines(
        self, bolt: str, fields: Mapping[str, Any], list_fields: Sequence[str]
    ) -> Iterator[tuple[bytes, int]]:
        """Yield a tuple as lines, several where a list is long, and what each accounts for: all of it the first."""
        lists = {name: fields[name] for name in list_fields if name in fields}
        longest = max(map(len, lists.values()), default=0)
        for begin in range(0, max(longest, 1), ITEMS_A_TUPLE):
            self._published += 1
            one: dict[str, Any] = {"id": f"{bolt}@{self._session}:{self._published}", **fields}
            if longest > ITEMS_A_TUPLE:
                one |= {name: items[begin : begin + ITEMS_A_TUPLE] for name, items in lists.items()}
            if begin:
                one["tuples"] = 0
            yield msgspec.json.encode(one), one["tuples"]
