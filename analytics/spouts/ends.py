"""Durable ends: how far each journal is final, as its spout reports it in ``<shared>/ends``.

A journal's size says less: what an append that failed has left behind is cut off later. Each process that writes journals
keeps one sealed file there, ``<process>.json``: ``{"journals": {"gamelog_202501010000.txt": 4096}}``. It goes on reporting
a journal until that is deleted, also those that it found from a process that is gone. Of several reports of a journal, the
furthest counts.
"""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from analytics import sealed

FOLDER = "ends"


class _Report(msgspec.Struct):
    journals: dict[str, int]


_decode = msgspec.json.Decoder(_Report).decode


def report(shared: Path, process: str, ends: Mapping[str, int]) -> None:
    """Replace what ``process`` reports, durably."""
    folder = shared / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    sealed.write(folder / f"{process}.json", msgspec.json.encode(_Report(dict(ends))))


def durable_ends(shared: Path) -> dict[str, int]:
    """Return, per journal, the byte before which everything is durable and final.

    Raises:
        OSError: the shared folder is away.
        StateError: a report is damaged, and so is the generation before.
    """
    ends: dict[str, int] = {}
    for path in sorted((shared / FOLDER).glob("*.json")):
        found = sealed.read(path, _decode)
        for name, end in found[0].journals.items() if found else ():
            ends[name] = max(end, ends.get(name, 0))
    return ends
