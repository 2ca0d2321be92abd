"""All games on one page: each with its own numbers, and only those that the viewer sees."""

from pathlib import Path

from entering import LAST, PASSWORD, USERS, dashboard, log_in, put, start
from msgspec.structs import replace

from analytics.config import DashboardSection
from analytics.config.sections import RightsSection


def test_every_game_is_a_row_with_its_own_currency(tmp_path: Path) -> None:
    app, data, _ = dashboard(tmp_path)
    data.config.games["dl"] = replace(data.config.games["dl"], currency="¥")
    client = app.test_client()
    answer = client.get("/api/v1/games?days=7").json
    assert [(row["game"], row["dau"], row["day"]) for row in answer["games"]] == [
        ("dl", 100, str(LAST)), ("wsdx", 100, str(LAST))
    ]  # fmt: skip
    overview = client.get("/api/v1/overview?game=dl&from=2026-03-27&to=2026-04-02").json["days"]
    assert answer["games"][0]["revenue_sum"] == sum(day["revenue"] for day in overview)
    assert [day["values"][0] for day in answer["days"]] == [day["dau"] for day in overview]
    page = client.get("/games").text
    assert "¥40.00" in page and ">40.00" in page and 'href="/?game=wsdx"' in page
    assert client.get("/api/v1/games/games.csv?to=2026-03-30").text.count("2026-03-30") == 2
    assert client.get("/api/v1/games?to=soon").status_code == 400


def test_while_a_day_goes_on_its_hours_are_compared_with_those_of_the_day_before(tmp_path: Path) -> None:
    app, data, clock = dashboard(tmp_path)
    midnight = start(LAST)
    clock.now = midnight + 2.5 * 3600
    #          the day before: 10 and 30; then the hour that still goes on, and one that has not begun
    logins = {-24: 10, -23: 30, -22: 500, -21: 900, 0: 20, 1: 40, 2: 7}
    for hour, count in logins.items():
        ts = midnight + hour * 3600
        one = {"game": "dl", "scope": "game", "plat": "", "ts": ts, "count": count}
        put(data.entries, "loginhour_total", f"game:dl:{ts}", one)
    client = app.test_client()
    going_on = {row["game"]: row for row in client.get("/api/v1/games?days=7").json["games"]}
    assert (going_on["dl"]["final"], going_on["dl"]["change"]) == (False, 50.0)
    assert going_on["wsdx"]["change"] is None, "no log-in of the day before"
    clock.now = midnight + 24 * 3600
    ended = client.get(f"/api/v1/games?days=7&to={LAST}").json["games"][0]
    assert (ended["final"], ended["change"]) == (True, 1.0)


def test_a_user_of_one_game_sees_one_row(tmp_path: Path) -> None:
    rights = {"bob": RightsSection(games=["wsdx"])}
    client = dashboard(tmp_path, DashboardSection(users=USERS, rights=rights))[0].test_client()
    log_in(client, "bob", PASSWORD)
    assert [row["game"] for row in client.get("/api/v1/games").json["games"]] == ["wsdx"]
