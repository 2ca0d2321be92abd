"""Patches gevent before any test module is imported, as the executable does; lets pytest-xdist work with that.

Starts the MongoDB servers that tests share: in the main process of a run, when the first of its processes is set up, or,
where all tests run in one process, when a test first needs one.
"""

import gc
import os
import sys
from _thread import RLock
from collections.abc import Iterator
from types import TracebackType
from typing import Any

from gevent import monkey

monkey.patch_all()

import gevent
import gevent.exceptions
import hypothesis
import pytest
from databases import Database, Servers
from forms import examples

# A machine that others use may stand still for longer than an example may take.
hypothesis.settings.register_profile(
    "here",
    deadline=None,
    max_examples=examples(100),
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("here")

FIRST = (
    "tests/deploy/",
    "tests/end_to_end/test_rollback",
    "tests/web/test_walks",
    "tests/service/test_service",
    "tests/end_to_end/test_crash",
    "tests/web/test_pages_in_a_browser",
    "tests/cli/test_running_suite",
    "tests/cli/test_demo",
    "tests/spouts/test_syncuser.py",
    "tests/end_to_end/test_backup",
    "tests/store/test_probe",
    "tests/end_to_end/test_stored",
    "tests/independent/test_rebuild",
    "tests/store/test_move",
    "tests/spouts/test_payment.py",
    "tests/store/test_",
    "tests/runtime/timers/test_crash",
    "tests/end_to_end/",
    "tests/web/test_hostile",
    "tests/spouts/test_stdin",
    "tests/spouts/test_mapped_source",
    "tests/cli/test_commands",
    "tests/broker/test_broker_process",
    "tests/export/test_export",
    "tests/web/test_dashboard",
    "tests/cluster/",
    "tests/spouts/test_gamelog.py",
    "tests/benchmarks/",
    "tests/runtime/timers/",
    "tests/independent/",
    "tests/web/test_languages",
    "tests/web/test_numbers_as_stored",
    "tests/cli/",
    "tests/web/test_fuzzed",
)
"""What takes longest, by the beginnings of its names, longest first: what runs last alone leaves the other processes idle."""


class Told:
    """An event that a thread without a hub may set. Those of the patched ``threading`` wait for greenlets only."""

    def __init__(self) -> None:
        self._is_set = False

    def set(self) -> None:
        self._is_set = True

    def clear(self) -> None:
        self._is_set = False

    def is_set(self) -> bool:
        return self._is_set

    def wait(self, timeout: float | None = None) -> bool:
        with gevent.Timeout(timeout, False):
            while not self._is_set:
                gevent.sleep(0.005)
        return self._is_set


if "PYTEST_XDIST_WORKER" in os.environ:
    # A thread that is older than the patch tells this process what to run next.
    from execnet.gateway_base import ThreadExecModel

    ThreadExecModel.Event = lambda self: Told()
    ThreadExecModel.RLock = lambda self: RLock()

    def ended(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        """Keep quiet where this process ends because nothing is left to wait for; that is how it ends."""
        if kind is not gevent.exceptions.LoopExit:
            sys.__excepthook__(kind, error, trace)

    sys.excepthook = ended


SERVERS = pytest.StashKey[Servers]()


def pytest_configure(config: pytest.Config) -> None:
    """Have this process know the servers, and end those that it starts."""
    servers = config.stash[SERVERS] = Servers(getattr(config, "workerinput", {}).get("mongodb"))
    config.add_cleanup(servers.stop)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Start the servers in the main process, once, and give their addresses to each process that runs tests."""
    node.workerinput["mongodb"] = node.config.stash[SERVERS].addresses()


@pytest.fixture(scope="session")
def servers(pytestconfig: pytest.Config) -> Servers:
    """The MongoDB servers that all tests share."""
    return pytestconfig.stash[SERVERS]


@pytest.fixture
def database(servers: Servers) -> Iterator[Database]:
    """A database on the standalone server, for one test."""
    with servers.database() as made:
        yield made


@pytest.fixture(scope="module")
def module_database(servers: Servers) -> Iterator[Database]:
    """A database on the standalone server, for the tests of one file."""
    with servers.database() as made:
        yield made


def pytest_collection_finish() -> None:
    """Take what was collected, a million objects in each process, out of what every search for garbage goes through."""
    gc.collect()
    gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest."""
    items.sort(
        key=lambda item: next((n for n, name in enumerate(FIRST) if item.nodeid.startswith(name)), len(FIRST))
    )
