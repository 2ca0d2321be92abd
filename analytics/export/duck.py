"""DuckDB: an engine for SQL inside this process, of the extra ``export``."""

from pathlib import Path
from typing import TYPE_CHECKING

from analytics.errors import AnalyticsError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

MEMORY_MB = 1024
"""What DuckDB may take before it sorts and groups on the disk. A query over 10,000,000 lines needs about half of it."""


def connect(spill: Path, memory_mb: int = MEMORY_MB, threads: int = 0) -> "DuckDBPyConnection":
    """Return an empty database in memory.

    Args:
        spill: the folder where DuckDB writes what does not fit into memory.
        threads: 0: one for each processor.

    Raises:
        AnalyticsError: DuckDB is not installed.
    """
    try:
        import duckdb
    except ImportError as error:
        raise AnalyticsError(
            f"expected the package duckdb of the extra `export`, found none ({error}). Install it into the environment of "
            'the suite: .venv/bin/python -m pip install "duckdb>=1.4" "fsspec>=2025.2"'
        ) from error
    connection = duckdb.connect()
    # What a query needs is loaded already; nothing may be fetched from the network.
    connection.execute("SET autoinstall_known_extensions = false; SET TimeZone = 'UTC'")
    connection.execute(f"SET memory_limit = '{memory_mb}MB'; SET temp_directory = {quoted(str(spill))}")
    if threads:
        connection.execute(f"SET threads = {threads}")
    return connection


def quoted(text: str) -> str:
    """Return ``text`` as a literal of SQL."""
    return "'" + text.replace("'", "''") + "'"
