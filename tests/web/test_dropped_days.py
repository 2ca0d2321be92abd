"""Pages and API say which days of a collection are no longer kept."""

from pathlib import Path

import pytest
from store_reader import StoreReader

from analytics.config import AreaSection, Config, DocumentsSection, Game, areas, catalogue
from analytics.core.periods import zone
from analytics.store import MemoryStore, Write
from analytics.store.reading import ReadOnly
from analytics.web.app import create_app
from analytics.web.data import Data

START = zone("Asia/Shanghai").day_of("2026-03-10")


@pytest.fixture(scope="module", params=[True, False], ids=["dropped now", "no longer dropped"])
def client(tmp_path_factory, request):
    config = Config(
        data=Path(tmp_path_factory.mktemp("data")),
        games={"dl": Game(areas={"one": AreaSection(plat="p")})},
        documents=DocumentsSection(
            {"loginhour": 60, "payorderdetail": 60, "shop": 60} if request.param else {}
        ),
    )
    store = MemoryStore()
    for name in ("loginhour", "payorderdetail"):
        store.write("positions", [Write(f"dropped:{name}", {"until": START + 50, "_v": 1}, None)])
    data = Data(
        config,
        ReadOnly(store),
        StoreReader(store),
        areas(config),
        lambda: START + 9e6,
        bolts=catalogue(config),
    )
    return create_app(data).test_client()


@pytest.mark.parametrize(
    ("where", "dropped"),
    [
        ({"area": "one", "from": "2026-03-09"}, ["loginhour", "payorderdetail"]),
        ({"area": "one", "from": "2026-03-10"}, []),
        ({"from": "2026-03-09"}, ["payorderdetail"]),
    ],
    ids=["an area", "later", "totals are kept"],
)
def test_days_that_are_not_kept_are_named(client, where, dropped):
    where = where | {"to": "2026-03-12"}
    scope = client.get("/api/v1/payment", query_string=where).json["scope"]
    assert scope["dropped"] == dict.fromkeys(dropped, "2026-03-10")
    page = client.get("/", query_string=where).text
    for name in ("loginhour", "payorderdetail", "shop"):
        assert (f"{name}: days before 2026-03-10 are no longer kept." in page) == (name in dropped)
