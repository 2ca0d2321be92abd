"""The suite as processes: they come up, are killed and come back, and tell what went wrong."""

import os
import signal
import time
from pathlib import Path

import pytest
from waiting import eventually

from analytics.errors import AnalyticsError, Unavailable
from analytics.runtime.draining import NotDrained, _Asking, drain
from analytics.runtime.report import report
from analytics.runtime.suite import ProcessNotUp, Suite
from analytics.system.processes import process_started
from analytics.testing.ports import free_ports
from analytics.testing.setting import on_ports


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "analytics.toml"
    path.write_text(f'data = "data"\n[mongodb]\nuri = "counting:"\n{on_ports(*free_ports(4))}')
    return path


def test_a_process_is_killed_and_comes_back(file: Path) -> None:
    with Suite(file, [["broker", "workers", "timers"]]) as suite:
        [name] = suite.names
        first = suite.pid(name)
        eventually(lambda: report(suite.config).healthy)
        suite.kill(name)
        assert not suite.runs(name)
        assert not report(suite.config).healthy
        suite.restart(name)
        assert suite.pid(name) != first
        eventually(lambda: report(suite.config).healthy)
        with pytest.raises(AnalyticsError, match="still runs"):
            suite.restart(name)
        last = suite.pid(name)
    assert process_started(last) == 0


def test_stopping_is_orderly(file: Path) -> None:
    with Suite(file, [["broker"], ["loginhour", "loginday"]]) as suite:
        names = suite.names
    assert names == ["broker", "loginhour+loginday"]
    for name in names:
        assert suite.log(name).read_text().rstrip().endswith("stopped")


def test_a_process_that_ends_at_its_start_is_quoted(file: Path) -> None:
    with pytest.raises(
        ProcessNotUp, match=r'nope ended with status 1 .*expected the name of a node, got "nope"'
    ):
        Suite(file, [["nope"]]).start()


def test_one_that_is_stopped_by_force_is_killed_in_the_end(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("analytics.runtime.suite.DOWN_SECONDS", 0.5)
    with Suite(file, [["broker"]]) as suite:
        pid = suite.pid("broker")
        os.kill(pid, signal.SIGSTOP)  # it never ends by itself now
    assert process_started(pid) == 0


def test_draining_gives_up_in_time(file: Path) -> None:
    """A bolt that does not run never passes what is in the Queue."""
    from analytics.broker.clients import Publisher
    from analytics.broker.wire import Batch, BatchHeader, Part

    with Suite(file, [["broker"]]) as suite:
        drain(suite.config, 60)
        publisher = Publisher(suite.config.broker, "test")
        header = BatchHeader("test/a@1", [(1, 1)], [Part("loginhour", 1, 1)])
        publisher.publish(Batch(header, [b'{"id":"test/a@1:1","area":"a"}'])).get(timeout=600)
        publisher.close()

        def told() -> str:
            """Return what drain says; a broker that has other things to do may not answer in so little time."""
            try:
                drain(suite.config, 0.5)
            except (NotDrained, Unavailable) as error:
                return str(error)
            return ""

        eventually(lambda: "not counted yet (loginday on loginhour: 1, timers on loginhour: 1)" in told())
    with pytest.raises(Unavailable):
        drain(suite.config, 0.5)


class Away:
    """A broker that does not answer ``left`` times."""

    left = 3

    def state(self) -> str:
        self.left -= 1
        if self.left >= 0:
            raise Unavailable("no answer")
        return "answered"


def test_draining_says_once_that_it_waits_for_the_broker() -> None:
    said: list[str] = []
    assert _Asking(time.monotonic() + 100, said.append)(Away().state) == "answered"
    assert len(said) == 1 and said[0].startswith("waiting for an answer, for 100 s at most; ")
    assert said[0].endswith(". No answer")
    with pytest.raises(Unavailable):
        _Asking(time.monotonic(), said.append)(Away().state)
