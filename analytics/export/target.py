"""Where exported files go: a folder, or what else fsspec knows, as ``s3://bucket/prefix``. A file is there whole or not at all."""

import json
import os
import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from analytics.errors import AnalyticsError
from analytics.system.files import sync_folder
from analytics.system.locks import FileLock

WORK = "_work"
"""A folder of the target for files that are not complete. Programs that read Parquet ignore names that begin with ``_``."""


class Target:
    """A place for files, one writer at a time.

    Attributes:
        work: a folder of this machine, emptied at the start, for files that are being written.

    Args:
        url: a folder, or a URL of fsspec's.

    Raises:
        AnalyticsError: fsspec or the package for this kind of URL is not installed, the URL can't be used, or another
            export is writing there.
    """

    def __init__(self, url: str) -> None:
        try:
            from fsspec.core import url_to_fs
            from fsspec.implementations.local import LocalFileSystem
        except ImportError as error:
            raise AnalyticsError(
                f"expected the package fsspec of the extra `export`, found none ({error}). Install it into the environment "
                'of the suite: .venv/bin/python -m pip install "duckdb>=1.4" "fsspec>=2025.2"'
            ) from error
        try:
            self._files, self._root = url_to_fs(url)
        except (ImportError, ValueError) as error:
            raise AnalyticsError(
                f"{url}: expected a folder, or a URL that fsspec can use: {error}. For s3:// install the package s3fs"
            ) from error
        self._folder = Path(self._root) if isinstance(self._files, LocalFileSystem) else None
        self._resources = ExitStack()
        if self._folder is None:
            temporary = tempfile.TemporaryDirectory(prefix="analytics-export-")
            self.work = Path(self._resources.enter_context(temporary))
        else:
            self.work = self._folder / WORK
            self._take(url)

    def _take(self, url: str) -> None:
        """Lock the folder and remove what an export that was killed has left."""
        try:
            lock = FileLock(self.work.with_name("_lock"), "another export writes there. Wait for its end")
            self._resources.callback(lock.close)
            shutil.rmtree(self.work, ignore_errors=True)
            self.work.mkdir()
        except OSError as error:
            raise AnalyticsError(f"{url}: expected a folder to write to: {error}") from error

    def put(self, local: Path, name: str) -> None:
        """Move a complete file of ``work`` to ``name`` (``folder/…/file``), in place of the one there."""
        with local.open("rb") as file:
            os.fsync(file.fileno())
        if self._folder is not None:
            goal = self._folder / name
            goal.parent.mkdir(parents=True, exist_ok=True)
            local.replace(goal)
            sync_folder(goal.parent)
            return
        # An object of a store appears when all of it was sent.
        self._files.makedirs(f"{self._root}/{name}".rpartition("/")[0], exist_ok=True)
        self._files.put_file(str(local), f"{self._root}/{name}")
        local.unlink()

    def put_json(self, value: Any, name: str) -> None:
        """Write ``value`` to ``name``."""
        local = self.work / "note.json"
        local.write_text(json.dumps(value, indent=1, sort_keys=True))
        self.put(local, name)

    def json(self, name: str) -> Any:
        """Return what :meth:`put_json` wrote; None where there is no such file."""
        try:
            return json.loads(self._files.cat_file(f"{self._root}/{name}"))
        except FileNotFoundError:
            return None

    def remove(self, name: str) -> None:
        """Remove a file that is there."""
        self._files.rm_file(f"{self._root}/{name}")

    def close(self) -> None:
        """Let others write."""
        shutil.rmtree(self.work, ignore_errors=True)
        self._resources.close()
