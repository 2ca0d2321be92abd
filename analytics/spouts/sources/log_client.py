"""The requests of a source that follows a web server's log: parts of it where the server offers them, otherwise all of it, rarely."""

import time
from collections.abc import Mapping

import requests

from analytics.config import Source
from analytics.config.uris import without_secrets
from analytics.spouts.httpclient import FAILURES, open_session, reason, retry_after
from analytics.spouts.sources.answers import Missing, Unusable, body, closing, size_of, validators
from analytics.spouts.sources.health import Health

_WHOLE_BYTES_PER_SECOND = 1 << 20
"""How much a server that sends whole logs may send on average."""
_LONGEST_WHOLE_PAUSE = 600.0


class LogClient:
    """Asks for parts of the logs of one source.

    Attributes:
        whole_at: when a server that sends the whole log may be asked for it again, by the monotonic clock.
        unchanged: headers by which the server may say that the log at the source's ``url`` is as it was.
        answered: whether any request has succeeded since the caller reset it.
    """

    def __init__(self, source: Source, health: Health) -> None:
        self._source = source
        self._health = health
        self._session = open_session(source)
        self._session.headers.setdefault("Accept-Encoding", "identity")
        self.whole_at = 0.0
        self.unchanged: dict[str, str] = {}
        self.answered = False

    def close(self) -> None:
        self._session.close()

    def spare(self, answer: requests.Response, url: str) -> None:
        """Ask a server that has sent the whole log again only after a while, and for changes."""
        if answer.status_code == 206:
            self._health.warn("")
            return
        size = size_of(answer)
        pause = self.wait_after(size)
        if url == self._source.url:
            self.unchanged = validators(answer)
        self._health.warn(
            f"{without_secrets(url)}: expected the part of the log that was asked for (206), got all of it (200, "
            f"{size / 1e6:,.1f} MB), so it is asked for every {max(pause, self._source.poll_seconds):,.0f} s; have the "
            "server answer Range requests"
        )

    def read_at(self, url: str, offset: int, length: int) -> bytes:
        """Return what lies at ``offset``, up to ``length`` bytes of it."""
        if not length:
            return b""
        answer = self.get(url, offset, length)
        if answer is None:
            return b""
        gathered = b""
        with closing(answer):
            if answer.status_code == 200:
                self.wait_after(offset)
            for data in body(answer, offset):
                gathered += data
                if len(gathered) >= length:
                    break
        return gathered[:length]

    def wait_after(self, size: int) -> float:
        """Return how many seconds the server is left alone, having sent ``size`` bytes of which most were not wanted."""
        pause = min(size / _WHOLE_BYTES_PER_SECOND, _LONGEST_WHOLE_PAUSE)
        self.whole_at = time.monotonic() + pause
        return pause

    def get(
        self, url: str, offset: int, length: int, unchanged: Mapping[str, str] | None = None
    ) -> requests.Response | None:
        """Return the answer, its body unread; None where the log ends before ``offset``.

        ``unchanged``: headers by which the server may answer 304, for a log that is as it was.
        """
        try:
            answer = self._session.get(
                url,
                headers={"Range": f"bytes={offset}-{offset + length - 1}", **(unchanged or {})},
                timeout=self._source.timeout_seconds,
                stream=True,
            )
        except FAILURES as error:
            raise Unusable(reason(error)) from error
        if answer.raw is None:
            raise Unusable("expected an answer with a body, got the headers alone")
        kind = answer.headers.get("Content-Type", "")
        if answer.status_code == 416:
            answer.close()
            return None
        if answer.status_code == 304 and unchanged:
            return answer
        if answer.status_code not in (200, 206) or kind.startswith("text/html"):
            answer.close()
            failure = Missing if answer.status_code in (404, 410) else Unusable
            raise failure(
                f"expected the log (200 or 206), got {answer.status_code} {answer.reason} ({kind})",
                retry_after(answer.status_code, answer.headers),
            )
        if answer.headers.get("Content-Encoding", "identity") != "identity":
            answer.close()
            raise Unusable("expected the log as it is, got it packed: turn Content-Encoding off for this URL")
        self.answered = True
        return answer
