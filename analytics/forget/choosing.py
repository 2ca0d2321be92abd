"""Pseudonyms: random, of the same form as the acct, and in nobody's use."""

import re
import secrets
from collections.abc import Callable, Collection
from string import ascii_lowercase, ascii_uppercase, digits

from analytics.core.exclusion import Exclusion
from analytics.errors import AnalyticsError

_TRIES = 200
_CANONICAL = re.compile(r"-?[1-9][0-9]*")
"""Accts that logs may write as integers."""
_LEADING = "12345678"
"""First digits with which even 19 digits make an integer of 64 bits."""
_COUNTED = range(5, 19)
"""Integers of so many digits begin with a 9: where accts are numbered one after the other, those come last."""
_RANGES = ((0x80, 0x430, 0x450), (0x800, 0x4E00, 0x9FA0), (0x10000, 0x20000, 0x2A000))
"""For characters of 2, 3 and 4 bytes in UTF-8: where they begin, and which letters replace them."""


def pseudonym_like(acct: str) -> str:
    """Return a random name of as many bytes: a digit for a digit, a letter for a letter; other ASCII characters stay.

    So a pattern that reads the acct, and a source that writes it as an integer, take the pseudonym as well.
    """
    like = "".join(map(_letter_like, acct))
    if like == acct or not re.search(r"[^\W_]", like):
        like = "".join(
            secrets.choice(ascii_lowercase) if char.isascii() else _letter_like(char) for char in acct
        )
    if _CANONICAL.fullmatch(acct):
        at = len(like) - len(like.lstrip("-"))
        leading = "9" if len(like) - at in _COUNTED else secrets.choice(_LEADING)
        like = like[:at] + leading + like[at + 1 :]
    return like


def choose(
    accts: Collection[str], is_taken: Callable[[str], bool], exclusions: Collection[Exclusion]
) -> dict[str, str]:
    """Return a pseudonym for each acct.

    Args:
        is_taken: whether a name is one that none may have.
        exclusions: what games exclude; what a pseudonym's records count must not change.

    Raises:
        AnalyticsError: all names of an acct's form are taken.
    """
    found: dict[str, str] = {}
    used = {*accts}
    for acct in accts:
        for _ in range(_TRIES):
            name = pseudonym_like(acct)
            if name not in used and not is_taken(name) and not any(name in one for one in exclusions):
                break
        else:
            raise AnalyticsError(
                f"an acct of {len(acct)} characters is too short: every pseudonym of its form is another acct's. "
                "Nothing was changed; leave it out"
            )
        used.add(name)
        found[acct] = name
    return found


def _letter_like(char: str) -> str:
    for letters in (digits, ascii_lowercase, ascii_uppercase):
        if char in letters:
            return secrets.choice(letters)
    for least, first, end in reversed(_RANGES):
        if ord(char) >= least:
            return chr(first + secrets.randbelow(end - first))
    return char
