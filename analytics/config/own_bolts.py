"""Bolts in the configuration's tables become the same declarations as those in Python."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from analytics.config.bolt_drafts import BoltDraft, draft_of, fault_at, name_faults
from analytics.config.bolt_sections import BoltSection
from analytics.core.bolt import Bolt, Reads
from analytics.core.declared import (
    FieldType,
    adds_up,
    finish_of,
    kinds_of,
    known_fields,
    measure_of,
    path_of,
    tuple_type,
)
from analytics.core.expressions import ExpressionError, Parsed, ValueKind
from analytics.core.formula import is_percent
from analytics.core.tuples import Grade

_Wanted = tuple[str, tuple[ValueKind, ...]]
"""How messages say what an expression should be, and the kinds that it may have."""

_CONDITION: _Wanted = ("a condition", ("flag",))
_NUMBER: _Wanted = ("a number", ("int", "number"))
_WANTED: Mapping[str, _Wanted] = {
    "distinct": ("a text or an integer", ("text", "int")),
    "sum": ("an integer, as fractions do not add up exactly: log cents instead", ("int",)),
    "min": ("an integer", ("int",)),
    "max": ("an integer", ("int",)),
    "latest": ("a text or a number", ("text", "int", "number")),
    "tally": ("a text", ("text",)),
}


def declared_bolts(
    sections: Mapping[str, BoltSection], others: Mapping[str, Bolt]
) -> tuple[dict[str, Bolt], list[str]]:
    """Return the bolts of the tables by name, and all faults as ``key: expected …, got …``. ``others``: the bolts that there are besides."""
    drafts = [draft_of(name, section, {*others, *sections}) for name, section in sections.items()]
    for draft in drafts:
        draft.faults[:0] = [f"{draft.key}: {text}" for text in name_faults(draft.name, others, {})]
    fields = _Fields(others.values(), drafts)
    bolts = {}
    for draft in drafts:
        types = {topic: fields.of(draft, topic) for topic in draft.reads}
        if not draft.faults:
            _check_kinds(draft, types)
        if not draft.faults:
            try:
                bolts[draft.name] = _bolt(draft, types)
            except ValueError as error:
                draft.fault("", str(error))
    return bolts, [fault for draft in drafts for fault in draft.faults]


class _Fields:
    """What the fields of records are: as other bolts declare them, as tables do, or by what is done with them."""

    def __init__(self, others: Iterable[Bolt], drafts: Sequence[BoltDraft]) -> None:
        self._known = known_fields(others)
        self._declared: dict[tuple[str, str], tuple[ValueKind, str]] = {}
        self._implied: dict[tuple[str, str], ValueKind] = {}
        for draft in drafts:
            for topic, fields in draft.uses.items():
                for name, kind in fields.items():
                    said = draft.section.fields.get(name)
                    if said is not None:
                        self._declare(draft, topic, name, said.removesuffix("?"))  # type: ignore[arg-type]
                    elif kind is not None:
                        self._implied.setdefault((topic, name), kind)

    def _declare(self, draft: BoltDraft, topic: str, name: str, kind: ValueKind) -> None:
        known = self._known.get((topic, name))
        before, where = self._declared.setdefault((topic, name), (kind, f"{draft.key}.fields.{name}"))
        if known is not None and known.kind != kind:
            draft.fault(f".fields.{name}", f'expected "{known.kind}", as other bolts read it, got "{kind}"')
        elif before != kind:
            draft.fault(f".fields.{name}", f'expected "{before}", as {where} says, got "{kind}"')

    def of(self, draft: BoltDraft, topic: str) -> dict[str, FieldType]:
        """Return the fields of a topic that a bolt reads."""
        found = {}
        for name in draft.uses[topic]:
            declared, _ = self._declared.get((topic, name), (None, ""))
            kind = declared or self._implied.get((topic, name), "text")
            one = self._known.get((topic, name)) or FieldType.of(kind, name)
            said = draft.section.fields.get(name)
            if name in draft.graded and one.kind == "int":
                graded = replace(one, type=Grade, optional=False)
                one = graded.maybe() if one.optional else graded
            found[name] = one.maybe() if said and said.endswith("?") else one
        return found


_Types = Mapping[str, Mapping[str, FieldType]]
"""By topic and name, what the fields are that a bolt reads."""


def _joined(types: _Types) -> dict[str, FieldType]:
    return {name: one for fields in types.values() for name, one in fields.items()}


def _check_kinds(draft: BoltDraft, types: _Types) -> None:
    """Add to the draft's faults where a field is not of the kind that it has to be."""
    joined = _joined(types)
    for topic, fields in types.items():
        for name, one in fields.items():
            if one.kind != joined[name].kind:
                text = f"expected {name} to be of one kind in all op codes, got {one.kind} in {topic}"
                draft.fault("", text)
    for name in draft.section.by:
        one = joined[name]
        if one.optional or one.kind not in ("text", "int"):
            kind = f"{one.kind}{'?' if one.optional else ''}"
            text = f'expected a text or an integer that is always there, got {name}, which is "{kind}"'
            draft.fault(".by", text)
    kinds = kinds_of(joined)
    for name, said in draft.measures.items():
        key = f".measures.{name}.{said.kind}"
        if said.where is not None:
            _check_kind(draft, f"{key}.where", said.where, kinds, _CONDITION, "result == 'win'")
        if said.of is not None:
            _check_kind(draft, key, said.of, kinds, _WANTED[said.kind], "points")
        if said.per is not None:
            if said.of is not None and kinds.get(said.of.text.strip()) != "int":
                draft.fault(key, "expected an integer beside per, as only such values have a table")
            if joined[said.per.names[0]].optional:
                draft.fault(
                    f".measures.{name}.per", f"expected a field that is always there, got {said.per.text}"
                )
    numbers: dict[str, ValueKind] = dict.fromkeys(draft.numbers, "number")
    for name, parsed in draft.derived.items():
        _check_kind(draft, f".derived.{name}", parsed, numbers, _NUMBER, "percent(wins, fights)")


def _bolt(draft: BoltDraft, types: _Types) -> Bolt:
    """Return the bolt of a draft without faults. Raise ValueError where two of its fields have one name."""
    section, joined = draft.section, _joined(types)
    struct = "".join(part.capitalize() for part in draft.name.split("_"))
    path = path_of(draft.reads[0])
    return Bolt(
        name=draft.name,
        reads={
            topic: Reads(tuple_type(struct, topic, fields, draft.looks_for_newest))
            for topic, fields in types.items()
        },
        measures={name: measure_of(name, said, draft.reads, joined) for name, said in draft.measures.items()},
        period=section.period,
        by={name: f"{path}{name}" for name in section.by},
        finish=finish_of(draft.derived),
        percents=[name for name, parsed in draft.derived.items() if is_percent(parsed)],
        totals=section.totals if section.totals is not None else adds_up(draft.measures.values()),
    )


def _check_kind(
    draft: BoltDraft, key: str, parsed: Parsed, kinds: Mapping[str, ValueKind], wanted: _Wanted, example: str
) -> None:
    try:
        kind = parsed.kind(kinds)
        if kind not in wanted[1]:
            raise ExpressionError(1, f"expected {wanted[0]}, got {kind}")
    except ExpressionError as error:
        fault_at(draft, key, parsed.text, error, example)
