"""Which files a source's pattern means: the one expansion for the spout and for ``check``."""

import glob
import os
import stat
from collections.abc import Iterator
from pathlib import Path

_NOT_READ = {stat.S_IFIFO: "a named pipe", stat.S_IFSOCK: "a socket"}


def matching(pattern: str) -> list[str]:
    """Return what a pattern matches, sorted.

    ``**`` means any folders, also linked ones. A name that begins with a dot is matched only by a pattern that has it.
    """
    return sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207 (Path.glob follows no links and takes hidden files)


def hidden_by(pattern: str) -> Iterator[OSError]:
    """Yield why folders that a pattern leads through can't be looked into: :func:`matching` passes over them in silence."""
    folder, name = os.path.split(pattern)
    if not folder or folder == pattern:
        return
    if glob.has_magic(folder):
        yield from hidden_by(folder)
    folders = matching(f"{folder}/") if glob.has_magic(folder) else [folder]
    if name == "**":
        folders += matching(f"{pattern}/")
    for one in map(Path, folders):
        try:
            if glob.has_magic(name):
                os.scandir(one).close()
            else:
                (one / name).stat()
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            yield error


def refusal(path: Path, status: os.stat_result) -> str:
    """Return why something that a pattern matches is not read, "" for files, and for what holds no log: folders and devices."""
    kind = _NOT_READ.get(stat.S_IFMT(status.st_mode))
    return (
        f"{path}: expected a file, got {kind}, which is not read; leave it out of the source's path"
        if kind
        else ""
    )
