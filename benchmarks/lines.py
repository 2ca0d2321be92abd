"""Game log lines for measurements: in the order of time, mixed op codes, and always the same for one seed.

Two kinds: ``ACCTS`` are mostly logins of as many accts as possible, which is hard on lists. ``PLAY`` is what a
game writes: who is online plays, and of twenty lines of theirs one says that they came.
"""

import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec

START = 1420646400
HOURS = 48
AREAS = [hashlib.md5(b"area %d" % area).hexdigest()[:24] for area in range(60)]
ACCTS_AN_AREA = 20_000
LINES_A_VISIT = 20

IDS = {
    "login_logcount": 1003,
    "signup_logcount": 1001,
    "createrole_logcount": 1002,
    "yuanbao_logchange": 1010,
    "fuben_logchange": 1011,
    "shop_logbuy": 1012,
    "trunk_task_accept": 1013,
    "trunk_task_finish": 1014,
}


@dataclass(frozen=True)
class Kind:
    """``shares``: how many of 100 lines have an op code. ``visits``: whether accts come, play, and go."""

    name: str
    shares: dict[str, int]
    visits: bool


ACCTS = Kind(
    "accts",
    {
        "login_logcount": 55,
        "signup_logcount": 10,
        "createrole_logcount": 10,
        "yuanbao_logchange": 10,
        "fuben_logchange": 8,
        "shop_logbuy": 4,
        "trunk_task_accept": 3,
    },
    visits=False,
)
PLAY = Kind(
    "play",
    {
        "login_logcount": 8,
        "signup_logcount": 1,
        "createrole_logcount": 1,
        "yuanbao_logchange": 30,
        "fuben_logchange": 27,
        "shop_logbuy": 7,
        "trunk_task_accept": 14,
        "trunk_task_finish": 12,
    },
    visits=True,
)


def generate(
    count: int, seed: int = 1, kind: Kind = ACCTS, hours: int = HOURS, start: int = START
) -> Iterator[bytes]:
    """Yield ``count`` lines, each a tuple of topic ``gamelog.<op code>``, spread over ``hours`` hours from ``start`` on."""
    rng = random.Random(seed)
    codes = [code for code, share in kind.shares.items() for _ in range(share)]
    encode = msgspec.json.Encoder().encode
    online = max(1, count // (len(AREAS) * hours * LINES_A_VISIT))
    for n in range(count):
        code = rng.choice(codes)
        server = rng.randrange(len(AREAS))
        since = n * hours * 3600 // count
        # The next day the same accts come at the same hour.
        acct = (
            since // 3600 % 24 * online + rng.randrange(online)
            if kind.visits
            else rng.randrange(ACCTS_AN_AREA)
        )
        data = {
            "corpid": 2001,
            "type": code.split("_")[0],
            "server_name": f"server{1000 + server}",
            "opno": IDS[code],
            "opname": code,
            "acct": str(3_284_000_000 + acct),
            **_further(code, rng),
        }
        op = {"code": code, "id": IDS[code]}
        yield encode({"op": op, "area": AREAS[server], "ts": start + since, "data": data})


def _further(code: str, rng: random.Random) -> dict[str, object]:
    if code == "yuanbao_logchange":
        return {"amount": rng.choice([-50, -10, 100]), "reason": rng.choice(["shop", "pay", "quest"])}
    if code == "fuben_logchange":
        return {"fuben": str(rng.randrange(20)), "result": rng.choice(["enter", "pass", "fail"])}
    if code == "shop_logbuy":
        return {"item": f"item{rng.randrange(50)}", "num": 1, "price": 10}
    if code in ("trunk_task_accept", "trunk_task_finish"):
        return {"task": rng.randrange(40)}
    return {}


def write(path: Path, count: int, seed: int = 1, kind: Kind = ACCTS) -> None:
    """Write ``count`` lines to ``path``, unless it holds them already."""
    mark = path.with_suffix(f".{kind.name}-{count}-{seed}")
    if mark.exists() and path.exists():
        return
    for old in path.parent.glob(f"{path.stem}.*-{seed}"):
        old.unlink()
    with path.open("wb") as file:
        file.writelines(line + b"\n" for line in generate(count, seed, kind))
    mark.touch()


MAPPING = """format = "json"
area = { field = "server" }
time = { field = "time" }
event = "event"
fields = { acct = "uid" }
events = { login = "login_logcount", signup = "signup_logcount", createrole = "createrole_logcount" }
"""


def rewrite(path: Path, foreign: Path) -> None:
    """Write the same lines as a game of another shape writes them, which ``MAPPING`` reads."""
    own = {
        code: code.partition("_")[0] for code in ("login_logcount", "signup_logcount", "createrole_logcount")
    }
    with path.open("rb") as plain, foreign.open("wb") as file:
        for line in plain:
            record = msgspec.json.decode(line)
            data, code = record["data"], record["op"]["code"]
            time = datetime.fromtimestamp(record["ts"], UTC).isoformat()
            found = {
                "time": time,
                "event": own.get(code, code),
                "server": record["area"],
                "uid": data.pop("acct"),
            }
            file.write(msgspec.json.encode(found | data) + b"\n")


def games() -> str:
    """Return the part of a configuration that claims the areas."""
    areas = "\n".join(f'{area} = {{ plat = "2001" }}' for area in AREAS)
    return f"[games.dl.areas]\n{areas}\n"
