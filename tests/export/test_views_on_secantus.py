"""The embedded server ``secantus`` makes the views' rows as well."""

from pathlib import Path

from needed import EMBEDDED, need

from analytics.config import Config
from analytics.config.sections import StoreSection
from analytics.core.periods import dates, zone
from analytics.export.views import create_views, drop_views, names
from analytics.store import MongoStore, Write, open_store
from analytics.store.embedded import PROGRAM, StoreNode
from analytics.testing.ports import free_ports

AREA = "549140c8dbdb67794fc0fa3b"


def test_views_of_the_embedded_server(tmp_path: Path) -> None:
    need(PROGRAM, EMBEDDED)
    config = Config(data=tmp_path, store=StoreSection(engine="secantus", port=free_ports(1)[0]))
    node = StoreNode(config)
    node.start()
    try:
        node.step()
        store = open_store(config)
        assert isinstance(store, MongoStore)
        key = {
            "area": AREA,
            "game": "dl",
            "plat": "1",
            "ts": 1772726400,
            "_v": 1,
            **dates(zone("Asia/Shanghai"), 1772726400),
        }
        store.write("areas", [Write(AREA, {"zone": "Asia/Shanghai", "_v": 1}, 0)])
        started = {**key, "ts": 1772726405, "day": 1772726400, "final": True}
        store.write("serverstarttime", [Write(AREA, started, 0)])
        store.write("paysummary", [Write("p", {**key, "pay_amout": 2.5, "pay_count": 1}, 0)])
        retention = {"1": {"count": 2, "rate": 50}, "2": {"count": 1, "rate": 25.0}}
        store.write("loginretention", [Write("r", {**key, "reg": 4, "retention": retention}, 0)])
        sums = {
            "gross_in": {"USD": 2.5},
            "refunds_in": {"USD": 0.5},
            "net_in": {"USD": 2},
            "converted": {"USD": 14.2},
        }
        store.write("revenueday", [Write("v", {**key, **sums}, 0)])
        assert set(create_views(store.database)) == set(names())
        paid = store.database.bi_paysummary.find_one()
        assert paid and (paid["day"], paid["pay_amout_cents"]) == ("2026-03-06", 250)
        assert (store.database.bi_serverstarttime.find_one() or {})["day"] == "2026-03-06"
        rows = store.database.bi_loginretention.find()
        assert {(row["n"], row["count"], row["rate"]) for row in rows} == {(1, 2, 50.0), (2, 1, 25.0)}
        (row,) = store.database.bi_revenueday_currency.find()
        amounts = ("currency", "gross", "refunds_cents", "net", "converted")
        assert [row[name] for name in amounts] == ["USD", 2.5, 50, 2.0, 14.2]
        assert set(drop_views(store.database)) == set(names())
        store.close()
    finally:
        node.stop()
