"""The executable. It alone patches gevent, before anything else is imported."""

from gevent import events, monkey

# gevent asks all installed packages, 25 times, whether they object to what it patches: half of the time that a command takes.
events.notify_and_call_entry_points = events.notify  # type: ignore[attr-defined]
monkey.patch_all()

from analytics.cli.interrupts import interruptible
from analytics.cli.main import main

interruptible()

if __name__ == "__main__":
    main()
