"""What each bolt costs: CPU nanoseconds a tuple, in this process, folding and settling over the same lines.

The lines are put into messages as the gamelog spout does, and settled after every ``STRETCH`` of them, as a worker
does that is given as many a second. Each bolt runs alone, so each pays for decoding what it reads; in a worker,
bolts that read alike share that, which ``together`` shows. Not in it: the store, and the broker's sockets.
Payments and roles are made up: so many snapshots, and so many roles, as come with that many lines.
"""

import gc
import time
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from analytics.bolts import BOLTS
from analytics.core.areas import Area, Areas
from analytics.core.bolt import Key
from analytics.core.fold import Delta, Folder
from analytics.core.periods import zone
from analytics.core.settle import Known, Position, settle, unknown
from benchmarks import lines

MESSAGE_LINES = 4_000
STRETCH = 100_000
PAYERS, ROLES = 10, 80
"""Of an area, in each stretch: who has paid that day, and whose role has changed."""

Message = tuple[str, int, bytes, int]
"""Topic, number there, body, tuples."""

AREAS = Areas(Area(area, "dl", "2001", zone("Asia/Shanghai")) for area in lines.AREAS)


@dataclass(slots=True)
class Cost:
    """CPU seconds, and what they were spent on. ``written``: versions of documents."""

    fold: float = 0.0
    settle: float = 0.0
    tuples: int = 0
    written: int = 0

    def each(self, seconds: float) -> float:
        """Return nanoseconds a tuple."""
        return seconds / max(self.tuples, 1) * 1e9


class Runner:
    """Bolts, as a worker runs them, without store and broker."""

    def __init__(self, bolts: Collection[str]) -> None:
        self.bolts = bolts
        self.cost = Cost()
        self.known: dict[tuple[str, Key], Known] = {}
        self.numbers: dict[str, int] = {}
        self.folder = Folder([BOLTS[name] for name in bolts], AREAS)
        self.read = {topic for name in bolts for topic in BOLTS[name].reads}

    def run(self, stretch: Sequence[Message]) -> dict[str, list[dict[str, Any]]]:
        """Fold and settle; return what each bolt publishes."""
        begin = time.process_time()
        changes: dict[str, dict[Key, list[Delta]]] = {name: defaultdict(list) for name in self.bolts}
        for topic, number, body, tuples in stretch:
            if topic not in self.read:
                continue
            self.numbers[topic] = number
            self.cost.tuples += tuples
            for name, deltas in self.folder.fold(topic, number, body)[0].items():
                for key, delta in deltas.items():
                    changes[name][key].append(delta)
        middle = time.process_time()
        published = {name: self._settle(name, deltas) for name, deltas in changes.items()}
        self.cost.fold += middle - begin
        self.cost.settle += time.process_time() - middle
        return published

    def _settle(self, name: str, changes: dict[Key, list[Delta]]) -> list[dict[str, Any]]:
        bolt = BOLTS[name]
        to = Position("log", {topic: self.numbers.get(topic, 0) for topic in bolt.reads})
        published = []
        for key, deltas in changes.items():
            known = self.known.get((name, key)) or unknown(bolt, key)
            settled = settle(known, deltas, to, AREAS)
            self.known[name, key] = settled.known
            self.cost.written += len(settled.steps)
            published.append(settled.tuple)
        return published if bolt.publishes else []


def stretches(path: Path) -> Iterator[list[Message]]:
    """Yield the lines of a file as messages, with payments and roles of each area now and then."""
    numbers: dict[str, int] = defaultdict(int)
    with path.open("rb") as file:
        at = 0
        while text := list(islice(file, STRETCH)):
            at += 1
            stretch: list[Message] = []
            for first in range(0, len(text), MESSAGE_LINES):
                stretch += _messages(text[first : first + MESSAGE_LINES], numbers)
            stretch += _polled("payment", [_payment(area, at) for area in lines.AREAS], numbers)
            roles = [
                _role(area, uid, at)
                for area in lines.AREAS
                for uid in range(at % 5 * ROLES, (at % 5 + 1) * ROLES)
            ]
            yield stretch + _polled("syncuser", roles, numbers)


def _messages(text: Sequence[bytes], numbers: dict[str, int]) -> list[Message]:
    topics: dict[str, list[bytes]] = defaultdict(list)
    for line in text:
        code = line[line.index(b'"code":"') + 8 :]
        topics["gamelog." + code[: code.index(b'"')].decode()].append(line.rstrip(b"\n"))
    return [_message(topic, some, numbers) for topic, some in topics.items()]


def _polled(topic: str, tuples: Sequence[Any], numbers: dict[str, int]) -> list[Message]:
    parts = [tuples[first : first + MESSAGE_LINES] for first in range(0, len(tuples), MESSAGE_LINES)]
    return [_message(topic, [msgspec.json.encode(one) for one in part], numbers) for part in parts]


def _message(topic: str, some: Sequence[bytes], numbers: dict[str, int]) -> Message:
    numbers[topic] += 1
    return topic, numbers[topic], b"\n".join(some), len(some)


def _payment(area: str, at: int) -> dict[str, Any]:
    users = {str(3_284_000_000 + n): {"times": at, "amount": at + 0.5} for n in range(PAYERS)}
    return {"id": f"payment/dl@1:{at}", "at": at, "area": area, "ts": lines.START, "users": users}


def _role(area: str, uid: int, at: int) -> dict[str, Any]:
    return {
        "id": f"syncuser/dl@1:{at * 1_000 + uid}",
        "area": area,
        "ts": lines.START + at,
        "uid": str(14_156_063_136_000 + uid),
        "acctid": str(3_284_000_000 + uid),
        "name": f"hero{uid}",
        "grade": 1 + (uid + at) % 80,
        "rest_yuanbao": uid * at,
        "birthday": lines.START,
        "score": uid,
        "login_time": lines.START + at,
    }


def measure(path: Path) -> tuple[dict[str, Cost], Cost]:
    """Return what each bolt costs alone, and what all of them cost together."""
    gc.disable()
    alone = {name: Runner([name]) for name in BOLTS}
    for stretch in stretches(path):
        derived: list[Message] = []
        for runner in alone.values():
            for name, tuples in runner.run(stretch + derived).items():
                numbers = {name: runner.numbers.get(f"published {name}", 0)}
                derived += _polled(name, tuples, numbers)
                runner.numbers[f"published {name}"] = numbers[name]
    together = Runner(list(BOLTS))
    for stretch in stretches(path):
        together.run(stretch)
    return {name: runner.cost for name, runner in alone.items()}, together.cost
