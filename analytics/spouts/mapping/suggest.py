"""A mapping guessed from the first lines of a log, as the configuration says it. Pure."""

import csv
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from analytics.config import Mapped, TimeSection
from analytics.core.tuples import EARLIEST
from analytics.errors import RecordError
from analytics.spouts.mapping.formats import Parse, parser
from analytics.spouts.mapping.times import Seconds, seconds

_TIME_NAMES = (
    "time", "ts", "timestamp", "date", "datetime", "at", "when", "t", "eventtime", "createdat", "logtime",
)  # fmt: skip
_EVENT_NAMES = (
    "event", "ev", "evt", "type", "action", "op", "opname", "kind", "what", "eventtype", "eventname", "name", "msg", "message",
    "cmd",
)  # fmt: skip
_AREA_NAMES = (
    "area", "server", "serverid", "srv", "srvid", "zone", "zoneid", "realm", "realmid", "world", "worldid", "shard", "shardid",
    "servername", "host",
)  # fmt: skip
_FIELD_NAMES: Mapping[str, Sequence[str]] = {
    "acct": (
        "acct", "account", "accountid", "acctid", "uid", "userid", "user", "player", "playerid", "openid", "username",
        "name", "id",
    ),
    "amount": ("amount", "delta", "change", "coins", "gold", "gems", "diamonds", "yuanbao", "value"),
    "reason": ("reason", "why", "cause", "source"),
    "fuben": ("fuben", "dungeon", "dungeonid", "stage", "instance"),
    "result": ("result", "outcome"),
    "task": ("task", "quest", "questid", "taskid", "mission"),
    "item": ("item", "itemid", "product", "sku", "goods"),
    "num": ("num", "count", "quantity", "qty", "n"),
    "price": ("price", "cost", "total", "paid"),
    "seconds": ("seconds", "secs", "sec", "durs", "dursec", "durationsec", "durationseconds", "playseconds", "sessionseconds"),
}  # fmt: skip
_EVENTS: Sequence[tuple[str, str]] = (
    ("createrole_logcount", r"creat\w*_?(role|char)|new_?(role|char)"),
    ("signup_logcount", r"sign_?up|register|registration|account_?creat|new_?(account|user|player)"),
    ("login_logcount", r"log(ged)?[_ ]?(in|on)\b|login|sign[_ ]?in|enter_?game|join|(?<!dis)connected"),
    (
        "logout_logcount",
        r"log(ged)?[_ ]?(out|off)|sign(ed)?[_ ]?(out|off)|disconnect|^(player_?)?(left|leave|quit|exit)(_?game)?$",
    ),
    ("shop_logbuy", r"buy|bought|purchas|shop"),
    ("yuanbao_logchange", r"coin|gold|gem|diamond|yuanbao|currenc|charge|recharge"),
    ("trunk_task_finish", r"(quest|task|mission)\w*_?(finish|complete|done|end)"),
    ("trunk_task_accept", r"(quest|task|mission)\w*_?(accept|start|begin)"),
    ("fuben_logchange", r"dungeon|fuben|instance|stage"),
)
KNOWN = frozenset({*(code for code, _ in _EVENTS)})
_TIMES = (
    "iso8601", "unix", "unix_ms", "%Y/%m/%d %H:%M:%S", "%d.%m.%Y %H:%M:%S", "%d/%m/%Y %H:%M:%S", "%m/%d/%Y %H:%M:%S",
    "%d/%b/%Y:%H:%M:%S %z", "%d%b%Y %H:%M:%S.%f", "%d %b %Y %H:%M:%S", "%Y%m%d%H%M%S",
)  # fmt: skip
_LEADING = (
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?",
    r"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d",
    r"\d\d[A-Z][a-z]{2}\d{4} \d\d:\d\d:\d\d\.\d+",
    r"\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}",
    r"\d\d\.\d\d\.\d{4} \d\d:\d\d:\d\d",
)
_WORDS = "joined|left|logged in|logged out|registered|connected|disconnected"
_PAIR = re.compile(r'[^\s="]+=(?:"|\S)')
_SEPARATORS = ",;\t|"
_MOST_EVENTS = 30
_LATEST = EARLIEST + 100 * 366 * 86_400


@dataclass(slots=True)
class Suggestion:
    """Keys of a source, and what a person who knows the log has to check."""

    keys: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def toml(self) -> str:
        """Return the keys as lines of TOML."""
        notes = "".join(f"# {note}\n" for note in self.notes)
        return notes + "".join(f"{key} = {_toml(value)}\n" for key, value in self.keys.items())


def suggest(lines: Sequence[bytes], areas: Sequence[str], zone: str) -> Suggestion | None:
    """Return what a log's lines may mean; None where they look like nothing known.

    Args:
        areas: ids of the configuration; the first one is taken for a log that names none.
        zone: of times that have none.
    """
    keys = _format([line.decode(errors="replace") for line in lines])
    if keys is None:
        return None
    mapped = msgspec.convert(keys, Mapped)
    parse, header = parser(mapped), _header(mapped, lines)
    values = _values(record for line in lines if (record := _parsed(parse, line, header)))
    found, taken = Suggestion(keys), set[str]()
    _guess_time(found, values, taken, zone)
    _guess_event(found, values, taken)
    _guess_area(found, values, taken, areas)
    guesses = {name: _named(names, values, taken) for name, names in _FIELD_NAMES.items()}
    found.keys["fields"] = {name: own for name, own in guesses.items() if own and own != name}
    if not guesses["acct"]:
        found.notes.append('No field looks like an account: name it, as in fields = { acct = "uid" }.')
    return found


def _format(texts: Sequence[str]) -> dict[str, Any] | None:
    """Return the keys that say how lines are taken apart."""
    most = len(texts) * 0.6
    if sum(_is_json(text) for text in texts) >= most:
        return {"format": "json"}
    if sum(_is_json(text[text.find("{") :]) for text in texts if "{" in text) >= most:
        return {"format": "json", "prefix": "json"}
    if sum(len(_PAIR.findall(text)) >= 2 for text in texts) >= most:
        return {"format": "logfmt"}
    for separator in _SEPARATORS:
        widths = _widths(texts, separator)
        if len(widths) == 1 and (width := widths.pop()) > 2:
            first = next(csv.reader([texts[0]], delimiter=separator))
            names = all(re.fullmatch(r"[^\W\d][\w .-]*", cell) for cell in first) and len({*first}) == width
            keys = {"format": "csv"} | ({"separator": separator} if separator != "," else {})
            return keys if names else keys | {"columns": [f"column{n}" for n in range(1, width + 1)]}
    for pattern in _LEADING:
        if sum(re.match(rf"\W?{pattern}", text) is not None for text in texts) >= most:
            pattern = rf"^\W?(?P<time>{pattern})\W.*?(?P<acct>\w+)(?:\[[^\]]*\])? (?P<event>{_WORDS})"
            return {"format": "regex", "pattern": pattern, "unmatched": "skip"}
    return None


def _widths(texts: Sequence[str], separator: str) -> set[int]:
    """Return how many columns the lines of a CSV have, nothing where they are none."""
    try:
        return {len(row) for row in csv.reader(texts, delimiter=separator)}
    except csv.Error:
        return set()


def _header(mapped: Mapped, lines: Sequence[bytes]) -> str:
    return lines[0].decode(errors="replace") if mapped.format == "csv" and not mapped.columns else ""


def _is_json(text: str) -> bool:
    try:
        return isinstance(msgspec.json.decode(text), dict)
    except (msgspec.MsgspecError, RecursionError):
        return False


def _parsed(parse: Parse, line: bytes, header: str) -> dict[str, Any] | None:
    try:
        return parse(line, header)
    except RecordError:
        return None


def _values(records: Iterable[dict[str, Any]]) -> dict[str, list[Any]]:
    """Return the values of each field, nested ones under a name with dots."""
    found: dict[str, list[Any]] = {}
    for record in records:
        rest = list(record.items())
        while rest:
            name, value = rest.pop(0)
            if isinstance(value, dict):
                rest += [(f"{name}.{inner}", one) for inner, one in value.items()]
            elif value not in (None, ""):
                found.setdefault(name, []).append(value)
    return found


def _guess_time(found: Suggestion, values: Mapping[str, list[Any]], taken: set[str], zone: str) -> None:
    likely = sorted(values, key=lambda name: (_plain(name) not in _TIME_NAMES, list(values).index(name)))
    for name in likely:
        for format in _TIMES:
            if all(
                _reads(seconds(TimeSection(field=name, format=format), "UTC"), value)
                for value in values[name]
            ):
                needs_zone = format not in ("unix", "unix_ms") and "%z" not in format
                found.keys["time"] = {"field": name, "format": format} | (
                    {"zone": zone} if needs_zone else {}
                )
                taken.add(name)
                return
    found.keys["time"] = {"field": "time", "format": "iso8601"}
    found.notes.append("No field looks like a time: name it, and its format.")


def _reads(read: Seconds, value: object) -> bool:
    try:
        return EARLIEST <= read(value) <= _LATEST
    except RecordError:
        return False


def _guess_event(found: Suggestion, values: Mapping[str, list[Any]], taken: set[str]) -> None:
    for name in _alike(_EVENT_NAMES, values, taken):
        events = [str(value) for value in values[name]]
        if len({*events}) <= min(_MOST_EVENTS, max(1, len(events) - 1)) or len(events) < 3:
            taken.add(name)
            found.keys["event"] = name
            meant = {
                event: code
                for event in dict.fromkeys(events)
                if (code := op_code_of(event)) and code != event
            }
            found.keys["events"] = meant
            left = [event for event in dict.fromkeys(events) if event not in meant and event not in KNOWN]
            if left:
                found.notes.append(f"These count nowhere unless events maps them: {', '.join(left[:10])}.")
            return
    found.keys["opcode"] = "login_logcount"
    found.notes.append(
        "No field says what happened: all lines are taken for logins. Name the field in event instead of opcode."
    )


def op_code_of(event: str) -> str:
    """Return the suite's op code that the name of an event may stand for, "" where none is likely."""
    return next((code for code, pattern in _EVENTS if re.search(pattern, event, re.IGNORECASE)), "")


def _guess_area(
    found: Suggestion, values: Mapping[str, list[Any]], taken: set[str], areas: Sequence[str]
) -> None:
    """Take the field whose values are areas, or that has several values."""
    named = {name: [*dict.fromkeys(map(str, values[name]))] for name in _alike(_AREA_NAMES, values, taken)}
    name = min(named, key=lambda name: (not {*named[name]} <= {*areas}, len(named[name]) == 1), default="")
    taken.add(name)
    found.keys["area"] = {"field": name} if name else areas[0]
    if not name or {*named[name]} <= {*areas}:
        return
    value = named[name][0]
    says = _toml({"field": name, "values": {value: areas[0]}})
    if len(named[name]) > 1:
        found.notes.append(
            f"Each value of {name} has to be an area in [games.<name>.areas], or to stand for one, as in area = {says}."
        )
    else:
        found.keys["area"] = areas[0]
        found.notes.append(
            f"All lines are taken for the area {areas[0]}. If {name} says which area: area = {says}."
        )


def _named(names: Sequence[str], values: Mapping[str, list[Any]], taken: set[str]) -> str:
    """Return the field that is called like one of ``names``, those at the front first; it is taken then."""
    found = next(iter(_alike(names, values, taken)), "")
    taken.add(found)
    return found


def _alike(names: Sequence[str], values: Mapping[str, list[Any]], taken: set[str]) -> list[str]:
    """Return the fields that are called like one of ``names``, in their order; fields within a field by their own names."""
    own = {_plain(name): name for name in reversed(list(values)) if name not in taken}
    own |= {
        _plain(name.rpartition(".")[2]): name
        for name in reversed(list(values))
        if "." in name and name not in taken
    } | own
    return [own[name] for name in names if name in own]


def _plain(name: str) -> str:
    return "".join(char for char in name.casefold() if char.isalnum())


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return (
            "{}"
            if not value
            else "{ " + ", ".join(f"{toml_key(name)} = {_toml(one)}" for name, one in value.items()) + " }"
        )
    if isinstance(value, str) and "\\" in value and "'" not in value:
        return f"'{value}'"
    return json.dumps(value, ensure_ascii=False)


def toml_key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else json.dumps(name, ensure_ascii=False)
