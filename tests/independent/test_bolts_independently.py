"""Every bolt's documents equal the second opinion, whatever order and batches the records come in."""

from collections import Counter
from random import Random

import pytest
from forms import thorough
from plain_numbers import Place, of_records
from raw_months import AUTUMN, LARGE, SPRING, Months, sent, world
from sameness import differences, public

from analytics.bolts import BOLTS
from analytics.cli.demo_tables import CHAPTERS
from analytics.core.areas import Area, Areas
from analytics.core.exchange import Exchange
from analytics.core.periods import zone
from analytics.core.reference import Reference

CASES = [
    pytest.param(1, AUTUMN, 12, id="autumn"),
    pytest.param(2, SPRING, 12, id="spring"),
    pytest.param(3, LARGE, 4, id="large", marks=thorough),
]


def areas() -> Areas:
    return Areas(
        Area(id_, one.game, one.plat, zone(one.zone), exchange=exchange_of(one))
        for id_, one in world().areas.items()
    )


def exchange_of(place: Place) -> Exchange | None:
    if place.money is None:
        return None
    rates = {
        currency: sorted((str(day), rate) for day, rate in days.items())
        for currency, days in place.money.rates.items()
    }
    return Exchange(place.game, place.money.game, place.money.area, rates)


def messages(records, random, largest):
    """Yield records in random order as messages of one topic each, of random size."""
    left = list(records)
    random.shuffle(left)
    while left:
        size = random.randrange(1, largest)
        some, left = left[:size], left[size:]
        for topic in sorted({topic for topic, _ in some}):
            yield topic, [one for its, one in some if its == topic]


OWN = {name for chapter in CHAPTERS for name in chapter.collections}
"""The suite's own bolts, which the demo shows. One that somebody adds has no second computation here."""
# What each bolt accounts for: the spouts' tuples that reach it, however many other bolts lie between. Where one tuple
# speaks of many documents, as of payments by acct, it accounts for it in each, so those stay out of it.
LOGINS, SIGNUPS, ROLES = "gamelog.login_logcount", "gamelog.signup_logcount", "gamelog.createrole_logcount"
COINS = "gamelog.yuanbao_logchange"
READS = {
    **{"loginhour": [LOGINS], "signuphour": [SIGNUPS], "createrolehour": [ROLES]},
    **{"loginday": [LOGINS], "signupday": [SIGNUPS], "createroleday": [ROLES]},
    "paysummary": ["payment"],
    "revenueday": ["payment"],
    "server": [LOGINS, SIGNUPS, ROLES, "payment"],
    **{"coinhour": [COINS], "coinday": [COINS], "cointype": [COINS]},
    "gamecopy": ["gamelog.fuben_logchange"],
    "mainline": ["gamelog.trunk_task_accept", "gamelog.trunk_task_finish"],
    "shop": ["gamelog.shop_logbuy"],
    **{"usercenter": ["syncuser"], "userlevel": ["syncuser"]},
    "onlinehour": ["gamelog.online_logcount"],
    "sessionhour": [LOGINS, "gamelog.logout_logcount"],
}


@pytest.mark.parametrize(("seed", "months", "parts"), CASES)
def test_bolts_in_any_order(seed: int, months: Months, parts: int):
    records = [one.record for one in sent(seed, months)]
    runner = Reference(BOLTS.values(), areas())
    for topic, some in messages(records, Random(seed), len(records) // parts):
        runner.put(topic, some)
    expected = of_records(world(), records)
    assert expected.keys() == OWN & BOLTS.keys()
    assert all(expected.values())
    assert differences(expected, {name: public(runner.documents(name)) for name in expected}) == []
    topics = Counter(topic for topic, _ in records)
    assert {name: runner.tuples[name] for name in READS} == {
        name: sum(topics[topic] for topic in read) for name, read in READS.items()
    }
