"""What whole games, plats and united areas come to: the sums of the documents of their areas."""

from collections import Counter
from collections.abc import Mapping

from analytics.simulate.subledgers.common import Calendar, Documents, Fields, Servers, money, share

COINS = ("count", "amount", "users", "gain_count", "gain_amount")
SUMMED: Mapping[str, tuple[str, ...]] = {
    "loginhour": ("count",),
    "signuphour": ("count",),
    "createrolehour": ("count",),
    "coinhour": COINS,
    "coinday": COINS,
    "cointype": COINS,
    "gamecopy": ("enter", "pass", "fail", "users"),
    "mainline": ("accept", "finish", "accept_users", "finish_users"),
    "shop": ("count", "num", "amount", "users"),
    "userlevel": ("users",),
}
KEYS = {"cointype": "reason", "gamecopy": "fuben", "mainline": "task", "shop": "item"}
COLUMNS = ("dau", "wau", "mau", "payers", "revenue", "reg", "new_payers")


def totals(documents: Documents, servers: Servers, calendar: Calendar, today: int) -> Documents:
    """Return the totals of every collection that has such sums, and the tables of all areas."""
    found = {
        f"{name}_total": _summed(name, documents.get(name, {}), servers, calendar, today) for name in SUMMED
    }
    revenue = _revenue(documents["revenueday"], servers, calendar, today)
    return {**found, "revenueday_total": revenue, "areas_total": _tables(documents["kpi"])}


def _summed(
    name: str, documents: dict[str, Fields], servers: Servers, calendar: Calendar, today: int
) -> dict[str, Fields]:
    result: dict[str, Fields] = {}
    sums: dict[str, Counter[str]] = {}
    levels: dict[str, Counter[int]] = {}
    for one in documents.values():
        key: Fields = {field: one[field] for field in (KEYS[name],)} if name in KEYS else {}
        for begin, about in servers[one["area"]].totals:
            id_ = ":".join([begin, str(one["ts"]), *map(str, key.values())])
            same: Fields = {"type": one["type"]} if "type" in one else {}
            final = {"final": calendar.day(one["ts"]) < today}
            result[id_] = {**about, "ts": one["ts"], **key, **same, **final}
            sums.setdefault(id_, Counter()).update({field: one[field] for field in SUMMED[name]})
            levels.setdefault(id_, Counter()).update({int(k): v for k, v in one.get("levels", {}).items()})
    for id_, document in result.items():
        document |= {field: sums[id_][field] for field in SUMMED[name]}
        if name == "userlevel":
            document["levels"] = {str(grade): levels[id_][grade] for grade in sorted(levels[id_])}
        elif name == "mainline":
            document["finish_rate"] = share(document["finish_users"], document["accept_users"])
    return result


def _revenue(
    documents: dict[str, Fields], servers: Servers, calendar: Calendar, today: int
) -> dict[str, Fields]:
    """Return the sums of ``revenueday``, in cents on the way."""
    heads: dict[str, Fields] = {}
    sums: dict[str, Counter[str]] = {}
    tables: dict[str, dict[str, Counter[str]]] = {}
    for one in documents.values():
        for begin, about in servers[one["area"]].totals:
            id_ = f"{begin}:{one['ts']}"
            heads[id_] = {**about, "ts": one["ts"], "final": calendar.day(one["ts"]) < today}
            amounts = {name: round(100 * one[name]) for name in ("gross", "refunds", "net")}
            sums.setdefault(id_, Counter()).update(amounts)
            for name in ("gross_in", "refunds_in", "net_in", "converted"):
                entries = {currency: round(100 * amount) for currency, amount in one[name].items()}
                tables.setdefault(id_, {}).setdefault(name, Counter()).update(entries)
    return {
        id_: head
        | {name: money(cents) for name, cents in sums[id_].items()}
        | {name: {one: money(cents) for one, cents in table.items()} for name, table in tables[id_].items()}
        for id_, head in heads.items()
    }


def _tables(kpi: dict[str, Fields]) -> dict[str, Fields]:
    """Return, for each day of a game, the figures of its areas as columns."""
    result: dict[str, Fields] = {}
    for one in sorted(kpi.values(), key=lambda one: str(one["area"])):
        about = {"scope": "game", "game": one["game"], "ts": one["ts"]}
        empty: Fields = {"areas": [], **{name: [] for name in COLUMNS}}
        table = result.setdefault(f"game:{one['game']}:{one['ts']}", about | empty | {"final": one["final"]})
        table["areas"].append(one["area"])
        for name in COLUMNS:
            table[name].append(one[name])
    return result
