"""Every page over a simulated month says what the game's own books say."""

import csv
import io
import json
import re
from types import SimpleNamespace

import msgspec
import pytest
from dashboard_csvs import CSVS
from month import FIRST, HOUR, LAST, Month, a_month

from analytics.runtime.balance import engine_balance
from analytics.runtime.engine_progress import EngineReport
from analytics.runtime.report import NodeReport
from analytics.runtime.usefulness import SourceShare, Unread
from analytics.web.display import count, money, quotient, shown
from analytics.web.filters import Filters
from analytics.web.pages import PAGES, overview, system
from analytics.web.pages.progress import LEVELS, LevelRow
from analytics.web.reading.arithmetic import change


@pytest.fixture(scope="module")
def month(tmp_path_factory) -> Month:
    return a_month(tmp_path_factory.mktemp("data"))


def read(month: Month, address: str, status: int = 200) -> str:
    answer = month.app.test_client().get(address)
    assert answer.status_code == status, answer.text[:500]
    return answer.text


def rows(month: Month, address: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(read(month, address))))


def field(page: str, row: str, name: str) -> str:
    """Return a cell of a page's table, by the name of its row."""
    for found in re.findall(rf'<th scope="row">{re.escape(row)}</th>(.*?)</tr>', page, re.DOTALL):
        if cell := re.search(rf'data-field="{name}">(.*?)</td>', found, re.DOTALL):
            return re.sub(r"<svg.*?</svg>", "", cell[1], flags=re.DOTALL).strip()
    pytest.fail(f"the page has no row {row} with {name}")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_is_there_and_may_run_nothing_foreign(month, page):
    answer = month.app.test_client().get(page.path)
    assert answer.status_code == 200, answer.text[:300]
    assert "script-src 'self';" in answer.headers["Content-Security-Policy"]
    assert not re.findall(r"""(?:src|href)="(?:https?:)?//""", answer.text)
    assert not re.search(r"\sstyle=|\son\w+=", answer.text)
    assert set(re.findall(r'id="data-(\w+)"', answer.text)) == {chart.name for chart in page.charts}


def test_the_overview_has_the_key_figures(month):
    page = read(month, "/")
    kpi = month.of_game("kpi", LAST)
    for name, written in (
        ("dau", count),
        ("payers", count),
        ("revenue", money),
        ("arpu", money),
        ("arppu", money),
    ):
        tile = re.search(rf'data-tile="{name}">.*?data-of="today">(.*?)</p>', page, re.DOTALL)
        assert tile and tile[1] == written(kpi[name]), name
    assert field(page, LAST.isoformat(), "dau") == count(kpi["dau"])
    assert kpi["dau"] > 0
    assert "so far" in page


def test_retention_is_the_triangle(month):
    page = read(month, "/retention?game=dl")
    cohort = month.of_game("loginretention", LAST.replace(day=1))
    text = re.search(rf'<th scope="row">{LAST.replace(day=1)}</th>(.*?)</tr>', page, re.DOTALL)[1]
    cells = re.findall(r">([\d.]+)</td>", text)
    assert cells[0] == count(cohort["reg"])
    assert cells[1:] == [
        f"{one['rate']:.1f}" for _, one in sorted(cohort["retention"].items(), key=lambda n: int(n[0]))
    ]
    assert len(cells) > 3


def test_payment_has_the_days_and_who_paid_most(month):
    page = read(month, "/payment?game=dl")
    kpi = month.of_game("kpi", LAST)
    assert field(page, LAST.isoformat(), "pay_rate") == quotient(kpi["pay_rate"])
    most = max(month.some("userpay", game="dl"), key=lambda one: one["pay_amout"])
    assert field(page, most["acct"], "pay_amout") == money(most["pay_amout"])
    area = month.data.areas[most["area"]]
    assert field(page, most["acct"], "area") == f'<span title="{area.id}">{area.server_name}</span>'


@pytest.mark.parametrize(
    ("address", "chart"), [("/", "logins"), ("/", "signups"), ("/economy", "coin_hours")]
)
def test_hours_stand_on_an_axis_of_24(month, address, chart):
    found = re.search(rf'id="data-{chart}">(.*?)</script>', read(month, address), re.DOTALL)
    source = json.loads(found[1])["sources"][f"{chart}.rows"]
    assert source["x"] == list(range(24)) and source["label"][3] == "03:00"


def test_levels_that_no_role_has_show_0(month):
    page = read(month, "/progress?game=dl")
    content = json.loads(re.search(r'id="data-levels">(.*?)</script>', page, re.DOTALL)[1])
    levels = [int(word) for word in content["words"]["levels.words"]]
    assert levels == list(range(levels[0], levels[-1] + 1))
    answer = [
        LevelRow(grade=grade, roles=roles, share=share)
        for grade, roles, share in ((2, 1, 25.0), (5, 3, 75.0))
    ]
    rows = LEVELS.rows_of(SimpleNamespace(levels=answer))
    assert [(row.grade, row.roles) for row in rows] == [(2, 1), (3, 0), (4, 0), (5, 3)]


def test_a_day_that_has_not_ended_is_compared_with_the_same_hours(month):
    page = read(month, "/?game=dl")
    hours = overview.view(month.data, Filters("dl")).hours
    ended = [hour for hour in hours if hour.hour < f"{HOUR}:00"]
    today, before = (sum(getattr(hour, f"logins_{day}") for hour in ended) for day in ("today", "yesterday"))
    tile = re.search(r'data-tile="dau">(.*?)data-of="yesterday"', page, re.DOTALL)[1]
    assert f"until {HOUR}:00" in tile and shown(change(today, before), "change") in tile
    assert "compared" not in re.search(r'data-tile="revenue">(.*?)data-of="yesterday"', page, re.DOTALL)[1]


def test_money_has_two_decimals_and_the_sign_of_its_game(month, monkeypatch):
    games = month.data.config.games
    monkeypatch.setitem(games, "dl", msgspec.structs.replace(games["dl"], currency="¥"))
    page = read(month, "/payment?game=dl")
    amounts = re.findall(
        r'data-field="(?:revenue|arpu|arppu|pay_amout)">(?:<svg.*?</svg>)?\s*(.*?)</td>', page
    )
    assert len(amounts) > 50 and all(re.fullmatch(r"¥[\d,]+\.\d\d", amount) for amount in amounts)
    assert "¥" not in read(month, "/payment?game=wsdx")


def test_amounts_in_each_currency_have_their_own_sign(month, monkeypatch):
    days = month.some("revenueday_total", game="wsdx", scope="game")
    euros, net, refunds = (
        sum(one.get("net_in", {}).get("EUR", 0) for one in days),
        sum(one["net"] for one in days),
        sum(one["refunds"] for one in days),
    )
    assert euros and refunds
    everything = f"/payment?game=wsdx&from={FIRST}&to={LAST}"
    assert 'id="table-currencies"' not in read(month, everything)
    several = {"currency": "USD", "signs": {"EUR": "€", "USD": "$"}, "rates": {"EUR": {"2026-01-01": "1.1"}}}
    games = month.data.config.games
    monkeypatch.setitem(games, "wsdx", msgspec.structs.replace(games["wsdx"], **several))
    page = read(month, everything)
    assert field(page, "EUR", "net") == money(euros, "€") and field(page, "EUR", "converted").startswith("$")
    found = rows(month, everything.replace("?", "/currencies.csv?").replace("/payment", "/api/v1/payment"))
    assert round(sum(float(one["converted"]) for one in found), 2) == round(net, 2)
    assert round(
        sum(
            float(row["refunds"])
            for row in rows(month, f"/api/v1/payment/refunds.csv?game=wsdx&from={FIRST}&to={LAST}")
        ),
        2,
    ) == round(refunds, 2)


def test_what_was_counted_while_a_game_had_no_rates_is_in_its_currency(month, monkeypatch):
    days = month.some("revenueday_total", game="dl", scope="game")
    assert days and not any(one["gross_in"] for one in days)
    games = month.data.config.games
    rated = {"currency": "USD", "rates": {"EUR": {"2026-01-01": "1.1"}}}
    monkeypatch.setitem(games, "dl", msgspec.structs.replace(games["dl"], **rated))
    (row,) = rows(month, f"/api/v1/payment/currencies.csv?game=dl&from={FIRST}&to={LAST}")
    assert row["currency"] == "USD"
    for column, field_ in {"gross": "gross", "refunds": "refunds", "net": "net", "converted": "net"}.items():
        assert round(float(row[column]), 2) == round(sum(one[field_] for one in days), 2)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_definition_is_a_sentence(page):
    for table in page.tables:
        for column in table.columns:
            meaning = column.meaning
            assert not meaning or (meaning[0].isupper() and meaning[-1] == "." and "`" not in meaning), column


def test_economy_adds_up_areas(month):
    page = read(month, "/economy?game=dl")
    ts = month.of_game("kpi", LAST)["ts"]
    spent = sum(one["amount"] for one in month.some("coinday", game="dl", ts=ts))
    assert field(page, LAST.isoformat(), "spent") == count(spent)


def test_progress_is_of_the_chosen_area(month):
    one = month.some("mainline", game="dl")[0]
    page = read(month, f"/progress?game=dl&area={one['area']}&from=2026-03-02&to={LAST}")
    taken = sum(doc["accept_users"] for doc in month.some("mainline", area=one["area"], task=one["task"]))
    assert field(page, str(one["task"]), "accept_users") == count(taken)


def test_areas_are_sorted_and_searched(month):
    page = read(month, "/areas?game=dl&sort=revenue&order=asc")
    amounts = [float(text.replace(",", "")) for text in re.findall(r'data-field="revenue">(.*?)</td>', page)]
    assert len(amounts) == 3 and amounts == sorted(amounts)
    assert read(month, "/areas?game=dl&search=server1001").count('<th scope="row">') == 1
    assert "No area matches" in read(month, "/areas?game=dl&search=nowhere")


def test_system_says_what_is_wrong(month):
    page = read(month, "/system")
    assert "Something is wrong." in page and "not running" in page


def test_system_shows_what_of_the_records_is_of_use(month, monkeypatch):
    state = {"sources": {"s1": {"healthy": False, "last_error": "each of the last 20 records was rejected"}, "new": {"healthy": True}}}  # fmt: skip
    usual = system.report(month.data.config)
    spout = NodeReport("gamelog", "spout", False, "s1", "", "", 7, "", 0.0, 0.0, state)
    shares = [SourceShare("gamelog", "s1", 0, 20), SourceShare("gamelog", "s2", 9, 1)]
    shown = msgspec.structs.replace(
        usual, nodes=[spout], shares=shares, unread=[Unread("Login", 8, "login_logcount")], warnings=["risky"]
    )
    monkeypatch.setattr(system, "report", lambda config: shown)
    page = read(month, "/system?lang=en")
    assert re.search(r">Login</a></th><td>8</td>.*login_logcount", page) and "risky" in page
    found = rows(month, "/api/v1/system/sources.csv")
    assert [(one["source"], one["percent"], bool(one["problem"])) for one in found] == [
        ("s1", "100.0", True), ("s2", "10.0", False), ("new", "0.0", False)
    ]  # fmt: skip


def test_system_shows_how_far_an_engine_is(month, monkeypatch):
    engine = EngineReport("spark", 17, 100.0, 16, 5 << 20, 75.0, {"payment": 4}, 0, ("a.txt", 9), 3, 2)
    source = {"sources": {"s1": {"healthy": True}}}
    spout = NodeReport("gamelog", "spout", True, "", "", "", 7, "", 0.0, 0.0, source)
    usual = msgspec.structs.replace(system.report(month.data.config), nodes=[spout])
    sums = engine_balance({"payment": 4}, {"gamelog": {}})
    shown = msgspec.structs.replace(
        usual,
        at=220.0,
        engine=engine,
        balance=sums,
        problem="",
        shares=[SourceShare("gamelog", "s1", 9, 0)],
    )
    monkeypatch.setattr(system, "report", lambda config: shown)
    page = read(month, "/system?lang=en")
    for text in ("5.0 MiB", "the oldest for 1 min", ">17<", "2 min ago", ">3<", "2 tasks lost"):
        assert text in page, text
    assert "what bolts account for" not in page and "Lag" not in page
    found = rows(month, "/api/v1/system/sources.csv")[0]
    assert (found["accepted"], found["rejected"]) == ("9", "0")


@pytest.mark.parametrize(("page", "table"), CSVS)
def test_every_table_is_a_csv(month, page, table):
    answer = month.app.test_client().get(f"/api/v1/{page}/{table}.csv")
    assert answer.status_code == 200 and answer.content_type.startswith("text/csv")


def test_a_csv_is_complete(month):
    areas = rows(month, "/api/v1/areas/areas.csv?game=dl")
    assert {one["area"] for one in areas} == {
        id for id, area in month.data.areas.items() if area.game == "dl"
    }
    days = {one["day"]: one for one in rows(month, "/api/v1/overview/days.csv?game=dl")}
    assert int(days[LAST.isoformat()]["dau"]) == month.of_game("kpi", LAST)["dau"]
    assert len(days) == 30
    payers = month.some("userpay", game="dl")
    paid = rows(month, "/api/v1/payment/top.csv?game=dl")
    assert len(paid) == sum(one["pay_count"] > 0 for one in payers) > 5
    sold = {one["item"] for one in month.some("shop", game="dl")}
    assert {one["item"] for one in rows(month, "/api/v1/economy/items.csv?game=dl&from=2026-03-02")} == sold


def test_every_link_to_a_csv_leads_somewhere(month):
    for page in PAGES:
        for address in set(re.findall(r'href="(/api/v1/[^"]+)"', read(month, page.path))):
            assert month.app.test_client().get(address.replace("&amp;", "&")).status_code == 200, address


def test_a_view_can_be_sent_to_a_colleague(month):
    page = read(month, "/?game=dl&from=2026-03-10&to=2026-03-16")
    assert 'href="/payment?game=dl&amp;from=2026-03-10&amp;to=2026-03-16"' in page
    assert 'value="2026-03-10"' in page


@pytest.mark.parametrize(
    "address", ["/?game=nowhere", "/?from=soon", "/areas?sort=x", "/?%24where=1", "/?area=%7B%7D"]
)
def test_what_cannot_be_asked_is_told(month, address):
    page = read(month, address, 400)
    assert "expected" in page or "there is no" in page or "unknown" in page
    assert "<script>" not in read(month, "/?game=%3Cscript%3E", 400)


def test_a_page_of_another_site_is_refused(month):
    assert month.app.test_client().get("/", headers={"Host": "evil.example"}).status_code == 400
