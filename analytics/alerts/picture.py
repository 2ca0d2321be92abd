"""The picture of a digest: a chart by day of each of its main numbers, as a PNG. It is drawn twice as large as it is shown."""

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from PIL import Image, ImageDraw

from analytics.alerts.fonts import Fonts

WIDTH = 600
"""In pixels of a screen of ordinary density, as mail programs show it."""
SCALE = 2
MARGIN, AXIS = 16, 64
"""Around everything, and what the labels of the vertical axis take."""
TITLE, HEADING, PLOT, DATES, GAP = 44, 36, 104, 22, 12
"""Heights: of the title, and of each chart its heading, bars, dates and the space below."""
FOOT = 26
SMALLEST = 9
"""Of letters, in pixels."""
DATE_WIDTH = 46
"""A date takes this much of the horizontal axis, so that they don't touch."""

PAPER, TEXT, MUTED, LINE, BAR, NEWEST = "#ffffff", "#1a1f26", "#56606d", "#dfe4ea", "#a9c0ee", "#2a5fd0"
STEPS = (1, 2, 2.5, 5, 10)
UNITS = ((1e9, "B"), (1e6, "M"), (1e3, "k"))
SO_FAR = "outlined: so far, the day is not final"
UNKNOWN = "?: no number"


@dataclass(frozen=True, slots=True)
class Bar:
    """A day of a chart. ``value``: None where there is no document."""

    day: date
    value: float | None
    final: bool


@dataclass(frozen=True, slots=True)
class BarChart:
    """A number by day, oldest first. ``shown``: the newest value, as in the text."""

    name: str
    shown: str
    bars: Sequence[Bar]
    whole: bool = True
    """Whether values are whole numbers, so that the axis has no half ones."""


def draw(title: str, charts: Sequence[BarChart], fonts: Fonts) -> bytes:
    """Return a PNG. A text for which no font has the characters is left out: the message says it as well."""
    bars = [bar for chart in charts for bar in chart.bars]
    so_far = any(bar.value is not None and not bar.final for bar in bars)
    unknown = any(bar.value is None for bar in bars)
    height = TITLE + len(charts) * (HEADING + PLOT + DATES + GAP) + (FOOT if so_far or unknown else 0)
    canvas = _Canvas(WIDTH, height, fonts)
    canvas.text(MARGIN, 14, title, 18, TEXT)
    for place, chart in enumerate(charts):
        _draw_chart(canvas, chart, TITLE + place * (HEADING + PLOT + DATES + GAP))
    foot = height - FOOT
    if so_far:
        canvas.box(MARGIN, foot + 3, MARGIN + 11, foot + 14, None, NEWEST)
        canvas.text(MARGIN + 18, foot, SO_FAR, 13, MUTED)
    if unknown:
        canvas.text(WIDTH - MARGIN, foot, UNKNOWN, 13, MUTED, "right")
    return canvas.png()


class _Canvas:
    """Draws in pixels of an ordinary screen."""

    def __init__(self, width: float, height: float, fonts: Fonts) -> None:
        self._image = Image.new("RGB", (round(width * SCALE), round(height * SCALE)), PAPER)
        self._draw = ImageDraw.Draw(self._image)
        self._fonts = fonts

    def text(self, x: float, y: float, text: str, size: int, colour: str, align: str = "left") -> None:
        """Write a text whose top is at ``y``, to the right or left of ``x``, or around it; smaller where it is too long."""
        for tried in range(size, SMALLEST - 1, -1):
            found = self._fonts.for_text(text, tried * SCALE)
            if found is not None and found[1].getlength(found[0]) <= (WIDTH - 2 * MARGIN) * SCALE:
                break
        if found is not None:
            anchor = {"left": "la", "right": "ra", "middle": "ma"}[align]
            self._draw.text((x * SCALE, y * SCALE), found[0], colour, found[1], anchor)

    def line(self, left: float, right: float, y: float, colour: str) -> None:
        """Draw a horizontal line."""
        self._draw.line((left * SCALE, y * SCALE, right * SCALE, y * SCALE), colour, SCALE)

    def box(self, left: float, top: float, right: float, bottom: float, fill: str | None, edge: str) -> None:
        """Draw a rectangle, only its edge where ``fill`` is None."""
        corners = (round(left * SCALE), round(top * SCALE), round(right * SCALE), round(bottom * SCALE))
        self._draw.rectangle(corners, fill, edge, width=2 * SCALE)

    def png(self) -> bytes:
        """Return the picture. A palette makes it small: there are few colours."""
        file = io.BytesIO()
        self._image.quantize(64, dither=Image.Dither.NONE).save(file, "PNG", optimize=True)
        return file.getvalue()


def _draw_chart(canvas: _Canvas, chart: BarChart, top: float) -> None:
    canvas.text(MARGIN, top + 3, chart.name, 15, TEXT)
    canvas.text(WIDTH - MARGIN, top + 1, chart.shown, 18, NEWEST, "right")
    values = [bar.value for bar in chart.bars if bar.value is not None]
    low, high, step = scale_of(min(values, default=0), max(values, default=0), chart.whole)
    left, right, top = MARGIN + AXIS, WIDTH - MARGIN, top + HEADING

    def height_of(value: float) -> float:
        return top + PLOT * (high - value) / (high - low)

    for n in range(round((high - low) / step) + 1):
        value = low + n * step
        canvas.line(left, right, height_of(value), MUTED if value == 0 else LINE)
        canvas.text(left - 8, height_of(value) - 7, short(value, step), 12, MUTED, "right")
    slot = (right - left) / len(chart.bars)
    every = math.ceil(DATE_WIDTH / slot)
    for n, bar in enumerate(chart.bars):
        middle, last = left + (n + 0.5) * slot, len(chart.bars) - 1
        if (last - n) % every == 0:
            canvas.text(
                middle, top + PLOT + 5, f"{bar.day:%m-%d}", 12, TEXT if n == last else MUTED, "middle"
            )
        if bar.value is None:
            canvas.text(middle, height_of(0) - 15, "?", 12, MUTED, "middle")
            continue
        colour = NEWEST if n == last or not bar.final else BAR
        half = min(slot * 0.36, 18)
        upper, lower = sorted((height_of(bar.value), height_of(0)))
        if lower - upper >= 1:
            canvas.box(middle - half, upper, middle + half, lower, colour if bar.final else None, colour)


def scale_of(least: float, most: float, whole: bool = True) -> tuple[float, float, float]:
    """Return the lowest and highest value of an axis with 0 in it, and the step between its lines, of which there are 3 to 5."""
    low, high = min(least, 0.0), max(most, 0.0)
    span = high - low or 1.0
    power = 10.0 ** math.floor(math.log10(span / 4))
    step = next(one * power for one in STEPS if one * power * 4 >= span * (1 - 1e-9))
    if whole:
        step = max(1.0, float(math.ceil(step)))
    return step * math.floor(low / step), step * math.ceil((high or (0 if low else step)) / step - 1e-9), step


def short(value: float, step: float) -> str:
    """Return a label of the axis: 1.2k for 1,200, with as many digits as the step between two labels needs."""
    if not value:
        return "0"
    unit, sign = next(((unit, sign) for unit, sign in UNITS if abs(step) * 4 >= unit), (1.0, ""))
    digits = max(0, *(n for n in range(3) if n == 0 or round(step / unit, n) != round(step / unit, n - 1)))
    return f"{value / unit:,.{digits}f}{sign}"
