"""Asking an HTTP JSON interface, again and again, for every area and day.

The interface answers ``{<items>: …, "next": page or null}``; pages are asked for until ``next`` is null or
absent.
"""

import os
import random
import sys
import time
from codecs import BOM_UTF8
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from urllib.parse import quote

import gevent
import msgspec
from gevent.lock import BoundedSemaphore
from gevent.pool import Pool
from gevent.queue import Empty, Queue

from analytics.config import Polled
from analytics.config.uris import without_secrets
from analytics.core.schema import shown
from analytics.core.tuples import EARLIEST, UNDECODABLE
from analytics.errors import AnalyticsError, ConfigError, RecordError, Unavailable
from analytics.spouts.httpclient import FAILURES, open_session, reason, retry_after
from analytics.spouts.renaming import Renaming
from analytics.system.tasks import TaskGroup

MAX_ANSWER = 128 << 20
MAX_PAGES = 100_000
DAY_SECONDS = 86_400
WHOLE_ANSWER = 10  # times timeout_seconds, which bounds only how long the peer may stay silent
FIRST_DELAY, LONGEST_DELAY = 0.25, 20.0
TRY_AGAIN = {408, 425, 429, 500, 502, 503, 504}
TOO_MANY = 429
SHOWN = 80  # characters of what is no answer
CALM_SECONDS = 60.0
"""Seconds after a refusal for the rate in which requests go one at a time."""

Page = dict[str, Any]


class BadAnswer(RecordError):
    """An answer came whole, as JSON, and is not what it should be. ``raw`` is its text, to be rejected."""

    def __init__(self, reason: str, raw: bytes) -> None:
        super().__init__(reason)
        self.raw = raw


class Denied(Unavailable):
    """The interface said no, and would again (401, 404 …): not worth a retry before the next round."""


class Limited(Unavailable):
    """The interface refuses for the rate of requests. ``after``: seconds that it asks to wait, 0.0: it does not say."""

    def __init__(self, problem: str, after: float) -> None:
        super().__init__(problem)
        self.after = after


class Pace:
    """The pace that an interface allows. After a refusal all requests wait, and then go one at a time for a while.

    Several at once would all be refused, and some interfaces begin to count again at each refusal.
    ``answered``: how many requests were answered.
    """

    def __init__(self) -> None:
        self.answered = 0
        self._answered_at = time.monotonic()
        self._refusal = ""
        self._refusals = 0
        self._not_before = 0.0
        self._calm_at = 0.0
        self._turn = BoundedSemaphore(1)

    @property
    def limit(self) -> str:
        """The newest refusal where it is long since anything was answered, else ""."""
        return self._refusal if time.monotonic() - self._answered_at >= CALM_SECONDS else ""

    @contextmanager
    def request(self) -> Iterator[None]:
        """Wait until a request may go, and hold the others back where they go one at a time."""
        if time.monotonic() >= self._calm_at:
            yield
            return
        with self._turn:
            while (left := self._not_before - time.monotonic()) > 0:
                gevent.sleep(left)
            yield

    def refused(self, refusal: "Limited") -> None:
        """Remember that the interface wants nothing for as long as it says, or each time for longer."""
        self._refusals += 1
        wait = refusal.after or _delay(self._refusals)
        self._not_before = max(self._not_before, time.monotonic() + wait)
        self._calm_at = self._not_before + CALM_SECONDS
        self._refusal = str(refusal)

    def succeeded(self) -> None:
        self.answered += 1
        self._answered_at = time.monotonic()
        self._refusal, self._refusals = "", 0


class Client:
    """One interface. ``name`` is its table in the configuration; ConfigError where its token is not set.

    ``renaming``: replaces forgotten accts in its answers; None: there are none.
    """

    def __init__(self, settings: Polled, name: str, renaming: Renaming | None = None) -> None:
        self._renaming = renaming
        self._settings = settings
        self._shown = without_secrets(settings.url)
        self._pace = Pace()
        self._session = open_session(settings, settings.concurrency + 1)
        if settings.token_env:
            self._session.headers["Authorization"] = f"Bearer {_token(settings.token_env, name)}"

    @property
    def limit(self) -> str:
        """Why nothing was answered for long, "" unless the interface refuses for the rate of requests."""
        return self._pace.limit

    def now(self) -> float:
        """Return the Unix time by which this interface's days begin. Raise Unavailable or BadAnswer."""
        if not self._settings.clock_url:
            return time.time()
        shown_url = without_secrets(self._settings.clock_url)
        answer, raw = self._ask(self._settings.clock_url, shown_url)
        now = answer.get("now")
        latest = time.time() + DAY_SECONDS
        if isinstance(now, bool) or not isinstance(now, int | float) or not EARLIEST <= now <= latest:
            expected = f"Unix seconds from {EARLIEST} to {latest:.0f}, a day from now"
            raise BadAnswer(f"{shown_url}: $.now: expected {expected}, got {shown(now)}", raw)
        return float(now)

    def pages(self, fields: dict[str, str], most: int = sys.maxsize) -> Iterator[tuple[Page, bytes]]:
        """Yield each page, decoded and raw. Raise Unavailable when retries did not help, or BadAnswer.

        ``most``: bytes that all pages together may have.
        """
        page, paged, size = "1", "{page}" in self._settings.url, 0
        known = {page}
        for _ in range(MAX_PAGES):
            filled = fields | {"page": page}
            answer, raw = self._ask(fill(self._settings.url, filled), fill(self._shown, filled))
            size += len(raw)
            if size > most:
                raise BadAnswer(f"$: expected at most {most >> 20} MiB in all pages, got more", raw)
            yield (self._renaming.page(answer) if self._renaming is not None else answer), raw
            following = answer.get("next")
            if following is None:
                return
            if isinstance(following, bool) or not isinstance(following, int | str) or str(following) in known:
                raise BadAnswer(f"$.next: expected another page or null, got {shown(following)}", raw)
            if not paged:
                raise BadAnswer("$.next: there are more pages, but the url has no {page}: put it in", raw)
            page = str(following)
            known.add(page)
        raise BadAnswer(f"$.next: expected an end within {MAX_PAGES} pages", raw)

    def close(self) -> None:
        self._session.close()

    def _ask(self, url: str, shown_url: str) -> tuple[Page, bytes]:
        """Return the answer, decoded and raw, after as many retries as configured.

        A refusal for the rate counts as a try only where the interface has answered nothing else meanwhile.
        """
        tries = 0
        while True:
            answered = self._pace.answered
            try:
                with self._pace.request():
                    return self._ask_once(url, shown_url)
            except Denied:
                raise
            except Unavailable as error:
                tries += not isinstance(error, Limited) or answered == self._pace.answered
                if tries > self._settings.retries:
                    raise
            gevent.sleep(_delay(tries))

    def _ask_once(self, url: str, shown_url: str) -> tuple[Page, bytes]:
        limit = self._settings.timeout_seconds * WHOLE_ANSWER
        try:
            with gevent.Timeout(limit):
                status, headers, raw = self._fetch(url)
        except gevent.Timeout:
            raise Unavailable(f"{shown_url}: expected the whole answer within {limit:g} s") from None
        except FAILURES as error:
            raise Unavailable(f"{shown_url}: {reason(error)}") from error
        if status != 200:
            raise self._refusal(status, headers, raw, shown_url)
        self._pace.succeeded()
        kind = headers.get("Content-Type", "no type")
        try:
            answer = msgspec.json.decode(raw.removeprefix(BOM_UTF8))
        except UNDECODABLE as error:
            start = shown(raw.decode(errors="replace"), SHOWN)
            raise Unavailable(
                f"{shown_url}: expected JSON, got {len(raw)} bytes of {kind}, {start} ({error})"
            ) from error
        if not isinstance(answer, dict):
            raise BadAnswer(f"$: expected an object, got {shown(answer)}", raw)
        return answer, raw

    def _refusal(self, status: int, headers: Mapping[str, str], raw: bytes, shown_url: str) -> Unavailable:
        problem = (
            f"{shown_url}: expected status 200, got {status}: {shown(raw.decode(errors='replace'), SHOWN)}"
        )
        after = retry_after(status, headers)
        if status == TOO_MANY or after:
            refusal = Limited(problem, after)
            self._pace.refused(refusal)
            return refusal
        return Unavailable(problem) if status in TRY_AGAIN else Denied(problem)

    def _fetch(self, url: str) -> tuple[int, Mapping[str, str], bytes]:
        with self._session.get(url, timeout=self._settings.timeout_seconds, stream=True) as response:
            body = bytearray()
            for piece in response.iter_content(1 << 16):
                body += piece
                if len(body) > MAX_ANSWER:
                    raise OSError(f"expected at most {MAX_ANSWER >> 20} MiB, got more")
            return response.status_code, response.headers, bytes(body)


def _delay(tries: int) -> float:
    """Return how long to wait before the next try, in seconds."""
    return min(FIRST_DELAY * 2.0 ** min(tries, 10), LONGEST_DELAY) * random.uniform(0.5, 1)


Q = TypeVar("Q", bound=Hashable)
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Answer(Generic[Q, R]):
    """One of the results of a question, or the ``error`` that it ended with.

    ``begun`` is the interface's time (Unix seconds) of the round, no later than the question; ``at`` is
    this machine's time just before the question, in Unix milliseconds, and greater from each to the next.
    """

    question: Q
    begun: float
    at: int
    result: R | None
    error: AnalyticsError | None


class Poller(Generic[Q, R]):
    """Asks, every so often, all questions of a plan, several at a time, the same one never twice at once.

    Args:
        plan: the questions to ask at an interface's time.
        ask: yields the results of one, each of which becomes an answer, or raises AnalyticsError.
    """

    def __init__(
        self,
        client: Client,
        settings: Polled,
        plan: Callable[[float], Iterable[Q]],
        ask: Callable[[Q], Iterable[R]],
    ) -> None:
        self._client = client
        self._every = settings.every_seconds
        self._plan = plan
        self._ask = ask
        self._at = 0
        self._busy: set[Q] = set()
        self._answers: Queue[Answer[Q, R]] = Queue(maxsize=settings.concurrency)
        self._pool = Pool(settings.concurrency)
        self._tasks = TaskGroup("poller")
        self.rounds = 0
        self._clock_error = ""

    def errors(self) -> dict[str, str]:
        """Return what keeps questions from being asked, by what it concerns."""
        found = {"clock": self._clock_error, "rate limit": self._client.limit}
        return {name: error for name, error in found.items() if error}

    def start(self, after: int = 0) -> None:
        """Begin to ask. ``after``: the greatest ``at`` of an earlier run."""
        self._at = after
        self._tasks.spawn(self._run)

    def stop(self) -> None:
        """Ask no more; what is under way is given up."""
        self._tasks.stop()

    def get(self, timeout: float) -> Answer[Q, R] | None:
        """Return the next answer, or None when there is none within ``timeout`` seconds.

        Raise what ended the poller, if anything did.
        """
        self._tasks.check()
        try:
            found: Answer[Q, R] = (
                self._answers.get(timeout=timeout) if timeout else self._answers.get_nowait()
            )
        except Empty:
            return None
        return found

    def _run(self) -> None:
        while True:
            began = time.monotonic()
            self._round()
            gevent.sleep(max(0.0, began + self._every - time.monotonic()))

    def _round(self) -> None:
        try:
            now = self._client.now()
        except AnalyticsError as error:
            self._clock_error = str(error)
            return
        self._clock_error = ""
        for question in self._plan(now):
            if question not in self._busy:
                self._busy.add(question)
                # Waits while all places are taken.
                self._tasks.watch(self._pool.spawn(self._answer, question, now), may_end=True)
        self.rounds += 1

    def _answer(self, question: Q, now: float) -> None:
        self._at = at = max(self._at + 1, int(time.time() * 1000))
        try:
            for result in self._ask(question):
                self._answers.put(Answer(question, now, at, result, None))
        except AnalyticsError as error:
            self._answers.put(Answer(question, now, at, None, error))
        self._busy.discard(question)


def fill(template: str, fields: dict[str, str]) -> str:
    """Return a url template with its fields filled in, quoted."""
    return template.format_map({name: quote(value, safe="") for name, value in fields.items()})


def _token(variable: str, name: str) -> str:
    token = os.environ.get(variable, "")
    if not token:
        raise ConfigError(
            f"{name}.token_env: expected a token in the variable {variable}, found none: export it"
        )
    return token
