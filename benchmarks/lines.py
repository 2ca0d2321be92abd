"""Game log lines for measurements: in the order of time, mixed op codes, and always the same for one seed."""

import hashlib
import random
from collections.abc import Iterator
from pathlib import Path

import msgspec

START = 1420646400
HOURS = 48
AREAS = [hashlib.md5(b"area %d" % area).hexdigest()[:24] for area in range(60)]
ACCTS_AN_AREA = 20_000

# Op code, id, and how many of 100 lines it has.
MIX = [
    ("login_logcount", 1003, 55),
    ("signup_logcount", 1001, 10),
    ("createrole_logcount", 1002, 10),
    ("yuanbao_logchange", 1010, 10),
    ("fuben_logchange", 1011, 8),
    ("shop_logbuy", 1012, 4),
    ("trunk_task_accept", 1013, 3),
]


def generate(count: int, seed: int = 1) -> Iterator[bytes]:
    """Yield ``count`` lines, each a tuple of topic ``gamelog.<op code>``, spread over ``HOURS`` hours."""
    rng = random.Random(seed)
    kinds = [kind for kind in MIX for _ in range(kind[2])]
    encode = msgspec.json.Encoder().encode
    for n in range(count):
        code, number, _ = rng.choice(kinds)
        server = rng.randrange(len(AREAS))
        data = {
            "corpid": 2001,
            "type": code.split("_")[0],
            "server_name": f"server{1000 + server}",
            "opno": number,
            "opname": code,
            "acct": str(3_284_000_000 + rng.randrange(ACCTS_AN_AREA)),
            **_further(code, rng),
        }
        ts = START + n * HOURS * 3600 // count
        yield encode({"op": {"code": code, "id": number}, "area": AREAS[server], "ts": ts, "data": data})


def _further(code: str, rng: random.Random) -> dict[str, object]:
    if code == "yuanbao_logchange":
        return {"amount": rng.choice([-50, -10, 100]), "reason": rng.choice(["shop", "pay", "quest"])}
    if code == "fuben_logchange":
        return {"fuben": str(rng.randrange(20)), "result": rng.choice(["enter", "pass", "fail"])}
    if code == "shop_logbuy":
        return {"item": f"item{rng.randrange(50)}", "num": 1, "price": 10}
    if code == "trunk_task_accept":
        return {"task": rng.randrange(40)}
    return {}


def write(path: Path, count: int, seed: int = 1) -> None:
    """Write ``count`` lines to ``path``, unless it holds them already."""
    mark = path.with_suffix(f".{count}-{seed}")
    if mark.exists() and path.exists():
        return
    with path.open("wb") as file:
        file.writelines(line + b"\n" for line in generate(count, seed))
    mark.touch()


def games() -> str:
    """Return the part of a configuration that claims the areas."""
    areas = "\n".join(f'{area} = {{ plat = "2001" }}' for area in AREAS)
    return f"[games.dl.areas]\n{areas}\n"
