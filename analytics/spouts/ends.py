"""How far journals are durable, which spouts report to the engine: small files in the folder ``ends`` beside the journals.

    <shared>/ends/gamelog.json              where all nodes run on one host, and journals lie in the data folder
    <shared>/web1/ends/gamelog.json         where hosts share storage: each has a folder of its own there
    {"checksum":"…","ends":{"gamelog_201502061738.txt":482113}}

All before such a byte is on the disk, ends a line, and never changes. The file's size says less: an append that fails is cut
off again. ``counted.json`` is the answer: the bytes before which all is counted, so that a spout may delete old journals. ``rejected.counts`` says in the same form how
many records of each source were rejected.
"""

import logging
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import msgspec

from analytics import sealed
from analytics.cluster import host_name
from analytics.config import Config
from analytics.errors import Unavailable
from analytics.system import files

logger = logging.getLogger(__name__)

_FOLDER = "ends"
_COUNTED = "counted.json"
_REJECTED = "rejected.counts"
_NOTE = "journals"

ALWAYS_REPORTED = 100
"""Journals of one spout, the newest ones: among them are all that grow."""


class _Ends(msgspec.Struct):
    ends: dict[str, int]


_decode = msgspec.json.Decoder(_Ends).decode


def shared_folder(config: Config) -> Path:
    """Return the folder under which the journals of all hosts lie."""
    return Path(config.engine.shared) if config.engine.kind and config.engine.shared else config.data


def journal_folder(config: Config) -> Path:
    """Return the folder of this host's journals. On shared storage, its name is chosen once for a data folder, and noted in it.

    Another host's name must never lead here, nor a changed name of this host elsewhere: what a killed spout left here is found again.
    Raise Unavailable where the folder is away: made again, it would lie below the mount point of storage that is not mounted.
    """
    shared = shared_folder(config)
    if shared == config.data:
        return shared
    note = config.data / "state" / _NOTE
    try:
        folder = shared / note.read_text().strip()
    except FileNotFoundError:
        try:
            folder = _new_folder(shared, host_name(config))
        except OSError as error:
            raise Unavailable(f"the shared folder {shared} can't be used: {error}") from error
        note.parent.mkdir(parents=True, exist_ok=True)
        files.write(note, f"{folder.name}\n".encode())
        return folder
    if not folder.is_dir():
        raise Unavailable(
            f"{folder} is missing, where this host's journals lie by {note}: is the storage of engine.shared mounted?"
        )
    return folder


def journal_folders(config: Config) -> list[Path]:
    """Return the folders of all hosts' journals."""
    shared = shared_folder(config)
    if shared == config.data:
        return [shared]
    return sorted(folder.parent for folder in shared.glob(f"*/{_FOLDER}"))


class Ends:
    """What one spout reports. Without an engine nobody reads it, and nothing is written. ``name``: of the file; each has one writer at a time."""

    def __init__(self, config: Config, name: str) -> None:
        self._path = journal_folder(config) / _FOLDER / f"{name}.json" if config.engine.kind else None
        self._in_data = shared_folder(config) == config.data
        self._reported: dict[str, int] | None = None
        self._counted: tuple[int, dict[str, int]] = (0, {})

    def are(self, ends: Mapping[str, int]) -> bool:
        """Return whether these are reported; always without an engine."""
        return self._path is None or ends == self._reported

    def report(self, ends: Mapping[str, int]) -> None:
        """Replace what was reported before, if it differs. On a full disk the next report makes up for it.

        Old journals that the engine has counted are left out: all that are kept may be many, and are reported often.
        """
        if self._path is None or (self.are(ends) and not self._counts_differ()):
            return
        try:
            self._path.parent.mkdir(parents=self._in_data, exist_ok=True)
            _write(self._path, self._open(ends) if len(ends) > ALWAYS_REPORTED else ends)
        except OSError as error:
            logger.error("the ends of journals can't be reported: %s; the engine waits for them", error)
            return
        self._reported = dict(ends)

    def _counts_differ(self) -> bool:
        """Whether the engine has reported since; where its documents were restored from a backup, journals are to be counted again."""
        return (
            self._reported is not None
            and len(self._reported) > ALWAYS_REPORTED
            and self._counted_at() != self._counted[0]
        )

    def _counted_at(self) -> int:
        assert self._path is not None
        try:
            return self._path.with_name(_COUNTED).stat().st_mtime_ns
        except FileNotFoundError:
            return 0

    def _open(self, ends: Mapping[str, int]) -> dict[str, int]:
        """Return the ends of the newest journals, and of others that are not counted as a whole."""
        assert self._path is not None
        self._counted = self._counted_at(), _read(self._path.with_name(_COUNTED))
        newest = {*list(ends)[-ALWAYS_REPORTED:]}
        return {
            name: end for name, end in ends.items() if name in newest or self._counted[1].get(name, 0) < end
        }


def durable_ends(shared: Path) -> dict[str, int]:
    """Return the byte before which each journal is durable, by its path in the shared folder.

    What a damaged file said is left out: the spout that wrote it reports again when it runs. Raise OSError if the shared folder is
    away.
    """
    shared.stat()
    found: dict[str, int] = {}
    for path in (*shared.glob(f"{_FOLDER}/*.json"), *shared.glob(f"*/{_FOLDER}/*.json")):
        if path.name == _COUNTED:
            continue
        for name, end in _read(path).items():
            journal = str((path.parent.parent / name).relative_to(shared))
            found[journal] = max(end, found.get(journal, 0))
    return found


def report_counted(shared: Path, ends: Mapping[str, int]) -> None:
    """Report to the spouts of each folder up to which byte its journals are counted. Raise OSError where that can't be written.

    ``ends``: by the journal's path in the shared folder. A folder that is away is left out.
    """
    folders: dict[Path, dict[str, int]] = {}
    for journal, end in ends.items():
        path = shared / journal
        folders.setdefault(path.parent, {})[path.name] = end
    for folder, its in folders.items():
        if folder.is_dir():
            (folder / _FOLDER).mkdir(exist_ok=True)
            _write(folder / _FOLDER / _COUNTED, its)


class EngineCount:
    """What the engine has counted of the journals in ``folder``, as it reports it to their spouts.

    ``moved``: whether journals lay in the data folder before there was an engine, which counts none of those.
    """

    def __init__(self, folder: Path, data: Path) -> None:
        self._folder = folder
        self._ends: dict[str, int] = {}
        self.moved = folder != data
        self.read()

    def read(self) -> None:
        """Take over what the engine has reported since."""
        self._ends = _read(self._folder / _FOLDER / _COUNTED)

    def includes(self, name: str, size: int) -> bool:
        """Return whether a journal of that size is counted as a whole."""
        return self._ends.get(name, 0) >= size

    def lacks(self, name: str, end: int) -> bool:
        """Return whether the engine still has to count what is before ``end``. Journals of before it need no engine."""
        return self._ends.get(name, end if self.moved else 0) < end


def report_rejected(folder: Path, counts: Mapping[str, int]) -> None:
    """Report how many records of each configured source, as "gamelog/s1", the spouts of ``folder`` have rejected.

    Raise Unavailable where that can't be written.
    """
    path = folder / _FOLDER / _REJECTED
    try:
        path.parent.mkdir(exist_ok=True)
        _write(path, counts)
    except OSError as error:
        raise Unavailable(f"{path} can't be written: {error}") from error


def rejected_counts(shared: Path) -> dict[str, int]:
    """Return how many records of each configured source the spouts of all hosts have rejected, and not accepted since."""
    found: Counter[str] = Counter()
    for path in (*shared.glob(f"{_FOLDER}/{_REJECTED}"), *shared.glob(f"*/{_FOLDER}/{_REJECTED}")):
        found.update(_read(path))
    return dict(found)


def _write(path: Path, ends: Mapping[str, int]) -> None:
    """Replace a file; it need not survive a power loss, after which it is written again."""
    files.draft(path, sealed.sealed(msgspec.json.encode(_Ends(dict(ends)))), durable=False).replace(path)


def _read(path: Path) -> dict[str, int]:
    try:
        return _decode(sealed.opened(path.read_bytes())).ends
    except FileNotFoundError:
        return {}
    except (ValueError, msgspec.MsgspecError) as error:
        logger.error("%s is damaged: %s; it is left out until it is written again", path, error)
        return {}


def _new_folder(shared: Path, host: str) -> Path:
    """Make a folder that no other data folder has used."""
    for name in files.numbered(host):
        try:
            (shared / name).mkdir()
        except FileExistsError:
            continue
        (shared / name / _FOLDER).mkdir()
        files.sync_folder(shared)
        return shared / name
    raise AssertionError("names never end")
