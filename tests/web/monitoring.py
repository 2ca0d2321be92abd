"""Prometheus' own programs, for tests: present, or a reason to skip; in CI they have to be there."""

import os
import shutil
import subprocess

import pytest


def program(name: str) -> str:
    """Return where ``prometheus`` or ``promtool`` is. Skip the test where it is missing; fail it in CI."""
    found = shutil.which(name)
    if found is None:
        reason = f"{name} is missing: apt-get install prometheus"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    return found


def promtool(*arguments: str, stdin: bytes = b"") -> str:
    """Call promtool; return what it says. Fail the test if it finds something wrong."""
    done = subprocess.run([program("promtool"), *arguments], input=stdin, capture_output=True, check=False)
    said = (done.stdout + done.stderr).decode()
    assert done.returncode == 0, said
    return said
