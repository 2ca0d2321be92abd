"""A broker that goes away while its subscriber has no time to read."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import gevent
import msgspec
from brokers import ROOT, batch, running

from analytics.broker.clients import Publisher

SILENCE_SECONDS = 9.0
PAUSED = """
import sys

import msgspec
import zmq

from analytics.broker.clients import Subscriber
from analytics.config import BrokerSection

subscriber = Subscriber(msgspec.json.decode(sys.argv[1], type=BrokerSection), ["a"])
while not getattr(subscriber.recv(60), "body", None):
    pass
print("pauses", flush=True)
sys.stdin.readline()
subscriber._socket.set(zmq.SUBSCRIBE, b"more")
print("has asked", flush=True)
sys.stdin.readline()
print("reads on" if subscriber.recv(60) else "found nothing")
"""


def test_a_subscriber_that_pauses_outlives_its_broker(tmp_path: Path) -> None:
    with running(tmp_path / "data", silence_seconds=SILENCE_SECONDS) as broker:
        publisher = Publisher(broker.section, "test")
        command = [sys.executable, "-c", PAUSED, msgspec.json.encode(broker.section).decode()]
        paused = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=os.environ | {"PYTHONPATH": str(ROOT)}
        )
        assert paused.stdin is not None and paused.stdout is not None
        try:
            pauses = gevent.spawn(paused.stdout.readline)
            sent = 0
            while not pauses.ready():  # what is published before it has subscribed does not reach it
                publisher.publish(batch("s", [sent])).get(timeout=600)
                sent += 1
                gevent.sleep(0.05)
            for n in range(sent, sent + 60):  # more than it queues
                publisher.publish(batch("s", [n])).get(timeout=600)
            # A broker that ends before it has read everything resets the connection: it is not just closed.
            os.kill(broker.pid, signal.SIGSTOP)
            paused.stdin.write(b"\n")
            paused.stdin.flush()
            assert paused.stdout.readline() == b"has asked\n"
            gevent.sleep(0.2)
            broker.kill()
            gevent.sleep(SILENCE_SECONDS / 3 + 1)  # whatever asks for a sign of life has asked by now
            shown, _ = paused.communicate(b"\n", timeout=600)
        finally:
            paused.kill()
            paused.wait()
            publisher.close(0.0)
        assert (paused.returncode, shown) == (0, b"reads on\n")
