"""The first lines of a source, and what each of them becomes: what ``try`` shows and ``check`` counts."""

import stat
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from analytics.config import Config, Source
from analytics.config.uris import without_secrets
from analytics.errors import AnalyticsError
from analytics.spouts.gamelog import rules_of
from analytics.spouts.httpclient import FAILURES, open_session, reason
from analytics.spouts.mapping.lines import convert, header_of
from analytics.spouts.sources.matching import matching
from analytics.spouts.sources.packed import START, UNPACKING, opener

LINES = 100
_BYTES = 256 << 10
_SOURCE = "gamelog/try"


@dataclass(frozen=True, slots=True)
class Sample:
    """Lines, and where they are from."""

    where: str
    lines: list[bytes]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a line becomes: a record, or why it can't be one; neither where it is skipped.

    ``left_out``: fields of the line that the record lacks, as a mapped one has the name of each.
    """

    n: int
    line: bytes
    record: msgspec.Raw | None = None
    topic: str = ""
    reason: str = ""
    left_out: Sequence[str] = ()

    @property
    def skipped(self) -> bool:
        """Whether the line is no record, and none was expected."""
        return self.record is None and not self.reason


def sample_of(source: Source, timeout: float = 5.0) -> Sample:
    """Return the first lines of a source; of files, those of the newest. Raise AnalyticsError if there are none, or it can't be looked into."""
    if source.kind == "file":
        written = {path: _written(path) for path in map(Path, matching(source.path))}
        found = [path for path, at in written.items() if at]
        if not found:
            raise AnalyticsError(f"no file matches {source.path}")
        return sample_of_file(max(found, key=lambda path: written[path]))
    if source.kind == "http":
        return _of_url(source, timeout)
    raise AnalyticsError(
        f'source {source.name}: lines of kind "{source.kind}" can be read once only, by the spout; write some to a file and call '
        f"`bin/analytics try FILE --mapping {source.name}`"
    )


def _written(path: Path) -> float:
    """Return when a file was last written; 0.0: it is none, or can't be looked at."""
    try:
        status = path.stat()
    except OSError:
        return 0.0
    return status.st_mtime if stat.S_ISREG(status.st_mode) else 0.0


def sample_of_file(path: Path) -> Sample:
    """Return the first lines of a file, which may be packed. Raise AnalyticsError where it can't be read."""
    try:
        with path.open("rb") as plain:
            packed = opener(plain.read(START))
        with packed(path) if packed else path.open("rb") as file:
            return Sample(str(path), _whole(file.read(_BYTES)))
    except UNPACKING as error:
        raise AnalyticsError(f"{path}: {error.args[-1]}; name a file that this user may read") from error


def outcomes(config: Config, sample: Sample, name: str, game: str = "") -> list[Outcome]:
    """Return what each line becomes by the mapping of the configured source ``name``; without one, as it is."""
    rules = rules_of(config, name, game)
    header = ""
    mapping = rules.mapping
    if mapping is not None and mapping.needs_header and sample.lines:
        header = header_of(sample.lines[0])
    found = []
    for n, line in enumerate(sample.lines, 1):
        if mapping is not None and mapping.needs_header:
            header = mapping.header_in(header_of(line).encode(), header) or header
        shares = convert(line + b"\n", _SOURCE, n, rules, int(time.time()), header)
        share = shares[0] if shares else None
        if share is not None and share.bad:
            found.append(Outcome(n, line, reason=share.bad[0].reason))
        elif share is not None and share.ns:
            ((topic, lines),) = share.topics.items()
            left_out = mapping.left_out(line, header) if mapping is not None else ()
            found.append(Outcome(n, line, msgspec.Raw(lines.body), topic, left_out=left_out))
        else:
            found.append(Outcome(n, line))
    return found


def used(found: Sequence[Outcome]) -> str:
    """Say how many of some lines would be used."""
    skipped, bad = sum(one.skipped for one in found), [one for one in found if one.reason]
    text = f"{len(found) - len(bad) - skipped} of the first {len(found)} lines would be used"
    text += f", {skipped} skipped" if skipped else ""
    return text + (f", {len(bad)} rejected: {bad[0].reason}" if bad else "")


def left_out(found: Sequence[Outcome]) -> str:
    """Say which fields of some lines their records lack, and how to keep them; "" where there are none."""
    names = sorted({name for one in found for name in one.left_out})
    if not names:
        return ""
    which, be, these, them = (
        ("field", "is", "this name to another field", "it")
        if len(names) == 1
        else ("fields", "are", "these names to other fields", "them")
    )
    return (
        f"the log's own {which} {', '.join(names)} {be} left out, as the mapping gives {these}; to keep {them}, map {them}, too: "
        f'log_{names[0]} = "{names[0]}" in fields'
    )


def _of_url(source: Source, timeout: float) -> Sample:
    try:
        with (
            open_session(source) as session,
            session.get(
                source.url, headers={"Range": f"bytes=0-{_BYTES - 1}"}, timeout=timeout, stream=True
            ) as answer,
        ):
            if answer.status_code not in (200, 206, 416):
                raise AnalyticsError(
                    f"{without_secrets(source.url)}: expected status 200, got {answer.status_code}"
                )
            data = b"" if answer.status_code == 416 else answer.raw.read(_BYTES, decode_content=True)
    except FAILURES as error:
        raise AnalyticsError(f"{without_secrets(source.url)}: {reason(error)}") from error
    return Sample(without_secrets(source.url), _whole(data))


def _whole(data: bytes) -> list[bytes]:
    """Return the first whole lines; the last one may have no newline where it is all there is."""
    lines = data.replace(b"\r\n", b"\n").split(b"\n")
    if len(data) >= _BYTES or not lines[-1]:
        lines.pop()
    return [line for line in lines if line.strip()][:LINES]
