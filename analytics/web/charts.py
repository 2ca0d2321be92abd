"""Charts: which fields of which rows they show, as bars or lines. :mod:`.figures` has Bokeh draw them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from types import SimpleNamespace
from typing import Any, Literal, NamedTuple

from analytics.web.display import NOTHING
from analytics.web.translation import Translate

X = Literal["day", "hour", "number", "word"]
Form = Literal["stacked", "beside", "before", "lines"]
"""Bars on each other, beside each other, narrower ones before wider ones; or lines."""

Curve = tuple[str, list[tuple[int, float]]]
"""A cohort's name, and its points: days after, value."""

AXES: dict[str, X] = {"day": "day", "hour": "hour", "n": "number"}
"""Fields that rows are placed by; any other is a word."""

Show = Callable[[object, str], str]
"""Writes a value of a kind, as :func:`analytics.web.display.shown` does."""


TOTAL = "total"
"""The column with the sum of a stack."""


class ChartMark(NamedTuple):
    """Something that happened on a day, which charts by day mark. ``time``: HH:MM, where charts by hour mark it, too."""

    day: str
    time: str
    text: str


class ChartOverlay(NamedTuple):
    """What is drawn over a page's charts: marks, and with what they are compared.

    Attributes:
        other: the other answer; None: there is none. ``name``: what readers call it.
    """

    marks: Sequence[ChartMark] = ()
    other: Any = None
    name: str = ""


OPEN_ALPHA = 0.45
OPEN_SIZE = 7


@dataclass(frozen=True)
class Series:
    """A field of the rows, drawn in one of the six colours. ``faint``: what others are compared with."""

    field: str
    label: str
    colour: int = 1
    kind: str = "count"
    faint: bool = False


@dataclass(frozen=True)
class Chart:
    """A chart: bars or lines over days, the hours of one, numbers or words.

    Attributes:
        x_field: the field of a row that says where it stands: a ``day``, an ``hour``, a number ``n``, or a word.
        rows: makes the rows of an answer, where they are not its ``days``, ``hours`` or the field named like the chart.
        unit: how the axis writes its numbers, as :mod:`analytics.web.display` names it.
        cohorts: makes the thin lines behind, one for each cohort of an answer.
        names: what the series of an answer are called, where documents decide that. There may be fewer than series.
        kind: how the values of an answer are shown, where it is not as the series say.
        signed: whether values may be below 0.
        months: whether its rows are months, not days.
    """

    name: str
    title: str
    x_field: str
    series: tuple[Series, ...]
    form: Form = "lines"
    unit: str = "count"
    x_title: str = ""
    cohorts: Callable[[Any], Sequence[Curve]] | None = None
    rows: Callable[[Any], Sequence[Any]] | None = None
    names: Callable[[Any, Translate], Sequence[str]] | None = None
    kind: Callable[[Any], str] | None = None
    signed: bool = False
    months: bool = False

    @property
    def x(self) -> X:
        """What its axis shows."""
        return AXES.get(self.x_field, "word")

    @property
    def compared(self) -> tuple[Series, ...]:
        """The series whose values are drawn of the other answer: of bars on each other their sum."""
        if self.form == "stacked" and len(self.series) > 1:
            return (Series(TOTAL, "", kind=self.series[0].kind),)
        return tuple(one for one in self.series if not one.faint)

    @property
    def takes_marks(self) -> bool:
        """Whether it is about days, or the hours of one."""
        return self.x in ("day", "hour")

    @property
    def rows_field(self) -> str:
        """The field of an answer that has its rows, if :attr:`rows` does not make them."""
        return {"day": "days", "hour": "hours"}.get(self.x_field, self.name)

    def rows_of(self, answer: Any) -> Sequence[Any]:
        """Return the rows that an answer has for it."""
        found: Sequence[Any] = self.rows(answer) if self.rows else getattr(answer, self.rows_field)
        return found


def chart_of_hours(name: str, title: str, *fields: tuple[str, str, int]) -> Chart:
    """Return a chart by hour of ``FIELD_today``, and faintly of ``FIELD_yesterday``: each field with its label and colour."""
    series = [
        one
        for field, label, colour in fields
        for one in (
            Series(f"{field}_today", label, colour),
            Series(f"{field}_yesterday", f"{label}, day before", colour, faint=True),
        )
    ]
    return Chart(name, title, "hour", tuple(series))


def content(
    chart: Chart,
    answer: Any,
    t: Translate,
    show: Show,
    over: ChartOverlay = ChartOverlay(),
    currency: str = "",
) -> dict[str, Any]:
    """Return what the browser fills a figure with: columns by source, the words of its axis, and attributes of its parts.

    Args:
        currency: the sign of the game's money, for the axis.
    """
    of_answer = chart.kind(answer) if chart.kind else ""
    rows = columns(
        chart, chart.rows_of(answer), lambda value, kind: show(value, of_answer or kind), t("so far")
    )
    sources = {f"{chart.name}.rows": rows}
    if chart.cohorts:
        lines = [one for one in chart.cohorts(answer) if len(one[1]) > 1]
        sources[f"{chart.name}.cohorts"] = curves(lines, chart.series[0].kind, show)
    if chart.takes_marks:
        sources[f"{chart.name}.marks"] = marked(chart, over.marks, answer)
    others = sources[f"{chart.name}.compared"] = compared(chart, answer, over, t, show)
    words = {f"{chart.name}.words": list(dict.fromkeys(rows["x"] + others["x"]))} if chart.x == "word" else {}
    fields = [series.field for series in chart.series]
    models: dict[str, dict[str, Any]] = {}
    if chart.names:
        models[f"{chart.name}.hover"] = {"tooltips": tooltips(labels(chart, answer, t), fields)}
    if (of_answer or chart.series[0].kind) == "money":
        models[f"{chart.name}.unit"] = {"axis_label": currency or None}
    if chart.signed:
        drawn = [rows[field] for field in fields] + [others[one.field] for one in chart.compared]
        values = [value for some in drawn for value in some if value is not None]
        low, high = min([0, *values]), max([0, *values])
        models[f"{chart.name}.y"] = {"start": low - 0.05 * (high - low) if low else 0}
    return {"sources": sources, "words": words} | ({"models": models} if models else {})


def numbered(row: Any, values: Sequence[float | None], most: int) -> SimpleNamespace:
    """Return a row of a chart with the series ``v0``, ``v1`` … up to ``most`` of them; None where there is no value."""
    given = {f"v{n}": value for n, value in enumerate(values)}
    return SimpleNamespace(
        day=row.day, final=getattr(row, "final", True), **dict.fromkeys(f"v{n}" for n in range(most)) | given
    )


def has_values(chart: Chart, answer: Any) -> bool:
    """Whether there is anything to draw."""
    rows = chart.rows_of(answer)
    return any(getattr(row, series.field) is not None for row in rows for series in chart.series)


def labels(chart: Chart, answer: Any, t: Translate) -> Sequence[str]:
    """Return what the series are called that a chart has of an answer."""
    return chart.names(answer, t) if chart.names else [t(series.label) for series in chart.series]


def tooltips(labels: Sequence[str], fields: Sequence[str]) -> list[tuple[str, str]]:
    """Return the lines that are shown where a reader points: the row's name, and each series with its value."""
    return [
        ("", "@label"),
        *((label, f"@{{{field}_text}}") for label, field in zip(labels, fields, strict=False)),
    ]


def columns(chart: Chart, rows: Sequence[Any], show: Show, so_far: str = "") -> dict[str, list[Any]]:
    """Return a chart's data: for each field its values, and each as text; where bars are faint for being unfinished.

    Args:
        so_far: what to write behind the name of a row that is not final.
    """
    finals = [getattr(row, "final", True) for row in rows]
    names = [getattr(row, chart.x_field) for row in rows]
    result: dict[str, list[Any]] = {
        "x": [_place(chart.x, name) for name in names],
        "label": [
            str(name) + ("" if final else f" · {so_far}") for name, final in zip(names, finals, strict=True)
        ],
        "alpha": [1.0 if final else OPEN_ALPHA for final in finals],
        "open": [0 if final else OPEN_SIZE for final in finals],
    }
    for series in chart.series:
        values = [getattr(row, series.field) for row in rows]
        result[series.field] = values
        result[f"{series.field}_text"] = [show(value, series.kind) for value in values]
    return result


def curves(lines: Sequence[Curve], kind: str, show: Show) -> dict[str, list[Any]]:
    """Return the thin lines of cohorts: each one's name and its points."""
    return {
        "label": [name for name, _ in lines],
        "xs": [[n for n, _ in points] for _, points in lines],
        "ys": [[value for _, value in points] for _, points in lines],
        "last": [show(points[-1][1], kind) if points else NOTHING for _, points in lines],
    }


def marked(chart: Chart, marks: Sequence[ChartMark], answer: Any) -> dict[str, list[Any]]:
    """Return where on the axis the marks stand, and their texts; by hour those of the last day that have a time."""
    if chart.x == "hour":
        of_day = [one for one in marks if one.time and one.day == answer.scope.last]
        return {
            "x": [int(one.time[:2]) + int(one.time[3:]) / 60 for one in of_day],
            "label": [f"{one.time} {one.text}" for one in of_day],
        }
    return {
        "x": [_place("day", one.day) for one in marks],
        "label": [" ".join(filter(None, (one.day, one.time, one.text))) for one in marks],
    }


def compared(chart: Chart, answer: Any, over: ChartOverlay, t: Translate, show: Show) -> dict[str, list[Any]]:
    """Return the columns of the other answer, by day moved to where the answer's own days are; empty where there is nothing to compare.

    Series that documents name have to be the same ones: the third key of one answer says nothing of the third of another.
    """
    other = over.other
    of_answer = chart.kind(answer) if chart.kind else ""
    same = other is not None and labels(chart, answer, t) == labels(chart, other, t)
    found = columns(
        chart, chart.rows_of(other) if same else (), lambda value, kind: show(value, of_answer or kind)
    )
    if chart.x == "day" and found["x"]:
        days = date.fromisoformat(answer.scope.first) - date.fromisoformat(other.scope.first)
        found["x"] = [x + days.total_seconds() * 1000 for x in found["x"]]
    found["label"] = [f"{label} · {over.name}" for label in found["label"]]
    if any(one.field == TOTAL for one in chart.compared):
        stack = zip(*(found[one.field] for one in chart.series), strict=True)
        found[TOTAL] = [sum(value or 0 for value in values) for values in stack]
        found[f"{TOTAL}_text"] = [show(value, of_answer or chart.series[0].kind) for value in found[TOTAL]]
    return found


def _place(x: X, name: Any) -> Any:
    """Return where on the axis a row stands. Days are drawn as if they were of UTC, wherever the browser is."""
    if x == "day":
        return datetime.combine(date.fromisoformat(name), time(), UTC).timestamp() * 1000
    if x == "hour":
        return int(name[:2])
    return name if x == "number" else str(name)
