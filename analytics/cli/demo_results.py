"""What the demo shows: some of the documents as tables, and where they differ from the game's own books."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.table import Table

from analytics.config import Config, areas
from analytics.core.areas import Areas
from analytics.store import Document, Store

ROWS = 30
TOP = 10
OWN_FIELDS = ("updated", "parts")
Expected = Mapping[str, Mapping[str, Mapping[str, Any]]]


def differences(store: Store, expected: Expected) -> list[str]:
    """Return, in words, each document that is missing, unexpected or different; lists count as sets."""
    result = []
    for collection, wanted in expected.items():
        found = {
            document["_id"]: _public(store.whole(collection, document)) for document in store.find(collection)
        }
        for id in sorted(wanted.keys() | found.keys()):
            if id not in found:
                result.append(f"{collection} {id}: expected a document, found none")
            elif id not in wanted:
                result.append(f"{collection} {id}: expected none, found a document")
            elif found[id] != wanted[id]:
                fields = [
                    name
                    for name in wanted[id].keys() | found[id].keys()
                    if _differ(name, found[id], wanted[id])
                ]
                result.append(f"{collection} {id}: differs in {', '.join(sorted(fields))}")
    return result


def show_results(console: Console, store: Store, config: Config) -> None:
    """Print the areas' days, one day's logins by hour, and who paid most."""
    claimed = areas(config)
    days = [document for document in store.find("server") if document["area"] in claimed]
    console.print(_server_table(days, claimed))
    if days:
        busiest = max(days, key=lambda day: int(day["active"]))
        console.print(_hour_table(store, busiest, claimed))
    console.print(_payer_table(store, claimed))


def _public(document: Document) -> Document:
    fields = {name: value for name, value in document.items() if name[0] != "_" and name not in OWN_FIELDS}
    return {name: sorted(value) if isinstance(value, list) else value for name, value in fields.items()}


def _differ(name: str, one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return bool(one.get(name) != other.get(name)) or (name in one) != (name in other)


def _server_table(days: list[Document], claimed: Areas) -> Table:
    title = (
        f"server: each area and day (the last {ROWS} of {len(days)})"
        if len(days) > ROWS
        else "server: each area and day"
    )
    table = Table(title=title, title_justify="left")
    names = ("active", "reg", "create_role", "pay_user", "pay_count", "pay_amout")
    for column in ("day", "game", "server", *names):
        table.add_column(column, justify="right" if column in names else "left")
    for day in sorted(days, key=lambda day: (day["ts"], day["area"]))[-ROWS:]:
        values = [f"{day[name]:,}" for name in names]
        table.add_row(
            _local(claimed, day, "%Y-%m-%d"), day["game"], claimed[day["area"]].server_name, *values
        )
    return table


def _hour_table(store: Store, day: Document, claimed: Areas) -> Table:
    area = claimed[day["area"]]
    name = f"{area.server_name} on {_local(claimed, day, '%Y-%m-%d')}"
    table = Table(title=f"loginhour: {name}", title_justify="left")
    table.add_column("hour")
    table.add_column("count", justify="right")
    table.add_column("")
    until = area.zone.next("day", day["ts"])
    for hour in store.find("loginhour", area=area.id, since=day["ts"], until=until):
        table.add_row(_local(claimed, hour, "%H:%M"), str(hour["count"]), "▇" * min(60, hour["count"]))
    return table


def _payer_table(store: Store, claimed: Areas) -> Table:
    table = Table(title="payorderdetail: who paid most", title_justify="left")
    for column in ("acct", "game", "server", "payments", "amount"):
        table.add_column(column, justify="right" if column in ("payments", "amount") else "left")
    sums: dict[tuple[str, str], list[float]] = {}
    for one in store.find("payorderdetail"):
        total = sums.setdefault((one["area"], one["acct"]), [0, 0])
        total[0] += one["pay_count"]
        total[1] += round(one["pay_amout"] * 100)
    for (area, acct), (count, cents) in sorted(sums.items(), key=lambda item: -item[1][1])[:TOP]:
        place = claimed[area]
        table.add_row(acct, place.game, place.server_name, f"{count:,}", f"{cents / 100:,.2f}")
    return table


def _local(claimed: Areas, document: Document, form: str) -> str:
    local: datetime = claimed[document["area"]].zone.local(document["ts"])
    return local.strftime(form)
