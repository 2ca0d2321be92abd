"""Every page in Chromium, wide and light, narrow and dark: charts are drawn, nothing is too wide or cut off, axe finds nothing grave."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from looks import THEMES, WIDTHS, languages_at, languages_of
from needed import need
from own_bolts import OWN_PAGES

from analytics.web.pages import PAGES

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
NAMES = [*(page.name for page in PAGES), *OWN_PAGES]
LOOKS = [
    f"{page} {width} {theme} {language}"
    for page in NAMES
    for width, theme in THEMES.items()
    for language in languages_at(width, page, NAMES)
]


@pytest.fixture(scope="module")
def seen():
    chromium = need("chromium", "apt-get install chromium")
    command = [sys.executable, str(HERE / "browsing.py"), chromium]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{HERE.parent}"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=3000, check=False, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


@pytest.mark.parametrize("look", LOOKS)
def test_a_page_is_whole(seen, look):
    found = seen[look]
    assert found["errors"] == []
    assert found["canvases"] >= found["charts"]
    assert found["too_wide"] <= 0
    assert found["grave"] == []
    if "1280" in look:
        assert found["cut"] == []
    assert found["language"] == ("zh-Hans" if look.endswith(" zh") else "en")


@pytest.mark.parametrize(
    ("page", "language"), [(page, one) for page in NAMES for one in languages_of(page, NAMES)]
)
def test_nothing_overlaps_at_any_width(seen, page, language):
    found = seen[f"places {page} {language}"]
    assert len(found) == len(WIDTHS)
    assert {width: wrong for width, wrong in found.items() if wrong} == {}


def test_every_step_of_a_funnel_is_written_also_where_there_is_little_room(seen):
    assert seen["labels 1280"] == ["NoOverlap", "horizontal"], "side by side they all fit"
    assert seen["labels 400"][0] == "AllLabels" and 0 < seen["labels 400"][1] < 1.5, (
        "tilted, none is left out"
    )


def test_a_language_that_was_chosen_stays(seen):
    found = seen["in Chinese"]
    assert found["switched"]["heading"] == "区服" and "game=dl&lang=zh" in found["switched"]["url"]
    assert found["following"]["heading"] == "漏斗" and "game=dl&lang=zh" in found["following"]["url"]
    assert "lang=zh" in found["filtered"]
    assert found["again"] == "概览"


def test_a_narrow_page_folds_its_filter_up_until_it_is_opened(seen):
    assert seen["folded"] == [False, True, True]


def test_the_active_tab_is_in_sight_where_the_list_of_pages_does_not_fit(seen):
    assert seen["low window"] == [True, True]


def test_a_filter_changes_numbers_in_place(seen):
    found = seen["in place"]
    assert (found["rows"], found["open"], found["same"]) == (7, True, "yes")
    assert found["picked"] == "2026-04-02"
    assert "accts that logged in on the day" in found["means"]
