"""Accts whose records count nowhere, as those of tests, staff and bots. Pure."""

import fnmatch
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property

import msgspec

EXCLUDED = "excluded"
"""The bolt and collection that count what was taken out."""


@dataclass(frozen=True)
class Exclusion:
    """The accts of a game that are excluded: those named, and those that fit one of some patterns of ``*``, ``?`` and ``[…]``."""

    accts: frozenset[str]
    patterns: tuple[str, ...] = ()

    def __contains__(self, acct: str) -> bool:
        return acct in self.accts or self._fits(acct)

    def flags(self, accts: Iterable[str]) -> list[bool]:
        """Return, for each acct, whether it is excluded."""
        named = self.accts
        if not self.patterns:
            return [acct in named for acct in accts]
        return [acct in named or self._fits(acct) for acct in accts]

    @cached_property
    def _fits(self) -> Callable[[str], bool]:
        if not self.patterns:
            return lambda acct: False
        match = re.compile("|".join(map(fnmatch.translate, self.patterns))).match
        return lambda acct: match(acct) is not None


class ExcludedRecord(msgspec.Struct, frozen=True, gc=False):
    """What a record says of an acct that is excluded: a line of a log, an acct's payments of a day, or a role."""

    area: str
    ts: int
    acct: str
