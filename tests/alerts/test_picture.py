"""The picture of a digest: its bars have the heights of the values, and no text needs a font that the host lacks."""

import io
from datetime import date, timedelta

import pytest
from needed import missing
from PIL import Image

from analytics.alerts.fonts import INSTALLED, Fonts
from analytics.alerts.picture import (
    AXIS,
    BAR,
    HEADING,
    NEWEST,
    PLOT,
    SCALE,
    TITLE,
    WIDTH,
    Bar,
    BarChart,
    draw,
    scale_of,
    short,
)

DAY = date(2026, 3, 1)
OWN = Fonts(installed=())
"""Pillow's own font alone, as on a host without fonts."""


def chart(values, final=()):
    bars = [Bar(DAY + timedelta(n), value, n not in final) for n, value in enumerate(values)]
    return BarChart("Active accounts", "1", bars)


def drawn(*charts, title="dl", fonts=OWN):
    return Image.open(io.BytesIO(draw(title, charts, fonts))).convert("RGB")


def heights(image, colour):
    """Return the height of each bar of a colour, from left to right, without the chart's heading."""
    wanted = tuple(int(colour[n : n + 2], 16) for n in (1, 3, 5))
    found = []
    for x in range(image.width):
        column = [
            y for y in range((TITLE + HEADING) * SCALE, image.height) if image.getpixel((x, y)) == wanted
        ]
        found.append(len(column))
    return [n for n, before in zip(found[1:], found, strict=False) if n and not before]


def test_a_bar_is_as_high_as_its_value():
    whole = PLOT * SCALE
    image = drawn(chart([100, 0, 50, None, 25]))
    assert image.width == WIDTH * SCALE
    bars = [*heights(image, BAR), *heights(image, NEWEST)]
    assert bars == pytest.approx([whole, whole / 2, whole / 4], abs=2)


def test_a_day_that_is_not_final_is_outlined_and_explained():
    final, so_far = drawn(chart([100, 50, 100])), drawn(chart([100, 50, 100], final={1}))
    assert so_far.height > final.height, "there is a line that says what the outline means"
    middle = (WIDTH + AXIS) * SCALE // 2
    in_the_bar = (middle, (TITLE + HEADING) * SCALE + round(PLOT * SCALE * 0.85))
    assert final.getpixel(in_the_bar) == tuple(bytes.fromhex(BAR[1:]))
    assert so_far.getpixel(in_the_bar) == (255, 255, 255)


@pytest.mark.parametrize(
    ("least", "most", "whole", "labels"),
    [
        (0, 0, True, ["0", "1"]),
        (0, 7, True, ["0", "2", "4", "6", "8"]),
        (0, 1_234_567, True, ["0", "0.5M", "1.0M", "1.5M"]),
        (0, 99_999, True, ["0", "25k", "50k", "75k", "100k"]),
        (0, 0.3, False, ["0", "0.1", "0.2", "0.3"]),
        (-50.25, 100, False, ["-100", "-50", "0", "50", "100"]),
        (-3, 0, True, ["-3", "-2", "-1", "0"]),
    ],
)
def test_an_axis_has_few_round_labels_with_zero_among_them(least, most, whole, labels):
    low, high, step = scale_of(least, most, whole)
    assert [short(low + n * step, step) for n in range(round((high - low) / step) + 1)] == labels


def test_a_host_without_fonts_leaves_out_what_it_can_not_write():
    text, _ = OWN.for_text("仙剑, 2026-03-01", 30)
    assert text == "2026-03-01"
    assert OWN.for_text("仙剑", 30) is None
    assert drawn(chart([1, 2]), title="仙剑").size == drawn(chart([1, 2])).size


def test_a_font_of_the_host_writes_chinese_names():
    fonts = Fonts()
    found = fonts.for_text("仙剑", 30)
    if found is None:
        missing(f"none of these fonts is installed: {', '.join(INSTALLED)}")
    assert found[0] == "仙剑"
    title = (0, 0, WIDTH * SCALE, 80)
    pixels = [
        drawn(chart([1, 2]), title=name, fonts=fonts).crop(title).tobytes()
        for name in ("仙剑", "剑仙", "\U0010fffe")
    ]
    assert len({*pixels}) == 3, "no boxes"


def test_a_configured_font_comes_first(tmp_path):
    broken = tmp_path / "broken.ttf"
    broken.write_bytes(b"no font")
    assert Fonts(str(broken), ()).for_text("dl", 30)[0] == "dl", "a file that is no font is passed over"


def test_a_long_title_stays_within_the_picture():
    image = drawn(chart([1, 2]), title="a long name of a game " * 4)
    edge = image.crop((image.width - 20, 0, image.width, 80))
    assert {*edge.get_flattened_data()} == {(255, 255, 255)}
