"""The positions of bolts, which decide which segments may be deleted."""

import logging
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

import msgspec

from analytics.broker.wire import Head
from analytics.sealed import opened, sealed
from analytics.system import files

logger = logging.getLogger(__name__)


class _SavedPositions(msgspec.Struct, frozen=True):
    """``configured``: those of ``bolts`` that the configuration had."""

    log: str
    bolts: dict[str, dict[str, Head]]
    configured: list[str] = []


class Positions:
    """Every bolt's newest report, stored in a file beside the log. A damaged file is ignored.

    Args:
        bolts: the configured bolts and their topics. Segments wait for them from the start, for others from their
            first report.
        own: the names of the suite's bolts. Those that are not configured are dropped, and so is what was configured before:
            a bolt that the configuration no longer has would hold the segments for ever.
    """

    def __init__(
        self, path: Path, log: str, bolts: Mapping[str, Iterable[str]], own: Collection[str] = ()
    ) -> None:
        self._path = path
        self._log = log
        self._configured = list(bolts)
        self.bolts: dict[str, dict[str, Head]] = {}
        if path.exists():
            saved = _read(path)
            known = {*own, *saved.configured}
            if saved.log == log:
                self.bolts = {
                    bolt: heads for bolt, heads in saved.bolts.items() if bolt in bolts or bolt not in known
                }
        for bolt, topics in bolts.items():
            reported = self.bolts.setdefault(bolt, {})
            for topic in topics:
                reported.setdefault(topic, Head(0, 0, 0))

    def report(self, bolt: str, log: str, positions: Mapping[str, Head], again: bool = False) -> bool:
        """Store a bolt's report. Return False for a report of another log.

        A late, older report changes nothing, unless ``again``: the bolt has gone back.
        """
        if log != self._log:
            return False
        known = self.bolts.setdefault(bolt, {})
        newer = {t: h for t, h in positions.items() if again or t not in known or known[t].number < h.number}
        if newer:
            known.update(newer)
            self._save()
        return True

    def passed(self) -> dict[str, int] | None:
        """Return, per topic, the number that all its readers have passed. None without any bolt."""
        if not self.bolts:
            return None
        lowest: dict[str, int] = {}
        for positions in self.bolts.values():
            for topic, head in positions.items():
                lowest[topic] = min(lowest.get(topic, head.number), head.number)
        return lowest

    def _save(self) -> None:
        """Save the reports. On a full disk they may be lost: bolts report again."""
        saved = sealed(msgspec.json.encode(_SavedPositions(self._log, self.bolts, self._configured)))
        try:
            files.draft(self._path, saved, durable=False).replace(self._path)
        except OSError as error:
            logger.warning("%s was not saved: %s", self._path, error)


def _read(path: Path) -> _SavedPositions:
    """Return what was saved. An unreadable file is no error: bolts report again."""
    try:
        return msgspec.json.decode(opened(path.read_bytes()), type=_SavedPositions)
    except (msgspec.MsgspecError, ValueError) as error:
        logger.error("%s is damaged: %s. Segments wait until all bolts have reported again", path, error)
        return _SavedPositions("", {})
