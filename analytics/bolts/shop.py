"""What is bought in the game's shop, and for how many virtual coins (yuanbao)."""

from typing import Annotated

import msgspec

from analytics.core.bolt import Bolt, Reads
from analytics.core.measures import Count, Distinct, Sum
from analytics.core.tuples import AcctName, Amount, Gamelog, Name


class Purchase(msgspec.Struct, gc=False):
    """What an acct bought: ``num`` pieces of ``item``, for ``price`` yuanbao in all."""

    acct: AcctName
    item: Name
    num: Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)]
    price: Amount


shop = Bolt(
    name="shop",
    reads={"gamelog.shop_logbuy": Reads(Gamelog[Purchase])},
    by={"item": "data.item"},
    measures={
        "count": Count(),
        "num": Sum("data.num"),
        "amount": Sum("data.price"),
        "users": Distinct("data.acct", list_field="_users"),
    },
    totals=True,
)
