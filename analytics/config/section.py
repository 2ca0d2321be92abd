"""What every table of the configuration is, and what several check."""

import difflib
from collections.abc import Iterable, Mapping
from datetime import date
from typing import ClassVar

import msgspec

FIRST_DAY = "2000-01-01"


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of the file. Unknown keys are errors.

    ``elsewhere``: of keys that belong elsewhere, what to write.
    """

    elsewhere: ClassVar[Mapping[str, str]] = {}


def nearest(name: str, known: Iterable[str], listed: str = "there are") -> str:
    """Return what a message says of a name that is unknown: the one that is most like it, or all that there are."""
    names = list(known)
    near = difflib.get_close_matches(name, names, n=1)
    return f"did you mean {near[0]}?" if near else f"{listed}: {', '.join(names)}"


def is_day(text: str) -> bool:
    """Whether this is a day as YYYY-MM-DD, from 2000-01-01 on."""
    try:
        return date.fromisoformat(text).isoformat() == text >= FIRST_DAY
    except ValueError:
        return False
