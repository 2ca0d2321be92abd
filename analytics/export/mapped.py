"""Journals of sources that a mapping reads: DuckDB gets copies in which their lines are records, by the mapping that holds now."""

import gzip
import time
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO, cast

from analytics.config import Config
from analytics.errors import AnalyticsError
from analytics.export.files import JournalFile
from analytics.spouts.gamelog import rules_of
from analytics.spouts.mapping.lines import plain_journal
from analytics.spouts.mapping.originals import MARK
from analytics.spouts.rules import Rules

_BLOCK = 4 << 20


def plain_files(config: Config, files: Sequence[JournalFile], folder: Path) -> list[JournalFile]:
    """Return the journals to read instead of ``files``: those without lines of a mapped source as they are.

    Copies are made in ``folder``, unless they are there. Raise AnalyticsError where it has no room for them.
    """
    rules = rules_of(config)
    if not rules.mappings:
        return list(files)
    folder.mkdir(parents=True, exist_ok=True)
    found = []
    for file in files:
        copy = folder / f"{file.stem.replace('/', '-')}-{file.size}"
        try:
            if copy.exists() or any(MARK in block for block in _blocks(file.path)):
                if not copy.exists():
                    _copy(file.path, copy, rules)
                file = replace(file, path=copy)
        except (FileNotFoundError, gzip.BadGzipFile, EOFError, zlib.error):
            copy.unlink(missing_ok=True)  # gone meanwhile, or damaged, which DuckDB will find, too
        except OSError as error:
            raise AnalyticsError(
                f"{file.path.name} holds lines of a mapped log, and could not be copied to {folder} as records: "
                f"{error.strerror or error}. Make room there, or name another folder in TMPDIR"
            ) from error
        found.append(file)
    return found


def _copy(path: Path, copy: Path, rules: Rules) -> None:
    with copy.open("wb") as to:
        to.writelines(plain_journal(block, rules, int(time.time())).block for block in _blocks(path))


def _blocks(path: Path) -> Iterator[bytes]:
    """Yield a journal's whole lines, some at a time; a torn last line is left out."""
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as opened:
        file = cast(IO[bytes], opened)
        rest = b""
        while block := file.read(_BLOCK):
            lines, newline, rest = (rest + block).rpartition(b"\n")
            if newline:
                yield lines + newline
