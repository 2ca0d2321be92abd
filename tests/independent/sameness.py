"""Whether documents say the same: lists as sets whose repeats stay visible, 2 is not 2.0, and nothing besides."""

import json
from collections.abc import Mapping
from typing import Any

OWN = {"updated", "parts"}
"""Public fields that are about the document itself."""

SHOWN = 12


def public(documents: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return documents without the suite's own fields."""
    return {
        id_: {name: value for name, value in one.items() if not name.startswith("_") and name not in OWN}
        for id_, one in documents.items()
    }


def differences(
    expected: Mapping[str, Mapping[str, Mapping[str, Any]]],
    found: Mapping[str, Mapping[str, Mapping[str, Any]]],
) -> list[str]:
    """Return, in words, the first places in which the collections differ; none where they are the same."""
    words = []
    for name in sorted(expected):
        ours, theirs = expected[name], found.get(name, {})
        for id_ in sorted(ours.keys() | theirs.keys()):
            one, other = ours.get(id_, {}), theirs.get(id_, {})
            for field in sorted(one.keys() | other.keys()):
                if comparable(one.get(field)) != comparable(other.get(field)) or (field in one) != (
                    field in other
                ):
                    words.append(
                        f"{name} {id_} {field}: expected {one.get(field)!r}, found {other.get(field)!r}"
                    )
    return words[:SHOWN] + ([f"and {len(words) - SHOWN} more"] if len(words) > SHOWN else [])


def comparable(value: Any) -> str:
    """Return a value as text that is equal where it says the same."""
    if isinstance(value, list):
        return json.dumps(sorted(map(comparable, value)))
    return json.dumps(value, sort_keys=True, default=str)
