"""``analytics show``: prints documents, as a table for people, or in full as JSON lines or CSV."""

import csv
import difflib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

import click
import msgspec
from rich.table import Table

from analytics.cli.console import UNCUT, console, text
from analytics.cli.streams import data_stream, until_reader_leaves
from analytics.config import Catalogue, Config, areas, catalogue
from analytics.core.areas import Areas
from analytics.core.document import without_dates
from analytics.core.periods import Zone, zone
from analytics.core.tuples import EARLIEST_START
from analytics.errors import AnalyticsError
from analytics.store import Document, Store, open_store
from analytics.store.store import is_total

TABLE_ROWS = 100
ITEMS_SHOWN = 3  # of a list, in a cell
CHARACTERS_SHOWN = 40  # of a text, in a cell
_encoder = msgspec.json.Encoder(enc_hook=str)


@dataclass(frozen=True)
class Span:
    """The requested time span: dates are days of each area's zone."""

    since: str | None
    until: str | None

    def bounds(self, local: Zone) -> tuple[int | None, int | None]:
        """Return the span as ``since <= ts < until`` for areas of that zone."""
        since = None if self.since is None else _instant(local, self.since, "--from", days=0)
        until = None if self.until is None else _instant(local, self.until, "--to", days=1)
        return since, until


@dataclass(frozen=True)
class ShowOptions:
    """The options of the command."""

    collection: str
    area: str | None
    game: str | None
    span: Span
    limit: int | None
    hidden: bool


class DocumentFinder:
    """Finds the documents of a query, by each area's time zone."""

    def __init__(
        self, store: Store, areas: Areas, default: Zone, query: ShowOptions, games: Mapping[str, Zone]
    ) -> None:
        self._store = store
        self._areas = areas
        self._default = default
        self._games = games
        self._query = query

    def zone_of(self, document: Document) -> Zone:
        """Return the zone of a document's area, or of its whole plat or game; the default if it is not configured."""
        if is_total(self._query.collection):
            return self._games.get(document["game"], self._default)
        area = self._areas.get(document["area"])
        return self._default if area is None else area.zone

    def documents(self, limit: int | None) -> Iterator[Document]:
        """Yield documents as stored, sorted by area and time, at most ``limit``."""
        return islice(self._found(), limit)

    def whole(self) -> Iterator[Document]:
        """Yield the query's documents with complete lists, one in memory at a time."""
        for document in self.documents(self._query.limit):
            yield self.visible(self._store.whole(self._query.collection, document))

    def visible(self, document: Document) -> Document:
        """Return a document without the suite's own fields, unless they are requested."""
        if self._query.hidden:
            return document
        return {name: value for name, value in document.items() if not name.startswith("_")}

    def _found(self) -> Iterator[Document]:
        query = self._query
        zones = {area.zone for id, area in self._areas.items() if query.area in (None, id)}
        zones |= {self._default, *self._games.values()}
        bounds = {local: query.span.bounds(local) for local in zones}
        sinces = [since for since, _ in bounds.values() if since is not None]
        untils = [until for _, until in bounds.values() if until is not None]
        found = self._store.find(
            query.collection,
            area=query.area,
            game=query.game,
            since=min(sinces, default=None),
            until=max(untils, default=None),
        )
        for document in found:
            since, until = bounds[self.zone_of(document)]
            ts = document.get("ts", 0)
            if (since is None or since <= ts) and (until is None or ts < until):
                yield document


@click.command()
@click.argument("collection")
@click.option("--area", metavar="ID", help="Only this area.")
@click.option("--game", metavar="NAME", help="Only this game: its areas or totals.")
@click.option(
    "--from", "since", metavar="WHEN", help="First day (2015-01-31, in the area's zone) or Unix second."
)
@click.option("--to", "until", metavar="WHEN", help="Last day, included, or the Unix second to stop before.")
@click.option(
    "--format", "form", type=click.Choice(["table", "json", "csv"]), default="table", show_default=True
)
@click.option("--limit", type=click.IntRange(min=1), help=f"The most documents [table: {TABLE_ROWS}].")
@click.option(
    "--all", "hidden", is_flag=True, help="With _id and the suite's own fields, which begin with _."
)
@click.pass_obj
def show(
    config: Config,
    collection: str,
    area: str | None,
    game: str | None,
    since: str | None,
    until: str | None,
    form: str,
    limit: int | None,
    hidden: bool,
) -> None:
    """Read the documents of COLLECTION, which is named after its bolt, sorted by area and time.

    The table shortens long lists and shows times in the area's zone. json writes one document a line, csv
    one a row with lists as JSON; both are complete, with every value as it is stored.
    """
    query = ShowOptions(collection, area, game, Span(since, until), limit, hidden)
    with closing(open_store(config)) as store, until_reader_leaves():
        claimed = areas(config)
        _check(store, catalogue(config), claimed, query)
        games = {name: zone(game.timezone or config.timezone) for name, game in config.games.items()}
        reader = DocumentFinder(store, claimed, zone(config.timezone), query, games)
        _WRITERS[form](reader, query)


def _check(store: Store, bolts: Catalogue, claimed: Areas, query: ShowOptions) -> None:
    """Raise AnalyticsError for unknown names, with the known ones."""
    stored = [name for name in store.collections() if name not in ("positions", "games")]
    _expect("collection", query.collection, {*bolts, *stored})
    if query.game is not None:
        _expect("game", query.game, {area.game for area in claimed.values()})
    # An area that was removed from the configuration may still have documents.
    if query.area not in (None, *claimed) and store.first(query.collection, area=query.area) is None:
        _expect("area", str(query.area), claimed)


def _expect(what: str, name: str, known: Iterable[str]) -> None:
    names = sorted(known)
    if name in names:
        return
    near = difflib.get_close_matches(name, names, n=1)
    hint = f' Did you mean "{near[0]}"?' if near else ""
    listed = ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")
    raise AnalyticsError(f'there is no {what} "{name}".{hint} There are: {listed or "none yet"}')


def _instant(local: Zone, text: str, option: str, days: int) -> int:
    """Return Unix seconds as they are, or the start of the day that lies ``days`` after the date ``text``."""
    if text.isdecimal() and int(text) >= EARLIEST_START:
        return int(text)
    try:
        return local.day_after(local.day_of(text), days)
    except (ValueError, OverflowError) as error:
        raise click.BadParameter(
            f'expected a date like 2015-01-31 or Unix seconds since 2000, got "{text}"', param_hint=option
        ) from error


def _write_json(reader: DocumentFinder, query: ShowOptions) -> None:
    out = data_stream()
    for document in reader.whole():
        out.write(_encoder.encode(document).decode() + "\n")


def _write_csv(reader: DocumentFinder, query: ShowOptions) -> None:
    # Read twice: the header needs all columns, and a field may occur in some documents only.
    names = dict.fromkeys(name for found in reader.documents(query.limit) for name in reader.visible(found))
    names.pop("parts", None)
    writer = csv.writer(data_stream(), lineterminator="\n")
    if names:
        writer.writerow(names)
    for document in reader.whole():
        writer.writerow([_cell(document.get(name)) for name in names])


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else _encoder.encode(value).decode().strip('"')


def _write_table(reader: DocumentFinder, query: ShowOptions) -> None:
    limit = query.limit or TABLE_ROWS
    found = list(reader.documents(limit + 1))
    shown = found[:limit]
    rows = [(reader.zone_of(document), reader.visible(document)) for document in shown]
    names = dict.fromkeys(name for _, row in rows for name in without_dates(row) if name != "parts")
    # Without a terminal, columns are not cut.
    if not rows:
        click.echo(f"{query.collection}: no documents", err=True)
        return
    table = Table()
    for name in names:
        numeric = all(isinstance(row.get(name, 0), int | float) for _, row in rows) and name != "ts"
        table.add_column(text(name), justify="right" if numeric else "left", overflow="fold")
    for local, row in rows:
        in_parts = "parts" in row
        table.add_row(*[text(_short(local, name, row.get(name, ""), in_parts)) for name in names])
    console(UNCUT).print(table)
    if len(found) > limit:
        click.echo(f"the first {limit} documents; more with --limit, all with --format json or csv", err=True)


def _short(local: Zone, name: str, value: Any, in_parts: bool) -> str:
    """Return a value for a cell of the table."""
    if name == "ts" and isinstance(value, int):
        return f"{local.local(value):%Y-%m-%d %H:%M}"
    if isinstance(value, list):
        items = ", ".join(str(item) for item in value[:ITEMS_SHOWN])
        return _cut(items) + (" …" if in_parts or len(value) > ITEMS_SHOWN else "")
    if isinstance(value, dict):
        return _cut(_encoder.encode(value).decode())
    if isinstance(value, datetime):
        return f"{local.local(int(value.timestamp())):%Y-%m-%d %H:%M:%S}"
    return str(value)


def _cut(text: str) -> str:
    return text if len(text) <= CHARACTERS_SHOWN else text[: CHARACTERS_SHOWN - 1] + "…"


_WRITERS = {"table": _write_table, "json": _write_json, "csv": _write_csv}
