"""The declaration of a page. Its route, its place in the menu, its tables, CSVs and charts, the API and OpenAPI follow from it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import quote

import msgspec

from analytics.errors import AnalyticsError
from analytics.web.charts import Chart, ChartOverlay, Show, content, has_values, labels
from analytics.web.csvs import Row, structs
from analytics.web.data import Data
from analytics.web.filters import Filters
from analytics.web.options import Args, Option, declared, read_options
from analytics.web.rights import ACCT_FIELDS, BY_NAME, OF_ALL, NotAllowed, Viewer
from analytics.web.tables import Table
from analytics.web.translation import Translate

Note = Callable[[Any, Translate], str]
Rows = Callable[..., Iterator[Row]]
"""Yields a CSV's rows, headings first, of what a view takes: the data, the filters, and the options if the page has any.

An error has to come before the first row: after it the answer has begun.
"""


LIMITED = frozenset({"collections", "games", "views"})
"""Pages without a filter that show of themselves what their viewer sees."""


def against_day_before(answer: Any, t: Translate) -> str:
    """Return the note of what shows the last day beside the one before."""
    return t("{day} against the day before", day=answer.scope.last)


def no_context(answer: Any, t: Translate) -> dict[str, Any]:
    """Return nothing: the template shows the answer as it is."""
    return {}


@dataclass(frozen=True)
class Panel:
    """A frame of a page: a chart, the table below it, or a table alone.

    Attributes:
        width: "" for the whole page, or "half", "third", "two-thirds"; ``height``: "" or "low".
        open: whether the table below the chart is unfolded from the start.
        of_all: whether it counts all accts, so that it is left out where the page is about a value of a segment.
        note: the words beside the heading, or what makes them of the answer.
        optional: whether it is left out where it has no rows.
    """

    table: Table
    chart: Chart | None = None
    width: str = ""
    height: str = ""
    note: str | Note = ""
    open: bool = False
    of_all: bool = False
    optional: bool = False


class PanelContent(NamedTuple):
    """What a template shows of a panel: its rows, the chart's data for the browser, its note, and what the chart's lines are called.

    ``is_drawn``: whether the chart has anything to draw; ``others``: the rows of what it is compared with.
    """

    panel: Panel
    rows: Sequence[Any]
    data: dict[str, Any] | None
    note: str
    labels: Sequence[str]
    is_drawn: bool
    others: Sequence[Any] = ()


@dataclass(frozen=True, kw_only=True)
class DashboardPage:
    """A page.

    Attributes:
        answer: the Struct that ``view`` returns, which the API serves as JSON.
        view: makes the answer of the data, the filters, and the options where ``options`` declares some.
        icon: the path of its symbol in the menu, in a square of 16 by 16.
        options: the Struct of what the page takes beside the filter; see :mod:`analytics.web.options`.
        tables: its tables; each is a CSV as well.
        csvs: how a CSV is made that is not simply the answer's field of that name.
        context: whatever else the template needs of the answer.
        every: how often the browser asks for new numbers, in seconds.
        has_filter: whether it is about a game's areas and days, and its answer about a scope.
        menu: the page whose entry of the menu stands for it, if it has none.
        has_segments: whether it can be about the accts with one value of a segment.
    """

    name: str
    title: str
    answer: type[msgspec.Struct]
    view: Callable[..., Any]
    icon: str = "M2 2h12v12H2zM2 6h12M6 6v8"
    options: type[msgspec.Struct] | None = None
    tables: tuple[Table, ...] = ()
    panels: tuple[Panel, ...] = ()
    csvs: Mapping[str, Rows] = field(default_factory=dict)
    template: str = "panels.html"
    context: Callable[[Any, Translate], dict[str, Any]] = no_context
    every: int = 15
    has_filter: bool = True
    menu: str = ""
    has_segments: bool = False

    def __post_init__(self) -> None:
        fields = self.answer.__struct_fields__
        for chart in self.charts:
            if chart.rows is None and chart.rows_field not in fields:
                raise AnalyticsError(
                    f'page {self.name}: the chart "{chart.name}" by {chart.x_field} draws the field "{chart.rows_field}" of the answer, but '
                    f"{self.answer.__name__} has {', '.join(fields)}; name one like the other, or give the chart rows=…"
                )

    @property
    def path(self) -> str:
        return "/" if self.name == "overview" else f"/{quote(self.name)}"

    @property
    def charts(self) -> tuple[Chart, ...]:
        return tuple(panel.chart for panel in self.panels if panel.chart)

    @property
    def parameters(self) -> tuple[Option, ...]:
        """What it takes beside the filter."""
        return declared(self.options) if self.options else ()

    @property
    def csv_names(self) -> list[str]:
        return list(dict.fromkeys((*(table.name for table in self.tables), *self.csvs)))

    @property
    def of_all(self) -> bool:
        """Whether it is about the whole suite, so that only viewers who see everything may see it."""
        return not self.has_filter and self.name not in LIMITED

    @property
    def names_accts(self) -> bool:
        """Whether all of it is about single accts, which can be asked for; of other pages, tables may be."""
        asked = self.options.__struct_fields__ if self.options else ()
        return not ACCT_FIELDS.isdisjoint(asked) or any(table.accts == "all" for table in self.tables)

    def is_shown_to(self, viewer: Viewer) -> bool:
        """Whether a viewer may see it."""
        return not (self.of_all and viewer.is_limited) and (viewer.lists or not self.names_accts)

    def read(self, data: Data, args: Args) -> Any:
        """Return the answer to a query string, with no accts for viewers who may not see them.

        Raises:
            BadFilter: the query string can't be used.
            NotAllowed: the viewer may not see the page.
        """
        answer = self.view(data, *self._arguments(data, args))
        hidden = [] if data.viewer.lists else [table.name for table in self.tables if table.names_accts]
        return msgspec.structs.replace(answer, **{name: [] for name in hidden}) if hidden else answer

    def csv(self, name: str, data: Data, args: Args) -> Iterator[Row]:
        """Yield the rows of a CSV, headings first."""
        arguments = self._arguments(data, args)
        if not data.viewer.lists and any(one.name == name and one.names_accts for one in self.tables):
            raise NotAllowed(BY_NAME)
        if not self.divides(name):
            arguments[0].of_all_accts()
        if name in self.csvs:
            return self.csvs[name](data, *arguments)
        table = next(table for table in self.tables if table.name == name)
        return structs(table.struct, getattr(self.read(data, args), name))

    def divides(self, csv: str) -> bool:
        """Whether a CSV can be of the accts with one value of a segment."""
        of_all = {panel.table.name for panel in self.panels if panel.of_all}
        return self.has_segments and csv not in of_all

    def contents(
        self, answer: Any, t: Translate, show: Show, over: ChartOverlay = ChartOverlay(), currency: str = ""
    ) -> list[PanelContent]:
        """Return what the panels show of an answer, and ``over`` their charts. ``show`` writes its values, ``currency`` is the sign of
        its money."""
        divided = self.has_segments and answer.scope.segment
        found = (
            _content(panel, answer, t, show, over, currency)
            for panel in self.panels
            if not (divided and panel.of_all)
        )
        return [one for one in found if one.rows or not one.panel.optional]

    def _arguments(self, data: Data, args: Args) -> tuple[Any, ...]:
        if not self.is_shown_to(data.viewer):
            raise NotAllowed(OF_ALL if self.of_all else BY_NAME)
        filters = Filters.parse(args, [option.name for option in self.parameters])
        if not self.has_segments:
            filters.of_all_accts()
        return (filters, read_options(self.options, args)) if self.options else (filters,)


def _content(
    panel: Panel, answer: Any, t: Translate, show: Show, over: ChartOverlay, currency: str
) -> PanelContent:
    chart, note = panel.chart, t(panel.note) if isinstance(panel.note, str) else panel.note(answer, t)
    rows = panel.table.rows_of(answer)
    if chart is None:
        return PanelContent(panel, rows, None, note, (), False)
    data = content(chart, answer, t, show, over, currency)
    other = over.other
    others = panel.table.rows_of(other) if other is not None else ()
    drawn = has_values(chart, answer) or (other is not None and has_values(chart, other))
    return PanelContent(panel, rows, data, note, labels(chart, answer, t), drawn, others)
