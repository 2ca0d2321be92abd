"""The page of a bolt, made from its declaration: numbers by period and by key, and documents one by one."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Literal

import msgspec

from analytics.core.bolt import Bolt
from analytics.web.charts import Chart, Series, numbered
from analytics.web.csvs import Row, structs
from analytics.web.custom.bolt_reading import LINES, TOP, BoltReading
from analytics.web.custom.structs import ALL, BoltHour, BoltLine, BoltStructs
from analytics.web.data import Data
from analytics.web.display import NOTHING
from analytics.web.filters import Filters
from analytics.web.page import DashboardPage, Panel, against_day_before
from analytics.web.reading.hours import hours_of_two_days
from analytics.web.rights import ACCT_FIELDS
from analytics.web.tables import Table
from analytics.web.translation import Translate, msg

GROUP = "collections"
ICON = "M2 4c0-1 2.7-2 6-2s6 1 6 2-2.7 2-6 2-6-1-6-2zM2 4v8c0 1 2.7 2 6 2s6-1 6-2V4M2 8c0 1 2.7 2 6 2s6-1 6-2"


class BoltPage:
    """Answers for one bolt."""

    def __init__(self, bolt: Bolt) -> None:
        self.bolt = bolt
        self.structs = BoltStructs(bolt)

    def view(self, data: Data, filters: Filters, options: Any) -> Any:
        """Return the page's numbers."""
        reading, own = self._reading(data, filters, options), self.structs
        rows, more = reading.page_of_documents(options.page, options.size)
        answer = {
            "field": "", "split": "", "lines": [], "hours": [], "unsaid": [], "too_wide": reading.is_too_wide,
            "page": options.page, "more": more,
            "documents": [self._document(one) for one in rows],
        }  # fmt: skip
        if self.bolt.period:
            answer |= self._numbers(reading, options)
        return own.answer(scope=reading.place.scope(), at=reading.look.at, **answer)

    def _numbers(self, reading: BoltReading, options: Any) -> dict[str, Any]:
        own, field = self.structs, getattr(options, "field", "")
        split = getattr(options, "split", ALL)
        split = "" if split == ALL else split
        by_period = reading.by_period()
        found: dict[str, Any] = {
            "field": field,
            "split": split,
            "periods": [
                own.period(day=str(day), final=reading.ended(day), **self._numbered(by_period.get(day, {})))
                for day in reading.starts
            ],
            "unsaid": [one for one in own.fields.numbers if not reading.can_say(one)],
        }
        if field and reading.can_say(field, split):
            found["lines"] = [BoltLine(*one) for one in reading.lines(field, split, by_period)]
        if self.bolt.period == "hour" and field in own.fields.added:
            hours = hours_of_two_days(reading.look, self.bolt.name, {"value": field})
            found["hours"] = [BoltHour(**one) for one in hours]
        if own.has_keys:
            found["keys"] = [self._key(*one) for one in reading.by_key(field)]
        return found

    def every_key(self, data: Data, filters: Filters, options: Any) -> Iterator[Row]:
        """Yield the CSV of all keys."""
        reading = self._reading(data, filters, options)
        return structs(self.structs.key, (self._key(*one) for one in reading.by_every_key(options.field)))

    def every_cell(self, data: Data, filters: Filters, options: Any) -> Iterator[Row]:
        """Yield the CSV by period and key."""
        reading = self._reading(data, filters, options)
        cells = (
            self.structs.cell(day=str(day), **self._keyed(key), **self._numbered(values))
            for day, key, values in reading.by_period_and_key()
        )
        return structs(self.structs.cell, cells)

    def every_document(self, data: Data, filters: Filters, options: Any) -> Iterator[Row]:
        """Yield the CSV of all documents, one by one as they are read."""
        reading = self._reading(data, filters, options)
        return structs(self.structs.document, map(self._document, reading.documents()))

    def _reading(self, data: Data, filters: Filters, options: Any) -> BoltReading:
        parameters = {key: getattr(options, self.structs.parameters[key]) for key in self.bolt.by}
        chosen = {key: value for key, value in parameters.items() if value}
        return BoltReading(data, data.place(filters), self.bolt, chosen)

    def _numbered(self, values: Any) -> dict[str, Any]:
        names = self.structs.names
        return {names[one]: values.get(one) for one in self.structs.fields.numbers}

    def _keyed(self, key: Sequence[Any]) -> dict[str, Any]:
        names = self.structs.names
        return {names[one]: value for one, value in zip(self.structs.fields.keys, key, strict=True)}

    def _key(self, key: Sequence[Any], values: Any) -> msgspec.Struct:
        return self.structs.key(**self._keyed(key), **self._numbered(values))

    def _document(self, one: dict[str, Any]) -> msgspec.Struct:
        kind = self.structs.document
        times = {name: one[name] for name in ("day", "time") if name in kind.__struct_fields__}
        return kind(area=one["area"], plat=one.get("plat", ""), **times, **self.structs.names.row(one))


def _points(answer: Any) -> list[Any]:
    return [
        numbered(one, [line.values[place] for line in answer.lines], LINES + 1)
        for place, one in enumerate(answer.periods)
        if answer.lines
    ]


def _names(answer: Any, t: Translate) -> list[str]:
    if not answer.split:
        return [answer.field]
    return [t("others") if one.name is None else one.name or NOTHING for one in answer.lines]


def _of_field(answer: Any, t: Translate) -> str:
    return t("{field} by {key}", field=answer.field, key=answer.split) if answer.split else str(answer.field)


def _keys_note(answer: Any, t: Translate) -> str:
    return t("in all these days; at most {n}, the CSV has all", n=TOP)


TITLES = {"hour": msg("By day"), "day": msg("By day"), "week": msg("By week"), "month": msg("By month")}
LINES_CHART = Chart(
    "lines",
    "By day",
    "day",
    tuple(Series(f"v{n}", "", n + 1, "number") for n in range(LINES + 1)),
    unit="money",
    rows=_points,
    signed=True,
    names=_names,
)
HOURS_CHART = Chart(
    "hours",
    msg("By hour"),
    "hour",
    (Series("value_today", msg("The day"), 1, "number"), Series("value_yesterday", msg("The day before"), 1, "number", faint=True)),
    unit="money",
)  # fmt: skip
HOURS = Table("hours", msg("By hour"), BoltHour, "hour value_today value_yesterday")


def bolt_page(bolt: Bolt) -> DashboardPage:
    made = BoltPage(bolt)
    own = made.structs
    numbers = " ".join(own.names[one] for one in own.fields.numbers)
    documents = Table("documents", msg("Documents"), own.document, own.shown, accts=_accts(made))
    tables, panels, csvs = [], [], {"documents": made.every_document}
    if bolt.period and numbers:
        tables.append(Table("periods", TITLES[bolt.period], own.period, f"day {numbers}", has_final=True))
        chart = replace(
            LINES_CHART,
            title=TITLES[bolt.period],
            kind=lambda answer: own.kind(answer.field),
            months=bolt.period == "month",
        )
        panels.append(Panel(tables[-1], chart, note=_of_field))
        if bolt.period == "hour":
            tables.append(HOURS)
            panels.append(Panel(HOURS, HOURS_CHART, note=against_day_before))
    if own.has_keys:
        keys = " ".join(own.names[one] for one in own.fields.keys)
        tables.append(
            Table("keys", msg("By key"), own.key, f"{keys} {numbers}", bars=own.names[own.fields.added[0]])
        )
        panels.append(Panel(tables[-1], note=_keys_note))
        csvs |= {"keys": made.every_key, "cells": made.every_cell}
    tables.append(documents)
    panels.append(Panel(documents, note=msg("of areas; the CSV has all")))
    return DashboardPage(
        name=f"{GROUP}/{bolt.name}",
        title=bolt.name,
        answer=own.answer,
        view=made.view,
        icon=ICON,
        options=own.options,
        tables=tuple(tables),
        panels=tuple(panels),
        csvs=csvs,
        template="bolt.html",
        context=partial(_context, made),
        menu=GROUP,
    )


def _accts(made: BoltPage) -> Literal["", "some", "all"]:
    """Return whether documents are about single accts, by the field that a key is read from, or have texts that may name some."""
    read = {of.rpartition(".")[2] for of in made.bolt.by.values() if isinstance(of, str)}
    if read & ACCT_FIELDS:
        return "all"
    return "some" if made.structs.fields.others else ""


def _context(made: BoltPage, answer: Any, t: Translate) -> dict[str, Any]:
    own = made.structs
    period = made.bolt.period is not None
    over = [*([t("areas")] if answer.scope.basis != "area" else []), *own.fields.keys]
    if made.bolt.period == "hour":
        over.append(t("hours"))
    return {
        "over": ", ".join(over),
        "fields": own.fields.numbers if period else (),
        "splits": [*((key, key) for key in own.fields.keys), (ALL, t("everything"))]
        if own.fields.keys and period
        else [],
        "keys": [(key, own.parameters[key]) for key in own.fields.keys],
        "all_keys": ALL,
    }
