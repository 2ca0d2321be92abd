"""The node ``alerts``: judges each rule when a period has ended, and again as late records change it, and sends what is new."""

import logging
import time
from collections.abc import Callable, Iterable
from typing import Any

import gevent

from analytics.alerts import digest, numbers
from analytics.alerts.channels import PICTURES, Picture, send
from analytics.alerts.numbers import WatchedScope
from analytics.alerts.rules import WEEK_DAYS, Judgement, Rule
from analytics.config import Config, funnels
from analytics.errors import AnalyticsError, Unavailable
from analytics.store import Reader, Store, Write, open_reader, open_store

COLLECTION = "alerts"
LOOK_SECONDS = 60.0
"""Between two looks at all rules: late records may take an alert back."""

log = logging.getLogger(__name__)

Sender = Callable[[str, str, dict[str, Any], Picture | None], None]


def rules_of(config: Config) -> list[Rule]:
    """Return the configured rules, which were checked when the configuration was loaded."""
    of_name = {one.name: one for one in funnels(config)}
    return [
        Rule(name, section, period, of_name.get(section.funnel))
        for name, section in config.alerts.items()
        if (period := numbers.period_of(config, section.collection))
    ]


class Alerts:
    """Looks at the numbers each minute.

    Args:
        now: the clock, in Unix seconds.
        send: sends a text, facts and a picture over a channel; raises Unavailable if that does not take it.
    """

    name = "alerts"
    role = "alerts"

    def __init__(
        self, config: Config, now: Callable[[], float] = time.time, send: Sender | None = None
    ) -> None:
        self._config = config
        self._now = now
        self._send = send or self._over
        self._rules = rules_of(config)
        self._next = 0.0
        self._firing: dict[str, str] = {}
        self._reached: dict[tuple[str, bool, int], set[str]] = {}
        self._error = ""
        self._sent = 0

    def start(self) -> None:
        """Connect to the store; :meth:`step` waits for it."""
        self._store: Store = open_store(self._config)
        self._reader: Reader = open_reader(self._config)

    def step(self) -> None:
        """Look at all rules when it is time, else wait up to a second."""
        if time.monotonic() < self._next:
            gevent.sleep(min(1.0, self._next - time.monotonic()))
            return
        self._next = time.monotonic() + LOOK_SECONDS
        self.look()

    def look(self) -> None:
        """Judge every rule for every place, send what has changed, and the digest when it is due."""
        errors = []
        for rule in self._rules:
            for place in numbers.places(self._config, rule.section):
                try:
                    self._judge(rule, place)
                except AnalyticsError as error:
                    errors.append(f"{rule.name}: {error}")
                gevent.sleep(0)
        try:
            self._send_digest()
        except AnalyticsError as error:
            errors.append(f"digest: {error}")
        for text in set(errors) - {self._error}:
            log.warning("%s", text)
        self._error = errors[0] if errors else ""

    def stop(self) -> None:
        """Close connections."""
        self._reader.close()
        self._store.close()

    def state(self) -> dict[str, Any]:
        """Return how many rules there are, which alerts last, and what went wrong at the last look."""
        return {
            "rules": len(self._rules),
            "firing": dict(self._firing),
            "sent": self._sent,
            "error": self._error,
        }

    def _judge(self, rule: Rule, place: WatchedScope) -> None:
        found = numbers.judged(self._reader, rule, place, self._now())
        if found is None:
            return
        id_ = f"{rule.name}:{place.key}"
        stored = self._store.load(COLLECTION, [id_]).get(id_)
        lasting = bool(stored and stored["firing"])
        if found.applies:
            self._firing[id_] = found.why
        else:
            self._firing.pop(id_, None)
        if found.applies == lasting:
            return
        text = describe(rule, place, found, since=stored["since"] if stored and lasting else 0)
        about = {"game": place.game, "scope": place.scope, "id": place.id}
        judged = {"firing": found.applies, "value": found.value, "expected": found.expected}
        facts = {"alert": rule.name, **about, **judged, "start": found.start}
        self._send_over(rule.section.to, (id_, found.applies, found.start), text, facts)
        log.info("%s", text)
        # Saved after it was sent: a crash in between repeats a message, and loses none. A store that is away repeats none.
        since = found.start if found.applies else 0
        self._save(id_, {"alert": rule.name, **about, **judged, "since": since}, stored)

    def _send_digest(self) -> None:
        for day in digest.due(self._config, self._now()):
            id_ = f"digest:{day.game}"
            stored = self._store.load(COLLECTION, [id_]).get(id_)
            if stored is not None and stored["since"] >= day.start:
                continue
            section = self._config.digest
            days = digest.days_before(self._reader, day, max(section.days, WEEK_DAYS + 1))
            text = digest.text(day, days)
            if text is None:
                continue  # the day is not final yet
            days = days[-section.days :]
            facts = {"digest": day.game, "start": day.start, "days": digest.facts_of(day, days)}
            drawn = any(self._config.channels[name].kind in PICTURES for name in section.to)
            picture = digest.picture(day, days, section.font) if drawn else None
            self._send_over(section.to, (id_, True, day.start), text, facts, picture)
            self._save(id_, {"game": day.game, "since": day.start}, stored)

    def _send_over(
        self,
        channels: Iterable[str],
        message: tuple[str, bool, int],
        text: str,
        facts: dict[str, Any],
        picture: Picture | None = None,
    ) -> None:
        """Send a message over all channels; where one does not take it, the next look sends it over that one alone.

        Args:
            message: what tells it from others.
        """
        reached = self._reached.setdefault(message, set())
        before = len(reached)
        failed: list[Unavailable] = []
        for channel in channels:
            if channel in reached:
                continue
            try:
                self._send(channel, text, facts, picture)
                reached.add(channel)
            except Unavailable as error:
                failed.append(error)
        if failed:
            raise failed[0]
        self._sent += len(reached) > before

    def _save(self, id_: str, document: dict[str, Any], stored: dict[str, Any] | None) -> None:
        version = stored["_v"] if stored else 0
        refused = self._store.write(COLLECTION, [Write(id_, {**document, "_v": version + 1}, version)])
        if refused:
            raise Unavailable(f"{COLLECTION}: another instance wrote {id_}; looking again")
        self._reached = {message: some for message, some in self._reached.items() if message[0] != id_}

    def _over(self, channel: str, text: str, facts: dict[str, Any], picture: Picture | None) -> None:
        try:
            send(self._config.channels[channel], text, facts, picture)
        except Unavailable as error:
            raise Unavailable(f"channel {channel}: {error}; the message is sent again in a minute") from error


def describe(rule: Rule, place: WatchedScope, found: Judgement, since: int) -> str:
    """Return the text of a judgement.

    Args:
        since: when the alert began, if it has ended.
    """
    form = "%Y-%m-%d %H:%M" if rule.period == "hour" else "%Y-%m-%d"
    at = place.zone.local(found.start).strftime(form)
    number = f"{rule.subject}: {rule.section.value}"
    if not found.applies:
        began = place.zone.local(since).strftime(form)
        return f"Over: {rule.name}, {place.name}. {number} is {_shown(found.value)} ({at}); it had begun at {began}."
    times = f" for {rule.section.periods} {rule.period}s" if rule.section.periods > 1 else ""
    return f"{rule.name}, {place.name}: {number} is {_shown(found.value)} ({at}), {found.why} {_shown(found.expected)}{times}."


def _shown(value: float) -> str:
    """Return a number with all of its digits before the point, and at most four behind it."""
    return f"{round(value, 4):.15g}"
