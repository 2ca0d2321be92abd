"""A process that contends for a group and writes down when it was the active one: contender.py CONFIG FILE."""

from gevent import monkey

monkey.patch_all()

import sys  # noqa: E402
from pathlib import Path  # noqa: E402

import gevent  # noqa: E402
import msgspec  # noqa: E402

from analytics.cluster import Election, open_keys  # noqa: E402
from analytics.cluster.keys import clock  # noqa: E402
from analytics.config import Config  # noqa: E402


def main() -> None:
    config = msgspec.json.decode(sys.argv[1], type=Config, dec_hook=lambda kind, value: kind(value))
    with Path(sys.argv[2]).open("a", buffering=1) as acts:
        election = Election(open_keys(config), "group", config.etcd)
        election.start()
        while True:
            # What is claimed: at this moment, looked at before, this process was the active one.
            now = clock()
            if election.active:
                acts.write(f"{now}\n")
            gevent.sleep(0.02)


main()
