"""*Online* shows what documents say of an area, a plat or a game, and says why it has nothing of several areas."""

from pathlib import Path

import pytest
from month import LAST, Month, a_month

from analytics.core.periods import zone


@pytest.fixture(scope="module")
def month(tmp_path_factory: pytest.TempPathFactory) -> Month:
    return a_month(Path(tmp_path_factory.mktemp("data")), areas=3, players=30)


def test_a_game_is_shown_as_it_is_stored(month: Month) -> None:
    stored = month.of_game("onlineday", LAST)
    answer = month.app.test_client().get("/api/v1/online?game=dl").json
    day = answer["days"][-1]
    assert day == {
        "day": str(LAST),
        "peak_at": f"{zone(answer['scope']['timezone']).local(stored['pcu_ts']):%H:%M}",
        "final": False,
        **{name: stored[name] for name in ("acu", "pcu", "minutes")},
    }
    shown = {one["acu_today"] for one in answer["hours"]} - {None}
    assert shown == {one["acu"] for start, one in stored["hours"].items()} != set()


def test_several_areas_have_no_peak(month: Month) -> None:
    areas = [id_ for id_, area in month.data.areas.items() if area.game == "dl"][:2]
    path = f"online?game=dl&area={','.join(areas)}"
    days = month.app.test_client().get(f"/api/v1/{path}").json["days"]
    assert len(areas) == 2 and not any(one["pcu"] for one in days)
    assert "choose one area, a plat or a game" in month.app.test_client().get(f"/{path}").text


def test_sessions_are_those_that_are_stored_and_areas_are_added_up(month: Month) -> None:
    client = month.app.test_client()
    stored = month.of_game("sessionday", LAST)
    day = client.get("/api/v1/online?game=dl").json["sessions"][-1]
    same = ("sessions", "accts", "open", "median_minutes", "ended_by_login", "ended_by_limit")
    assert {name: day[name] for name in same} == {name: stored[name] for name in same}
    assert stored["sessions"] > 5 and day["hours"] == round(stored["seconds"] / 3600, 1)
    areas = [id_ for id_, area in month.data.areas.items() if area.game == "dl"]
    added = client.get(f"/api/v1/online?game=dl&area={','.join(areas)}").json["sessions"][-1]
    names = ("sessions", "open", "hours", "median_minutes")
    assert len(areas) == 2 and {name: added[name] for name in names} == {name: day[name] for name in names}
