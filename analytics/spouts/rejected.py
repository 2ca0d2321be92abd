"""Records that can't be used: kept durably as JSON lines, with the raw text and the reason."""

import base64
import os
import re
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from analytics.config import Config
from analytics.spouts.journal import Journal, files, status_of
from analytics.spouts.renaming import renaming_of

PREFIX = "rejected"
_NEWEST_FILES = 4  # each spout and worker writes to its own
_ENDS = (1 << 18, 1 << 23)
"""Bytes of a file's end that are read for the newest records, and those if they have no whole record: each has up to some MB."""

_SPARE_LEVELS = 200

_FOUND = re.compile(r", got (.*?)( - at `[^`]*`)?$", re.DOTALL)
"""What a reason says was found, and the field that a worker names last."""

_VALUES_SHOWN = 3


class Reject(msgspec.Struct, omit_defaults=True, kw_only=True):
    """One line of a rejected file. ``n`` is 0 where the record has no number in ``source``.

    ``path`` is the file that it was read from, where it was one. ``mapping``: the configured source whose mapping reads it, and
    ``header`` the first line of its log, where that names the columns. A line over 1 MiB is kept in pieces: ``part`` 1, 2 …, the last of which says so. ``replayed`` and ``dismissed``, which says
    why, end what was rejected before.
    """

    at: float = 0.0
    spout: str = ""
    source: str = ""
    n: int = 0
    reason: str = ""
    raw: str = ""
    raw_base64: str = ""
    part: int = 0
    last: bool = False
    replayed: bool = False
    dismissed: str = ""
    path: str = ""
    mapping: str = ""
    header: str = ""

    @property
    def key(self) -> tuple[object, ...]:
        """What makes two lines the same record: its name, or where it has none its text."""
        return (self.source, self.n) if self.n else (self.source, self.raw, self.raw_base64)

    def original(self) -> bytes:
        """Return the record as it came in."""
        return base64.b64decode(self.raw_base64) if self.raw_base64 else self.raw.encode()


def reject(
    spout: str, source: str, reason: str, raw: bytes, n: int = 0, part: int = 0, last: bool = False
) -> Reject:
    """Return what is kept of a record: its text, or base64 of its bytes where they are no UTF-8."""
    one = Reject(
        at=round(time.time(), 3), spout=spout, source=source, n=n, reason=reason, part=part, last=last
    )
    try:
        one.raw = raw.decode()
    except UnicodeDecodeError:
        one.raw_base64 = base64.b64encode(raw).decode()
    return one


def writable(value: Any) -> Any:
    """Return a part of an answer that is to be kept as JSON: itself, or a text in its place where it has too many levels.

    What reads an answer may be able to decode more levels than others can encode, which call deeper.
    """
    nested = value
    for _ in range(_SPARE_LEVELS):
        nested = [nested]
    try:
        msgspec.json.encode(nested)
    except RecursionError:
        return f"{type(value).__name__} of too many levels"
    return value


class Rejected:
    """Writes rejected records to ``data/rejected_YYYYmmddHHMM.txt``; each call returns when they are on the disk."""

    def __init__(self, config: Config) -> None:
        self._journal = Journal(config, PREFIX)
        self._renaming = renaming_of(config.data)

    def put(self, *, spout: str, source: str, reason: str, raw: bytes, n: int = 0) -> None:
        self.put_all([reject(spout, source, reason, raw, n)])

    def put_all(self, rejects: Iterable[Reject]) -> None:
        """Keep many with one write."""
        if self._renaming is not None:
            # Lines of a mapped source have pseudonyms already.
            rejects = [one if one.mapping else self._renaming.reject(one, {}) for one in rejects]
        lines = [msgspec.json.encode(one) for one in rejects]
        if lines:
            self._journal.append(*lines)

    def close(self) -> None:
        self._journal.close()


def read(folder: Path) -> Iterator[Reject]:
    """Yield every line of the rejected files in ``folder``, oldest first. A torn line is passed over."""
    for path in files(folder, PREFIX):
        with path.open("rb") as file:
            yield from _decoded(file)


def _decoded(lines: Iterable[bytes]) -> Iterator[Reject]:
    decode = msgspec.json.Decoder(Reject).decode
    for line in lines:
        try:
            yield decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            continue


def waiting(folder: Path) -> dict[tuple[object, ...], Reject]:
    """Return the newest rejection of every distinct record that has been neither counted nor dismissed since.

    Of a record in pieces, the first is kept here; :func:`read` has them all.
    """
    found: dict[tuple[object, ...], Reject] = {}
    for one in read(folder):
        if one.replayed or one.dismissed:
            found.pop(one.key, None)
        elif one.part <= 1:
            found.pop(one.key, None)
            found[one.key] = one
    return found


def newest(folder: Path) -> Iterator[Reject]:
    """Yield the newest distinct rejected records that wait for a replay, the newest first, as far as the ends of the newest files reach."""
    found = sorted((one for path in _newest_files(folder) for one in _at_end(path)), key=lambda one: one.at)
    seen: set[tuple[object, ...]] = set()
    for one in reversed(found):
        if one.key not in seen and not (one.replayed or one.dismissed or one.part > 1):
            yield one
        if one.part <= 1:
            seen.add(one.key)


def _newest_files(folder: Path) -> list[Path]:
    found = {path: status.st_mtime for path in files(folder, PREFIX) if (status := status_of(path))}
    return sorted(found, key=lambda path: found[path])[-_NEWEST_FILES:]


def _at_end(path: Path) -> Iterator[Reject]:
    """Yield what the end of a file has: of at least one record, if it is not too long."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            for length in _ENDS:
                file.seek(max(0, size - length))
                text = file.read(length)
                lines = text.split(b"\n") if length >= size else text.split(b"\n")[1:]
                if len(lines) > 1 or length >= size:
                    break
    except FileNotFoundError:
        return
    yield from _decoded(lines)


def dismissed(folder: Path) -> dict[tuple[object, ...], Reject]:
    """Return every distinct record that was dismissed and has not been rejected again since."""
    found: dict[tuple[object, ...], Reject] = {}
    for one in read(folder):
        found.pop(one.key, None)
        if one.dismissed:
            found[one.key] = one
    return found


def dismissed_now(rejects: Iterable[Reject], why: str) -> Iterator[Reject]:
    """Yield what takes records off the list for good."""
    return (msgspec.structs.replace(one, at=time.time(), dismissed=why) for one in rejects)


def counted_now(rejects: Iterable[Reject]) -> Iterator[Reject]:
    """Yield what takes records off the list that count now."""
    return (msgspec.structs.replace(one, at=time.time(), replayed=True) for one in rejects)


def keep(config: Config, rejects: Iterable[Reject]) -> None:
    """Keep some, and let go of the file."""
    writer = Rejected(config)
    try:
        writer.put_all(rejects)
    finally:
        writer.close()


def kind_of(reason: str) -> str:
    """Return ``reason`` without the value found, so that equal faults count together, but with the field that a worker names last."""
    return _FOUND.sub(r"\2", reason)


def joint_reason(reasons: Iterable[str]) -> str:
    """Return one reason for records of one kind: with the values that were found, the most frequent ones first, where they say some."""
    counts = Counter(reasons)
    first, *others = counts
    if not others:
        return first
    found = [match[1] for reason, _ in counts.most_common() if (match := _FOUND.search(reason))]
    shown = " or ".join(found[:_VALUES_SHOWN]) + (" or others" if len(found) > _VALUES_SHOWN else "")
    return _FOUND.sub(lambda match: f", got {shown}{match[2] or ''}", first)
