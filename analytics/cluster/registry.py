"""The registry of nodes: each tells once a second that it lives, and how it does.

Here it is kept on this machine, one file a node under ``data/run``; :mod:`analytics.cluster.shared` adds
the other hosts. A file is written beside itself and moved over, so a reader finds a whole one. A node that
ends in order takes its file away; the file of one that died stays, with its last error, until it is
started again.

Where the disk takes no file, a node still sets the time of the one that is there, which needs no room and no file
descriptor: so it is known to live, and not to be able to write.
"""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import msgspec

from analytics.system import files
from analytics.system.processes import process_started

LIVE_SECONDS = 5.0


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """What a node tells of itself. Times are Unix seconds; ``started`` tells apart processes of one pid, ``rate`` is in
    records a second, ``remote`` is set where the entry was found and is not this machine's. ``games`` is the fingerprint of the
    games and areas that it knows; "": unknown. ``stale``: what else it tells is so many seconds older than ``beat``, since
    the disk has not taken anything newer."""

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


class Registry(Protocol):
    """Where nodes tell that they live.

    Attributes:
        problem: why other hosts can't be reached, "" where they can or there are none. Work goes on then, and
            :meth:`list` returns this machine's nodes.
    """

    problem: str

    def beat(self, node: Node) -> None:
        """Replace what is known of the node of that name."""

    def list(self) -> list[Node]:
        """Return every node known, by name; see :func:`alive` for whether it lives."""

    def leave(self, name: str) -> None:
        """Forget a node that ended in order."""

    def close(self) -> None:
        """Tell what there is still to tell."""


class LocalRegistry:
    """The registry of one machine and one data folder."""

    def __init__(self, data: Path) -> None:
        self.problem = ""
        self._folder = data / "run"

    def beat(self, node: Node) -> None:
        """Replace what is known of the node of that name. Raise OSError where only its beat could be written, or not even that."""
        self._folder.mkdir(parents=True, exist_ok=True)
        place = self._folder / f"{node.name}.json"
        try:
            beside = files.draft(place, msgspec.json.encode(node), durable=False)
            os.utime(beside, (node.beat, node.beat))
            beside.replace(place)
        except OSError:
            os.utime(place, (node.beat, node.beat))
            raise

    def list(self) -> list[Node]:
        """Return every node known, by name. A file that is no node's is passed over."""
        return sorted(self._nodes(), key=lambda node: node.name)

    def leave(self, name: str) -> None:
        """Forget a node that ended in order."""
        (self._folder / f"{name}.json").unlink(missing_ok=True)

    def close(self) -> None:
        """Do nothing: everything is told at once."""

    def _nodes(self) -> Iterator[Node]:
        for path in self._folder.glob("*.json"):
            try:
                node = msgspec.json.decode(path.read_bytes(), type=Node)
                stale = path.stat().st_mtime - node.beat
                # Else they differ by what a file system rounds off.
                yield (
                    msgspec.structs.replace(node, beat=node.beat + stale, stale=stale) if stale >= 1 else node
                )
            except (FileNotFoundError, msgspec.MsgspecError, UnicodeDecodeError):
                continue


def alive(node: Node, now: float | None = None) -> bool:
    """Return whether a node runs and beats: its process is there and it beat lately.

    Of another host's node it is known by its entry, which vanishes when nobody renews it.
    """
    if node.remote:
        return not node.ended
    fresh = (time.time() if now is None else now) - node.beat < LIVE_SECONDS
    return fresh and not node.ended and process_started(node.pid) == node.started
