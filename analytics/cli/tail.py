"""``analytics tail``: prints tuples as they arrive."""

from contextlib import closing

import click

from analytics.broker.selection import TopicSelection
from analytics.broker.wire import Message
from analytics.cli.streams import data_stream, until_reader_leaves
from analytics.config import Config
from analytics.errors import Unavailable
from analytics.runtime.nodes import require_broker
from analytics.spouts.ends import journal_folder

WAIT_SECONDS = 1.0
WAITS = 5


@click.command()
@click.argument("topic")
@click.option("--count", type=click.IntRange(min=1), help="End after this many tuples.")
@click.pass_obj
def tail(config: Config, topic: str, count: int | None) -> None:
    """Print tuples of TOPIC as they arrive, one JSON object a line.

    TOPIC is exact (gamelog.login_logcount, payment, loginday) or a prefix with a star (gamelog.*). Earlier
    tuples are not printed, and a reader slower than the stream misses some.
    """
    require_broker(
        config, "tail", f"The journals in {journal_folder(config)} have the records: `tail -F` follows one"
    )
    selection = TopicSelection(topic)
    left, out = count, data_stream()
    silent = 0  # counted in waits: after a pause of the machine, the broker gets its full time
    with closing(selection.subscriber(config.broker)) as subscriber, until_reader_leaves():
        while left is None or left > 0:
            got = subscriber.recv(WAIT_SECONDS)
            silent = 0 if got else silent + 1
            if silent >= WAITS:
                raise Unavailable(
                    f"the broker's Sender at {config.broker.host}:{config.broker.sender_port} has been silent for "
                    f"{WAITS * WAIT_SECONDS:g} s; see `analytics status`"
                )
            if isinstance(got, Message):
                lines = selection.lines(got)[:left]
                out.write("".join(line.decode(errors="backslashreplace") + "\n" for line in lines))
                out.flush()
                left = None if left is None else left - len(lines)
