"""Lines that a mapping reads: compiled code, plain Python, other neighbours, and a journal must say the same of each."""

import json
import random
from collections.abc import Iterable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from analytics.config import EventSection, FieldSection, Mapped, TimeSection
from analytics.spouts.mapping import lines as mapping_lines
from analytics.spouts.mapping.compiled import LineMapping
from analytics.spouts.rules import Rules
from analytics.spouts.shares import Share
from analytics.testing.lines import PLAIN_ACCTS, LineGenerator
from analytics.testing.paths import AREAS, DIVIDED, NOW, RULES, Chunk

NAME, SOURCE = "mapped", "gamelog/mapped@0000000000000000"
NEWFOUNDLAND = "America/St_Johns"
AREA = next(iter(AREAS))
EVENTS: dict[str, str | EventSection] = {
    "login": "login_logcount",
    "coins": EventSection(code="yuanbao_logchange"),
    "spend": EventSection(code="yuanbao_logchange", set={"level": 1, "zone": "x"}),
    "名": "shop_logbuy",
}
FIELDS = {"acct": "who.id", "amount": "params.delta", "reason": "why", "item": "item", "task": "at.n"}
SECTIONS = (
    Mapped(
        format="json", time=TimeSection(field="time", format="unix"), event="event", events=EVENTS,
        area=FieldSection(field="server", values={"9": AREA}), fields=FIELDS,
    ),
    Mapped(
        format="json", time=TimeSection(field="at.time"), opcode="yuanbao_logchange", area=AREA,
        fields={"acct": "uid", "amount": "delta", "reason": "params.why"},
    ),
    Mapped(
        format="json", time=TimeSection(field="time", format="%Y-%m-%d %H:%M:%S", zone=NEWFOUNDLAND), event="params.event",
        area=AREA, fields={"acct": "acct", "fuben": "why", "result": "item", "num": "at.n", "price": "delta"},
    ),
    Mapped(
        format="json", time=TimeSection(field="at.time", format="%Y-%m-%dT%H:%M:%S,%f", zone=NEWFOUNDLAND), event="event",
        events={"login": "fuben_logchange", "coins": "shop_logbuy"}, area=FieldSection(field="params.server"),
        fields={"acct": "uid", "num": "at.n", "price": "params.price", "item": "why", "fuben": "who.id", "result": "item"},
    ),
    Mapped(
        format="json", time=TimeSection(field="time", format="unix_ms"), event="event", events=EVENTS,
        area=FieldSection(field="server", values={"9": AREA, "x": "nowhere"}), fields=FIELDS | {"corpid": "uid", "opname": "event"},
    ),
)  # fmt: skip
"""Of each, compiled code reads regular lines."""
COLUMNS = ["time", "event", "uid", "delta", "why", "item", "num", "price", "spent", "server"]
_TABLE: dict[str, Any] = {
    "time": TimeSection(field="time", format="unix"), "event": "event", "area": FieldSection(field="server", values={"9": AREA}),
    "events": EVENTS | {"login": "logout_logcount"}, "fields": {"acct": "uid", "amount": "delta", "reason": "why", "seconds": "spent"},
}  # fmt: skip
TABLES = (
    Mapped(format="csv", columns=COLUMNS, **_TABLE),
    Mapped(format="logfmt", **_TABLE),
    Mapped(
        format="regex", pattern="^" + r"\|".join(f"(?P<{name}>[^|]*)" for name in COLUMNS) + "$", **_TABLE
    ),
)
"""Lines without types, whose values may be empty."""
KEYS = [
    *("time", "event", "uid", "who", "params", "why", "delta", "server"),
    *("at", "item", "id", "acct", "amount", "a.b"),
]

Verdict = tuple[object, ...]


class MappedLines(LineGenerator):
    """Draws lines for a mapping."""

    def __init__(self, draw: random.Random, section: Mapped) -> None:
        super().__init__(draw, list(AREAS), NOW)
        self.keys = [*self.keys, *KEYS]
        self._section = section

    def good(self, journaled: bool = False, plain: bool = False, polled: bool = False) -> bytes:
        """Return a line, without its newline; nearly all are as compiled code takes them."""
        draw = self._draw
        event = draw.choice(["login", "coins", "coins", "spend", "名", "chat", "signup_logcount"])
        odd = draw.random() < 0.02
        server = draw.choice(["9", "x", 9]) if odd else draw.choice(["9", AREA])
        amount = draw.choice([5, -5, 3.0, "8", "-8.00", "2.5", True]) if odd else draw.randint(-50, 50)
        record: dict[str, Any] = {
            "corpid": 2001, "event": event, "uid": draw.choice([*PLAIN_ACCTS, 77]), "who": {"id": draw.choice(PLAIN_ACCTS)},
            "params": {"delta": amount, "why": "w", "event": event, "server": AREA, "price": draw.choice([3, "4"])},
            "why": draw.choice(["f1", "", "é"]), "delta": amount, "server": server, "acct": "b", "num": 2, "price": 5,
            "item": draw.choice(["enter", "pass"]), "note": draw.choice([[1, {"x": None}], 1.5, "n"]),
        }  # fmt: skip
        if odd:
            del record[draw.choice(list(record))]
        record["time"] = self._time()
        record["at"] = {"time": record["time"], "n": 1}
        if draw.random() < 0.2:
            record = dict(draw.sample(list(record.items()), len(record)))
        return msgspec.json.encode(record) if self._section.format == "json" else self._cells(record)

    def _cells(self, record: dict[str, Any]) -> bytes:
        """Return a line of a table; nearly half of its lines have empty cells."""
        cells = {name: str(record.get(name, "")) for name in COLUMNS} | {
            "spent": str(self._draw.randint(0, 50))
        }
        if self._draw.random() < 0.4:
            cells |= dict.fromkeys(
                self._draw.sample(["spent", "spent", "why", "num", "price", "delta", "uid"], 2), ""
            )
        if self._section.format == "logfmt":
            return " ".join(f"{name}={value}" for name, value in cells.items()).encode()
        return ("," if self._section.format == "csv" else "|").join(cells.values()).encode()

    def _time(self) -> object:
        assert self._section.time is not None
        format, ts = self._section.time.format, self._now - self._draw.randrange(100)
        if format in ("unix", "unix_ms"):
            return ts if format == "unix" else 1000 * ts + self._draw.randrange(1000)
        moment = datetime.fromtimestamp(ts, ZoneInfo(NEWFOUNDLAND))
        if format == "iso8601":
            return moment.isoformat(timespec=self._draw.choice(("seconds", "milliseconds")))
        return moment.strftime(format)


class MappedPaths:
    """Takes chunks over every path of one mapping.

    Attributes:
        accepted: lines that all paths took.
        at_once: of these, lines of chunks that compiled code took.
    """

    def __init__(self, section: Mapped) -> None:
        self.accepted = self.at_once = 0
        self._mapping = LineMapping(NAME, section, "UTC")
        known = {NAME: self._mapping}
        self._rules = Rules(AREAS, RULES.opcodes, mappings=known, source=NAME)
        self._journal_rules = Rules(AREAS, RULES.opcodes, mappings=known)

    def disagreement(self, *chunks: Chunk) -> str | None:
        """Return on what two paths disagree, None where all agree."""
        first = 1
        for lines in chunks:
            if (what := self._of_chunk(lines, first)) is not None:
                return what
            first += len(lines)
        return None

    def _of_chunk(self, lines: Chunk, first: int) -> str | None:
        found = self._found(lines, first)
        share = mapping_lines._each(found, self._rules, self._mapping, NOW)
        alone = _verdicts([share])
        at_once = mapping_lines._at_once(found, self._rules, self._mapping, NOW)
        if at_once is not None:
            self.at_once += len(lines)
            if what := _difference("compiled", _verdicts([at_once]), alone):
                return what
        if first % DIVIDED == 0:
            cut = len(lines) // 2 or 1
            divided = [self._whole(lines[:cut], first), self._whole(lines[cut:], first + cut)]
            if what := _difference(
                "in two chunks", _verdicts(one for some in divided for one in some), alone
            ):
                return what
        return self._again(at_once or share, alone)

    def _again(self, share: Share, before: dict[int, Verdict]) -> str | None:
        """Read what was accepted back from a journal."""
        journal = b"".join([block + b"\n" for block in share.journaled()])
        good = {n: verdict for n, verdict in before.items() if verdict[0] == "good"}
        self.accepted += len(good)
        again = (
            mapping_lines.convert(journal, "gamelog/other@1", 1, self._journal_rules, NOW) if journal else []
        )
        return _difference("from a journal", _verdicts(again), good)

    def _found(self, lines: Chunk, first: int) -> "mapping_lines._SourceLines":
        text = b"".join([line + b"\n" for line in lines]).replace(b"\r\n", b"\n")
        return mapping_lines._SourceLines(NAME, SOURCE, range(first, first + len(lines)), text)

    def _whole(self, lines: Chunk, first: int) -> list[Share]:
        text = b"".join([line + b"\n" for line in lines])
        return mapping_lines.convert(text, SOURCE, first, self._rules, NOW) if lines else []


def _difference(name: str, found: dict[int, Verdict], expected: dict[int, Verdict]) -> str | None:
    if found == expected:
        return None
    places = [n for n in sorted(found.keys() | expected.keys()) if found.get(n) != expected.get(n)][:3]
    return "\n".join(f"{name}: {found.get(n)}\nline by line: {expected.get(n)}" for n in places)


def _verdicts(shares: Iterable[Share]) -> dict[int, Verdict]:
    """Return what became of each line, by its number. Records are compared as values: compiled code leaves texts as they are."""
    found: dict[int, Verdict] = {}
    for share in shares:
        for topic, lines in share.topics.items():
            for line in lines.body.split(b"\n"):
                record = msgspec.json.decode(line)
                source, _, n = record.pop("id").rpartition(":")
                found[int(n)] = ("good", source, topic, json.dumps(record, sort_keys=True))
        found.update({one.n: ("bad", share.source, one.reason, one.raw) for one in share.bad})
    return found
