"""Greenlets that live and die together: none of them fails unnoticed, and none outlives its owner."""

import logging
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias, TypeVar

import gevent
from gevent.event import Event

KILL_SECONDS = 2.0
log = logging.getLogger(__name__)

Task: TypeAlias = "gevent.Greenlet[..., Any]"


T = TypeVar("T")


def share(items: Iterator[T], work: Callable[[T], object], count: int) -> None:
    """Do ``work`` for each item, in ``count`` greenlets. After one failed none takes a further item, and the first error is raised."""
    failed: list[Exception] = []

    def work_on() -> None:
        try:
            for item in items:
                work(item)
                gevent.sleep(0)
                if failed:
                    break
        except Exception as error:
            failed.append(error)

    greenlets = [gevent.spawn(work_on) for _ in range(count)]
    try:
        gevent.joinall(greenlets)
    finally:
        gevent.killall(greenlets)
    if failed:
        raise failed[0]


class TaskGroup:
    """The tasks of one owner, from :meth:`spawn` until :meth:`stop`. Groups of the owner's parts may belong to it.

    A task that fails, or that returns although nothing has stopped it, has *crashed*: :meth:`check` raises what ended it.
    The owner calls that regularly, so that the crash ends it as well.

    Attributes:
        stopping: set by :meth:`stop`, for tasks that end on their own. An owner that has to wake them sets it before.
        error: what crashed the first one, None if nothing did.

    Args:
        name: the owner's, for messages.
        crashed: called with the first error, at once, in the hub: it must not wait.
    """

    def __init__(self, name: str, crashed: Callable[[BaseException], object] = lambda error: None) -> None:
        self.name = name
        self.stopping = False
        self._crashed = crashed
        self.error: BaseException | None = None
        self._failed = Event()
        self._tasks: dict[Task, bool] = {}
        self._parts: list[TaskGroup] = []
        self._owner: TaskGroup | None = None

    @property
    def running(self) -> list[str]:
        """The names of all tasks that run, also those of parts."""
        names = [f"{self.name}: {task.name}" for task in self._tasks]
        return names + [name for part in self._parts for name in part.running]

    def spawn(self, work: Callable[..., object], *arguments: object, may_end: bool = False) -> Task:
        """Run ``work`` in a greenlet of its own. After :meth:`stop`, raise GreenletExit: the caller is to end as well."""
        if self.stopping:
            raise gevent.GreenletExit
        task = gevent.spawn(work, *arguments)
        task.name = getattr(work, "__qualname__", repr(work))
        return self.watch(task, may_end)

    def watch(self, task: Task, may_end: bool = False) -> Task:
        """Take a greenlet into the group. ``may_end``: returning is no crash."""
        self._tasks[task] = may_end
        task.link(self._ended)
        return task

    def include(self, part: "TaskGroup") -> None:
        """Take the group of a part of the owner in: its crash is a crash of this one. The part stops it, in its own order."""
        part._owner = self
        self._parts.append(part)

    def check(self, seconds: float = 0.0) -> None:
        """Raise what crashed a task, or crashes one within ``seconds``."""
        if seconds:
            self._failed.wait(seconds)
        if self.error is not None:
            raise self.error

    def stop(self, seconds: float = 0.0) -> None:
        """End all tasks. Return when they have ended; one that ignores its end for two seconds is reported.

        ``seconds``: how long tasks may take to end after :attr:`stopping` is set.
        """
        self.stopping = True
        mine = [task for task in self._tasks if task is not gevent.getcurrent()]
        if seconds:
            gevent.joinall(mine, timeout=seconds)
        gevent.killall(mine, block=False)
        gevent.joinall(mine, timeout=KILL_SECONDS)
        for task in mine:
            if not task.ready():
                log.error("%s: %s does not end", self.name, task.name)

    def _ended(self, task: Task) -> None:
        may_end = self._tasks.pop(task)
        if task.exception is not None:
            self._fail(task.exception)
        elif not (may_end or self.stopping or isinstance(task.value, gevent.GreenletExit)):
            self._fail(RuntimeError(f"{self.name}: {task.name} ended unexpectedly"))

    def _fail(self, error: BaseException) -> None:
        if self.error is None:
            self.error = error
            self._failed.set()
            self._crashed(error)
        if self._owner is not None:
            self._owner._fail(error)
