"""A suite in the background; see ``service_suite``."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from service_suite import Background, running


@pytest.fixture
def suite(tmp_path: Path) -> Iterator[Background]:
    """A suite that was not started yet, in a folder whose name is too long for a socket's address."""
    yield from running(tmp_path / ("folder of a long name " * 5))


@pytest.fixture
def suite_without_documents(tmp_path: Path) -> Iterator[Background]:
    """One that reads and counts, and keeps no documents: for tests of what ``start`` does with any nodes."""
    yield from running(tmp_path / "without documents", has_documents=False)
