"""Which share of each source is rejected, and which topics no bolt reads."""

import pytest

from analytics.bolts import BOLTS
from analytics.broker.wire import BrokerState, SourceState
from analytics.runtime.usefulness import (
    SourceShare,
    Unread,
    nearest,
    source_shares,
    unread_topics,
    unseen_codes,
)

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


def test_an_op_code_that_no_record_had() -> None:
    topics = {"gamelog.capture_log": 12, "gamelog.pvp_log": 0, "payment": 3}
    reads = ["gamelog.captur_log", "gamelog.capture_log", "gamelog.pvp_log", "syncuser"]
    assert unseen_codes(topics, reads) == [Unread("captur_log", 0, "capture_log"), Unread("pvp_log", 0, "")]
    assert unseen_codes(topics | {"gamelog.~": 1}, reads) == [], "they may be among the many others"


def test_the_share_of_a_source() -> None:
    sources = {"gamelog/s1": SourceState(9, 3, 2), "payment/dl": SourceState(2, 0, 1)}
    found = source_shares(BrokerState("log", {}, sources, {}, "", 0, 0, 0))
    assert found == [SourceShare("gamelog", "s1", 9, 3), SourceShare("payment", "dl", 2, 0)]
    assert found[0].percent == 25.0
