"""Commands within this process: the start of another takes a third of a second of a processor."""

import io
import os
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from subprocess import CompletedProcess

import gevent
import pytest

from analytics.cli.main import main

PATIENCE = 600.0


def in_process(
    *arguments: str, env: Mapping[str, str] | None = None, timeout: float = PATIENCE
) -> CompletedProcess[str]:
    """Run a command of the suite; return what it wrote and its exit status, as of a process of its own."""
    written, errors = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="") for _ in range(2))
    mask = os.umask(0o077)
    os.umask(mask)
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(written), redirect_stderr(errors):
        for name, value in (env or {}).items():
            patch.setenv(name, value)
        try:
            with gevent.Timeout(timeout), pytest.raises(SystemExit) as ended:
                main(list(arguments))
        finally:
            os.umask(mask)
    return CompletedProcess(arguments, int(ended.value.code or 0), _text(written), _text(errors))


def _text(stream: io.TextIOWrapper) -> str:
    stream.seek(0)
    return stream.read()
