"""The kinds of sources. docs/how-to/add-a-source.md says how to add one."""

from collections.abc import Callable

from analytics.config import Source
from analytics.spouts.sources.file import FileSource
from analytics.spouts.sources.http import HttpSource
from analytics.spouts.sources.log_source import LogSource, SourceContext
from analytics.spouts.sources.tcp import TcpSource


def _http(source: Source, given: SourceContext) -> LogSource:
    memory = given.memory
    return HttpSource(
        source, given.section, memory.catalogue, given.emit, given.health, memory.begun, given.lost
    )


def _file(source: Source, given: SourceContext) -> LogSource:
    memory, looked = given.memory, given.memory.looked(source.name)
    return FileSource(
        source, given.section, memory.catalogue, given.emit, given.health, memory.begun, given.lost, looked
    )


def _tcp(source: Source, given: SourceContext) -> LogSource:
    return TcpSource(source, given.section, given.emit)


KINDS: dict[str, Callable[[Source, SourceContext], LogSource]] = {
    "http": _http,
    "file": _file,
    "tcp": _tcp,
}
"""By kind, what makes a source."""
