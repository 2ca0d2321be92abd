"""All games on one page: each with its own numbers, and only those that the viewer sees."""

from pathlib import Path

from entering import LAST, PASSWORD, USERS, dashboard, log_in
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


def test_a_user_of_one_game_sees_one_row(tmp_path: Path) -> None:
    rights = {"bob": RightsSection(games=["wsdx"])}
    client = dashboard(tmp_path, DashboardSection(users=USERS, rights=rights))[0].test_client()
    log_in(client, "bob", PASSWORD)
    assert [row["game"] for row in client.get("/api/v1/games").json["games"]] == ["wsdx"]
