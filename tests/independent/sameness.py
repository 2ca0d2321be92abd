"""Whether documents say the same: lists as sets whose repeats stay visible, 2 is not 2.0, and nothing besides."""

import json
from collections.abc import Mapping
from typing import Any

from analytics.core.document import without_dates

OWN = {"updated", "parts"}
"""Public fields that are about the document itself."""

SHOWN = 12
NOTHING = "(nothing)"


def public(documents: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return documents without the suite's own fields."""
    return {
        id_: {name: value for name, value in one.items() if not name.startswith("_") and name not in OWN}
        for id_, one in ((id_, without_dates(one)) for id_, one in documents.items())
    }


Collections = Mapping[str, Mapping[str, Mapping[str, Any]]]


def differences(expected: Collections, found: Collections, may_stand: Collections | None = None) -> list[str]:
    """Return, in words, the first places in which the collections differ; none where they are the same.

    ``may_stand``: further documents that may be found; where they are, so they are to be.
    """
    words = []
    for name in sorted(expected):
        theirs = found.get(name, {})
        further = {id_: one for id_, one in (may_stand or {}).get(name, {}).items() if id_ in theirs}
        ours = {**further, **expected[name]}
        for id_ in sorted(ours.keys() | theirs.keys()):
            if id_ not in ours or id_ not in theirs:
                words.append(f"{name} {id_}: {'expected' if id_ in ours else 'found'} only")
                continue
            one, other = ours[id_], theirs[id_]
            for field in sorted(one.keys() | other.keys()):
                here, there = one.get(field, NOTHING), other.get(field, NOTHING)
                if comparable(here) != comparable(there):
                    words.append(f"{name} {id_} {field}: expected {here!r}, found {there!r}")
    return words[:SHOWN] + ([f"and {len(words) - SHOWN} more"] if len(words) > SHOWN else [])


def comparable(value: Any) -> str:
    """Return a value as text that is equal where it says the same."""
    if isinstance(value, list):
        return json.dumps(sorted(map(comparable, value)))
    return json.dumps(value, sort_keys=True, default=str)
