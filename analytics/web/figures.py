"""Bokeh figures of the charts, as JSON. A figure is made once for each language, without data and with codes in place of
colours; the browser fills in both, so neither a new number nor another theme needs a new figure."""

from functools import lru_cache
from typing import Any

import msgspec
from bokeh.embed import json_item
from bokeh.models import (
    ColumnDataSource,
    DatetimeTickFormatter,
    Dodge,
    FactorRange,
    FixedTicker,
    HoverTool,
    MonthsTicker,
    NoOverlap,
    NumeralTickFormatter,
    PrintfTickFormatter,
    Range1d,
)
from bokeh.plotting import figure

from analytics.web.charts import TOTAL, Chart, Series, tooltips
from analytics.web.translation import Translate, translator

TOKENS = ("c1", "c2", "c3", "c4", "c5", "c6", "text", "muted", "line", "surface", "strong-line")
CODES = {token: f"#0000{number + 1:02x}" for number, token in enumerate(TOKENS)}
"""Names of the style sheet's colours, and what stands for them in figures."""

FONT = "Inter, system-ui, 'PingFang SC', 'Microsoft YaHei', 'Noto Sans CJK SC', 'WenQuanYi Micro Hei', sans-serif"
DAY_MS = 86_400_000
MONTH_DAYS = 28
"""The least that lies between two bars of months."""

NUMBERS = {"count": "0,0", "money": "0,0[.]00", "quotient": "0[.]0%"}
FAINT = 0.55


@lru_cache
def figures(charts: tuple[Chart, ...], language: str) -> bytes:
    """Return the figures of these charts as JSON: ``{"codes": {code: token}, "figures": {name: item}}``."""
    translate = translator(language)
    made = {chart.name: json_item(_figure(chart, translate)) for chart in charts}
    return msgspec.json.encode({"codes": {code: token for token, code in CODES.items()}, "figures": made})


def _figure(chart: Chart, translate: Translate) -> Any:
    fields = [series.field for series in chart.series]
    names = ["x", "label", "alpha", "open", *fields, *(f"{field}_text" for field in fields)]
    source = ColumnDataSource({name: [] for name in names}, name=f"{chart.name}.rows")
    options: dict[str, Any] = {"x_axis_type": "datetime"} if chart.x == "day" else {}
    if chart.x == "word":
        options["x_range"] = FactorRange(name=f"{chart.name}.words", factors=[""])
    elif chart.x == "hour":
        options["x_range"] = Range1d(start=-0.4, end=23.4)
    options |= dict.fromkeys(
        ("outline_line_color", "background_fill_color", "border_fill_color", "toolbar_location")
    )
    plot = figure(sizing_mode="stretch_both", tools="", min_border=4, min_border_right=12, **options)
    if chart.cohorts:
        _cohorts(plot, chart)
    drawn = _lines(plot, chart, source) if chart.form == "lines" else _bars(plot, chart, source)
    if chart.takes_marks:
        _marks(plot, chart)
    _compared(plot, chart, translate)
    _axes(plot, chart, translate)
    plot.add_tools(_hover(chart, drawn, translate))
    return plot


def _bars(plot: Any, chart: Chart, source: ColumnDataSource) -> Any:
    """Draw bars; return those that are hovered over."""
    unit = DAY_MS * (MONTH_DAYS if chart.months else 1) if chart.x == "day" else 1
    if chart.form == "stacked":
        colours = [_colour(series) for series in chart.series]
        stack = [series.field for series in chart.series]
        return plot.vbar_stack(
            stack, x="x", width=0.72 * unit, color=colours, fill_alpha="alpha", line_alpha=0, source=source
        )[0]
    drawn = []
    for number, series in enumerate(chart.series):
        width, place = (0.38, 0.4 * number - 0.2) if chart.form == "beside" else (0.78 - 0.36 * number, 0.0)
        x = {"field": "x", "transform": Dodge(value=place * unit)} if place else "x"
        drawn.append(
            plot.vbar(x, width=width * unit, top=series.field, source=source, fill_alpha="alpha",
                      line_alpha=0, color=_colour(series))
        )  # fmt: skip
    return drawn[0]


def _lines(plot: Any, chart: Chart, source: ColumnDataSource) -> Any:
    """Draw lines, with a ring where a value is not final; return the one that is hovered over."""
    drawn = []
    for series in reversed(chart.series):
        style: dict[str, Any] = {"line_width": 2, "line_cap": "round", "line_join": "round"}
        if series.faint:
            style |= {"line_width": 1.5, "line_dash": [4, 4], "line_alpha": FAINT + 0.25}
        line = plot.line("x", series.field, source=source, line_color=_colour(series), **style)
        line.nonselection_glyph = None
        plot.scatter(
            "x", series.field, size="open", source=source, line_color=_colour(series), line_width=1.5,
            fill_color=CODES["surface"],
        )  # fmt: skip
        drawn.append(line)
    return drawn[-1]


def _cohorts(plot: Any, chart: Chart) -> None:
    source = ColumnDataSource(
        {name: [] for name in ("label", "xs", "ys", "last")}, name=f"{chart.name}.cohorts"
    )
    lines = plot.multi_line(
        "xs", "ys", source=source, line_color=CODES["c6"], line_alpha=0.35, line_width=1,
        hover_line_color=CODES["c3"], hover_line_alpha=1.0, hover_line_width=2,
    )  # fmt: skip
    plot.add_tools(
        HoverTool(renderers=[lines], tooltips=[("", "@label"), ("", "@last")], line_policy="interp")
    )


def _compared(plot: Any, chart: Chart, translate: Translate) -> None:
    """Draw the numbers of the other answer, dashed; those of words as diamonds, since there is nothing between them."""
    fields = [one.field for one in chart.compared]
    names = ["x", "label", *fields, *(f"{field}_text" for field in fields)]
    source = ColumnDataSource({name: [] for name in names}, name=f"{chart.name}.compared")
    drawn = []
    for series in chart.compared:
        colour = CODES["text"] if series.field == TOTAL else _colour(series)
        if chart.x == "word":
            style = {"size": 9, "fill_color": CODES["surface"], "line_color": colour, "line_width": 1.5}
            drawn.append(plot.scatter("x", series.field, marker="diamond", source=source, **style))
        else:
            style = {"line_color": colour, "line_width": 1.75, "line_dash": [7, 4], "line_alpha": 0.9}
            drawn.append(plot.line("x", series.field, source=source, **style))
    labels = [translate(one.label) for one in chart.compared]
    plot.add_tools(
        HoverTool(
            renderers=drawn[:1],
            tooltips=tooltips(labels, fields),
            mode="mouse" if chart.x == "word" else "vline",
            line_policy="nearest",
            point_policy="follow_mouse",
        )
    )


def _marks(plot: Any, chart: Chart) -> None:
    """Draw a line across the chart for each annotation."""
    source = ColumnDataSource({"x": [], "label": []}, name=f"{chart.name}.marks")
    lines = plot.vspan(
        "x", source=source, line_color=CODES["muted"], line_width=1.5, line_dash=[2, 3],
        hover_line_color=CODES["text"], hover_line_dash="solid",
    )  # fmt: skip
    plot.add_tools(HoverTool(renderers=[lines], tooltips=[("", "@label")]))


def _axes(plot: Any, chart: Chart, translate: Translate) -> None:
    for axis in (plot.xaxis[0], plot.yaxis[0]):
        axis.axis_line_color = axis.minor_tick_line_color = axis.major_tick_line_color = None
        axis.major_label_text_color = axis.axis_label_text_color = CODES["muted"]
        axis.major_label_text_font = axis.axis_label_text_font = FONT
        axis.major_label_text_font_size = axis.axis_label_text_font_size = "11px"
        axis.axis_label_text_font_style = "normal"
        axis.major_label_policy = NoOverlap(min_distance=8)
    plot.xaxis[0].axis_label = translate(chart.x_title) if chart.x_title else None
    plot.xgrid[0].grid_line_color = None
    plot.ygrid[0].grid_line_color = CODES["line"]
    in_percent = chart.unit == "percent"
    plot.yaxis[0].formatter = (
        PrintfTickFormatter(format="%.5g%%")
        if in_percent
        else NumeralTickFormatter(format=NUMBERS[chart.unit])
    )
    plot.yaxis[0].ticker.desired_num_ticks = 5
    if chart.unit == "count":
        plot.yaxis[0].ticker.min_interval = 1  # between whole numbers there is nothing to write
    plot.y_range.start = 0
    plot.y_range.name = f"{chart.name}.y"
    plot.yaxis[0].name = f"{chart.name}.unit"
    plot.yaxis[0].axis_label_orientation = "horizontal"  # a sign of a currency, upright
    if chart.months:
        plot.xaxis[0].ticker = MonthsTicker(months=list(range(12)))
    if chart.x != "number":
        plot.xaxis[0].axis_line_color = CODES["line"]
    if chart.x == "day":
        plot.xaxis[0].formatter = DatetimeTickFormatter(
            days="%m-%d", months="%Y-%m", hours="%m-%d", years="%Y"
        )
    elif chart.x == "hour":
        plot.xaxis[0].ticker = FixedTicker(ticks=list(range(0, 24, 3)))
        plot.xaxis[0].formatter = PrintfTickFormatter(format="%02d:00")
    elif chart.x == "number":
        plot.xaxis[0].ticker.min_interval = 1
    elif chart.x == "word":
        plot.xaxis[0].major_label_policy = NoOverlap(min_distance=3)
        plot.xaxis[0].name = f"{chart.name}.labels"  # the browser tilts them where there is little room


def _hover(chart: Chart, drawn: Any, translate: Translate) -> HoverTool:
    rows = tooltips([translate(one.label) for one in chart.series], [one.field for one in chart.series])
    return HoverTool(
        name=f"{chart.name}.hover", renderers=[drawn], tooltips=rows,
        mode="vline", line_policy="nearest", point_policy="follow_mouse",
    )  # fmt: skip


def _colour(series: Series) -> str:
    return CODES[f"c{series.colour}"]
