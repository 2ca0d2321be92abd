"""*Live events*: the newest records as they come in, usable or rejected with the reason."""

from collections.abc import Iterator
from itertools import islice
from typing import Annotated, Any, Literal

import msgspec

from analytics.broker.topics import LONGEST
from analytics.spouts.rejected import Reject, newest
from analytics.web.answers import filled, means
from analytics.web.data import Data
from analytics.web.filters import BadFilter, Filters
from analytics.web.live_records import MOST_ROWS, RECORDS, LiveFilter
from analytics.web.live_tuples import LiveRow, shortened, source_name, topic_and_acct
from analytics.web.page import DashboardPage
from analytics.web.translation import Translate

State = Literal["all", "usable", "rejected"]


class LiveOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Which records are shown."""

    state: Annotated[State, means("usable records, rejected ones, or all")] = "all"
    topic: Annotated[str, means("a topic, exactly, or its beginning and a star, as for `bin/analytics tail`; of rejected records those of that spout that contain the op code")] = ""  # fmt: skip
    source: Annotated[str, means("the name of a source, as the configuration gives it")] = ""
    acct: Annotated[str, means("an account or role, exactly; of rejected records those that contain it")] = ""
    paused: Annotated[Literal["no", "yes"], means("yes: the page does not update")] = "no"


class LiveAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The page *live*: what has come in since the first request with this filter. Ask again within ten seconds, or it ends."""

    at: float
    asked: Annotated[LiveOptions, means("which records were asked for")]
    since: Annotated[float, means("when that was, Unix seconds")]
    connected: Annotated[bool, means("whether the broker publishes to this page")]
    problem: Annotated[str, means('why it does not; "" if it does, or is not known yet')]
    topics: Annotated[list[str], means("the topics of the Queue; at most 200")]
    sources: Annotated[list[str], means("the sources of game logs that are configured")]
    came: Annotated[int, means("records of these topics that were accepted since then")]
    examined: Annotated[int, means("those of them that were looked at: all, or at high rates a sample")]
    matched: Annotated[int, means("those of these that the filter leaves")]
    rows: Annotated[list[LiveRow], means("the newest, newest first; at most 100, of both states at most 50 each")]  # fmt: skip


MOST_TOPICS = 200


def view(data: Data, filters: Filters, options: LiveOptions = LiveOptions()) -> LiveAnswer:
    """Return what has come in; from now on, the broker's records are followed."""
    sampler = data.live.sampler(_filter(options))
    most = MOST_ROWS // 2 if options.state == "all" else MOST_ROWS
    rows: list[LiveRow] = []
    if options.state != "rejected":
        rows += islice(reversed(sampler.rows), most)
    if options.state != "usable":
        rows += map(_rejected, islice(_wanted(data, options), most))
    rows.sort(key=lambda row: row.at, reverse=True)
    return filled(
        LiveAnswer,
        sampler,
        at=data.clock(),
        asked=options,
        topics=sampler.arrivals.topics[:MOST_TOPICS],
        sources=[one.name for one in data.config.gamelog.sources],
        came=sampler.arrivals.count,
        rows=rows,
    )


def _filter(options: LiveOptions) -> LiveFilter:
    if (size := len(options.topic.encode())) > LONGEST:
        raise BadFilter("topic: expected at most {most} bytes, got {n}", most=LONGEST, n=size)
    return LiveFilter(options.topic, options.acct, options.source)


def _rejected(one: Reject) -> LiveRow:
    raw = one.original()
    topic, acct = topic_and_acct(raw)
    source = source_name(one.source)
    return filled(
        LiveRow, one, usable=False, topic=topic or _spout(one), source=source, acct=acct, text=shortened(raw)
    )


def _spout(one: Reject) -> str:
    """Return the spout that read a record; workers reject some as well."""
    return one.source.partition("/")[0] or one.spout


def _wanted(data: Data, options: LiveOptions) -> Iterator[Reject]:
    """Yield the newest rejected records that the filter leaves. Their text decides, since it may be of any shape."""
    spout, _, code = options.topic.removesuffix("*").partition(".")
    for one in newest(data.config.data):
        text = one.original()
        if (
            options.source in ("", source_name(one.source))
            and options.acct.encode() in text
            and spout in ("", _spout(one))
            and code.encode() in text
        ):
            yield one


def _context(answer: LiveAnswer, t: Translate) -> dict[str, Any]:
    """Return what the filter offers, and how often the page updates."""
    return {
        "chosen": answer.asked,
        "topics": sorted({*RECORDS, *answer.topics}),
        "usable": sum(row.usable for row in answer.rows),
        "every": 0 if answer.asked.paused == "yes" else PAGE.every,
    }


PAGE = DashboardPage(
    name="live",
    title="Live events",
    answer=LiveAnswer,
    view=view,
    icon="M8 8h.01M5.2 10.8a4 4 0 0 1 0-5.6M10.8 5.2a4 4 0 0 1 0 5.6M3 13a7 7 0 0 1 0-10M13 3a7 7 0 0 1 0 10",
    options=LiveOptions,
    context=_context,
    template="live.html",
    every=2,
    has_filter=False,
)
