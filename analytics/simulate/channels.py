"""The channels that the simulated players come from: which one a sign-up names, and the segment that divides a game by it."""

from hashlib import blake2b
from typing import Any

from analytics.simulate.events import LOGGED, SIGNUP

SEGMENT = "channel"
GAMES = frozenset({"dl"})
"""The games that are divided."""

LISTED = ("appstore", "huawei", "video")
SOURCE = f"{LOGGED[SIGNUP].code}.data.{SEGMENT}"
SECTION: dict[str, Any] = {"from": SOURCE, "values": list(LISTED), "other": True}
"""The segment, as a configuration says it."""

_KEEN = ("appstore",) * 45 + ("huawei",) * 35 + ("video",) * 12 + ("forum",) * 5 + ("",) * 3
_FLEETING = ("appstore",) * 25 + ("huawei",) * 25 + ("video",) * 40 + ("forum",) * 7 + ("",) * 3
"""Of 100 players who come back often, and of 100 who do not: where they come from. "" is no channel."""


def channel(acct: str, area: str, keen: bool) -> str:
    """Return where a player came from to an area; someone may come to another area in another way."""
    draw = blake2b(f"{area}/{acct}".encode(), digest_size=4).digest()
    return (_KEEN if keen else _FLEETING)[int.from_bytes(draw) % 100]
