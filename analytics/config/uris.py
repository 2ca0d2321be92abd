"""Options of a MongoDB URI that would weaken what exactly-once counting relies on.

The suite writes with ``w: "majority"`` and ``j: true`` and reads with read concern ``majority`` from the primary. A weaker
option acknowledges writes that a failover takes back, and records are then missing without any error.
"""

from collections.abc import Iterator
from urllib.parse import parse_qsl, urlsplit

UNSAFE_KEY = "mongodb.unsafe_uri_options"

_EXPECTED = {
    "w": "majority",
    "journal": "true",
    "readpreference": "primary",
    "readconcernlevel": "majority",
}
"""Options, in lower case, with the one value that is as strong as what the suite sets itself."""

_REASONS = {
    "w": "a write that no majority has is lost in a failover",
    "journal": "a write that is in no journal is lost in a crash",
    "wtimeoutms": "a write that timed out may still take effect, or be rolled back",
    "readpreference": "a secondary may lag behind what was written",
    "readpreferencetags": "a secondary may lag behind what was written",
    "maxstalenessseconds": "a secondary may lag behind what was written",
    "readconcernlevel": "what no majority has may be rolled back after it was read",
}


def weakening(uri: str) -> Iterator[str]:
    """Yield a sentence for each option of ``uri`` that the suite refuses: what was found, why, and what to write."""
    for name, value in parse_qsl(urlsplit(uri).query, keep_blank_values=True):
        key = name.lower()
        if key not in _REASONS or value.lower() == _EXPECTED.get(key):
            continue
        instead = f"leave it out, or write {name}={_EXPECTED[key]}" if key in _EXPECTED else "leave it out"
        yield f"expected no option {name}={value}: {_REASONS[key]}; {instead}, or set {UNSAFE_KEY} = true"
