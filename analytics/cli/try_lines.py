"""``analytics try``: what the first lines of a source become, or why they can't be used, and what they may mean."""

import glob
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import msgspec

from analytics.bolts import BOLTS
from analytics.cli.console import Console, console, escape
from analytics.config import Catalogue, Config, Source, areas, catalogue
from analytics.config.unquoted import unquoted
from analytics.core.areas import Areas
from analytics.core.reference import Reference
from analytics.errors import AnalyticsError
from analytics.spouts.mapping.sample import (
    LINES,
    Outcome,
    Sample,
    left_out,
    outcomes,
    sample_of,
    sample_of_file,
    used,
)
from analytics.spouts.mapping.suggest import suggest
from analytics.spouts.sources.matching import matching

_SHOWN = 200


class _AreaTime(msgspec.Struct):
    area: str
    ts: int


@click.command("try")
@click.argument("what", metavar="SOURCE|FILE")
@click.option(
    "--lines",
    "count",
    type=click.IntRange(1, LINES),
    default=10,
    show_default=True,
    help="How many lines to show. Of later lines, write some to a file and name it.",
)
@click.option("--mapping", default="", metavar="SOURCE", help="Read the file by the mapping of this source.")
@click.pass_obj
def try_lines(config: Config, what: str, count: int, mapping: str) -> None:
    """Show what the first lines of a source or file become.

    For each line: the tuple, its area and hour, and the bolts that count it; or why it can't be used. Nothing is
    journaled or counted. For a file that no source of the configuration reads, a mapping is suggested.
    """
    out, bolts = console(highlight=False), catalogue(config)
    source, sample = _found(config, what, mapping)
    if not sample.lines:
        raise AnalyticsError(f"{sample.where}: expected lines, found none")
    name, game = (source.name, source.game) if source else ("", "")
    found = outcomes(config, sample, name, game)
    for one in found[:count]:
        _print(out, one, areas(config), bolts)
    how = f"by the mapping of {name}" if source and source.format else "as lines of the documented shape"
    out.print(f"{escape(sample.where)}, {how}: {escape(used(found))}.", soft_wrap=True)
    for warning in filter(None, (left_out(found), *unquoted(config))):
        out.print(f"[yellow]Warning:[/yellow] {escape(warning)}.", soft_wrap=True)
    if not any(one.record for one in found) or (
        source is None and all(_uncounted(bolts, one) for one in found)
    ):
        _suggest(out, config, sample, name)


def _found(config: Config, what: str, mapping: str) -> tuple[Source | None, Sample]:
    """Return the source whose mapping reads the lines, and the lines."""
    by_name = {source.name: source for source in config.gamelog.sources}
    if mapping and mapping not in by_name:
        raise AnalyticsError(
            f'--mapping: expected a source ({", ".join(by_name) or "none"}), got "{mapping}"'
        )
    if what in by_name and not mapping:
        return by_name[what], sample_of(by_name[what])
    path = Path(what)
    if not path.exists():
        raise AnalyticsError(f'expected a source ({", ".join(by_name) or "none"}) or a file, got "{what}"')
    sources = (one for one in by_name.values() if one.kind == "file" and _matches(one, path))
    return by_name[mapping] if mapping else next(sources, None), sample_of_file(path)


def _matches(source: Source, path: Path) -> bool:
    return any(Path(one).resolve() == path.resolve() for one in matching(source.path))


def _uncounted(bolts: Catalogue, one: Outcome) -> bool:
    return not one.topic or not list(bolts_of(bolts, one.topic))


def _print(out: Console, one: Outcome, there: Areas, bolts: Catalogue) -> None:
    line = one.line.decode(errors="replace")
    out.print(f"[bold]{one.n}[/bold]  {escape(line[:_SHOWN])}", soft_wrap=True)
    if one.record is None:
        text = f"[red]rejected[/red]: {escape(one.reason)}" if one.reason else "skipped"
        out.print(f"   {text}", soft_wrap=True)
        return
    record = msgspec.json.decode(one.record, type=_AreaTime)
    shown = json.loads(bytes(one.record))
    del shown["id"]
    area = there[record.area]
    hour = f"{area.zone.local(area.zone.start('hour', record.ts)):%Y-%m-%d %H:%M} {area.zone.name}"
    counted = ", ".join(bolts_of(bolts, one.topic)) or "no bolt"
    called = f" ({area.name})" if area.name else ""
    out.print(f"   {escape(json.dumps(shown, ensure_ascii=False))}", soft_wrap=True)
    out.print(f"   area {escape(record.area + called)}, hour {hour}, counted by {counted}", soft_wrap=True)
    for fault in _folding_faults(bolts, there, one.topic, shown | {"id": "try:1"}):
        out.print(f"   [red]not counted[/red]: {escape(fault)}", soft_wrap=True)


def _folding_faults(bolts: Catalogue, there: Areas, topic: str, record: dict[str, Any]) -> Iterator[str]:
    """Fold a record for each bolt of one's own that reads it, and yield where its Python code fails."""
    for name in bolts.keys() - BOLTS.keys():
        if topic not in bolts[name].reads:
            continue
        try:
            Reference([bolts[name]], there).put(topic, [record])
        except Exception as error:  # whatever its author's code raises
            yield " ".join(
                [f"{type(error).__name__}: {error}", *getattr(error, "__notes__", [f"in bolt {name}"])]
            )


def bolts_of(bolts: Catalogue, topic: str) -> Iterator[str]:
    """Yield the bolts that a topic's tuples reach, those that read other bolts, too."""
    reached = {topic}
    for name, bolt in bolts.items():
        if reached & {*bolt.reads}:
            reached.add(name)
            yield name


def _suggest(out: Console, config: Config, sample: Sample, name: str) -> None:
    """Suggest a table, or where there is the one of the source ``name``, what it has to say."""
    there = areas(config)
    found = suggest(sample.lines, [*there] or ["s1"], config.timezone)
    if found is None:
        out.print(
            "The lines look like no format that is known. See docs/how-to/foreign-logs.md.", soft_wrap=True
        )
        return
    path = str(Path(sample.where).absolute())
    text = found.toml() if name else table(Path(path).stem or "s1", path, found.toml())
    where = f"the table of {escape(name)}" if name else "the configuration"
    out.print(f"\nThey may mean this; put it into {where}, correct it, and try it again by its name:\n")
    out.print(escape(text), soft_wrap=True)


def table(name: str, path: str, mapping: str) -> str:
    """Return the table of a source of files, as TOML."""
    safe = "".join(char if char.isascii() and (char.isalnum() or char in "_.-") else "-" for char in name)
    kind = f'name = "{safe}"\nkind = "file"\npath = {json.dumps(glob.escape(path), ensure_ascii=False)}'
    return f"[[gamelog.sources]]\n{kind}\n{mapping}"
