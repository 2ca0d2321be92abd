"""Numbers of the configuration, ``[numbers.NAME]``, on pages of their own and on those of bolts: formulas over numbers of documents, by day, computed when they are asked for."""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Annotated, Any

import msgspec

from analytics.config import Config, NumberSection
from analytics.config.numbers import slug
from analytics.core.fields import NumberValues
from analytics.core.formula import Formula
from analytics.timers import TIMERS
from analytics.web.answers import Date, Final, PageAnswer, Percent, filled, means
from analytics.web.charts import Chart, Series
from analytics.web.csvs import Row, structs
from analytics.web.custom.bolt_reading import BoltReading
from analytics.web.custom.structs import Number, struct_of
from analytics.web.data import Data
from analytics.web.filters import Filters
from analytics.web.look import Look
from analytics.web.page import DashboardPage, Panel
from analytics.web.place import Place
from analytics.web.tables import Table
from analytics.web.translation import msg

TITLE = msg("Numbers")
"""What the configuration calls the page of numbers that name none."""

GROUP = slug(TITLE)
ICON = "M3 13L13 3M4.5 6.5a2 2 0 1 0 0-4 2 2 0 0 0 0 4zM11.5 13.5a2 2 0 1 0 0-4 2 2 0 0 0 0 4z"


class NumberAnswer(msgspec.Struct, frozen=True):
    """A number of the page."""

    name: Annotated[str, means("its name, which is its field in `days`")]
    title: str
    formula: str
    unsaid: Annotated[
        bool, means("whether it is null since it needs what can't be added up over these areas")
    ]


class NumbersAnswer(PageAnswer, frozen=True, kw_only=True):
    """What pages of numbers have in common. Each adds ``days``, with a field for each of its numbers."""

    numbers: list[NumberAnswer]


@dataclass(frozen=True)
class NamedNumber:
    """A number of the configuration."""

    name: str
    title: str
    formula: Formula


class NumbersPage:
    """Answers for the numbers of one page."""

    def __init__(self, name: str, numbers: list[NamedNumber]) -> None:
        self.numbers = numbers
        stem = re.sub(r"\W", "_", name)
        fields: list[Any] = [("day", Date), *map(_column, numbers), ("final", Final)]
        self.day = struct_of(f"{stem}_Day", "One day. null: the number has no value.", fields)
        days = [("days", list[self.day])]  # type: ignore[name-defined]
        self.answer = struct_of(f"{stem}_Answer", f"The page {name}.", days, NumbersAnswer)

    @property
    def table(self) -> Table:
        shown = " ".join(["day", *(one.name for one in self.numbers)])
        return Table("days", msg("Days"), self.day, shown, has_final=True)

    def panels(self, table: Table) -> tuple[Panel, ...]:
        """Return a chart for each number, with its column of the table."""
        return tuple(
            Panel(table.only(one.name), replace(_chart(one), rows=table.rows), "half", note=one.formula.text)
            for one in self.numbers
        )

    def view(self, data: Data, filters: Filters) -> Any:
        """Return the page's numbers."""
        place = data.place(filters)
        looks = {one: _values(data, place, one) for one in self._collections()}
        unsayable = {
            name for name in self._operands() if name.partition(".")[2] in looks[_collection(name)].unsaid
        }
        return self.answer(
            scope=place.scope(),
            at=min(look.at for look in looks.values()),
            numbers=[
                NumberAnswer(one.name, one.title, one.formula.text, bool({*one.formula.names} & unsayable))
                for one in self.numbers
            ],
            days=[self._of_day(place, day, looks) for day in place.days()],
        )

    def _of_day(self, place: Place, day: date, looks: "Mapping[str, _DayValues]") -> msgspec.Struct:
        values = {
            name: looks[_collection(name)].value(day, name.partition(".")[2]) for name in self._operands()
        }
        begun = place.begun(day)
        found = {one.name: one.formula.value(values) if begun else None for one in self.numbers}
        return self.day(day=str(day), final=place.ended(day), **found)

    def _operands(self) -> list[str]:
        return list(dict.fromkeys(name for one in self.numbers for name in one.formula.names))

    def _collections(self) -> Iterator[str]:
        yield from dict.fromkeys(map(_collection, self._operands()))


@dataclass(frozen=True)
class _DayValues:
    """What a collection says of each day. ``unsaid``: fields that can't be had of this place."""

    by_day: Mapping[date, NumberValues]
    unsaid: frozenset[str]
    at: float

    def value(self, day: date, field: str) -> float | None:
        """Return a number; 0 on a day of which there is nothing."""
        return None if field in self.unsaid else self.by_day.get(day, {}).get(field, 0)


def _values(data: Data, place: Place, collection: str) -> _DayValues:
    if collection in TIMERS:
        return _of_timer(Look(data, place), collection)
    reading = BoltReading(data, place, data.bolts[collection], {})
    unsaid = frozenset(one for one in reading.fields.numbers if not reading.can_say(one))
    return _DayValues(reading.by_period(), unsaid, reading.look.at)


def _of_timer(look: Look, collection: str) -> _DayValues:
    """Return the numbers of a timer bolt: as stored for an area, a plat or a game, which it computes from accts."""
    timer = TIMERS[collection]
    if look.place.basis != "sum":
        found = look.own(collection, timer.numbers)
        return _DayValues({day: dict(one) for day, one in found.items()}, frozenset(), look.at)
    sums = look.by_day(collection, timer.added) if timer.added else {}
    by_day = {day: dict(zip(timer.added, values, strict=True)) for day, values in sums.items()}
    return _DayValues(by_day, frozenset({*timer.numbers} - {*timer.added}), look.at)


def _collection(name: str) -> str:
    return name.partition(".")[0]


def _column(number: NamedNumber) -> tuple[str, Any]:
    kind = Percent if number.formula.is_percent else Number
    return number.name, Annotated[kind | None, means(number.formula.text, number.title)]


def numbers_pages(config: Config, bolts: Collection[str] = ()) -> Iterator[DashboardPage]:
    """Yield the pages of a configuration's numbers, in the order in which it names them first; not those that are on the page of a bolt."""
    titles: dict[str, str] = {}
    pages: dict[str, list[NamedNumber]] = {}
    for name, section in config.numbers.items():
        if section.page not in bolts:
            pages.setdefault(slug(section.page), []).append(_named(name, section))
            titles.setdefault(slug(section.page), section.page)
    for address, numbers in pages.items():
        yield _page(GROUP if address == GROUP else f"{GROUP}/{address}", titles[address], numbers)


def with_numbers(page: DashboardPage, config: Config) -> DashboardPage:
    """Return the page of a bolt, with the numbers above its own that name the bolt as their page."""
    numbers = [_named(name, one) for name, one in config.numbers.items() if one.page == page.title]
    if not numbers:
        return page
    made = NumbersPage(f"{GROUP}_of_{page.title}", numbers)
    formulas = [("formulas", made.answer)]
    answer = struct_of(f"{page.answer.__name__}_{GROUP}", str(page.answer.__doc__), formulas, page.answer)
    table = replace(made.table, name="formulas", rows=lambda answer: answer.formulas.days)

    def view(data: Data, filters: Filters, options: Any) -> Any:
        return filled(answer, page.view(data, filters, options), formulas=made.view(data, filters))

    def rows(data: Data, filters: Filters, options: Any) -> Iterator[Row]:
        return structs(made.day, made.view(data, filters).days)

    return replace(
        page,
        answer=answer,
        view=view,
        tables=(table, *page.tables),
        panels=(*made.panels(table), *page.panels),
        csvs={**page.csvs, table.name: rows},
    )


def _named(name: str, section: NumberSection) -> NamedNumber:
    return NamedNumber(name, section.title or name, Formula(section.value))


def _page(name: str, title: str, numbers: list[NamedNumber]) -> DashboardPage:
    made = NumbersPage(name, numbers)
    return DashboardPage(
        name=name,
        title=title,
        answer=made.answer,
        view=made.view,
        icon=ICON,
        tables=(made.table,),
        panels=made.panels(made.table),
        template="numbers.html",
    )


def _chart(number: NamedNumber) -> Chart:
    kind = "percent" if number.formula.is_percent else "number"
    return Chart(
        f"number_{number.name}",
        number.title,
        "day",
        (Series(number.name, number.title, 1, kind),),
        unit="percent" if number.formula.is_percent else "money",
        signed=True,
    )
