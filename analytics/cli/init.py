"""``analytics init``: a few questions, and a configuration that reads a log of yours."""

import json
from pathlib import Path

import click

from analytics.cli.try_lines import table
from analytics.config import load
from analytics.core.periods import zone
from analytics.errors import AnalyticsError, ConfigError
from analytics.spouts.mapping.sample import Sample, outcomes, sample_of_file, used
from analytics.spouts.mapping.suggest import suggest, toml_key

_NAME = "log"


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path), default="analytics.toml")
@click.option(
    "--log", prompt="Which log does your game server write", type=click.Path(exists=True, dir_okay=False)
)
@click.option("--game", prompt="What is the game called, in letters and digits", default="mygame")
@click.option("--area", prompt="What is the id of the game server whose log this is", default="s1")
@click.option("--plat", prompt="Which platform or publisher runs it", default="1")
@click.option("--timezone", prompt="In which time zone do its days begin", default="Asia/Shanghai")
def init(file: Path, log: str, game: str, area: str, plat: str, timezone: str) -> None:
    """Write a configuration, FILE [default: analytics.toml], that reads a log of yours.

    What lines of another shape mean is guessed from the first of them; look it through, and see `bin/analytics try`.
    """
    if file.exists():
        raise AnalyticsError(f"{file}: expected a new file, found one; name another, or move this one away")
    try:
        zone(timezone)
    except ConfigError as error:
        raise AnalyticsError(
            f'--timezone: expected an IANA name like "Asia/Shanghai", got "{timezone}"'
        ) from error
    sample = sample_of_file(Path(log).absolute())
    if not sample.lines:
        raise AnalyticsError(f"{log}: expected a log with some lines, found none")
    head = f'data = "data"\ntimezone = "{timezone}"\n\n'
    tail = f"\n[games.{toml_key(game)}.areas.{toml_key(area)}]\nplat = {json.dumps(plat)}\n"
    plain = head + table(_NAME, sample.where, "") + tail
    text = (
        plain
        if _useful(file, plain, sample)
        else head + table(_NAME, sample.where, _mapping(sample, area, timezone)) + tail
    )
    _write(file, text)
    found = outcomes(load(file), sample, _NAME)
    click.echo(f"{file}: written. {used(found)}.")
    click.echo(f"Look: bin/analytics --config {file} try {_NAME}\nStart: bin/analytics --config {file} start")


def _mapping(sample: Sample, area: str, timezone: str) -> str:
    found = suggest(sample.lines, [area], timezone)
    if found is None:
        raise AnalyticsError(
            f"{sample.where}: expected JSON, logfmt, CSV, or lines that begin with a time, got other lines; write a mapping "
            'with format = "regex" as docs/how-to/foreign-logs.md explains'
        )
    return found.toml()


def _useful(file: Path, text: str, sample: Sample) -> bool:
    """Say whether a configuration makes records of most lines."""
    _write(file, text)
    try:
        found = outcomes(load(file), sample, _NAME)
    finally:
        file.unlink()
    return 2 * sum(one.record is not None for one in found) >= len(found)


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text)
    except OSError as error:
        raise AnalyticsError(
            f"{file}: {error.strerror}; name a file in a folder that you may write to"
        ) from error
