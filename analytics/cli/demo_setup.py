"""What the demo is made of: its days, its folder, and what counts."""

import shutil
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click

from analytics.cluster import LocalRegistry
from analytics.cluster.registry import alive
from analytics.errors import AnalyticsError

TIMEZONE = "Asia/Shanghai"
STORES = ("auto", "mongod", "secantus")
ENGINES = ("local", "spark")
EARLIEST_DAY = date(2000, 1, 2)
"""The first day that lies in 2000 as a whole, in UTC, too."""


def engine_section(kind: str | None, master: str) -> dict[str, Any]:
    """Return the keys of ``[engine]``; none where broker and workers count."""
    if kind is None:
        return {}
    return {"kind": kind, "batch_seconds": 1.0, **({"master": master} if kind == "spark" else {})}


def first_day(days: int, last: datetime | None) -> date:
    """Return the first of so many days, of which ``last`` is the last; None: yesterday.

    Raise UsageError for a last day that has not ended, or a first one before 2000: such records are rejected.
    """
    yesterday = (datetime.now(ZoneInfo(TIMEZONE)) - timedelta(days=1)).date()
    if last is not None and last.date() > yesterday:
        raise click.UsageError(
            f"--date: expected a day that has ended, {yesterday} at the latest, got {last:%Y-%m-%d}"
        )
    earliest = EARLIEST_DAY + timedelta(days=days - 1)
    if last is not None and last.date() < earliest:
        raise click.UsageError(
            f"--date: expected {earliest} or later for {days} days, since 2000, got {last.date()}"
        )
    return (yesterday if last is None else last.date()) - timedelta(days=days - 1)


def make_room(data: Path) -> None:
    """Empty the demo's folder. Raise AnalyticsError if another demo uses it, or it is no demo's."""
    used = [node.pid for node in LocalRegistry(data).list() if alive(node)]
    if used:
        raise AnalyticsError(
            f"{data}: a demo runs there already (process {used[0]}); end it, or name another --data"
        )
    if data.exists() and any(data.iterdir()) and not (data / "analytics.toml").exists():
        raise AnalyticsError(
            f"{data}: expected an empty folder or that of an earlier demo; name another --data"
        )
    shutil.rmtree(data, ignore_errors=True)
    data.mkdir(parents=True)
