"""Takes the records of excluded accts out of messages before these are folded. Pure."""

from collections.abc import Callable, Mapping, Sequence
from itertools import compress
from typing import Any

import msgspec

from analytics.core.areas import Areas
from analytics.core.exchange import decode_snapshot
from analytics.core.exclusion import ExcludedRecord, Exclusion
from analytics.core.tuples import UNDECODABLE, Ts

Found = tuple[bytes, list[ExcludedRecord]]
"""The lines of a message that count, and the records that do not."""

ColumnsByArea = Mapping[str, tuple[Sequence[int], list[str], bool]]
"""Per area the times (Unix seconds) and accts of records, and whether they are in the order of time."""

MessageColumns = tuple[ColumnsByArea, int, int]
"""A message's columns, and times (Unix seconds) before and after which it has no record."""


class _LineData(msgspec.Struct, gc=False):
    acct: Any = None


class _Line(msgspec.Struct, gc=False):
    """Whose a line of a log is. Whatever it says as an acct is taken."""

    area: str
    ts: Ts
    data: _LineData = msgspec.field(default_factory=_LineData)


class _Role(msgspec.Struct, gc=False):
    area: str
    ts: Ts
    acctid: str
    left: str | None = None


_line = msgspec.json.Decoder(_Line)
_role = msgspec.json.Decoder(_Role)


class Excluder:
    """Takes the records of excluded accts out of messages of spouts.

    ``by_area``: what is excluded, by area; areas of which nothing is are left out.
    """

    def __init__(self, by_area: Mapping[str, Exclusion]) -> None:
        self._by_area = by_area

    @classmethod
    def of(cls, areas: Areas) -> "Excluder | None":
        """Return what takes out what the areas' games exclude; None if they exclude nothing."""
        found = {area.id: area.excluded for area in areas.values() if area.excluded is not None}
        return cls(found) if found else None

    def divide(self, topic: str, body: bytes) -> Found:
        """Return the lines of a message that count, and the records that do not. Lines that are no tuples stay."""
        if topic == "payment":
            return self._divided(body, self._of_payments)
        if topic == "syncuser":
            return self._divided(body, self._of_role)
        return self._of_log(body)

    def departures(self, body: bytes) -> bytes:
        """Return the roles of a message that went from an acct that counts to one that is excluded, as lines of the former.

        Its own acct in ``left`` says that it no longer has the role.
        """
        found = []
        for line in body.split(b"\n"):
            try:
                one = _role.decode(line)
            except UNDECODABLE:
                continue
            exclusion = self._by_area.get(one.area)
            if exclusion is None or one.acctid not in exclusion or one.left is None or one.left in exclusion:
                continue
            found.append(msgspec.json.encode({**msgspec.json.decode(line), "acctid": one.left}))
        return b"\n".join(found)

    def divide_columns(self, columns: MessageColumns) -> tuple[MessageColumns, list[ExcludedRecord]]:
        """Return what :meth:`divide` does, for a message's columns."""
        by_area, earliest, latest = columns
        kept, excluded = dict(by_area), list[ExcludedRecord]()
        for area, (times, accts, ordered) in by_area.items():
            exclusion = self._by_area.get(area)
            out = exclusion.flags(accts) if exclusion else []
            if True not in out:
                continue
            excluded += map(
                ExcludedRecord, [area] * out.count(True), compress(times, out), compress(accts, out)
            )
            there = [not one for one in out]
            kept[area] = list(compress(times, there)), list(compress(accts, there)), ordered
            if not kept[area][1]:
                del kept[area]
        return (kept, earliest, latest), excluded

    def _of_log(self, body: bytes) -> Found:
        try:
            read, lines = _line.decode_lines(body), body.split(b"\n")
        except UNDECODABLE:
            return self._divided(body, self._of_line)
        if len(read) != len(lines):
            return self._divided(body, self._of_line)
        excluded: list[ExcludedRecord] = []
        kept = [line for line, one in zip(lines, read, strict=True) if not self._takes(one, excluded)]
        return b"\n".join(kept) if excluded else body, excluded

    def _divided(self, body: bytes, look: Callable[[bytes, list[ExcludedRecord]], bytes]) -> Found:
        """Divide a message line by line. ``look``: returns what counts of a line, and adds what does not to a list."""
        kept, excluded = list[bytes](), list[ExcludedRecord]()
        for line in body.split(b"\n"):
            try:
                kept.append(look(line, excluded))
            except UNDECODABLE:
                kept.append(line)
        return b"\n".join(filter(None, kept)), excluded

    def _of_line(self, line: bytes, excluded: list[ExcludedRecord]) -> bytes:
        return b"" if self._takes(_line.decode(line), excluded) else line

    def _takes(self, one: _Line, excluded: list[ExcludedRecord]) -> bool:
        """Whether a record is of an excluded acct; it is added to ``excluded`` then."""
        exclusion = self._by_area.get(one.area)
        if exclusion is None:
            return False
        acct = one.data.acct
        if isinstance(acct, int) and not isinstance(acct, bool):
            acct = str(acct)
        if not isinstance(acct, str) or acct not in exclusion:
            return False
        excluded.append(ExcludedRecord(one.area, one.ts, acct))
        return True

    def _of_role(self, line: bytes, excluded: list[ExcludedRecord]) -> bytes:
        one = _role.decode(line)
        exclusion = self._by_area.get(one.area)
        if exclusion is None:
            return line
        if one.acctid in exclusion:
            excluded.append(ExcludedRecord(one.area, one.ts, one.acctid))
            return b""
        if one.left is None or one.left not in exclusion:
            return line
        # The acct that the role has left counts nowhere, so there is nothing to take from it.
        return msgspec.json.encode({**msgspec.json.decode(line), "left": None})

    def _of_payments(self, line: bytes, excluded: list[ExcludedRecord]) -> bytes:
        one = decode_snapshot(line)
        exclusion = self._by_area.get(one.area)
        out = {acct for acct in one.users if acct in exclusion} if exclusion else set()
        if not out:
            return line
        excluded += (ExcludedRecord(one.area, one.ts, acct) for acct in one.users if acct in out)
        users = {acct: paid for acct, paid in one.users.items() if acct not in out}
        return msgspec.json.encode({**msgspec.json.decode(line), "users": users}) if users else b""
