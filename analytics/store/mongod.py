"""Finds a ``mongod``, MongoDB's own server, that runs on this machine.

The candidates are, in this order: the configured one, ``PATH``, the wheel of the extra ``embedded``. It is under the SSPL, so it
is started as a process and never imported.
"""

import importlib.util
import re
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from analytics.errors import AnalyticsError

NAME = "mongod"
OLDEST = (4, 4)
"""The first release with pipelines in updates, majority reads without an option, and hello."""
VERSION_SECONDS = 20.0  # for `mongod --version`, on a busy machine

_VERSION = re.compile(r"db version v(\d+)\.(\d+)\.(\d+)")


class NoMongod(AnalyticsError):
    """No ``mongod`` runs on this machine. The message says where it was searched, what failed, and what to do."""


@dataclass(frozen=True, slots=True)
class Mongod:
    """A ``mongod`` that runs here: its path, its version, and a text that says where it was found."""

    path: Path
    version: tuple[int, int, int]
    found: str

    @property
    def release(self) -> str:
        """The version as MongoDB writes it, e.g. ``6.0.5``."""
        return ".".join(map(str, self.version))


def find_mongod(named: str = "") -> Mongod:
    """Return the ``mongod`` to run.

    ``named``: a path, or a name on ``PATH``; where it is given nothing else is tried. Raise NoMongod if there is none, or none of them runs.
    """
    tried = []
    for path, found in _candidates(named):
        try:
            return Mongod(path, _version(path), found)
        except NoMongod as error:
            tried.append(str(error))
    if not tried:
        where = f"{named!r} is no program" if named else "it is neither on PATH nor in the wheel"
        tried = [f"{where}; install MongoDB, or on x86-64 Linux: pip install 'analytics[embedded]'"]
    raise NoMongod("no mongod runs here: " + "; ".join(tried))


def _candidates(named: str) -> list[tuple[Path, str]]:
    if named:
        program = shutil.which(named)
        return [(Path(program), "named in the configuration")] if program else []
    on_path = shutil.which(NAME)
    package = importlib.util.find_spec("fiftyone")
    inside = (
        [Path(folder) / "db" / "bin" / NAME for folder in (package.submodule_search_locations or ())]
        if package
        else []
    )
    return [
        *([(Path(on_path), "on PATH")] if on_path else []),
        *((path, "in the wheel of the extra embedded") for path in inside if path.exists()),
    ]


@cache
def _version(path: Path) -> tuple[int, int, int]:
    """Return the program's version. Raise NoMongod with its error if it can't run here."""
    try:
        probe = subprocess.run(
            [path, "--version"], capture_output=True, text=True, timeout=VERSION_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoMongod(f"{path} can't be run: {error}") from error
    found = _VERSION.search(probe.stdout)
    if probe.returncode or found is None:
        said = (probe.stderr or probe.stdout).strip().splitlines()
        # SIGILL: it was compiled for instructions that this processor lacks.
        reason = (
            "this processor lacks AVX" if probe.returncode == -4 else (said[:1] or ["it says nothing"])[0]
        )
        raise NoMongod(f"{path} ends with status {probe.returncode}: {reason}")
    version = (int(found[1]), int(found[2]), int(found[3]))
    if version[:2] < OLDEST:
        raise NoMongod(
            f"{path} is MongoDB {'.'.join(map(str, version))}; expected {OLDEST[0]}.{OLDEST[1]} or newer"
        )
    return version
