"""Prometheus' own programs, for tests: what they say of the suite's metrics and rules."""

import subprocess

from needed import need


def promtool(*arguments: str, stdin: bytes = b"") -> str:
    """Call promtool; return what it says. Fail the test if it finds something wrong."""
    done = subprocess.run(
        [need("promtool", "apt-get install prometheus"), *arguments],
        input=stdin,
        capture_output=True,
        check=False,
    )
    said = (done.stdout + done.stderr).decode()
    assert done.returncode == 0, said
    return said
