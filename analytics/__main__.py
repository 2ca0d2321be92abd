"""The executable. It alone patches gevent, before anything else is imported."""

import sys

from gevent import events, monkey


def _is_export(words: list[str]) -> bool:
    """Whether the command is ``export``, which runs alone, in one thread.

    What carries its files to a remote store, such as s3fs, has threads and an event loop of its own, which do not work when patched.
    """
    rest = iter(words)
    for word in rest:
        if word == "--config":
            next(rest, None)
        elif not word.startswith("-"):
            return word == "export"
    return False


if not _is_export(sys.argv[1:]):
    # gevent asks all installed packages, 25 times, whether they object to what it patches: half of the time that a command takes.
    events.notify_and_call_entry_points = events.notify  # type: ignore[attr-defined]
    monkey.patch_all()

from analytics.cli.interrupts import interruptible
from analytics.cli.main import main

interruptible()

if __name__ == "__main__":
    main()
