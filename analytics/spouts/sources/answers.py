"""What a web server answers when it is asked for a log: its bytes, its size, whether it has changed, or why it is none."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import parsedate_to_datetime

import requests

from analytics.spouts.httpclient import reason
from analytics.spouts.sources.stream import BLOCK

_SURE_SECONDS = 2.0
"""A log whose last change is no older may change again within the same second of ``Last-Modified``."""
_SIZE = re.compile("[0-9]{1,18}")
_CONTENT_RANGE = re.compile(rf"bytes (?:({_SIZE.pattern})-[0-9]+|\*)/({_SIZE.pattern}\b|\*)")


class Unusable(Exception):
    """An answer that is no part of a log. ``after``: for how many seconds the server wants not to be asked."""

    def __init__(self, problem: str, after: float = 0.0) -> None:
        super().__init__(problem)
        self.after = after


class Missing(Unusable):
    """There is no such log."""


@contextmanager
def closing(answer: requests.Response) -> Iterator[None]:
    """Close the answer at the end, unless its connection was taken away meanwhile: closing that would fail."""
    try:
        yield
    finally:
        if answer.raw is not None:
            answer.close()


def body(answer: requests.Response, start: int) -> Iterator[bytes]:
    """Yield the log's bytes from ``start`` on, also where the server ignored the Range."""
    skip = start
    if answer.status_code == 206:
        found = _CONTENT_RANGE.match(answer.headers.get("Content-Range", ""))
        if found is None or found[1] is None or int(found[1]) != start:
            raise Unusable(
                f"expected bytes from {start}, got Content-Range {answer.headers.get('Content-Range')!r}"
            )
        skip = 0
    for data in answer.iter_content(BLOCK // 4):
        if skip:
            data, skip = data[skip:], max(0, skip - len(data))
        if data:
            yield data


def problem(error: Exception) -> str:
    """Return a description of why a request failed."""
    return str(error) if isinstance(error, Unusable) else reason(error)


def validators(answer: requests.Response) -> dict[str, str]:
    """Return the headers that ask whether a log is still the one of ``answer``; none where it may have changed since."""
    changed, tag = answer.headers.get("Last-Modified", ""), answer.headers.get("ETag", "")
    found = {"If-None-Match": tag} if tag else {}
    if not changed:
        return found
    try:
        age = parsedate_to_datetime(answer.headers["Date"]) - parsedate_to_datetime(changed)
    except (KeyError, ValueError, TypeError):
        return {}
    return {**found, "If-Modified-Since": changed} if age.total_seconds() >= _SURE_SECONDS else {}


def size_of(answer: requests.Response) -> int:
    """Return how large the whole log is, 0 where the answer does not say."""
    found = _CONTENT_RANGE.match(answer.headers.get("Content-Range", ""))
    size = found[2] if found else answer.headers.get("Content-Length", "0")
    return int(size) if _SIZE.fullmatch(size) else 0
