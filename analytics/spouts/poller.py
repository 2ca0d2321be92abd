"""Asking an HTTP JSON interface, again and again, for every area and day.

The interface answers ``{<items>: …, "next": page or null}``; pages are asked for until ``next`` is null or
absent.
"""

import os
import random
import sys
import time
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from urllib.parse import quote

import gevent
import msgspec
import requests
from gevent.pool import Pool
from gevent.queue import Empty, Queue
from requests.adapters import HTTPAdapter

from analytics.config import Polled
from analytics.errors import AnalyticsError, ConfigError, RecordError, Unavailable

MAX_ANSWER = 128 << 20
MAX_PAGES = 100_000
DAY_SECONDS = 86_400
EARLIEST = 946_684_800  # 2000-01-01
WHOLE_ANSWER = 10  # times timeout_seconds, which bounds only how long the peer may stay silent
FIRST_DELAY, LONGEST_DELAY = 0.25, 20.0
TRY_AGAIN = {408, 425, 429, 500, 502, 503, 504}

Page = dict[str, Any]


class BadAnswer(RecordError):
    """An answer came whole, as JSON, and is not what it should be. ``raw`` is its text, to be put aside."""

    def __init__(self, reason: str, raw: bytes) -> None:
        super().__init__(reason)
        self.raw = raw


class Denied(Unavailable):
    """The interface said no, and would again (401, 404 …): not worth a retry before the next round."""


class Client:
    """One interface. ``name`` is its table in the configuration; ConfigError where its token is not set."""

    def __init__(self, settings: Polled, name: str) -> None:
        self._settings = settings
        self._session = requests.Session()
        # Proxies and .netrc of whoever starts the suite would send requests, or another token, elsewhere.
        self._session.trust_env = False
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, HTTPAdapter(pool_maxsize=settings.concurrency + 1))
        self._session.headers.update(settings.headers)
        if settings.token_env:
            self._session.headers["Authorization"] = f"Bearer {_token(settings.token_env, name)}"

    def now(self) -> float:
        """Return the Unix time by which this interface's days begin. Raise Unavailable or BadAnswer."""
        if not self._settings.clock_url:
            return time.time()
        answer, raw = self._ask(self._settings.clock_url)
        now = answer.get("now")
        latest = time.time() + DAY_SECONDS
        if isinstance(now, bool) or not isinstance(now, int | float) or not EARLIEST <= now <= latest:
            expected = f"Unix seconds from {EARLIEST} to {latest:.0f}, a day from now"
            raise BadAnswer(f"{self._settings.clock_url}: $.now: expected {expected}, got {shown(now)}", raw)
        return float(now)

    def pages(self, fields: dict[str, str], most: int = sys.maxsize) -> Iterator[tuple[Page, bytes]]:
        """Yield each page, decoded and raw. Raise Unavailable when retries did not help, or BadAnswer.

        Args:
            most: bytes that all pages together may have.
        """
        page, paged, size = "1", "{page}" in self._settings.url, 0
        known = {page}
        for _ in range(MAX_PAGES):
            answer, raw = self._ask(fill(self._settings.url, fields | {"page": page}))
            size += len(raw)
            if size > most:
                raise BadAnswer(f"$: expected at most {most >> 20} MiB in all pages, got more", raw)
            yield answer, raw
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
        """Close the connections."""
        self._session.close()

    def _ask(self, url: str) -> tuple[Page, bytes]:
        """Return the answer, decoded and raw, after as many retries as configured."""
        for attempt in range(self._settings.retries + 1):
            if attempt:
                gevent.sleep(min(FIRST_DELAY * 2**attempt, LONGEST_DELAY) * random.uniform(0.5, 1))
            try:
                return self._ask_once(url)
            except Denied:
                raise
            except Unavailable as error:
                problem = error
        raise problem

    def _ask_once(self, url: str) -> tuple[Page, bytes]:
        limit = self._settings.timeout_seconds * WHOLE_ANSWER
        try:
            with gevent.Timeout(limit):
                status, kind, raw = self._fetch(url)
        except gevent.Timeout:
            raise Unavailable(f"{url}: expected the whole answer within {limit:g} s") from None
        except (requests.RequestException, OSError) as error:
            raise Unavailable(f"{url}: {error}") from error
        if status != 200:
            problem = Unavailable if status in TRY_AGAIN else Denied
            raise problem(f"{url}: expected status 200, got {status}: {shown(raw.decode(errors='replace'))}")
        try:
            answer = msgspec.json.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            start = shown(raw.decode(errors="replace"))
            raise Unavailable(
                f"{url}: expected JSON, got {len(raw)} bytes of {kind}, {start} ({error})"
            ) from error
        if not isinstance(answer, dict):
            raise BadAnswer(f"$: expected an object, got {shown(answer)}", raw)
        return answer, raw

    def _fetch(self, url: str) -> tuple[int, str, bytes]:
        with self._session.get(url, timeout=self._settings.timeout_seconds, stream=True) as response:
            body = bytearray()
            for piece in response.iter_content(1 << 16):
                body += piece
                if len(body) > MAX_ANSWER:
                    raise OSError(f"expected at most {MAX_ANSWER >> 20} MiB, got more")
            return response.status_code, response.headers.get("Content-Type", "no type"), bytes(body)


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
        self._greenlet = gevent.Greenlet(self._run)
        self.rounds = 0
        self.clock_error = ""

    def start(self, after: int = 0) -> None:
        """Begin to ask. ``after``: the greatest ``at`` of an earlier run."""
        self._at = after
        self._greenlet.start()

    def stop(self) -> None:
        """Ask no more; what is under way is given up."""
        self._greenlet.kill()
        self._pool.kill()

    def get(self, timeout: float) -> Answer[Q, R] | None:
        """Return the next answer, or None when there is none within ``timeout`` seconds.

        Raise what ended the poller, if anything did.
        """
        if self._greenlet.ready():
            self._greenlet.get()
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
            self.clock_error = str(error)
            return
        self.clock_error = ""
        for question in self._plan(now):
            if question not in self._busy:
                self._busy.add(question)
                # Waits while all places are taken. A greenlet that dies takes the poller with it.
                self._pool.spawn(self._answer, question, now).link_exception(self._died)
        self.rounds += 1

    def _died(self, greenlet: "gevent.Greenlet[..., None]") -> None:
        self._greenlet.kill(greenlet.exception or gevent.GreenletExit, block=False)

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


def shown(value: object) -> str:
    """Return ``value`` as JSON text for a message, shortened."""
    try:
        text = msgspec.json.encode(value).decode()
    except (TypeError, msgspec.EncodeError):
        text = repr(value)
    return text if len(text) <= 80 else text[:77] + "…"


def _token(variable: str, name: str) -> str:
    token = os.environ.get(variable, "")
    if not token:
        raise ConfigError(
            f"{name}.token_env: expected a token in the variable {variable}, found none: export it"
        )
    return token
