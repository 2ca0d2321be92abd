"""What a bolt in TOML costs beside its twin in Python: CPU nanoseconds a tuple, folded in this process.

    benchmarks/own-bolts [LINES]

Both fold the same messages in turns, and the least time of each counts.
"""

import gc
import sys
import time
import tomllib
from random import Random

import msgspec

from analytics.config import Config, catalogue
from analytics.config.bolt_sections import BoltSection
from analytics.core.areas import Area, Areas
from analytics.core.bolt import Bolt, Reads
from analytics.core.fold import Folder
from analytics.core.measures import Count, Distinct, Sum
from analytics.core.periods import zone
from analytics.core.rates import percent
from analytics.core.tuples import AcctName, Amount, Gamelog, Name

MESSAGE_LINES = 4_000
TURNS = 15
AT_MOST = 1.3
"""Times the twin in Python."""

TOPIC = "gamelog.pvp_log"
AREAS = Areas([Area("s1", "dl", "2001", zone("Asia/Shanghai"))])
TABLE = """
reads = "pvp_log"
by = ["bracket"]
measures.fights = "count"
measures.wins = { count = { where = "result == 'win' and points >= 10" } }
measures.players = { distinct = "acct" }
measures.points = { sum = { of = "points * 2 + 1", where = "result in ['win', 'draw']" } }
derived.win_rate = "percent(wins, fights)"
"""


class Fight(msgspec.Struct, gc=False):
    """What the table reads."""

    acct: AcctName
    bracket: Name
    result: Name
    points: Amount


TWIN = Bolt(
    name="pvp",
    reads={TOPIC: Reads(Gamelog[Fight])},
    by={"bracket": "data.bracket"},
    measures={
        "fights": Count(),
        "wins": Count(where=lambda row: row.data.result == "win" and row.data.points >= 10),
        "players": Distinct("data.acct", list_field="_players"),
        "points": Sum(
            lambda row: row.data.points * 2 + 1, where=lambda row: row.data.result in ("win", "draw")
        ),
    },
    finish=lambda shown: {"win_rate": percent(shown["wins"], shown["fights"])},
)


def messages(lines: int) -> list[bytes]:
    """Return fights of one area and day as bodies of messages."""
    random = Random(1)
    records = [
        msgspec.json.encode(
            {
                "op": {"code": "pvp_log"},
                "area": "s1",
                "ts": 1_420_688_004 + n % 3_600,
                "data": {
                    "acct": f"acct{random.randrange(5_000)}",
                    "bracket": random.choice(["2v2", "3v3", "5v5"]),
                    "result": random.choice(["win", "loss", "draw"]),
                    "points": random.randrange(50),
                },
            }
        )
        for n in range(lines)
    ]
    return [b"\n".join(records[first : first + MESSAGE_LINES]) for first in range(0, lines, MESSAGE_LINES)]


def seconds(bolt: Bolt, bodies: list[bytes]) -> float:
    """Return the CPU seconds that folding takes."""
    folder = Folder([bolt], AREAS)
    began = time.process_time()
    for number, body in enumerate(bodies, 1):
        folder.fold(TOPIC, number, body)
    return time.process_time() - began


def main(lines: int) -> int:
    """Print both costs and their ratio; return 1 where it is too high."""
    config = Config(bolts={"pvp": msgspec.convert(tomllib.loads(TABLE), BoltSection)})
    bodies, bolts = messages(lines), {"Python": TWIN, "TOML": catalogue(config)["pvp"]}
    gc.disable()
    least = dict.fromkeys(bolts, float("inf"))
    for _ in range(TURNS):
        for name, bolt in bolts.items():
            least[name] = min(least[name], seconds(bolt, bodies))
    for name, taken in least.items():
        print(f"{name:<8}{taken / lines * 1e9:8.0f} ns a tuple")
    ratio = least["TOML"] / least["Python"]
    print(f"ratio   {ratio:8.2f} (at most {AT_MOST})")
    return int(ratio > AT_MOST)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 200_000))
