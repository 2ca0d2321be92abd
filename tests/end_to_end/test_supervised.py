"""What restarts the processes of a suite that is being broken: killed ones once, others when they end by themselves."""

from collections.abc import Iterator

import gevent
import pytest
from gevent import subprocess

from analytics.testing import supervised
from analytics.testing.supervised import Supervised

KILLS = 30


class Sleepers:
    """Processes that sleep, started and killed as those of a suite."""

    def __init__(self) -> None:
        self.names = ["a", "b", "c"]
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        for name in self.names:
            self.restart(name)

    def kill(self, name: str) -> None:
        self._processes[name].kill()
        self._processes[name].wait()

    def restart(self, name: str, wait: bool = True) -> None:
        assert not self.runs(name), f"{name} still runs"
        self._processes[name] = subprocess.Popen(["sleep", "600"])

    def runs(self, name: str) -> bool:
        gevent.sleep(0.001)  # as gevent does before it says whether a process has ended, only longer
        return name in self._processes and self._processes[name].poll() is None


@pytest.fixture
def sleepers() -> Iterator[Sleepers]:
    made = Sleepers()
    yield made
    for name in made.names:
        made.kill(name)


@pytest.fixture
def watched(sleepers: Sleepers, monkeypatch: pytest.MonkeyPatch) -> Iterator[Supervised]:
    monkeypatch.setattr(supervised, "LOOK_SECONDS", 0)
    one = Supervised(sleepers)
    yield one
    one.close()


def test_what_was_killed_is_not_restarted_twice(sleepers: Sleepers, watched: Supervised) -> None:
    for n in range(KILLS):
        with watched.killed([sleepers.names[n % 3]]):
            gevent.sleep(0)
    assert not watched.ended
    assert all(map(sleepers.runs, sleepers.names))


def test_what_ended_by_itself_is_restarted(sleepers: Sleepers, watched: Supervised) -> None:
    sleepers.kill("b")
    with gevent.Timeout(30):
        while not sleepers.runs("b"):
            gevent.sleep(0.01)
    assert watched.ended == {"b": 1}
