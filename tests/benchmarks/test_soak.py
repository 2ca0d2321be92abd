"""What the soak calls flat, and that it runs."""

import re
import subprocess
from pathlib import Path

import pytest
from forms import thorough

from benchmarks.soak import Series

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("values", "flat"),
    [
        ([100.0] * 60, True),
        ([100.0, 104.0, 98.0] * 20, True),
        ([100.0 + n for n in range(60)], False),
        ([400.0 - n for n in range(60)], True),
        ([100.0] * 40 + [116.0] * 20, False),
        ([0.0] * 40 + [4.0] * 20, True),
        ([0.0] * 60, True),
        ([7.0], True),
    ],
)
def test_what_is_flat(values: list[float], flat: bool) -> None:
    series = Series("memory", "MB", spare=5)
    for at, value in enumerate(values):
        series.add(float(at), value)
    assert series.flat is flat
    assert series.row().endswith("flat" if flat else "GROWS")


def test_the_slope_is_that_of_an_hour() -> None:
    series = Series("files", "files", spare=0)
    for minute in range(10):
        series.add(60.0 * minute, 20 + minute / 2)
    assert series.slope == pytest.approx(30)
    assert (series.thirds[0], series.thirds[2]) == (20.5, 24.0)


@thorough
def test_a_short_soak_counts_every_line() -> None:
    command = [
        ROOT / "benchmarks" / "soak",
        "--minutes",
        "0.15",
        "--rate",
        "500",
        "--warm-up",
        "1",
        "--every",
        "1",
        "--history",
        "500",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=1500, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "5,000 of 5,000 lines counted; the balance adds up" in done.stdout
    for node in ("broker", "gamelog", "store", "timers", "worker-main"):
        assert re.search(rf"^{node} memory +\d+\.\d ", done.stdout, re.MULTILINE)
        assert re.search(rf"^{node} files +\d+\.\d ", done.stdout, re.MULTILINE)
    assert "minutes say nothing about what is flat" in done.stdout
