"""Tables of bolts in the configuration, read: what each asks for, or faults that say what to write."""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from analytics.config.bolt_sections import BoltSection, CountSection, MeasureSection, ValueSection
from analytics.core.declared import FUNCTIONS, Declaration
from analytics.core.expressions import ExpressionError, Parsed, ValueKind, parse
from analytics.core.schema import GAMELOG, is_code
from analytics.core.segments import PROPERTIES

BOLT_NAME = re.compile(r"[a-z][a-z0-9_]{0,47}")
FIELD_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
MOST_MEASURES = 32
MOST_VALUES = 32
MOST_PARTS = 3
"""Fields in ``by``: each combination of their values is a document."""

TAKEN_FIELDS = frozenset(
    {"game", "plat", "area", "ts", "parts", "part_of", "updated", "scope", "final", "date", "day", "zone"}
)
"""Fields that documents and views have already; those that begin with ``_`` are the suite's, too."""

TAKEN_NAMES = frozenset(
    {
        "activeday", "activeweek", "activemonth", "lifecycle", "onlineday", "sessionday", "loginretention", "paytraceday",
        "loginlong", "loginweek", "loginmonth", "paylong", "payweek", "paymonth", "kpi", "payers", "ltv", "firstpay",
        "funnel", "serverstarttime", "acctsegment", "acctstep", "excluded", "rollup", "areas", "games", "positions",
        "changes", "main", "workers", "timers", "gamelog", "payment", "syncuser", "broker", "store", "dashboard", "metrics",
        "alerts", "engine", PROPERTIES, "annotations", "share_links", "saved_views", "api_tokens", "audit_log",
    }
)  # fmt: skip
"""Names of collections, timer bolts, topics and nodes."""

_HIDDEN = frozenset({"_id", "_v", "_at"})
"""The suite's own fields. A measure may keep what it needs in a field of its name with ``_`` before it."""

_TAKEN_IN_RECORDS = frozenset({"op", "area", "ts", "id", "at", "left"})
_EXAMPLES = {
    "count": "{ count = { where = \"result == 'win'\" } }",
    "sum": '{ sum = "points" }',
    "distinct": '{ distinct = "acct" }',
    "min": '{ min = "points" }',
    "max": '{ max = "points" }',
    "latest": '{ latest = "level" }',
    "tally": '{ tally = "result", values = ["win", "loss"] }',
}


_PER = '{ latest = "level", per = "acct" }'


@dataclass
class BoltDraft:
    """A table that was read, before it is known what its fields are.

    Attributes:
        reads: topics.
        uses: by topic, the fields that it reads, with what each has to be by where it stands.
    """

    name: str
    section: BoltSection
    faults: list[str] = field(default_factory=list)
    reads: tuple[str, ...] = ()
    measures: dict[str, Declaration] = field(default_factory=dict)
    derived: dict[str, Parsed] = field(default_factory=dict)
    uses: dict[str, dict[str, ValueKind | None]] = field(default_factory=dict)

    @property
    def shown(self) -> list[str]:
        """The fields that its measures show: that of each name, but of a tally one for each value."""
        tables = {
            name: one.values for name, one in self.section.measures.items() if isinstance(one, MeasureSection)
        }
        return [shown for name in self.section.measures for shown in tables.get(name) or [name]]

    @property
    def looks_for_newest(self) -> bool:
        """Whether it matters which record is the newest."""
        return any(one.kind == "latest" for one in self.measures.values())

    @property
    def graded(self) -> set[str]:
        """The fields whose values have a table."""
        return {one.of.names[0] for one in self.measures.values() if one.per and one.of}

    @property
    def numbers(self) -> list[str]:
        """Those of them that hold a number, whatever records say."""
        return [
            name for name in self.shown if name not in self.measures or self.measures[name].kind != "latest"
        ]

    @property
    def key(self) -> str:
        return f"bolts.{self.name}"

    def fault(self, key: str, text: str) -> None:
        """Add what is wrong with a key of the table, which begins with a dot; "": with the table."""
        self.faults.append(f"{self.key}{key}: {text}")


def name_faults(name: str, others: Collection[str], own: Mapping[str, str]) -> Iterator[str]:
    """Yield what is wrong with the name of a bolt of one's own.

    Args:
        others: names of the suite's bolts.
        own: where bolts of one's own are declared, by name.
    """
    if name in own:
        yield f"expected a name that no other bolt of yours has, but {own[name]} declares one of this name; remove or rename one"
    if not BOLT_NAME.fullmatch(name):
        yield f'expected a name of at most 48 small letters, digits and "_", as pvp_wins, got "{name}"'
    if (
        name in others
        or name in TAKEN_NAMES
        or name.endswith(("_total", "_segment"))
        or name.startswith(("bi_", "system"))
    ):
        yield f'expected a name that the suite does not use itself, as my_{name}, got "{name}"'


def draft_of(name: str, section: BoltSection, bolts: Collection[str]) -> BoltDraft:
    """Return a table as it is read. ``bolts``: the names of all bolts."""
    draft = BoltDraft(name, section)
    draft.reads = tuple(_topics(draft, ".reads", section.reads, bolts))
    draft.uses = {topic: {} for topic in draft.reads}
    _read_key(draft)
    if not 1 <= len(section.measures) <= MOST_MEASURES:
        draft.fault(
            ".measures",
            f'expected 1 to {MOST_MEASURES} measures, as count = "count", got {len(section.measures)}',
        )
    for one, said in section.measures.items():
        _read_measure(draft, one, said, bolts)
    for one, text in section.derived.items():
        if parsed := _parsed(draft, f".derived.{one}", text, "percent(wins, fights)", frozenset(FUNCTIONS)):
            draft.derived[one] = parsed
    _check_names(draft)
    _check_declared(draft)
    return draft


def _topics(draft: BoltDraft, key: str, said: str | list[str], bolts: Collection[str]) -> Iterator[str]:
    codes = [said] if isinstance(said, str) else said
    if not codes:
        draft.fault(key, 'expected an op code or a list of them, as "pvp_log", got none')
    for code in dict.fromkeys(codes):
        plain = code.removeprefix(GAMELOG)
        if code == "syncuser" and len(codes) == 1:
            yield code
        elif code == "payment":
            draft.fault(
                key,
                "expected an op code, got payment: its records are of many accts; read them in a Python file",
            )
        elif code in bolts and not code.startswith(GAMELOG):
            draft.fault(key, f'expected an op code, as "pvp_log", got "{code}", which is a bolt')
        elif code == "syncuser" or not is_code(plain) or plain.startswith("~") or plain != plain.strip():
            draft.fault(key, f'expected op codes alone, as "pvp_log", or syncuser alone, got "{code}"')
        else:
            yield GAMELOG + plain


def _read_key(draft: BoltDraft) -> None:
    by = draft.section.by
    if len(by) > MOST_PARTS or len({*by}) < len(by):
        draft.fault(
            ".by", f'expected at most {MOST_PARTS} different fields, as ["bracket"], got {", ".join(by)}'
        )
    for name in by:
        if _is_field(draft, ".by", name):
            for topic in draft.reads:
                draft.uses[topic].setdefault(name, None)


def _is_field(draft: BoltDraft, key: str, name: str) -> bool:
    if not FIELD_NAME.fullmatch(name):
        draft.fault(
            key,
            f'expected the name of a field of the record, as bracket, got "{name}"; a name with other characters '
            "can be changed by the mapping of its source",
        )
        return False
    if name in _TAKEN_IN_RECORDS:
        draft.fault(
            key, f"expected a field of the record's own, as bracket, got {name}, which every record has"
        )
        return False
    return True


def _read_measure(draft: BoltDraft, name: str, said: str | MeasureSection, bolts: Collection[str]) -> None:
    key = f".measures.{name}"
    if said == "count":
        said = MeasureSection(count=CountSection())
    if isinstance(said, str):
        draft.fault(key, f'expected "count", or a table as {_EXAMPLES["sum"]}, got "{said}"')
        return
    given = {kind: value for kind in _EXAMPLES if (value := getattr(said, kind)) is not None}
    if len(given) != 1:
        draft.fault(
            key,
            f"expected one of {', '.join(_EXAMPLES)}, as {_EXAMPLES['count']}, got {', '.join(given) or 'none'}",
        )
        return
    ((kind, value),) = given.items()
    if isinstance(value, str):
        value = ValueSection(of=value)
    on = tuple(_topics(draft, f"{key}.{kind}.on", value.on, bolts)) if value.on else ()
    if unread := [topic for topic in on if topic not in draft.reads]:
        draft.fault(
            f"{key}.{kind}.on",
            f"expected some of {', '.join(draft.reads)}, which the bolt reads, got {unread[0]}",
        )
        return
    if said.per and kind != "latest":
        draft.fault(f"{key}.per", f"expected it beside latest alone, as {_PER}, got it beside {kind}")
        return
    if bool(said.values) != (kind == "tally") or len(said.values) > MOST_VALUES:
        draft.fault(
            f"{key}.values",
            f"expected 1 to {MOST_VALUES} values beside tally, and none elsewhere, as {_EXAMPLES['tally']}, "
            f"got {len(said.values)} beside {kind}",
        )
        return
    where = of = per = None
    if value.where:
        where = _parsed(draft, f"{key}.{kind}.where", value.where, "result == 'win'")
    if isinstance(value, ValueSection):
        of = _parsed(draft, f"{key}.{kind}", value.of, "points")
    if said.per:
        per = _parsed(draft, f"{key}.per", said.per, "acct")
    if (
        (where is None and value.where)
        or (of is None and isinstance(value, ValueSection))
        or (per is None and said.per)
    ):
        return
    if kind == "latest" and not _reads_newest(draft, key, of, per):
        return
    draft.measures[name] = Declaration(kind, of, where, on, per, tuple(said.values))
    for topic in on or draft.reads:
        _use(draft, topic, where, "flag")
        _use(draft, topic, of, "int" if kind in ("sum", "min", "max") or per else None)
        _use(draft, topic, per, None)


def _reads_newest(draft: BoltDraft, key: str, of: Parsed | None, per: Parsed | None) -> bool:
    """Say whether the newest value of a field can be had; add to the draft's faults if not."""
    before = len(draft.faults)
    for part, one in (("latest", of), ("per", per)):
        if one is not None and not one.is_name:
            draft.fault(f"{key}.{part}", f'expected the name of a field, as {_PER}, got "{one.text}"')
    if draft.reads == ("syncuser",):
        draft.fault(
            f"{key}.latest", "expected it of op codes; usercenter and userlevel have the newest of roles"
        )
    return len(draft.faults) == before


def _use(draft: BoltDraft, topic: str, parsed: Parsed | None, whole: ValueKind | None) -> None:
    """Note the fields of an expression, which as a whole has to be something."""
    if parsed is None:
        return
    implied = {**parsed.implied, **({parsed.names[0]: whole} if parsed.is_name and whole else {})}
    for name in parsed.names:
        draft.uses[topic][name] = implied.get(name) or draft.uses[topic].get(name)


def _parsed(
    draft: BoltDraft, key: str, text: str, example: str, functions: frozenset[str] = frozenset()
) -> Parsed | None:
    try:
        parsed = parse(text, functions)
    except ExpressionError as error:
        fault_at(draft, key, text, error, example)
        return None
    if functions or all(_is_field(draft, key, name) for name in parsed.names):
        return parsed
    return None


def fault_at(draft: BoltDraft, key: str, text: str, error: ExpressionError, example: str) -> None:
    """Add what is wrong with an expression to a draft's faults, with the column and an example that would work."""
    shown = text if len(text) <= 60 else f"{text[:60]}…"
    draft.fault(key, f'{error}, at column {error.column} of "{shown}"; an example is "{example}"')


def _check_names(draft: BoltDraft) -> None:
    """Say which fields of the document have names that they cannot have."""
    section = draft.section
    seen = dict.fromkeys(section.by, ".by")
    for key, names in ((".measures", draft.shown), (".derived", section.derived)):
        for name in names:
            if not FIELD_NAME.fullmatch(name) or name.startswith("_"):
                draft.fault(
                    f"{key}.{name}", f'expected a name of letters, digits and "_", as wins, got "{name}"'
                )
            elif name in TAKEN_FIELDS or f"_{name}" in _HIDDEN:
                draft.fault(
                    f"{key}.{name}",
                    f"expected a field that no document has already, as my_{name}, got {name}",
                )
            elif name in FUNCTIONS and section.derived:
                draft.fault(
                    f"{key}.{name}", f"expected another name, as my_{name}, got that of the function {name}"
                )
            elif name in seen:
                draft.fault(
                    f"{key}.{name}",
                    f"expected another name, as {name}_2, got one that {seen[name].strip('.')} has",
                )
            seen.setdefault(name, key)
    for name in section.by:
        if name in TAKEN_FIELDS or name.startswith("_"):
            draft.fault(
                ".by",
                f"expected a field that no document has already, got {name}; the mapping of a source can rename it",
            )


def _check_declared(draft: BoltDraft) -> None:
    used = {name for fields in draft.uses.values() for name in fields}
    for name in draft.section.fields:
        if name not in used and not draft.faults:
            draft.fault(
                f".fields.{name}",
                f"expected a field that the bolt uses, one of {', '.join(sorted(used)) or 'none'}",
            )
