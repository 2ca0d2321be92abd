"""Numbers of areas are summed exactly."""

from analytics.core.bolt import Bolt, Reads
from analytics.core.latest import Latest
from analytics.core.measures import money
from analytics.core.tuples import Payment, paid_rows
from analytics.timers.rollup import Rollup

PAID = Bolt(
    name="paid",
    reads={"payment": Reads(Payment, rows=paid_rows)},
    measures={"pay_amout": Latest("cents", "order", show=money, adds=True)},
    totals=True,
)


def test_money_is_summed_to_the_cent() -> None:
    amounts = [money(cents) for cents in [10, 20, 1, 33, 99_999_999_999, *[7] * 10_000]]
    exact = money(10 + 20 + 1 + 33 + 99_999_999_999 + 7 * 10_000)
    assert 0.1 + 0.2 != 0.3
    assert Rollup(PAID).fields([0.1 + 0.2], {}) == {"pay_amout": 0.3}
    assert Rollup(PAID).fields([sum(amounts)], {}) == {"pay_amout": exact}
    assert Rollup(PAID).fields([2.0**64], {}) == {"pay_amout": 2.0**64}


def test_fractions_that_are_no_money_stay_whole() -> None:
    share = Bolt(
        name="share",
        reads=PAID.reads,
        measures={
            "part": Latest("cents", "order", show=lambda cents: cents / 1000 if cents else 0, default=0)
        },
        totals=True,
    )
    assert Rollup(share).fields([0.125 + 0.25], {}) == {"part": 0.375}
