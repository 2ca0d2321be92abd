"""Runs a broker as a process of its own: ``python broker_process.py DATA 'JSON of the broker section' ['JSON of bolts']``.

Prints the bound section as one JSON line once it is ready. Ends in order on SIGTERM.
"""

from gevent import monkey

monkey.patch_all()

import json  # noqa: E402
import logging  # noqa: E402
import signal  # noqa: E402
import sys  # noqa: E402
from pathlib import Path  # noqa: E402

import gevent  # noqa: E402
import msgspec  # noqa: E402

from analytics.broker.broker import Broker  # noqa: E402
from analytics.config import BrokerSection  # noqa: E402


def main() -> None:
    """Run until told to stop."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    section = BrokerSection(**json.loads(sys.argv[2]))
    bolts = json.loads(sys.argv[3]) if len(sys.argv) > 3 else {}
    broker = Broker(section, Path(sys.argv[1]), bolts)
    broker.start()
    going = [True]
    gevent.signal_handler(signal.SIGTERM, going.clear)
    print(msgspec.json.encode(broker.bound).decode(), flush=True)
    while going:
        broker.step()
    broker.stop()


if __name__ == "__main__":
    main()
