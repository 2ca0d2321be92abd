"""The HTTP client of every spout and of ``check``: how it asks follows from the configuration alone."""

import socket
import ssl
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError

from analytics.config import Polled, Source

LONGEST_WAIT = 3600.0
"""Seconds that ``Retry-After`` is believed, at most."""
SAY_WAIT = {429, 503}
"""Statuses whose ``Retry-After`` says when to ask again."""
FAILURES = (requests.RequestException, HTTPError, OSError, ValueError)
"""What a request may raise. A redirect to what can be no address raises a plain ValueError, which ``requests`` lets through."""


def open_session(settings: Source | Polled, connections: int = 1) -> requests.Session:
    """Return a session that asks as ``settings`` say, with so many connections kept open."""
    session = requests.Session()
    # A proxy, a CA bundle or a .netrc of the environment would send requests, or other credentials, elsewhere.
    session.trust_env = False
    session.verify = settings.ca or True
    if settings.proxy:
        session.proxies = {"http": settings.proxy, "https": settings.proxy}
    for scheme in ("http://", "https://"):
        session.mount(scheme, HTTPAdapter(pool_maxsize=connections))
    session.headers.update(settings.headers)
    return session


def reason(error: BaseException) -> str:
    """Return why a request failed, in plain words and without its address, which may hold a secret."""
    deepest = _deepest(error)
    if isinstance(deepest, ssl.SSLCertVerificationError):
        return (
            f"its certificate is not trusted: {deepest.verify_message}; name the file of its CA in the key ca"
        )
    if isinstance(error, requests.Timeout) or isinstance(deepest, TimeoutError):
        return "timed out"
    if isinstance(deepest, socket.gaierror):
        return f"the name of the host is not found: {deepest.strerror}"
    if isinstance(deepest, ValueError):  # its text quotes the address or a header
        return f"it, or what it redirects to, can't be asked: {type(deepest).__name__}"
    text = deepest.strerror if isinstance(deepest, OSError) and deepest.strerror else str(deepest)
    text = text or type(deepest).__name__
    return f"the proxy: {text}" if isinstance(error, requests.exceptions.ProxyError) else text


def _deepest(error: BaseException) -> BaseException:
    """Return the error that caused all others: libraries wrap it as an argument, a reason or a cause."""
    for _ in range(10):
        inner = [getattr(error, "reason", None), *reversed(error.args), error.__cause__]
        found = next((one for one in inner if isinstance(one, BaseException)), None)
        if found is None:
            break
        error = found
    return error


def retry_after(status: int, headers: Mapping[str, str]) -> float:
    """Return for how many seconds the server asked not to be asked again; 0.0 where it did not say."""
    text = headers.get("Retry-After", "").strip() if status in SAY_WAIT else ""
    if not text:
        return 0.0
    try:
        seconds = float(text) if text.isdecimal() else parsedate_to_datetime(text).timestamp() - time.time()
    except (ValueError, TypeError, OverflowError):
        return 0.0
    return min(max(seconds, 0.0), LONGEST_WAIT)
