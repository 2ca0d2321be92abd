"""Which share of each source is rejected, and which topics no bolt reads."""

import pytest

from analytics.bolts import BOLTS
from analytics.broker.wire import BrokerState, SourceState
from analytics.runtime.usefulness import SourceShare, Unread, nearest, source_shares, unread_topics

READ = [bolt.reads for bolt in BOLTS.values()]
KNOWN = {
    topic.removeprefix("gamelog.") for topics in READ for topic in topics if topic.startswith("gamelog.")
}


@pytest.mark.parametrize(
    ("code", "known"),
    [
        ("login", "login_logcount"),
        ("Login_LogCount2", "login_logcount"),
        ("player_signup", "signup_logcount"),
        ("shop_buy", "shop_logbuy"),
        ("yuanbao_change", "yuanbao_logchange"),
        ("chat", ""),
        ("pvp", ""),
    ],
)
def test_the_nearest_op_code(code: str, known: str) -> None:
    assert nearest(code, KNOWN) == known


def test_topics_that_no_bolt_reads() -> None:
    topics = {
        "gamelog.login_logcount": 9,
        "gamelog.login": 5,
        "gamelog.pvp": 7,
        "gamelog.~": 3,
        "payment": 4,
        "gamelog.x": 0,
    }
    assert unread_topics(topics, READ) == [Unread("pvp", 7, ""), Unread("login", 5, "login_logcount")]


def test_the_share_of_a_source() -> None:
    sources = {"gamelog/s1": SourceState(9, 3, 2), "payment/dl": SourceState(2, 0, 1)}
    found = source_shares(BrokerState("log", {}, sources, {}, "", 0, 0, 0))
    assert found == [SourceShare("gamelog", "s1", 9, 3), SourceShare("payment", "dl", 2, 0)]
    assert found[0].percent == 25.0
