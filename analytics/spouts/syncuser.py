"""The syncuser spout: polls roles as they are now, and publishes each state of a role that is new.

interface ── poll ─▶ check ─▶ known? ─▶ name ─▶ journal (durable) ─▶ Receiver ─▶ on acknowledgement: known

An area is asked for the roles that changed ``since`` its newest one, and at its first time and every
``full_every_seconds`` for all. ``since`` lies ``overlap_seconds`` before the newest role, at least one: so none is
missed that changes in a second whose roles were read already, whether the interface means "at or after" by it or "after".
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
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from operator import itemgetter
from typing import Any

import msgspec

from analytics.config import Config
from analytics.core.areas import Area, Areas
from analytics.errors import RecordError
from analytics.spouts.known import KnownRoles, Progress
from analytics.spouts.outbox import JournalLine
from analytics.spouts.poller import Answer, BadAnswer
from analytics.spouts.polling import PollingSpout, PollingState
from analytics.spouts.rejected import Reject, reject
from analytics.spouts.roles import (
    Role,
    RoleFields,
    is_known,
    lacks_acct,
    left_acct,
    remembered,
    role_tuple,
    roles_of,
    sorted_out,
    text_digest,
)
from analytics.spouts.schemas import schemas_of

NAME = "syncuser"
BATCH_ROLES = 4_000
DAY_SECONDS = 86_400

Digests = dict[str, bytes]


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


class SyncuserSpout(PollingSpout[Area, RolePage, PollingState, JournalLine]):
    """The node ``syncuser``."""

    name = NAME

    def __init__(self, config: Config, areas: Areas) -> None:
        self._settings = config.syncuser
        self._fields = RoleFields(schemas_of(config))
        super().__init__(config, areas, self._settings, PollingState, self._fields.line)
        self._full = 0
        self._passes: dict[str, _Pass] = {}
        self._ready: deque[_Ready] = deque()
        self._now = 0.0  # the interface's time of the last round

    def state(self) -> dict[str, Any]:
        return super().state() | {"full": self._full}

    def _open(self) -> None:
        self._known = KnownRoles(self._config.data / "state" / "syncuser.sqlite")
        if self._known.is_new:
            self._state.outbox.journal.clear()  # the journals tell what is known
        self._progress = self._known.progress()

    def _close(self) -> None:
        self._known.close()

    def _work(self) -> None:
        if self._ready:
            self._send()
        else:
            for answer in self._answers():
                self._take(answer)

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

    def _resent(self, lines: list[JournalLine]) -> Callable[[], None]:
        uids: dict[str, set[str]] = {}
        roles = list(map(msgspec.structs.asdict, lines))
        for role in roles:
            uids.setdefault(role["area"], set()).add(role["uid"])
        found = {area: self._known.digests(area, some) for area, some in uids.items()}
        for role in roles:
            known = found[role["area"]]
            known[role["uid"]] = remembered(role, known.get(role["uid"]), self._fields)
        self._known.expect(found)
        return partial(self._arrived, found, [])

    def _take(self, answer: Answer[Area, RolePage]) -> None:
        """Make ready what a page tells that is new."""
        area, page = answer.question, answer.result
        if page is None:
            del self._passes[area.id]
            self._fails(area.id, str(answer.error))
            if isinstance(answer.error, BadAnswer):
                self._put_aside(area, [(str(answer.error), answer.error.raw)])
            return
        good, bad = sorted_out(page.roles, area, int(time.time()) + DAY_SECONDS, self._fields)
        under_way = self._passes[area.id]
        under_way.newest = max([under_way.newest, *(role["ts"] for role in good)])
        if bad:
            under_way.fault = bad[0][0]
            self._fails(area.id, under_way.fault)
            self._put_aside(area, bad)
        new = self._new(area, good)
        self._unchanged += len(good) - len(new)
        for start in range(0, len(new), BATCH_ROLES):
            some = new[start : start + BATCH_ROLES]
            digests = {area.id: {role["uid"]: state for role, state in some}}
            self._known.expect(digests)
            tuples = [role_tuple(role, answer.at) for role, _ in some]
            self._ready.append(_Ready(area.game, answer.at, tuples, digests))
        if page.last:
            self._ready.append(_Ready(area.game, answer.at, ends=[(area.id, self._end(area, answer.begun))]))

    def _new(self, area: Area, roles: list[Role]) -> list[tuple[Role, bytes]]:
        """Return those roles whose state is none that the broker has or is about to have, and what to remember of each.

        Where a page names a role more than once, its newest state of each day counts, the newest of all last.
        """
        newest: dict[str, dict[int, Role]] = {}
        for role in sorted(roles, key=itemgetter("ts")):
            newest.setdefault(role["uid"], {})[area.zone.start("day", role["ts"])] = role
        known = self._known.digests(area.id, newest)
        found: list[tuple[Role, bytes]] = []
        older: dict[str, bytes] = {}
        for uid, days in newest.items():
            before = known.get(uid)
            last = remembered(next(reversed(days.values())), before, self._fields)
            if before is not None and is_known(last, before):
                # Only the newest state is remembered: where it is known, so are those of the days before.
                older |= {uid: last} if lacks_acct(before) else {}
                continue
            for role in days.values():
                state = remembered(role, before, self._fields)
                if not is_known(state, known.get(uid)):
                    left = left_acct(role, before)
                    found.append((role if left is None else role | {"left": left}, state))
                before = state
        if older:
            self._known.put({area.id: older})
        return found

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

    def _arrived(self, digests: dict[str, Digests], ends: list[tuple[str, Progress]]) -> None:
        if digests:
            self._known.arrived(digests)
        for area, progress in ends:
            if progress != self._progress.get(area):
                self._known.went(area, progress)
                self._full += progress.full_at != self._progress.get(area, Progress()).full_at
                self._progress[area] = progress
            del self._passes[area]

    def _put_aside(self, area: Area, found: list[tuple[str, bytes]]) -> None:
        """Keep what can't be used, each once however often the interface says it: (reason, raw)."""
        rejects: dict[bytes, Reject] = {}
        source = self._outbox.source(area.game)
        for reason, raw in found:
            one = reject(NAME, source, f"{reason} (area {area.id})", raw)
            rejects[text_digest(area.id.encode() + b"\n" + raw)] = one
        new = self._known.new_aside(rejects)
        self._reject([rejects[name] for name in rejects if name in new])
        self._known.put_aside(new)
