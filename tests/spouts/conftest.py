"""Fixtures of the spouts' tests."""

import pytest
from gamelogs import Web


@pytest.fixture
def web(tmp_path):
    folder = tmp_path / "www"
    folder.mkdir()
    server = Web(folder)
    yield server
    server.close()


@pytest.fixture
def started():
    """Start nodes that end with the test."""
    from gamelogs import Running

    running = []

    def start(node):
        running.append(Running(node))
        return running[-1]

    yield start
    for one in reversed(running):
        one.vanish()
