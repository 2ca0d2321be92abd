"""Python files in the folder ``bolts`` beside the configuration: each declares bolts, as the modules of ``analytics.bolts`` do.

A file's author runs code as the user of the suite. So root, who also calls commands, takes a file only if nobody else may write to
it or to its folder.
"""

import ast
import os
import re
import stat
import sys
import traceback
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from types import ModuleType

from analytics.core.bolt import Bolt
from analytics.errors import ConfigError

FOLDER = "bolts"
MODULES = "analytics_own_bolts_"
MOST_BYTES = 1 << 20
_FILE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*\.py")


def read_bolt_files(config: Path) -> dict[str, str]:
    """Return the Python files beside a configuration's file: path to text, in the order of their names.

    Files whose names begin with ``_`` or ``.`` are left out. Raise ConfigError if one can't be read, or if root would run what others
    may write to.
    """
    folder = config.parent / FOLDER
    if not folder.is_dir():
        return {}
    found = {}
    try:
        names = sorted(
            path.name for path in folder.iterdir() if path.suffix == ".py" and path.name[0] not in "_."
        )
        if names:
            _check_owner(folder, folder.stat())
        for name in names:
            if not _FILE_NAME.fullmatch(name):
                raise ConfigError(f'{folder / name}: expected a name of letters, digits and "_", as pets.py')
            found[str(folder / name)] = _text(folder / name)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{folder}: expected readable Python files in UTF-8: {error}") from error
    return found


def _text(path: Path) -> str:
    with path.open("rb") as file:
        _check_owner(path, os.fstat(file.fileno()))  # of what is read, whatever has the name by now
        data = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise ConfigError(f"{path}: expected at most {MOST_BYTES >> 20} MB, got more")
    return data.decode()


def _check_owner(path: Path, status: os.stat_result) -> None:
    """Raise ConfigError where root would run what others may write."""
    if os.geteuid() != 0:
        return
    if status.st_uid != 0:
        raise ConfigError(
            f"{path}: expected root as its owner, since root would run it, got user {status.st_uid}; "
            f"look at what it says, then: chown root {path}"
        )
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise ConfigError(
            f"{path}: expected that only root may write to it, since root would run it, got mode "
            f"{stat.S_IMODE(status.st_mode):03o}; look at what it says, then: chmod go-w {path}"
        )


def bolts_of_files(
    files: Mapping[str, str], built_in: Mapping[str, Bolt]
) -> tuple[list[tuple[str, Bolt]], list[str]]:
    """Return the bolts that files declare, each with its file, and faults that name file and line."""
    found: list[tuple[str, Bolt]] = []
    faults = []
    known = {id(bolt) for bolt in built_in.values()}
    for path, text in files.items():
        try:
            own = [one for one in _declared(path, text) if id(one) not in known]
        except ConfigError as error:
            faults.append(str(error))
            continue
        if not own:
            faults.append(
                f"{path}: expected a bolt, as pets = Bolt(…), found none; see docs/how-to/add-a-bolt.md"
            )
        found += [(path, one) for one in own]
    return found, faults


def _declared(path: str, text: str) -> Iterator[Bolt]:
    """Run a file and yield the bolts among its names. Raise ConfigError with the line where it can't be."""
    # msgspec looks up a Struct's annotations in its module.
    name = MODULES + Path(path).stem
    module = sys.modules[name] = ModuleType(name)
    module.__file__ = path
    try:
        exec(compile(text, path, "exec"), module.__dict__)
    except SyntaxError as error:
        raise ConfigError(
            f"{path}, line {error.lineno}: expected Python, got something else ({error.msg})"
        ) from error
    except (Exception, SystemExit) as error:
        lines = [
            frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == path
        ]
        where = f", line {lines[-1]}" if lines else ""
        raise ConfigError(f"{path}{where}: {type(error).__name__}: {error}") from error
    seen = {id(one): one for one in module.__dict__.values() if isinstance(one, Bolt)}
    yield from seen.values()


def fingerprint_of(text: str) -> str:
    """Return what tells one file's declarations from others: the same whatever its comments and layout."""
    return sha256(ast.unparse(ast.parse(text)).encode()).hexdigest()[:16]
