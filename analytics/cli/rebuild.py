"""``analytics rebuild``: derives documents again from the journals, while the suite runs."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

import click
import msgspec
from rich.table import Table

from analytics.broker.clients import Publisher
from analytics.cli.choosing import DAY, choosing
from analytics.cli.console import console, right, some
from analytics.cli.streams import data_stream, visible
from analytics.config import Config, catalogue
from analytics.core.agree import NOTHING, ListChanged
from analytics.errors import AnalyticsError
from analytics.rebuild.check import DifferingDocument
from analytics.rebuild.gaps import Gap
from analytics.rebuild.run import Rebuild
from analytics.rebuild.selection import RebuildResult, Selection, configured
from analytics.runtime.nodes import require_broker
from analytics.runtime.outdated import refuse_outdated
from analytics.runtime.rate_notes import RateNotes
from analytics.runtime.timers.collections import written
from analytics.store import open_store
from analytics.timers import NAMES as TIMERS

ITEMS_SHOWN = 5  # of a list that differs
CHARACTERS_SHOWN = 60  # of a value that differs
CHARACTERS_OF_RECORD = 300
_encoder = msgspec.json.Encoder(enc_hook=str)


@click.command()
@choosing("Only this bolt's documents; may be given several times. A timer bolt's name is one, too.")
@click.option("--dry-run", "dry", is_flag=True, help="Write nothing; print each document that would change.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON line for each document that differed.")
@click.option(
    "--journals",
    "folders",
    multiple=True,
    metavar="FOLDER",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A folder with further journals, of other hosts or archived; may be given several times.",
)
@click.option(
    "--complete-from",
    "complete",
    type=DAY,
    help="Assume that the journals have all records of this day and later, although some seem to be missing.",
)
@click.option(
    "--remove-many",
    is_flag=True,
    help="Remove documents that no record supports, even if they are more than a tenth of a bolt's.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0),
    default=60.0,
    show_default=True,
    help="Seconds to wait for bolts that make no progress.",
)
@click.pass_obj
def rebuild(
    config: Config,
    names: tuple[str, ...],
    area: str,
    since: datetime | None,
    until: datetime | None,
    dry: bool,
    as_json: bool,
    folders: tuple[Path, ...],
    complete: datetime | None,
    remove_many: bool,
    timeout: float,
) -> None:
    """Derive documents again from the journals, and correct those that differ, while the suite runs.

    Journals may be gzipped. Correct documents stay untouched. If it is interrupted, call it again. The exit status is 1
    if documents could not be derived, since the journals no longer have their records.
    """
    require_broker(
        config,
        "rebuild",
        "`bin/analytics engine backfill` derives documents from the journals, and `bin/analytics timers` those of timer bolts",
    )
    days = [one.date() if one else None for one in (since, until, complete)]
    wanted = replace(
        wanted_documents(config, names, area, days[0], days[1]),
        complete=days[2], remove_many=remove_many, dry=dry, timeout=timeout, folders=folders,
    )  # fmt: skip
    if not dry:
        refuse_outdated(config)
    lines = data_stream() if as_json else sys.stdout

    def report(change: DifferingDocument) -> None:
        if as_json:
            lines.write(_as_json(change))
        elif dry:
            lines.writelines(f"{visible(line)}\n" for line in _as_text(change))

    with closing(open_store(config)) as store, closing(Publisher(config.broker, "rebuild")) as publisher:
        RateNotes(config, store).refuse_lost(wanted.bolts, folders)
        outcome = Rebuild(config, store, publisher, wanted, report, lambda text: _say(f"{text} …")).run()
    if not as_json:
        _summary(wanted, outcome)
    _report_problems(outcome)
    if outcome.left_out or outcome.spared or outcome.kept or outcome.done.restless:
        sys.exit(1)


def wanted_documents(
    config: Config, names: tuple[str, ...], area: str, since: date | None, until: date | None
) -> Selection:
    """Return the documents to check. Raise AnalyticsError for an unknown name."""
    known, every = configured(config), catalogue(config)
    for name in names:
        if name not in known and name not in TIMERS:
            raise AnalyticsError(
                f'--bolt: expected a bolt that the configuration runs, got "{name}"; there are: '
                f"{', '.join([*known, *TIMERS])}"
            )
    if area and not any(area in of.areas for of in config.games.values()):
        raise AnalyticsError(f'--area: there is no area "{area}" in {config.file}')
    bolts = [name for name in known if name in names or not names]
    if since or until:
        timeless = [name for name in bolts if every[name].period is None]
        if names and timeless:
            raise AnalyticsError(
                f"--from, --to: documents of {', '.join(timeless)} have no day: leave the dates or these bolts out"
            )
        bolts = [name for name in bolts if name not in timeless]
    timers = tuple(name for name in TIMERS if name in names or not names)
    return Selection(tuple(bolts), timers, every, area, since, until)


def _as_json(change: DifferingDocument) -> str:
    fields = {}
    for name, one in change.differences.items():
        if isinstance(one, ListChanged):
            fields[name] = {"fewer": list(one.fewer), "more": list(one.more)}
        else:
            sides = {"old": one.old, "new": one.new}
            fields[name] = {key: value for key, value in sides.items() if value is not NOTHING}
    line = {"collection": change.collection, "id": change.id, "what": change.what, "fields": fields}
    return _encoder.encode(line).decode() + "\n"


def _as_text(change: DifferingDocument) -> Iterator[str]:
    yield f"{change.collection} {change.id}: {change.what}"
    width = max(map(len, change.differences), default=0)
    for name, one in change.differences.items():
        if isinstance(one, ListChanged):
            fewer, more = (f"{sign}{_items(items)}" for sign, items in (("−", one.fewer), ("+", one.more)))
            yield f"    {name:<{width}}  {fewer}  {more}"
        else:
            yield f"    {name:<{width}}  {_shown(one.old)} → {_shown(one.new)}"


def _items(items: Any) -> str:
    if not items:
        return "0"
    first = ", ".join(_shown(one) for one in items[:ITEMS_SHOWN])
    return f"{len(items):,} ({first}{', …' if len(items) > ITEMS_SHOWN else ''})"


def _shown(value: object) -> str:
    if value is NOTHING:
        return "nothing"
    text = _encoder.encode(value).decode()
    return text if len(text) <= CHARACTERS_SHOWN else text[:CHARACTERS_SHOWN] + "…"


def _summary(wanted: Selection, outcome: RebuildResult) -> None:
    counts, looked = outcome.done.changed, outcome.done.looked
    kinds = ("changed", "missing", "extra")
    table = Table("collection", *right("looked at", *kinds))
    differing = {name for name, _ in counts}
    for name in (*wanted.bolts, *(name for name in written(wanted.catalogue) if name in differing)):
        numbers = [counts[name, what] for what in kinds]
        table.add_row(name, f"{looked[name]:,}" if name in looked else "", *(f"{n:,}" for n in numbers))
    out = console()
    out.print(table)
    total = counts.total()
    corrected = "would change" if wanted.dry else "was corrected" if total == 1 else "were corrected"
    what = f"{some(total, 'document')} {corrected}" if total else "nothing to correct"
    for text, count in sorted(outcome.dropped.items()):
        dropped = f"dropped by documents.keep_days, and not derived again: {text}, in {some(count, 'area')}"
        out.print(dropped, highlight=False)
    if outcome.resolved:
        out.print(
            f"{outcome.resolved:,} rejected records are counted now, and no longer listed", highlight=False
        )
    if outcome.dated:
        got = "would get" if wanted.dry else "got"
        out.print(f"{outcome.dated:,} documents that no journal covers {got} their dates", highlight=False)
    out.print(f"{some(outcome.lines, 'line')} of {some(outcome.files, 'journal')}: {what}", highlight=False)


def _report_problems(outcome: RebuildResult) -> None:
    if outcome.nowhere.unmapped:
        _say(
            f"{outcome.nowhere.unmapped:,} journaled lines are no records by the mapping of their source now, and count nowhere"
        )
    for reason, count in outcome.nowhere.reasons().most_common():
        example = outcome.nowhere.example[reason].decode(errors="replace")[:CHARACTERS_OF_RECORD]
        _say(f"{some(count, 'journaled record')} can't be used, and counted nowhere: {reason}")
        _say(f"  for example {visible(example)}")
    if outcome.listed:
        _say(f"{some(outcome.listed, 'record')} of these are new on the list of `bin/analytics rejected`")
    if outcome.nowhere.unreadable:
        _say(f"{outcome.nowhere.unreadable:,} journaled lines are no records, and were skipped")
    for text in outcome.damaged:
        _say(f"a journal is damaged, and its records after that count as missing: {text}")
    if outcome.left_out:
        for hole in outcome.gaps:
            _say(why_missing(hole, outcome.without_mapping, "accepted"))
        _say("these documents were left as they are, since their records are missing:")
        for text, count in sorted(outcome.left_out.items()):
            _say(f"  {text}, in {some(count, 'area')}")
        _say(
            "if you have moved journals away, put them back into the data folder; if you know from which day on"
        )
        _say("the journals are complete, give it with --complete-from")
    if outcome.unaccepted:
        _say(f"{outcome.unaccepted:,} journaled records are not accepted yet, and not counted")
    for name, count in outcome.spared.items():
        _say(
            f"no record supports {count:,} documents of {name}, which is many: do the journals, data/filter and"
        )
        _say("the database belong together? The documents were kept; --remove-many removes them")
    for name, count in outcome.kept.items():
        _say(
            f"{count:,} documents of {name} begin at midnights of another zone, as the day documents behind them do,"
        )
        _say("which can't be derived again: their journals are gone. Both were left as they are")
    for name, id_ in outcome.done.restless:
        _say(f"{name} {id_} changed at each attempt: call this again")


def why_missing(hole: Gap, unmapped: Mapping[str, str], what: str) -> str:
    """Return why records are missing that are ``what``. ``unmapped``: the names of sources that are no longer configured."""
    records = f"{hole.records:,} {what} records of {hole.source}"
    if name := unmapped.get(hole.source):
        return f"{records} can't be read: the configuration has no source {name} with a format any more; put it back"
    return f"{records} are in no journal any more"


def _say(text: str) -> None:
    print(f"rebuild: {text}", file=sys.stderr)
