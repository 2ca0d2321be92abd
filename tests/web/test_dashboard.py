"""The dashboard over a simulated month: what it shows is what the documents say, and who may see it."""

import csv
import io
import tomllib
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from dashboard_csvs import BY_NAME as VIEWS
from dashboard_csvs import CSVS
from filled import FIRST, LAST, Documents, app
from flask.testing import FlaskClient
from werkzeug.security import check_password_hash, generate_password_hash

from analytics.cli.password import password
from analytics.config import Config, DashboardSection
from analytics.config.checks import faults
from analytics.errors import AnalyticsError
from analytics.store import MemoryStore, Write
from analytics.store.reading import ReadOnly
from analytics.web.csvs import pieces
from analytics.web.login_limit import OF_ADDRESS as GUESSES

PASSWORD = "correct horse battery"
SPAN = f"from={FIRST}&to={LAST}"
TEXTS = ("search", "topic", "source", "acct", "reason")
"""Parameters that take any text."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("dashboard")


@pytest.fixture(scope="module")
def filled(folder: Path) -> tuple[FlaskClient, Documents]:
    made, documents = app(folder)
    return made.test_client(), documents


@pytest.fixture
def guarded(folder: Path) -> FlaskClient:
    users = {"ann": generate_password_hash(PASSWORD, "pbkdf2:sha256:1000")}
    return app(folder, DashboardSection(users=users))[0].test_client()


def of_area(documents: Documents, area: str) -> list[dict[str, Any]]:
    return [one for one in documents["kpi"].values() if one["area"] == area]


def whole_game(documents: Documents, collection: str) -> list[dict[str, Any]]:
    every = documents[f"{collection}_total"].values()
    found = [one for one in every if (one["scope"], one["game"]) == ("game", "dl")]
    return sorted(found, key=lambda one: one["ts"])


def test_the_overview_says_what_the_documents_say(filled: tuple[FlaskClient, Documents]) -> None:
    client, documents = filled
    view = client.get(f"/api/v1/overview?game=dl&{SPAN}").json
    assert view and view["scope"]["basis"] == "game"
    expected = whole_game(documents, "kpi")
    shown = [day for day in view["days"] if day["mau"]]
    fields = ("dau", "wau", "mau", "payers", "revenue", "reg", "arpu", "arppu", "stickiness")
    assert len(shown) > 10
    assert [[day[name] for name in fields] for day in shown] == [
        [one[name] for name in fields] for one in expected
    ]
    new = {one["ts"]: one["new_ac_user"] for one in whole_game(documents, "activeday")}
    assert [day["new_users"] for day in shown] == [new.get(day["ts"], 0) for day in shown]
    hours = [
        one for one in documents["loginhour"].values() if one["game"] == "dl" and one["ts"] >= shown[-1]["ts"]
    ]
    assert sum(hour["logins_today"] or 0 for hour in view["hours"]) == sum(one["count"] for one in hours) > 0


def test_several_areas_are_added_up(filled: tuple[FlaskClient, Documents]) -> None:
    client, documents = filled
    areas = sorted({one["area"] for one in documents["server"].values() if one["game"] == "dl"})
    assert len(areas) > 1
    view = client.get(f"/api/v1/payment?area={','.join(areas)}&{SPAN}").json
    assert view and view["scope"]["basis"] == "sum"
    assert (
        view["total"]
        == sum(one["pay_amout"] for one in documents["server"].values() if one["game"] == "dl")
        > 0
    )
    richest = max(one["pay_amout"] for one in documents["userpay"].values() if one["area"] in areas)
    assert view["top"][0]["pay_amout"] == richest


@pytest.mark.parametrize(("of", "collection"), [("login", "loginretention"), ("payment", "paytraceday")])
def test_the_triangle_is_that_of_the_documents(
    filled: tuple[FlaskClient, Documents], of: str, collection: str
) -> None:
    client, documents = filled
    area = next(one["area"] for one in documents[collection].values())
    view = client.get(f"/api/v1/retention?area={area}&of={of}&{SPAN}").json
    assert view and view["cohorts"]
    shown = [
        {str(cell["n"]): (cell["count"], cell["rate"]) for cell in row["cells"]} for row in view["cohorts"]
    ]
    size = "reg" if of == "login" else "pay_user"
    found = [one for one in documents[collection].values() if one["area"] == area and one[size]]
    found.sort(key=lambda one: one["ts"])
    assert shown == [
        {n: (cell["count"], cell["rate"]) for n, cell in one["retention"].items()} for one in found
    ]


def test_coins_items_quests_and_dungeons_are_added_up(filled: tuple[FlaskClient, Documents]) -> None:
    client, documents = filled

    def total(collection: str, field: str) -> int:
        return sum(one[field] for one in documents[collection].values() if one["game"] == "dl")

    economy = client.get(f"/api/v1/economy?game=dl&{SPAN}").json
    progress = client.get(f"/api/v1/progress?game=dl&{SPAN}").json
    assert economy and progress
    assert sum(day["spent"] for day in economy["days"]) == total("coinday", "amount") > 0
    assert sum(one["spent"] for one in economy["reasons"]) == total("cointype", "amount")
    assert sum(one["amount"] for one in economy["items"]) == total("shop", "amount") > 0
    assert sum(one["accept_users"] for one in progress["quests"]) == total("mainline", "accept_users") > 0
    assert sum(one["enter"] for one in progress["dungeons"]) == total("gamecopy", "enter") > 0
    assert sum(one["roles"] for one in progress["levels"]) == progress["roles"] > 0


def test_areas_are_sorted_searched_and_paged(filled: tuple[FlaskClient, Documents]) -> None:
    client, documents = filled
    view = client.get(f"/api/v1/areas?game=dl&sort=reg&order=asc&{SPAN}").json
    assert view and [row["reg"] for row in view["rows"]] == sorted(row["reg"] for row in view["rows"])
    for row in view["rows"]:
        assert row["dau"] == max(of_area(documents, row["area"]), key=lambda one: one["ts"])["dau"]
        assert len(row["dau_days"]) == len(view["days"])
    one = view["rows"][0]
    found = client.get(f"/api/v1/areas?game=dl&search={one['server_name']}&size=1").json
    assert found and one["area"] in [row["area"] for row in found["rows"]] and found["size"] == 1


@pytest.mark.parametrize("page", VIEWS)
def test_every_page_and_every_table_is_there(filled: tuple[FlaskClient, Documents], page: str) -> None:
    client, _ = filled
    answer = client.get("/" if page == "overview" else f"/{page}")
    assert answer.status_code == 200 and "script-src 'self';" in answer.headers["Content-Security-Policy"]
    assert "Nothing here" not in answer.text
    for of, table in CSVS:
        # A game of one currency has no table of them.
        assert of != page or table == "currencies" or f"/api/v1/{page}/{table}.csv" in answer.text
        assert client.get(f"/api/v1/{of}/{table}.csv").mimetype == "text/csv"


def test_a_csv_is_complete(filled: tuple[FlaskClient, Documents]) -> None:
    client, documents = filled
    payers = [one for one in documents["userpay"].values() if one["game"] == "dl" and one["pay_amout"]]
    text = client.get("/api/v1/payment/top.csv?game=dl").text
    assert sorted(row["acct"] for row in csv.DictReader(io.StringIO(text))) == sorted(
        one["acct"] for one in payers
    )


def test_a_spreadsheet_takes_no_text_for_a_formula() -> None:
    assert "".join(pieces([["=1+1", -5, True, "a,b"]])) == '\'=1+1,-5,true,"a,b"\r\n'
    for hidden in (" =1+1", "\ufeff=1+1", "\u00a0\u3000=1+1", "\0=1+1", "\u200b@SUM(A1)", " ＝1+1", "\t1"):
        for sheet in (False, True):
            (cell,) = next(csv.reader(["".join(pieces([[hidden]], sheet)).lstrip("\ufeff")]))
            assert cell == f"'{hidden}"


def test_excel_opens_a_csv_as_it_is(filled: tuple[FlaskClient, Documents]) -> None:
    row = ["141560631361753593", "007", "1e5", '1"2', "2026-03-01", 5, "张三"]
    text = "".join(pieces([row], sheet=True))
    assert text == '\ufeff"=""141560631361753593""","=""007""","=""1e5""","=""1""""2""",2026-03-01,5,张三\r\n'
    client, _ = filled
    plain, sheet = (client.get(f"/api/v1/payment/top.csv?game=dl{more}") for more in ("", "&sheet=1"))
    assert sheet.data.startswith(b"\xef\xbb\xbf") and not plain.data.startswith(b"\xef\xbb\xbf")
    assert "sheet=1" in client.get("/payment").text
    assert client.get("/api/v1/payment/top.csv?sheet=2").status_code == 400


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("area=nope", 'area: there is no area "nope"'),
        ("game=d", 'game: there is no game "d" with areas; did you mean dl?'),
        ("from=2026-13-01", "from: expected a day like 2026-01-31"),
        ("from=2026-03-02&to=2026-03-01", "from: expected a day up to 2026-03-01"),
        ("gme=dl", "unknown parameter; did you mean game?"),
        ("game=dl&game=dl", "game: expected it once"),
        ("game[$ne]=x", "unknown parameter"),
    ],
)
def test_a_bad_filter_is_refused_in_words(
    filled: tuple[FlaskClient, Documents], query: str, words: str
) -> None:
    client, _ = filled
    for address in (f"/api/v1/overview?{query}", f"/api/v1/payment/days.csv?{query}"):
        answer = client.get(address)
        assert answer.status_code == 400 and answer.json and words in answer.json["error"]
    assert client.get(f"/?{query}").status_code == 400


def test_the_api_describes_itself(filled: tuple[FlaskClient, Documents]) -> None:
    client, _ = filled
    described = client.get("/api/v1/openapi.json").json
    every = client.application.extensions["pages"]
    reading = {path: one for path, one in described["paths"].items() if "get" in one}
    assert len(reading) == len(every.by_name) + len(every.csvs)
    assert {*VIEWS} < {*every.by_name} and {*CSVS} < {*every.csvs}
    for path, operations in reading.items():
        if "/collections/" in path and "/cointype" not in path:
            continue  # all are made by the same code
        assert client.get(path).status_code == 200
        for parameter in operations["get"]["parameters"]:
            answer = client.get(path, query_string={parameter["name"]: "'\x00$ne{"})
            assert answer.status_code in (200, 400) and (
                answer.status_code == 400 or parameter["name"] in TEXTS
            )
    schemas = described["components"]["schemas"]
    assert "accts" in str(schemas["Day"]["properties"]["dau"])


def test_nothing_is_written_through_it() -> None:
    store = ReadOnly(MemoryStore())
    for change in (
        lambda: store.write("c", [Write("a", {}, 0)]),
        lambda: store.delete("c", ["a"]),
        lambda: store.remove("c", "a", 1),
        lambda: store.ensure_indexes(["c"]),
    ):
        with pytest.raises(AnalyticsError, match="opened for reading"):
            change()


def token(client: FlaskClient) -> str:
    return client.get("/login").text.split('name="csrf" value="')[1].split('"')[0]


def log_in(client: FlaskClient, password: str = PASSWORD, next: str = "") -> Any:
    return client.post(
        "/login", data={"user": "ann", "password": password, "csrf": token(client), "next": next}
    )


def test_strangers_see_nothing_and_users_all(guarded: FlaskClient) -> None:
    assert guarded.get("/api/v1/overview").status_code == 401
    assert guarded.get("/payment").headers["Location"].startswith("/login?next=")
    assert log_in(guarded, "wrong").status_code == 403 and guarded.get("/payment").status_code == 302
    answer = log_in(guarded, next="/payment?game=dl")
    cookie = answer.headers["Set-Cookie"]
    assert (
        answer.headers["Location"] == "/payment?game=dl" and "HttpOnly" in cookie and "SameSite=Lax" in cookie
    )
    page = guarded.get("/payment").text
    assert "Log out ann" in page
    assert guarded.post("/logout").status_code == 400 and guarded.get("/").status_code == 200
    guarded.post("/logout", data={"csrf": page.split('name="csrf" value="')[1].split('"')[0]})
    assert guarded.get("/").status_code == 302


@pytest.mark.parametrize(
    "next", ["//evil.example", "https://evil.example", "/\\evil.example", "/\t/evil.example", "evil", "//["]
)
def test_a_log_in_leads_to_no_stranger(guarded: FlaskClient, next: str) -> None:
    assert log_in(guarded, next=next).headers["Location"] == "/"


def test_who_guesses_too_often_waits(guarded: FlaskClient) -> None:
    assert [log_in(guarded, "wrong").status_code for _ in range(GUESSES)] == [403] * GUESSES
    assert log_in(guarded).status_code == 429


def test_a_log_in_needs_its_token(guarded: FlaskClient) -> None:
    assert guarded.post("/login", data={"user": "ann", "password": PASSWORD}).status_code == 400


def test_other_addresses_need_users_and_tls() -> None:
    assert list(faults(Config(dashboard=DashboardSection()))) == []
    found = "\n".join(faults(Config(dashboard=DashboardSection(host="0.0.0.0"))))
    assert (
        "dashboard.users: expected users" in found and "dashboard.tls_cert: expected a certificate" in found
    )
    plain = "\n".join(faults(Config(dashboard=DashboardSection(users={"ann": "secret"}))))
    assert "dashboard.users.ann: expected a hashed password" in plain and "secret" not in plain


def test_the_command_makes_a_password_that_lets_in() -> None:
    done = CliRunner().invoke(password, ["ann"], input=f"{PASSWORD}\n")
    users = tomllib.loads(done.stdout)
    assert list(faults(Config(dashboard=DashboardSection(users=users)))) == []
    assert check_password_hash(users["ann"], PASSWORD) and not check_password_hash(users["ann"], "x")
    assert CliRunner().invoke(password, ["ann"], input="short\n").exit_code


def test_a_log_in_form_holds_another_token_each_time_and_all_of_them_are_good(guarded: FlaskClient) -> None:
    first, second = token(guarded), token(guarded)
    assert first != second
    for good in (first, second):
        answer = guarded.post("/login", data={"user": "ann", "password": "wrong", "csrf": good})
        assert "password is wrong" in answer.text
    for bad in (first[:-2], second[2:] + "00", "00" * 48, "x"):
        answer = guarded.post("/login", data={"user": "ann", "password": PASSWORD, "csrf": bad})
        assert answer.status_code == 400


@pytest.mark.parametrize(
    "path", ["/", "/api/v1/overview", "/api/v1/overview/days.csv", "/figures/overview.en.json"]
)
@pytest.mark.parametrize("packing", ["zstd", "br", "gzip"])
def test_what_is_long_comes_packed_to_who_takes_that(
    filled: tuple[FlaskClient, Documents], path: str, packing: str
) -> None:
    client, _ = filled
    plain = client.get(f"{path}?{SPAN}")
    packed = client.get(f"{path}?{SPAN}", headers={"Accept-Encoding": packing})
    assert "Content-Encoding" not in plain.headers
    if packing != "br" or not path.endswith(".csv"):  # a stream would be kept back until its end
        assert packed.headers["Content-Encoding"] == packing and len(packed.data) < len(plain.data) / 2
    assert "Accept-Encoding" in packed.headers["Vary"]
