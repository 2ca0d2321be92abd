"""The suite that the tests of the timer bolts' runtime break."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from timer_harness import Suite, at, games
from waiting import eventually

from analytics.config import Game

NewSuite = Callable[..., Suite]


@pytest.fixture
def new_suite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[NewSuite]:
    """Makes suites, and ends them."""
    made: list[Suite] = []

    def make(of: dict[str, Game] | None = None, now: int | None = None) -> Suite:
        data = tmp_path / str(len(made))
        made.append(Suite(data, of or games(), at("2015-03-20") if now is None else now, monkeypatch))
        return made[-1]

    yield make
    for suite in made:
        suite.close()


@pytest.fixture
def suite(new_suite: NewSuite) -> Suite:
    """A suite whose worker and timers run, and whose timers have found that there is nothing yet."""
    one = new_suite()
    one.start_worker()
    one.start_timers()
    eventually(one.is_saved)
    return one
