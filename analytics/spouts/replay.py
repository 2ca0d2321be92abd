"""Rejected records put in again under their names, after the cause was corrected."""

import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import Any

import gevent
import msgspec

from analytics.broker.clients import Refill
from analytics.broker.wire import portions
from analytics.config import Config, areas
from analytics.core.payment_days import named_day
from analytics.core.tuples import UNDECODABLE
from analytics.errors import Unavailable
from analytics.spouts.acknowledging import AcceptedRecords
from analytics.spouts.ends import Ends
from analytics.spouts.gamelog import Pipeline, Work, rules_of
from analytics.spouts.journal import Journal
from analytics.spouts.mapping.lines import convert
from analytics.spouts.paid import text_digest
from analytics.spouts.payment import NAME, PaymentState
from analytics.spouts.piped import PipedStreams, putting_in
from analytics.spouts.positions import StateFile
from analytics.spouts.rejected import Reject, Rejected, counted_now, dismissed_now, waiting
from analytics.spouts.rules import Rules
from analytics.spouts.shares import Share, together

_SKIPPED = "the mapping of its source skips such lines now"
_PAYMENTS = f"{NAME}/rejected"
_LEAST, _NUMBERS = 10**17, 9 * 10**17
"""Numbers of 18 digits, the most that a record's name has, are made of what a payment says: put in twice, it counts once."""


class _Said(msgspec.Struct):
    """A payment tuple without a name. Orders, and answers that are none, are of another shape."""

    area: str
    ts: int
    users: dict[str, Any]


_said = msgspec.json.Decoder(_Said)


@dataclass(slots=True)
class Replayed:
    """What became of the records.

    Those of ``payments``, ``roles`` and ``workers`` are not put in again. Only the interface's next answer can correct a role, or a payment of
    a day that it is still asked about. The filter has accepted what a worker or a rebuild rejected, so it would drop it as repeated: a
    rebuild counts it.
    """

    accepted: int = 0
    repeated: int = 0
    rejected: int = 0
    payments: int = 0
    roles: int = 0
    workers: int = 0


def replay(config: Config, timeout: float = 60.0, accepted: AcceptedRecords | None = None) -> Replayed:
    """Put in again every record that the gamelog spout rejected, and payments of settled days. What is accepted is listed no longer.

    Raise Unavailable where the broker does not answer, AnalyticsError while accts are forgotten.
    ``accepted``: None: ask the broker.
    """
    with putting_in(config.data):
        return _replay(config, timeout, accepted)


def _replay(config: Config, timeout: float, accepted: AcceptedRecords | None) -> Replayed:
    found = list(waiting(config.data).values())
    mine = [one for one in found if one.spout == "gamelog" and one.n]
    payments = sum(one.spout == "payment" for one in found)
    roles = sum(one.spout == "syncuser" for one in found)
    outcome = Replayed(payments=payments, roles=roles, workers=len(found) - len(mine) - payments - roles)
    refill = accepted or Refill(config.broker)
    piped = PipedStreams(config.data)
    journal = Journal(config, "gamelog", {}, piped.journals)
    pipeline = Pipeline(config, f"rejected-{os.getpid()}", journal)
    rejected = Rejected(config)
    try:
        refill.state()
        all_rules = rules_of(config)
        games = {one.name: one.game for one in config.gamelog.sources}
        order = attrgetter("source", "mapping", "n")
        for (source, mapping), ones in groupby(sorted(mine, key=order), key=attrgetter("source", "mapping")):
            configured = source.removeprefix("gamelog/").rpartition("@")[0]
            rules = all_rules.of_source(mapping or configured, games.get(configured, ""))
            for group in portions(ones, config.gamelog.batch_lines, lambda one: len(one.original())):
                usable, skipped = _put(pipeline, source, group, rules, timeout)
                rejected.put_all(counted_now(usable))
                rejected.put_all(dismissed_now(skipped, _SKIPPED))
                outcome.rejected += len(group) - len(usable) - len(skipped)
        counted = _put_payments(config, pipeline, refill, found, all_rules, timeout)
        rejected.put_all(counted_now(counted))
        outcome.payments -= len(counted)
        piped.accepted(journal, Ends(config, "stdin"))
    finally:
        refill.close()
        pipeline.close(0)
        rejected.close()
    outcome.accepted, outcome.repeated = pipeline.counts.published, pipeline.counts.repeated
    return outcome


def _put(
    pipeline: Pipeline, source: str, group: list[Reject], rules: Rules, timeout: float
) -> tuple[list[Reject], list[Reject]]:
    """Return those of ``group`` that could be used, once they are accepted, and those that a mapping skips now."""
    usable: list[Reject] = []
    skipped: list[Reject] = []
    shares: list[Share] = []
    for one in group:
        if one.part:
            continue
        converted = convert(one.original() + b"\n", source, one.n, rules, int(time.time()), one.header)
        if rules.mapping is not None and not converted:
            skipped.append(one)
        found = [share for share in converted if share.ns]
        usable += [one] * len(found)
        shares += found
    if usable:
        pipeline.put(Work([together(shares, source)], []))
        _wait(pipeline, timeout)
    return usable, skipped


def _put_payments(
    config: Config,
    pipeline: Pipeline,
    accepted: AcceptedRecords,
    found: list[Reject],
    rules: Rules,
    timeout: float,
) -> list[Reject]:
    """Return the payments of settled days that count, once they are accepted."""
    usable: list[Reject] = []
    shares: dict[int, Share] = {}
    for one, n, line in _settled_payments(config, found):
        (share,) = convert(line, _PAYMENTS, n, rules, int(time.time()))
        usable += [one] * len(share.ns)
        if share.ns and accepted.unknown(_PAYMENTS, [(n, n)]):
            shares[n] = share
    for share in shares.values():
        pipeline.put(Work([share], []))
    _wait(pipeline, timeout)
    return usable


def _settled_payments(config: Config, rejects: Iterable[Reject]) -> Iterator[tuple[Reject, int, bytes]]:
    """Yield the rejected payments whose day is settled, as records of their own: each with its number and the line that puts it in.

    No answer of the interface will have them. Each is what the last answer said, as what newer answers no longer have has left the list.
    So it is newer than all that counts.
    """
    there = areas(config)
    settled = StateFile(config.data / "state" / f"{NAME}.json").load(PaymentState).settled
    for one in rejects:
        try:
            said = _said.decode(one.original())
        except UNDECODABLE:
            continue
        ts = named_day(one.original(), there) or said.ts
        if one.spout == NAME and ts <= settled.get(said.area, 0):
            digest = text_digest(msgspec.json.encode([said.area, said.ts, said.users], order="sorted"))
            n = _LEAST + int(digest, 16) % _NUMBERS
            record = msgspec.json.decode(one.original()) | {"at": int(time.time() * 1000)}
            yield one, n, msgspec.json.encode({"id": f"{_PAYMENTS}:{n}"} | record) + b"\n"


def _wait(pipeline: Pipeline, timeout: float) -> None:
    until = time.monotonic() + timeout
    while not pipeline.idle():
        gevent.sleep(0.01)
        pipeline.tasks.check()
        if time.monotonic() >= until:
            raise Unavailable(
                f"expected the broker's acknowledgement within {timeout:g} s, got none. Look at `bin/analytics "
                "status`, then replay again: nothing counts twice"
            )
