"""How much of a folder's journals an engine has counted, as it reports it to their spouts."""

from pathlib import Path

from analytics.spouts.ends import read_counted


class EngineCount:
    """What the engine has counted of the journals in ``folder``.

    Attributes:
        moved: whether journals lay in the data folder before there was an engine, which counts none of those.
    """

    def __init__(self, folder: Path, data: Path) -> None:
        self._folder = folder
        self._ends: dict[str, int] = {}
        self.moved = folder != data
        self.read()

    def read(self) -> None:
        """Take over what the engine has reported since."""
        self._ends = read_counted(self._folder)

    def includes(self, name: str, size: int) -> bool:
        """Return whether a journal of that size is counted as a whole."""
        return self._ends.get(name, 0) >= size

    def lacks(self, name: str, end: int) -> bool:
        """Return whether the engine still has to count what is before ``end``. Journals of before it need no engine."""
        return self._ends.get(name, end if self.moved else 0) < end
