"""Game logs that a web server offers: followed with Range requests as they grow.

A server that ignores ``Range`` sends the whole log each time. It is asked less often then, the more it sends, and with
``If-None-Match`` and ``If-Modified-Since``, so that a log that has not changed costs nothing. ``If-Range`` would not do:
each line that is added changes the log's ETag, and the whole of it would come.
"""

import logging
import time
from functools import partial

import gevent
import requests

from analytics.config import Source
from analytics.config.uris import without_secrets
from analytics.spouts.sources.answers import Missing, Unusable, body, closing, problem, size_of
from analytics.spouts.sources.identity import beginning
from analytics.spouts.sources.log_client import LogClient
from analytics.spouts.sources.log_source import FollowingSource, SourceContext
from analytics.spouts.sources.stream import BLOCK, NUL, WINDOW, Stream

logger = logging.getLogger(__name__)

_REQUEST = 16 * BLOCK
_LONGEST_PAUSE = 30.0
_ROTATED_TRIES = 5
_QUIET_SECONDS = 5.0
_LATE_SECONDS = 10.0
"""How often to look whether a rotated log has grown: its writer may have lines in a buffer still."""


class HttpSource(FollowingSource):
    """Follows ``url``. When the log was rotated, the old one's rest is read from ``rotated_url`` if there is one.

    Each request asks for a little before the offset too: if that differs, or the log is shorter than it was,
    another log is there now.
    """

    def __init__(self, source: Source, given: SourceContext) -> None:
        super().__init__(source, given)
        self._stream: Stream | None = None
        self._client = LogClient(source, given.health)
        # What was being read may have been rotated away while the spout was not running.
        self._unfinished = next(iter(self._streams.names()), "") if source.rotated_url else ""
        self._tries = _ROTATED_TRIES
        self._changed = time.monotonic()  # when something new came
        self._old: Stream | None = None  # the rotated log, read to its end so far
        self._past = object()  # what drives it
        self._before: list[bytes] | None = None  # how the log began that was rotated before all this
        self._old_due = 0.0

    def run(self) -> None:
        """Follow for ever; after a failure wait, each time longer, and go on.

        A server that answers some questions is asked again soon: to find out which log is there takes many in a row.
        """
        pause = self._source.poll_seconds
        while True:
            try:
                read = self.turn()
                self._health.well()
                pause = self._source.poll_seconds
                whole = self._client.whole_at - time.monotonic()
                gevent.sleep(max(whole, pause) if whole > 0 else 0 if read >= BLOCK else pause)
            except (requests.RequestException, OSError, Unusable) as error:
                self._health.failed(f"{without_secrets(self._source.url)}: {problem(error)}")
                pause = self._source.poll_seconds if self._client.answered else pause
                self._client.answered = False
                gevent.sleep(max(pause, getattr(error, "after", 0.0)))
                pause = min(max(pause, 0.1) * 2, _LONGEST_PAUSE)

    def close(self) -> None:
        self._client.close()

    def turn(self) -> int:
        """Ask once for what is new; return how many bytes came."""
        if self._stream is None:
            self._stream = self._find()
        if self._stream is None:
            return 0
        try:
            read = self._follow(self._source.url, self._stream)
        except Missing:
            if self._source.rotated_url:  # which has the rest, perhaps long before another log begins
                self._leave(self._stream)
            raise
        if read is None:
            self._rotate(self._stream)
            return 0
        if read:
            self._changed = time.monotonic()
        elif self._is_quiet():
            self._emit_all(self._stream.finish())
        if self._old is not None and time.monotonic() >= self._old_due:
            self._look_back(self._old)
        return read

    def _is_quiet(self) -> bool:
        return time.monotonic() - self._changed >= _QUIET_SECONDS

    def _find(self) -> Stream | None:
        read_at = partial(self._client.read_at, self._source.url)
        if self._unfinished:
            try:
                stream = self._streams.resume(self._unfinished, read_at, self)
            except Missing:  # no other log is there yet, and this one may come back
                if self._read_rest(self._unfinished):
                    self._unfinished = ""
                raise
            if stream is not None:
                self._unfinished = ""
                return stream
            if not self._finished(self._unfinished):
                return None
        elif self._before is None and self._source.rotated_url:
            self._before = self._beginning_of_rotated()
        lines = beginning(read_at, quiet=self._is_quiet())
        return self._streams.find(read_at, lines, self) if lines else None

    def _rotate(self, stream: Stream) -> None:
        """Another log is at ``url``: the rest of this one is read first."""
        if not self._source.rotated_url:
            self._emit_all(stream.give_up())
        if self._old is not None:
            self._emit_all(self._old.give_up())
        self._old = None
        self._streams.abandon(self._past)
        self._leave(stream)

    def _leave(self, stream: Stream) -> None:
        """Look for the rest of the log where it was rotated to, if that is known."""
        self._stream = None
        self._client.unchanged = {}
        self._streams.abandon(self)
        self._unfinished = stream.source if self._source.rotated_url else ""
        self._tries = _ROTATED_TRIES

    def _look_back(self, old: Stream) -> None:
        """Read what came late to the log that was rotated. A line that was cut off is unusable once that log is gone."""
        self._old_due = time.monotonic() + _LATE_SECONDS
        try:
            read = self._follow(self._source.rotated_url, old)
        except Missing:
            read = None
        except (requests.RequestException, OSError, Unusable) as error:
            shown = without_secrets(self._source.rotated_url)
            logger.info("source %s: %s: %s", self._source.name, shown, problem(error))
            return
        if read is None:
            self._emit_all(old.give_up())
            self._old = None
        elif read:
            self._old_due = 0.0
        else:
            self._emit_all(old.finish())

    def _finished(self, name: str) -> bool:
        """Read the rest of ``name`` where it was rotated to; say whether the log at ``url`` comes next.

        Right after a rotation the server may not offer the old log yet: so it is looked for a few times.
        """
        found = self._read_rest(name)
        self._tries -= 1
        if not found and self._tries > 0:
            return False
        if not found:
            shown = without_secrets(self._source.rotated_url)
            why = f"{shown}: expected the rest of it there, did not find it in {_ROTATED_TRIES} tries"
            self._read_other()
            self._lost(self._streams.loss(name, why))
            self._streams.saw(name, 0)
        self._unfinished = ""
        return True

    def _read_other(self) -> None:
        """Read the log at ``rotated_url`` if it came after the one that is missing, and was rotated, too."""
        lines = self._beginning_of_rotated()
        read_at = partial(self._client.read_at, self._source.rotated_url)
        if lines and lines != self._before and (stream := self._streams.find(read_at, lines, self._past)):
            self._read_to_end(stream)

    def _beginning_of_rotated(self) -> list[bytes]:
        try:
            return beginning(partial(self._client.read_at, self._source.rotated_url), final=True)
        except Missing:
            return []

    def _read_to_end(self, stream: Stream) -> None:
        while self._follow(self._source.rotated_url, stream):
            pass
        self._emit_all(stream.finish())
        self._old, self._old_due = stream, time.monotonic() + _LATE_SECONDS

    def _read_rest(self, name: str) -> bool:
        """Read the rest of ``name`` if it is at ``rotated_url``; return whether it is."""
        url = self._source.rotated_url
        try:
            stream = self._streams.resume(name, partial(self._client.read_at, url), self._past)
        except Missing:
            logger.info("source %s: nothing at %s", self._source.name, without_secrets(url))
            return False
        if stream is not None:
            self._read_to_end(stream)
        return stream is not None

    def _follow(self, url: str, stream: Stream) -> int | None:
        """Feed what ``url`` has beyond the stream's offset, up to a limit; None where it is another log."""
        seen = stream.seen()
        start = stream.offset - len(seen)
        total = 0
        compared = b""
        zeros = 0  # these may be overwritten still, unless something follows them
        ours = url == self._source.url
        answer = self._client.get(url, start, len(seen) + _REQUEST, self._client.unchanged if ours else {})
        if answer is None:
            return None if seen else 0
        with closing(answer):
            if answer.status_code == 304:
                return 0
            if ours:
                self._client.unchanged = {}
            for data in body(answer, start):
                if len(compared) < len(seen):
                    compared += data
                    if not compared.startswith(seen[: len(compared)]):
                        return None
                    data, compared = compared[len(seen) :], compared[: len(seen)]
                text = data.rstrip(NUL)
                if text:
                    self._emit_all(stream.feed(NUL * zeros + text))
                    total += zeros + len(text)
                    zeros = 0
                zeros += len(data) - len(text)
                if zeros >= BLOCK:
                    size = size_of(answer)
                    if not self._client.read_at(url, size - WINDOW, WINDOW).strip(NUL):
                        zeros = size - stream.offset
                        break  # a log that was set to its size before it is written
                    self._emit_all(stream.feed(NUL * zeros))
                    total, zeros = total + zeros, 0
            behind = max(0, size_of(answer) - stream.offset - zeros)
            self._streams.saw(stream.source, stream.offset + behind)
            self._health.well(behind)
        if len(compared) < len(seen):
            return None
        self._client.spare(answer, url)
        return total
