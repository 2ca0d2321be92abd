"""The page on adding a page is right: its example, as a file and a line in the list, is a page with all that belongs to one."""

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from analytics.errors import AnalyticsError
from analytics.web.charts import Chart, Series
from analytics.web.page import Panel
from analytics.web.pages.overview import PAGE

ROOT = Path(__file__).parents[2]
ASKED = """
import json, sys, tempfile
from pathlib import Path
from month import a_month
client = a_month(Path(tempfile.mkdtemp())).app.test_client()
answers = [client.get(address) for address in sys.argv[1:]]
json.dump([(answer.status_code, answer.text) for answer in answers], sys.stdout)
"""


def test_the_example_is_a_page(tmp_path: Path) -> None:
    text = (ROOT / "docs/how-to/add-a-page.md").read_text()
    (file,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    (line,) = re.findall(r"^\+(.*\n)", text, re.MULTILINE)
    ignored = shutil.ignore_patterns("__pycache__", "simulate.egg-info")
    shutil.copytree(ROOT / "analytics", tmp_path / "analytics", ignore=ignored)
    pages = tmp_path / "analytics/web/pages"
    (pages / "roles.py").write_text(file)
    listed = (pages / "__init__.py").read_text()
    listed = listed.replace("    progress,\n", "    progress,\n    roles,\n")
    (pages / "__init__.py").write_text(listed.replace("    areas.PAGE,\n", f"    areas.PAGE,\n{line}"))

    asked = [
        "/roles",
        "/api/v1/roles?least=2",
        "/api/v1/roles/days.csv",
        "/api/v1/openapi.json",
        "/",
        "/roles?least=x",
    ]
    path = os.pathsep.join(map(str, (tmp_path, ROOT / "tests/web", ROOT / "tests")))
    done = subprocess.run(
        [sys.executable, "-c", ASKED, *asked],
        env={**os.environ, "PYTHONPATH": path}, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    (shown, page), (_, numbers), (_, csv), (_, described), (_, overview), (refused, reason) = json.loads(
        done.stdout
    )

    assert shown == 200 and 'data-chart="created"' in page and "Role creators" in page
    days = json.loads(numbers)["days"]
    assert days and all(day["creators"] >= 2 for day in days)
    assert csv.splitlines()[0] == "day,creators,final" and f"{days[0]['day']},{days[0]['creators']}" in csv
    options = json.loads(described)["paths"]["/api/v1/roles"]["get"]["parameters"]
    assert options[-1]["name"] == "least" and options[-1]["schema"]["anyOf"][0]["maximum"] == 1_000_000
    assert '<a href="/roles">' in overview
    assert refused == 400 and "least: expected a whole number" in reason


def test_a_chart_without_rows_is_refused_where_the_page_is_declared() -> None:
    chart = Chart("bymap", "Maps", "map", (Series("captures", "Captures"),))
    with pytest.raises(
        AnalyticsError, match=r'page overview: the chart "bymap" by map draws the field "bymap".* has .*days'
    ):
        replace(PAGE, panels=(Panel(PAGE.tables[0], chart),))
