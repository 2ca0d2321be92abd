"""Numbers of many areas in one table: what is added up, chosen and kept of them."""

import json
import math

import msgspec

from analytics.web.area_table import AreaTable, Rows
from analytics.web.reading.figures import ADDED, of_row


def table() -> AreaTable:
    rows = Rows()
    for area, plat, numbers in (("a", "p", [1, 0.5]), ("b", "q", [2, 0.25]), ("c", "p", [4, math.nan])):
        rows.add(area, plat, numbers)
    return rows.table()


def test_a_plat_has_its_areas_alone() -> None:
    of_p = table().of_plat("p")
    assert of_p.areas == ("a", "c") and of_p.sums()[0] == 5
    assert table().of_plat("nobody's").areas == () and table().of_plat("nobody's").sums() == [0, 0]


def test_an_area_is_found_by_its_id() -> None:
    assert table().columns(["x", "b", "a"], [1, 0]).tolist() == [[0, 0], [0.25, 2], [0.5, 1]]
    assert table().of_plat("nobody's").columns(["a"], [0]).tolist() == [[0]]
    assert table().columns([], [0]).tolist() == []
    assert [area for area, _ in table()] == ["a", "b", "c"]


def test_a_large_table_counts_as_many_rows_of_memory() -> None:
    rows = Rows()
    for n in range(1000):
        rows.add(str(n), "p", [0.0] * 34)
    assert 800 < rows.table().rows < 2000


def test_figures_of_a_row_can_be_sent() -> None:
    numbers = dict.fromkeys(ADDED, 3.0) | {"revenue": 4.07}
    rows = Rows()
    rows.add("a", "p", [numbers[name] for name in ADDED])
    found = of_row(rows.table().numbers[0])
    assert json.loads(msgspec.json.encode([found.dau, found.revenue, found.arpu, found.pay_rate])) == [
        3,
        4.07,
        1.3567,
        1,
    ]
    assert isinstance(found.dau, int)
