"""Ports that several processes take at once are different ones, and nobody else's."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from analytics.errors import AnalyticsError
from analytics.testing import ports
from analytics.testing.ports import free_ports

TAKE = "import sys; from analytics.testing.ports import free_ports; print(*free_ports(3), *free_ports(90), flush=True); input()"


def test_no_two_processes_get_the_same() -> None:
    takers = [
        subprocess.Popen(
            [sys.executable, "-c", TAKE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )
        for _ in range(3)
    ]
    taken = []
    for taker in takers:
        assert taker.stdout is not None
        taken += taker.stdout.readline().split()
    for taker in takers:
        taker.communicate("\n")
    assert len(taken) == len(set(taken)) == 3 * 93


def test_they_lie_in_a_row_and_are_given_once() -> None:
    rows = [free_ports(4) for _ in range(60)]
    assert all(row == list(range(row[0], row[0] + 4)) for row in rows)
    assert len({port for row in rows for port in row}) == 240


def test_a_port_on_which_somebody_listens_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = free_ports(2)
    monkeypatch.setattr(ports, "_left", [first, second])
    with socket.create_server(("127.0.0.1", first)):
        assert free_ports(1) == [second]


def test_it_says_so_when_there_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    [taken] = free_ports(1)
    monkeypatch.setattr(ports, "_left", [])
    monkeypatch.setattr(ports, "BLOCKS", range(taken, taken + 1, 100))
    with socket.create_server(("127.0.0.1", taken)), pytest.raises(AnalyticsError, match="no free ports"):
        free_ports(1)
