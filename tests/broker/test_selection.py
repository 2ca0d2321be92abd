"""Which tuples a reader of some topics gets."""

import pytest

from analytics.broker.selection import TopicSelection
from analytics.broker.wire import Message, MessageHeader

HEADER = MessageHeader("log", 1, 2, 2, 2, "s", [(1, 2)], 0.0)


@pytest.mark.parametrize(
    ("topic", "passing", "printed"),
    [
        ("gamelog.rare", "gamelog.rare", ["rare", "other"]),
        ("gamelog.rare", "gamelog.~", ["rare"]),
        ("gamelog.~", "gamelog.~", ["rare", "other"]),
        ("gamelog.*", "gamelog.~", ["rare", "other"]),
    ],
)
def test_lines_of_a_shared_topic_are_chosen_by_their_op_code(
    topic: str, passing: str, printed: list[str]
) -> None:
    lines = {code: b'{"id":"s:1","op":{"code":"%s"}}' % code.encode() for code in ("rare", "other")}
    message = Message(passing, HEADER, b"\n".join(lines.values()))
    selection = TopicSelection(topic)
    assert selection.matches(passing) and selection.lines(message) == [lines[code] for code in printed]
