"""The syncuser spout: polls roles as they are now, and publishes each state of a role that is new.

interface ── poll ─▶ check ─▶ known? ─▶ name ─▶ journal (durable) ─▶ Receiver ─▶ on acknowledgement: known

An area is asked for the roles that changed ``since`` its newest one, and at its first time and every
``full_every_seconds`` for all. ``since`` lies ``overlap_seconds`` before the newest role, at least one: so none is
missed that changes in a second that was told of already, whether the interface means "at or after" by it or "after".
What comes again by that, or by asking for all, is recognised: a role is published only where its state is another one
than the last that the broker has of it (see ``known``).

A record's name can't come from a role's state, as the filter knows names by numbers that follow on each other. So a
state is named once, when it is journaled, by the next number; from then on the journal says what it is called. A state
that is not journaled yet has no name, and one that is, is known or will be once the journal is read at the next start.

``since`` moves only after a whole answer has arrived, and never past the time at which it was begun: what changed
while pages were asked for is asked for again. An answer that breaks off moves nothing.
"""

import time
from collections import deque
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from functools import partial
from operator import itemgetter
from typing import Any

import msgspec

from analytics.config import Config
from analytics.core.areas import Area, Areas
from analytics.errors import RecordError
from analytics.spouts.known import Known, Progress
from analytics.spouts.outbox import Outbox, OutboxState, alone
from analytics.spouts.poller import Answer, BadAnswer, Client, Poller
from analytics.spouts.positions import StateFile
from analytics.spouts.rejected import Reject, Rejected, reject
from analytics.spouts.roles import (
    Role,
    RoleLine,
    is_known,
    lacks_acct,
    left_acct,
    remembered,
    role_tuple,
    roles_of,
    sorted_out,
    text_digest,
)

NAME = "syncuser"
WAIT_SECONDS = 0.5
BATCH_ANSWERS = 64
BATCH_ROLES = 4_000
DAY_SECONDS = 86_400

Digests = dict[str, bytes]


class SyncuserState(msgspec.Struct):
    """What outlives the process beside what is known of roles."""

    outbox: OutboxState = msgspec.field(default_factory=OutboxState)
    rejected: int = 0


@dataclass(frozen=True, slots=True)
class RolePage:
    """One page of an answer: its roles, unchecked, and whether it is the last one."""

    roles: list[Any]
    last: bool


@dataclass(slots=True)
class _Pass:
    """An area being asked about: when that began (Unix seconds of this machine), and what was seen so far."""

    full: bool
    began: float
    newest: int = 0
    fault: str = ""


@dataclass(slots=True)
class _Ready:
    """New states of roles of one game, to be sent together. ``ends``: areas whose answer ends with them."""

    game: str
    at: int
    tuples: list[bytes] = field(default_factory=list)
    digests: dict[str, Digests] = field(default_factory=dict)
    ends: list[tuple[str, Progress]] = field(default_factory=list)

    def takes(self, other: "_Ready") -> bool:
        """Say whether ``other`` may travel along."""
        return self.game == other.game and len(self.tuples) + len(other.tuples) <= BATCH_ROLES

    def join(self, other: "_Ready") -> None:
        """Take what is newer than this."""
        self.at = max(self.at, other.at)
        self.tuples += other.tuples
        self.ends += other.ends
        for area, digests in other.digests.items():
            self.digests.setdefault(area, {}).update(digests)


class SyncuserSpout:
    """The node ``syncuser``. Raise ConfigError where its token is not in the environment."""

    name = NAME
    role = "spout"

    def __init__(self, config: Config, areas: Areas) -> None:
        self._config = config
        self._areas = areas
        self._settings = config.syncuser
        self._client = Client(self._settings, NAME)
        self._file = StateFile(config.data / "state" / "syncuser.json")
        self._errors: dict[str, str] = {}
        self._unchanged = 0
        self._full = 0
        self._changed = False
        self._passes: dict[str, _Pass] = {}
        self._ready: deque[_Ready] = deque()
        self._now = 0.0  # the interface's time of the last round
        self._sent: dict[str, Digests] = {}  # by area and uid, what is not acknowledged yet

    def start(self) -> None:
        """Take up the state; asking begins once all is sent that was left. Raise AnalyticsError where another one has the data folder."""
        self._lock = alone(self._config, NAME)
        self._state = state = self._file.load(SyncuserState)
        self._known = Known(self._config.data / "state" / "syncuser.sqlite")
        if self._known.is_new:
            state.outbox.journal.clear()  # the journals tell what is known
        self._progress = self._known.progress()
        self._file.save(state, now=True)  # before any record is named after it
        self._rejected = Rejected(self._config)
        self._outbox = Outbox(self._config, NAME, state.outbox, RoleLine, self._rejected)
        self._recovered = False
        self._poller = Poller(self._client, self._settings, self._plan, self._ask)

    def step(self) -> None:
        """Take acknowledgements and answers, publish what is new; return within about a second.

        While the broker does not acknowledge, answers wait, and with them the poller.
        """
        if self._outbox.full:
            self._outbox.wait(WAIT_SECONDS)
        elif not self._recovered:
            self._recover()
        elif self._ready:
            self._send()
        else:
            for answer in self._answers():
                self._take(answer)
        self._changed |= self._outbox.settle()
        if self._changed and self._file.save(self._state):
            self._changed = False

    def stop(self) -> None:
        """Ask no more, wait a little for what is not acknowledged, and keep the state."""
        self._poller.stop()
        self._outbox.close()
        self._file.save(self._state, now=True)
        self._known.close()
        self._rejected.close()
        self._client.close()
        self._lock.close()

    def state(self) -> dict[str, Any]:
        """Return the balance, and what goes wrong at the moment per area."""
        state, journaled = self._state, self._outbox.last
        errors = self._errors | self._poller.errors()
        return {
            "read": sum(journaled.values()) + state.rejected,
            "journaled": sum(journaled.values()),
            "published": self._outbox.published,
            "repeated": state.outbox.repeated,
            "rejected": state.rejected,
            "unchanged": self._unchanged,
            "rounds": self._poller.rounds,
            "full": self._full,
            "blocked": self._outbox.unanswered,
            "sources": journaled,
            "errors": errors,
            "last_error": next(reversed(errors.values()), ""),
        }

    def _plan(self, now: float) -> list[Area]:
        self._now = now
        return [area for area in self._areas.values() if area.id not in self._passes]

    def _ask(self, area: Area) -> Iterator[RolePage]:
        """Yield pages as they come. What is under way until its last page has arrived is in ``_passes``."""
        now = time.time()
        known = self._progress.get(area.id, Progress())
        full = self._is_full(known, now)
        self._passes[area.id] = _Pass(full, now)
        since = 0 if full else max(0, known.newest - self._settings.overlap_seconds)
        today = area.zone.start("day", int(now))
        fields = {
            "game": area.game,
            "plat": area.plat,
            "area": area.id,
            "since": str(since),
            "ts": str(today),
            "day": f"{area.zone.local(today):%Y-%m-%d}",
        }
        for page, raw in self._client.pages(fields):
            try:
                yield RolePage(roles_of(page), page.get("next") is None)
            except RecordError as error:
                raise BadAnswer(str(error), raw) from error

    def _is_full(self, known: Progress, now: float) -> bool:
        """Say whether all roles are asked for: also where what is known lies ahead of now, as a clock was wrong then."""
        age = now - known.full_at
        return (
            "{since}" not in self._settings.url
            or not 0 <= age < self._settings.full_every_seconds
            or known.newest > self._now
        )

    def _answers(self) -> Iterator[Answer[Area, RolePage]]:
        """Yield what has come in, waiting only for the first."""
        timeout = WAIT_SECONDS
        for _ in range(BATCH_ANSWERS):
            answer = self._poller.get(timeout)
            if answer is None:
                return
            timeout = 0.0
            yield answer

    def _recover(self) -> None:
        """Publish what an earlier process journaled; it is known once it arrives."""
        lines = self._outbox.recover()
        if lines is None:
            self._recovered = True
            self._poller.start(self._outbox.at)
            return
        uids: dict[str, set[str]] = {}
        roles = list(map(msgspec.structs.asdict, lines))
        for role in roles:
            uids.setdefault(role["area"], set()).add(role["uid"])
        found = {area: self._remembered(area, some) for area, some in uids.items()}
        for role in roles:
            known = found[role["area"]]
            known[role["uid"]] = remembered(role, known.get(role["uid"]))
        self._note_sent(found)
        self._outbox.after(partial(self._arrived, found, []))

    def _take(self, answer: Answer[Area, RolePage]) -> None:
        """Make ready what a page tells that is new."""
        area, page = answer.question, answer.result
        if page is None:
            del self._passes[area.id]
            self._fails(area, str(answer.error))
            if isinstance(answer.error, BadAnswer):
                self._put_aside(area, [(str(answer.error), answer.error.raw)])
            return
        good, bad = sorted_out(page.roles, area, int(time.time()) + DAY_SECONDS)
        under_way = self._passes[area.id]
        under_way.newest = max([under_way.newest, *(role["ts"] for role in good)])
        if bad:
            under_way.fault = bad[0][0]
            self._fails(area, under_way.fault)
            self._put_aside(area, bad)
        new = self._new(area, good)
        self._unchanged += len(good) - len(new)
        self._make_ready(area, new, answer.at)
        if page.last:
            self._ready.append(_Ready(area.game, answer.at, ends=[(area.id, self._end(area, answer.begun))]))

    def _new(self, area: Area, roles: list[Role]) -> list[tuple[Role, bytes]]:
        """Return those roles whose state is none that the broker has or is about to have, and what to remember of each.

        Where a page names a role more than once, its newest state of each day counts, the newest of all last.
        """
        newest: dict[str, dict[int, Role]] = {}
        for role in sorted(roles, key=itemgetter("ts")):
            newest.setdefault(role["uid"], {})[area.zone.start("day", role["ts"])] = role
        known = self._remembered(area.id, newest)
        found: list[tuple[Role, bytes]] = []
        older: dict[str, bytes] = {}
        for uid, days in newest.items():
            before = known.get(uid)
            last = remembered(next(reversed(days.values())), before)
            if before is not None and is_known(last, before):
                # Only the newest state is remembered: where it is known, so are those of the days before.
                older |= {uid: last} if lacks_acct(before) else {}
                continue
            for role in days.values():
                state = remembered(role, before)
                if not is_known(state, known.get(uid)):
                    left = left_acct(role, before)
                    found.append((role if left is None else role | {"left": left}, state))
                before = state
        if older:
            self._known.put({area.id: older})
        return found

    def _remembered(self, area: str, uids: Collection[str]) -> Digests:
        """Return what is remembered of roles that the broker has, or is about to have."""
        sent = self._sent.get(area, {})
        return self._known.digests(area, uids) | {uid: sent[uid] for uid in uids if uid in sent}

    def _make_ready(self, area: Area, new: list[tuple[Role, bytes]], at: int) -> None:
        for start in range(0, len(new), BATCH_ROLES):
            some = new[start : start + BATCH_ROLES]
            digests = {area.id: {role["uid"]: state for role, state in some}}
            self._note_sent(digests)
            self._ready.append(_Ready(area.game, at, [role_tuple(role, at) for role, _ in some], digests))

    def _end(self, area: Area, begun: float) -> Progress:
        """Return how far an area is once all of an answer has arrived."""
        under_way = self._passes[area.id]
        if not under_way.fault:
            self._errors.pop(area.id, None)
        known = self._progress.get(area.id, Progress())
        newest = min(under_way.newest, int(begun))
        if under_way.full:
            return Progress(newest, under_way.began)
        return Progress(max(known.newest, newest), known.full_at)

    def _send(self) -> None:
        """Send what is ready, as much of one game as may travel together."""
        one = self._ready.popleft()
        while self._ready and one.takes(self._ready[0]):
            one.join(self._ready.popleft())
        arrived = partial(self._arrived, one.digests, one.ends)
        if one.tuples:
            self._outbox.send(one.game, one.tuples, one.at, arrived)
        else:
            self._outbox.after(arrived)

    def _note_sent(self, digests: dict[str, Digests]) -> None:
        for area, found in digests.items():
            self._sent.setdefault(area, {}).update(found)

    def _arrived(self, digests: dict[str, Digests], ends: list[tuple[str, Progress]]) -> None:
        if digests:
            self._known.put(digests)
        for area, found in digests.items():
            sent = self._sent[area]
            for uid, state in found.items():
                if sent.get(uid) == state:
                    del sent[uid]
        for area, progress in ends:
            if progress != self._progress.get(area):
                self._known.went(area, progress)
                self._full += progress.full_at != self._progress.get(area, Progress()).full_at
                self._progress[area] = progress
            del self._passes[area]

    def _fails(self, area: Area, problem: str) -> None:
        self._errors.pop(area.id, None)
        self._errors[area.id] = problem

    def _put_aside(self, area: Area, found: list[tuple[str, bytes]]) -> None:
        """Keep what can't be used, each once however often the interface says it: (reason, raw)."""
        rejects: dict[bytes, Reject] = {}
        source = self._outbox.source(area.game)
        for reason, raw in found:
            one = reject(NAME, source, f"{reason} (area {area.id})", raw)
            rejects[text_digest(area.id.encode() + b"\n" + raw)] = one
        new = self._known.new_aside(rejects)
        self._rejected.put_all(rejects[name] for name in rejects if name in new)
        self._known.put_aside(new)
        self._state.rejected += len(new)
        self._changed |= bool(new)
