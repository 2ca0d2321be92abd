"""The executable. It alone patches gevent, before anything else is imported."""

from gevent import monkey

monkey.patch_all()

from analytics.cli.interrupts import interruptible
from analytics.cli.main import main

interruptible()

if __name__ == "__main__":
    main()
