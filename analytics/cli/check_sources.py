"""What ``analytics check`` tries of a source of each kind."""

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from analytics.cli.console import some
from analytics.cluster import LocalRegistry
from analytics.cluster.registry import alive
from analytics.config import Config, Source
from analytics.config.uris import without_secrets
from analytics.errors import AnalyticsError
from analytics.spouts.httpclient import FAILURES, open_session, reason
from analytics.spouts.mapping.sample import left_out, outcomes, sample_of, used
from analytics.spouts.sources.matching import hidden_by, matching, refusal
from analytics.store.probe import Finding, Grade
from analytics.system import ports

TIMEOUT = 5.0  # seconds, for whatever is asked over a network


class CheckFailed(AnalyticsError):
    """A check failed. The message says what to do."""


Outcome = str | Iterable[Finding]


def runs(config: Config, name: str) -> bool:
    """Return whether a node of this host runs."""
    return any(node.name == name and alive(node) for node in LocalRegistry(config.data).list())


def unused(port: int, host: str = "127.0.0.1") -> int:
    """Return ``port`` if it can be listened on."""
    if error := ports.refusal(host, port):
        raise CheckFailed(
            f"port {port} on {host}: {error.strerror}; another program uses it: end that, or choose another port"
        ) from error
    return port


def _files(source: Source, config: Config) -> list[Finding]:
    for error in hidden_by(source.path):
        raise CheckFailed(f"{error.filename}: {error.strerror}; no file behind it is read") from error
    statuses = dict(_statuses(map(Path, matching(source.path))))
    for path, status in statuses.items():
        if why := refusal(path, status):
            raise CheckFailed(why)
    found = [path for path, status in statuses.items() if stat.S_ISREG(status.st_mode)]
    if not found:
        folder = Path(source.path).parent
        meant = "[" in str(folder) and folder.exists()
        hint = "; write [[] for a [ that is part of a name" if meant else ""
        raise CheckFailed(f"no file matches {source.path}; nothing is read until one does{hint}")
    unreadable = [path for path in found if not os.access(path, os.R_OK)]
    if unreadable:
        raise CheckFailed(f"{unreadable[0]}: this user may not read it; change its permissions")
    return [Finding(Grade.OK, f"{some(len(found), 'file')} found"), *_sample(source, config)]


def _statuses(paths: Iterable[Path]) -> Iterator[tuple[Path, os.stat_result]]:
    for path in paths:
        try:
            yield path, path.stat()
        except FileNotFoundError:  # a link to nothing, or a file that has just been rotated
            continue
        except OSError as error:
            raise CheckFailed(f"{path}: {error.strerror}") from error


def _web_log(source: Source, config: Config) -> list[Finding]:
    return [*_log(source), *_sample(source, config)]


def _port(source: Source, config: Config) -> str:
    if runs(config, "gamelog"):
        return f"the spout runs and listens on {source.host}:{source.port}"
    return f"port {unused(source.port, source.host)} is free"


def _sample(source: Source, config: Config) -> Iterator[Finding]:
    """Try the first lines of a source: whether records come of them."""
    sample = sample_of(source, min(source.timeout_seconds, TIMEOUT))
    found = outcomes(config, sample, source.name, source.game)
    if not found:
        return
    bad, good = any(one.reason for one in found), any(one.record for one in found)
    grade = Grade.OK if not bad else Grade.WARNING if good else Grade.ERROR
    advice = f"; `bin/analytics try {source.name}` shows them" if bad or not good else ""
    yield Finding(grade if good or bad else Grade.WARNING, f"{sample.where}: {used(found)}{advice}")
    if lost := left_out(found):
        yield Finding(Grade.WARNING, f"{sample.where}: {lost}")


def _log(source: Source) -> list[Finding]:
    """Request the log's first byte; an empty log (416) is fine."""
    shown = without_secrets(source.url)
    timeout = min(source.timeout_seconds, TIMEOUT)
    try:
        with (
            open_session(source) as session,
            session.get(source.url, headers={"Range": "bytes=0-0"}, timeout=timeout, stream=True) as answer,
        ):
            status, size = answer.status_code, int(answer.headers.get("Content-Length", "0"))
    except FAILURES as error:
        raise CheckFailed(
            f"{shown}: {reason(error)}; is the address right, and the server running?"
        ) from error
    if status not in (200, 206, 416):
        raise CheckFailed(
            f"{shown}: expected status 200, got {status} {answer.reason}; is the address right?"
        )
    if status == 200 and size > 1:
        text = (
            f"{shown}: expected one byte (206), got the whole log (200, {size / 1e6:,.1f} MB), so it is requested "
            "less often; configure the server to answer Range requests"
        )
        return [Finding(Grade.WARNING, text)]
    return [Finding(Grade.OK, f"{shown} answers {status}")]


SOURCE_CHECKS: dict[str, Callable[[Source, Config], Outcome]] = {
    "http": _web_log,
    "file": _files,
    "tcp": _port,
}
"""The check of each kind of source."""
