"""A suite in the background; see ``service_suite``."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from service_suite import Background, running


@pytest.fixture
def suite(tmp_path: Path) -> Iterator[Background]:
    """A suite that was not started yet, in a folder whose name is too long for a socket's address."""
    yield from running(tmp_path / ("folder of a long name " * 5))
