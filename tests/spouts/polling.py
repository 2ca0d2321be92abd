"""What tests of the polling spouts share: a broker and what is in its log, and spouts that take steps."""

import json
import sys
import time

import gevent
from gevent import subprocess
from sections import broker_ports, until_free

from analytics.broker.broker import Broker
from analytics.broker.clients import Refill


class RunningBroker:
    """A broker that steps in a greenlet of its own."""

    def __init__(self, data, section=None):
        self.data = data
        self.section = section or broker_ports()
        self.node = Broker(self.section, data)
        self.node.start()
        self._greenlet = gevent.spawn(self._loop)

    def _loop(self):
        while True:
            self.node.step()

    def stop(self):
        self._greenlet.kill()
        self.node.stop()
        until_free(self.section)

    def tuples(self, topic):
        """Return all tuples of a topic in the log, in its order."""
        refill, found, after = Refill(self.section, 60), [], 0
        while True:
            page, messages = refill.read({topic: after})
            for message in messages:
                found += [json.loads(line) for line in message.body.splitlines()]
                after = message.header.number
            if not page.more:
                refill.close()
                return found


class Spouts:
    """Spouts that run: what is still there in the end is stopped."""

    def __init__(self, make):
        self._make, self._running = make, []

    def __call__(self, **settings):
        """Start a spout with these settings of its interface."""
        node = self._make(**{"every_seconds": 0.05, "retries": 1, "timeout_seconds": 60} | settings)
        node.start()
        self._running.append(node)
        return node

    def stop(self, node):
        self._running.remove(node)
        node.stop()

    def close(self):
        for node in self._running:
            node.stop()


def step_until(node, condition, seconds=120):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, node.state()
        node.step()


def run_until(script, conf, condition, seconds=120):
    """Run a spout in a process of its own, which a script starts with a configuration, until something is so or time is up; kill it."""
    child = subprocess.Popen([sys.executable, "-c", script, str(conf)])
    until = time.monotonic() + seconds
    while not condition() and time.monotonic() < until:
        gevent.sleep(0.2)
    child.kill()
    child.wait()
