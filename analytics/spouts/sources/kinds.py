"""The kinds of sources. docs/how-to/add-a-source.md says how to add one."""

from collections.abc import Callable

from analytics.config import Source
from analytics.spouts.sources.file import FileSource
from analytics.spouts.sources.http import HttpSource
from analytics.spouts.sources.log_source import LogSource, SourceContext
from analytics.spouts.sources.tcp import TcpSource

KINDS: dict[str, Callable[[Source, SourceContext], LogSource]] = {
    "http": HttpSource,
    "file": FileSource,
    "tcp": TcpSource,
}
"""By kind, what makes a source."""
