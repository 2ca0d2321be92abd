"""The registry of nodes: each node reports its state once a second.

On this machine, that is one file a node under ``data/run``; :mod:`analytics.cluster.shared` adds the other hosts. Files are
replaced atomically, so a reader finds a complete one. A node that ends in order removes its file; the file of a node that
died stays, with its last error, until the node is started again.

If the disk takes no file, a node still sets the modification time of its old one, which needs no space and no file
descriptor. So readers see that it lives and can't write.
"""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from analytics.system import files
from analytics.system.processes import process_started

LIVE_SECONDS = 5.0  # five beats: a node reports once a second


class NodeEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A node's report. Times are Unix seconds; ``rate`` is in records a second.

    ``started`` distinguishes processes with the same pid. ``remote``: the entry is of another host. ``games``: the
    fingerprint of its games and areas; "": unknown. ``stale``: the rest of the report is this many seconds older than
    ``beat``, since the disk has taken nothing newer.
    """

    name: str
    role: str
    host: str
    pid: int
    started: int
    version: str
    since: float
    beat: float
    last_error: str = ""
    ended: bool = False
    remote: bool = False
    rate: float = 0.0
    games: str = ""
    stale: float = 0.0
    state: dict[str, Any] = {}


class LocalRegistry:
    """The registry of one machine and one data folder.

    ``problem``: why other hosts can't be reached, "" if they can or there are none. Work goes on then, and
    :meth:`list` returns this machine's nodes.
    """

    def __init__(self, data: Path) -> None:
        self.problem = ""
        self._folder = data / "run"

    def beat(self, node: NodeEntry) -> None:
        """Replace the entry of the node of this name. Raise OSError if only its beat could be written, or nothing."""
        self._folder.mkdir(parents=True, exist_ok=True)
        place = self._folder / f"{node.name}.json"
        try:
            beside = files.draft(place, msgspec.json.encode(node), durable=False)
            os.utime(beside, (node.beat, node.beat))
            beside.replace(place)
        except OSError:
            os.utime(place, (node.beat, node.beat))
            raise

    def list(self) -> list[NodeEntry]:
        """Return every node known, by name; see :func:`alive` for whether it lives. Other files are skipped."""
        return sorted(self._nodes(), key=lambda node: node.name)

    def leave(self, name: str) -> None:
        """Forget a node that ended in order."""
        (self._folder / f"{name}.json").unlink(missing_ok=True)

    def close(self) -> None:
        """Send pending reports. On one machine there are none."""

    def _nodes(self) -> Iterator[NodeEntry]:
        for path in self._folder.glob("*.json"):
            try:
                node = msgspec.json.decode(path.read_bytes(), type=NodeEntry)
                stale = path.stat().st_mtime - node.beat
                # Otherwise the difference is the file system's rounding.
                yield (
                    msgspec.structs.replace(node, beat=node.beat + stale, stale=stale) if stale >= 1 else node
                )
            except (FileNotFoundError, msgspec.MsgspecError, UnicodeDecodeError):
                continue


def alive(node: NodeEntry, now: float | None = None) -> bool:
    """Return whether a node runs: its process exists and has reported recently.

    A node of another host is alive as long as its entry, which expires unless it is renewed.
    """
    if node.remote:
        return not node.ended
    fresh = (time.time() if now is None else now) - node.beat < LIVE_SECONDS
    return fresh and not node.ended and process_started(node.pid) == node.started
