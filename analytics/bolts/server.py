"""One line an area and day: who was active, signed up, created roles, and what was paid."""

from analytics.bolts.payments import DayPayments
from analytics.core.bolt import Bolt, Reads
from analytics.core.latest import Latest
from analytics.core.measures import money
from analytics.core.tuples import Period, cents


def _pay_cents(tuple_: DayPayments) -> int:
    return cents(tuple_.pay_amout)


server = Bolt(
    name="server",
    reads={topic: Reads(Period) for topic in ("loginday", "signupday", "createroleday")}
    | {"paysummary": Reads(DayPayments)},
    measures={
        "active": Latest("count", "version", on="loginday"),
        "reg": Latest("count", "version", on="signupday"),
        "create_role": Latest("count", "version", on="createroleday"),
        "pay_user": Latest("count", "version", on="paysummary"),
        "pay_count": Latest("pay_count", "version", on="paysummary", adds=True),
        "pay_amout": Latest(_pay_cents, "version", show=money, on="paysummary", adds=True),
    },
    publishes=True,
)
