"""The running simulated game: its clock, and its growing logs."""

import time
from bisect import bisect_right
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import gevent

from analytics.simulate.events import Event, GameServer, LineWriter
from analytics.simulate.ledger import Ledger
from analytics.simulate.world import AreaWorld, SimulatedDay, WorldSettings, game_servers

TICK_SECONDS = 0.1
LOG_NAME = "gamelog.log"


class SimulatedClock:
    """Simulated Unix time: from ``start``, ``speed`` seconds a second, and stopped at ``end``."""

    def __init__(
        self, start: int, end: int, speed: float, real: Callable[[], float] = time.monotonic
    ) -> None:
        self.start = start
        self.end = end
        self._speed = speed
        self._real = real
        self._began = real()

    @classmethod
    def of_this_moment(cls, start: int, end: int) -> "SimulatedClock":
        """Return a clock that shows the real time, ``start`` being past."""
        clock = cls(start, end, 1.0, time.time)
        clock._began = start
        return clock

    def now(self) -> int:
        """Return the simulated time in Unix seconds."""
        passed = (self._real() - self._began) * self._speed
        return self.end if passed >= self.end - self.start else self.start + int(passed)


class SimulatedGame:
    """All areas of a simulated game. Each writes its log to ``<folder>/logs/<area>/gamelog.log``."""

    def __init__(self, settings: WorldSettings, folder: Path, speed: float = 1.0, flat: bool = False) -> None:
        self.settings = settings
        self.servers = game_servers(settings)
        self.ledger = Ledger(self.servers, settings.timezone)
        self.clock = SimulatedClock(*_span(settings), speed)
        self._areas = [_RunningArea(settings, server, folder, flat) for server in self.servers]
        self.written_to = self.clock.start

    @property
    def finished(self) -> bool:
        """Whether all of the last day is in the logs."""
        return self.written_to >= self.clock.end

    @property
    def last_day(self) -> date:
        """The current day, or the last one."""
        zone = ZoneInfo(self.settings.timezone)
        return datetime.fromtimestamp(max(self.clock.start, self.written_to - 1), zone).date()

    def day_start(self, text: str) -> int:
        """Return the start of the day ``YYYY-MM-DD``, in Unix seconds. Raise ValueError if it is none."""
        day = datetime.strptime(text, "%Y-%m-%d")
        return int(day.replace(tzinfo=ZoneInfo(self.settings.timezone)).timestamp())

    def log_path(self, area: str) -> Path | None:
        """Return the path of ``area``'s log, or None for an unknown area."""
        return next((running.path for running in self._areas if running.server.id == area), None)

    def advance(self) -> None:
        """Write all due events to the logs and the ledger."""
        now = self.clock.now()
        for area in self._areas:
            area.advance(now, self.clock.end, self.ledger)
        self.written_to = now

    def run(self) -> None:
        """Follow the clock until the last day has ended."""
        while not self.finished:
            self.advance()
            gevent.sleep(TICK_SECONDS)

    def close(self) -> None:
        for area in self._areas:
            area.close()


class _RunningArea:
    """One area's log, and the position in its current day."""

    def __init__(self, settings: WorldSettings, server: GameServer, folder: Path, flat: bool) -> None:
        self.server = server
        self.path = folder / "logs" / server.id / LOG_NAME
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._log = self.path.open("wb")
        self._world = AreaWorld(settings, server)
        self._writer = LineWriter(server, flat)
        self._day: SimulatedDay = self._world.next_day()
        self._done = 0

    def advance(self, now: int, end: int, ledger: Ledger) -> None:
        """Write the events up to ``now`` and before ``end``."""
        while True:
            events = self._day.events
            due = bisect_right(events, now, lo=self._done, key=_ts)
            self._write(events[self._done : due], ledger)
            self._done = due
            if now < self._day.end or self._day.end >= end:
                return
            self._day, self._done = self._world.next_day(), 0
            gevent.sleep(0)

    def _write(self, events: Sequence[Event], ledger: Ledger) -> None:
        if events:
            self._log.write(self._writer.lines(events))
            self._log.flush()
            ledger.note(self.server.id, self._day.start, events)

    def close(self) -> None:
        self._log.close()


def _ts(event: Event) -> int:
    return event[0]


def _span(settings: WorldSettings) -> tuple[int, int]:
    """Return when the first day starts and the last one ends, in Unix seconds."""
    start = datetime.combine(settings.first_day, datetime.min.time(), ZoneInfo(settings.timezone))
    return int(start.timestamp()), int((start + timedelta(days=settings.days)).timestamp())
