"""Greenlets of one owner: their crashes reach it, and they end with it."""

import logging
from collections.abc import Iterator

import gevent
import pytest
from gevent.event import Event

from analytics.system import tasks
from analytics.system.tasks import TaskGroup, share


@pytest.fixture
def group() -> Iterator[TaskGroup]:
    group = TaskGroup("owner")
    yield group
    group.stop()


def forever() -> None:
    Event().wait()


def fail() -> None:
    raise ValueError("broken")


def test_a_crash_is_raised_to_the_owner_at_once_and_again(group: TaskGroup) -> None:
    group.check()
    group.spawn(forever)
    group.spawn(fail)
    for _ in range(2):
        with pytest.raises(ValueError, match="broken"):
            group.check(600)
    assert group.running == ["owner: forever"]


def test_the_first_crash_is_reported(group: TaskGroup) -> None:
    seen: list[BaseException] = []
    group = TaskGroup("owner", seen.append)
    group.spawn(fail)
    group.spawn(gevent.sleep, 0)
    gevent.sleep(0.01)
    assert [str(one) for one in seen] == ["broken"]


def test_a_task_may_return_only_where_that_is_said(group: TaskGroup) -> None:
    group.spawn(gevent.sleep, 0, may_end=True)
    gevent.sleep(0.01)
    group.check()
    group.spawn(gevent.sleep, 0)
    with pytest.raises(RuntimeError, match="owner: sleep ended unexpectedly"):
        group.check(600)


def test_a_part_crashes_with_its_owner_and_stops_by_itself(group: TaskGroup) -> None:
    part = TaskGroup("part")
    group.include(part)
    part.spawn(forever)
    assert group.running == ["part: forever"]
    part.spawn(fail)
    with pytest.raises(ValueError, match="broken"):
        group.check(600)
    part.spawn(forever)
    group.stop()
    assert group.running == ["part: forever", "part: forever"]
    part.stop()
    assert group.running == []


def test_what_starts_while_the_group_stops_does_not_run(group: TaskGroup) -> None:
    started, opened = Event(), Event()

    def start() -> None:
        started.set()
        try:
            forever()
        finally:
            group.spawn(opened.set)

    starting = group.spawn(start)
    started.wait()
    group.stop()
    assert starting.ready()
    assert not opened.is_set()
    group.check()


def test_tasks_get_the_time_to_end_by_themselves(group: TaskGroup) -> None:
    done = []

    def work() -> None:
        while not group.stopping:
            gevent.sleep(0.001)
        gevent.sleep(0.01)
        done.append(True)

    group.spawn(work)
    group.stop(600)
    assert done
    group.stop()  # twice is once


def test_a_task_that_ignores_its_end_is_named(
    group: TaskGroup, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(tasks, "KILL_SECONDS", 0.05)
    release = Event()

    def stubborn() -> None:
        while not release.is_set():
            try:
                release.wait()
            except gevent.GreenletExit:
                continue

    group.spawn(stubborn)
    gevent.sleep(0)
    with caplog.at_level(logging.ERROR):
        group.stop()
    assert "stubborn does not end" in caplog.text
    release.set()


def test_a_task_may_stop_its_own_group(group: TaskGroup) -> None:
    stopped = Event()

    def stop() -> None:
        group.stop()
        stopped.set()

    group.spawn(stop)
    group.spawn(forever)
    assert stopped.wait(600)
    group.check()


def test_shared_work_is_done_once_and_ends_with_the_first_error() -> None:
    done: list[int] = []

    def work(item: int) -> None:
        gevent.sleep(0)
        if item == 5:
            raise ValueError("five")
        done.append(item)

    share(iter(range(5)), work, 3)
    assert sorted(done) == [0, 1, 2, 3, 4]
    with pytest.raises(ValueError, match="five"):
        share(iter(range(4, 100)), work, 2)
    assert len(done) < 10
