"""Suites in the background, each for the tests of one file; see ``service_suite``."""

from collections.abc import Iterator

import pytest
from service_suite import Background, running


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Background]:
    """A suite that was not started yet, in a folder whose name is too long for a socket's address."""
    yield from running(tmp_path_factory.mktemp("suite") / ("folder of a long name " * 5))


@pytest.fixture(scope="module")
def suite_without_documents(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Background]:
    """One that reads and counts, and keeps no documents: for tests of what ``start`` does with any nodes."""
    yield from running(tmp_path_factory.mktemp("suite") / "without documents", has_documents=False)
