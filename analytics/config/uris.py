"""Addresses: how messages show them, and options of a MongoDB URI that would break counting exactly once.

The suite writes with ``w: "majority"`` and ``j: true`` and reads with read concern ``majority`` from the primary. A weaker
option acknowledges writes that a failover undoes: records would be missing without any error.
"""

from collections.abc import Iterator
from urllib.parse import parse_qsl, urlsplit, urlunsplit

HIDDEN = "…"
UNSAFE_KEY = "mongodb.unsafe_uri_options"

_EXPECTED = {
    "w": "majority",
    "journal": "true",
    "readpreference": "primary",
    "readconcernlevel": "majority",
}
"""Options, in lower case, with the one value that is as strong as the suite's own setting."""

_REASONS = {
    "w": "a write that no majority has is lost in a failover",
    "journal": "a write that is not journaled is lost in a crash",
    "wtimeoutms": "a write that timed out may still take effect, or be rolled back",
    "readpreference": "a secondary may lag behind what was written",
    "readpreferencetags": "a secondary may lag behind what was written",
    "maxstalenessseconds": "a secondary may lag behind what was written",
    "readconcernlevel": "what no majority has may be rolled back after it was read",
}


def weakening(uri: str) -> Iterator[str]:
    """Yield a sentence for each option of ``uri`` that the suite refuses: what was found, why, and what to write."""
    for name, value in parse_qsl(uri.partition("?")[2], keep_blank_values=True):
        key = name.lower()
        if key not in _REASONS or value.lower() == _EXPECTED.get(key):
            continue
        instead = f"leave it out, or write {name}={_EXPECTED[key]}" if key in _EXPECTED else "leave it out"
        yield f"expected no option {name}={value}: {_REASONS[key]}; {instead}, or set {UNSAFE_KEY} = true"


def without_secrets(url: str) -> str:
    """Return a URL as messages show it: without user and password, and without the values of its query.

    A value that is one ``{placeholder}`` is shown, so a template can be filled in afterwards.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return HIDDEN
    if not parts.netloc and set(url) & set("@?"):
        return HIDDEN  # something else than a URL: any part of it may be a secret
    host = parts.netloc.rpartition("@")[2]
    pairs = [_without_value(pair) for pair in parts.query.split("&")] if parts.query else []
    return urlunsplit((parts.scheme, host, parts.path, "&".join(pairs), ""))


def _without_value(pair: str) -> str:
    name, equals, value = pair.partition("=")
    if not equals:
        return pair if _is_placeholder(pair) else HIDDEN
    return pair if _is_placeholder(value) or not value else f"{name}={HIDDEN}"


def _is_placeholder(text: str) -> bool:
    return text.startswith("{") and text.find("}") == len(text) - 1
