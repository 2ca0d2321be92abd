"""Numbers that are not there yet: who adds them up, and what those are told who ask before."""

from dataclasses import replace

import gevent
import pytest
from month import LAST, Month, a_month

from analytics.config import Config, areas
from analytics.errors import Unavailable
from analytics.store import MongoStore
from analytics.store.reading import ReadOnly
from analytics.web.app import create_app
from analytics.web.kept import Kept, NotYet
from analytics.web.pages import BY_NAME
from analytics.web.place import ONE_DAY
from analytics.web.warm import Warmer

DAYS = {"from": [str(LAST - 29 * ONE_DAY)], "to": [str(LAST)]}


@pytest.fixture(scope="module")
def month(tmp_path_factory: pytest.TempPathFactory) -> Month:
    return a_month(tmp_path_factory.mktemp("warm"))


@pytest.fixture
def cold(month: Month, monkeypatch: pytest.MonkeyPatch) -> Month:
    """A month of which nothing is at hand; reading in the background does not rest."""
    monkeypatch.setattr("analytics.web.kept.FIRST_SHARE", 0.999)
    monkeypatch.setattr("analytics.web.warm.AGAIN_SECONDS", 0.01)
    monkeypatch.setattr("analytics.web.warm.SPANS", (30,))
    return replace(month, data=replace(month.data, kept=Kept(month.data.clock)))


def test_who_comes_after_the_warming_waits_for_nothing(cold: Month) -> None:
    hurried = replace(cold.data, kept=cold.data.kept.patient(0))
    with pytest.raises(NotYet):
        BY_NAME["economy"].read(hurried, DAYS)
    warmer = Warmer(cold.data)
    with gevent.Timeout(300):
        warmer.look()
    for game in {area.game for area in cold.data.areas.values()}:
        plats = {area.plat for area in cold.data.areas.values() if area.game == game}
        for plat in ("", *plats):
            for page in set(BY_NAME) - {"system"}:
                BY_NAME[page].read(hurried, {**DAYS, "game": [game], "plat": [plat]})


def test_who_comes_before_is_told_how_far_it_is_and_asks_again_by_themselves(cold: Month) -> None:
    client = create_app(replace(cold.data, kept=cold.data.kept.patient(0))).test_client()
    page = client.get("/economy?game=dl")
    assert page.status_code == 503 and page.headers["Retry-After"] == "2"
    assert "Numbers are being added up" in page.text
    assert '<noscript><meta http-equiv="refresh" content="2"></noscript>' in page.text
    answer = client.get("/api/v1/progress?game=dl")
    assert answer.status_code == 503 and "first time" in answer.json["error"]  # type: ignore[index]
    with gevent.Timeout(60):
        while client.get("/api/v1/economy?game=dl").status_code == 503:
            gevent.sleep(0.01)
    assert client.get("/economy?game=dl").status_code == 200


def test_what_goes_wrong_once_is_tried_again(cold: Month, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("analytics.web.warm.EVERY_SECONDS", 0.001)
    warmer, looks = Warmer(cold.data), []

    def look() -> None:
        looks.append(1)
        if len(looks) == 1:
            raise Unavailable("no store")

    monkeypatch.setattr(warmer, "look", look)
    running = gevent.spawn(warmer.run)
    with gevent.Timeout(60):
        while warmer.took is None:
            gevent.sleep(0.001)
    assert len(looks) > 1 and not running.ready()
    running.kill()


def test_figures_that_are_old_because_the_store_is_away_say_so(month: Month) -> None:
    away = ReadOnly(MongoStore("mongodb://127.0.0.1:1", "nowhere", 0.2))
    fresh = replace(month.data, kept=Kept(month.data.clock))
    old = replace(month.data, kept=Kept(lambda: month.data.clock() - 120))
    for shown, told in ((replace(old, store=away), True), (old, False), (replace(fresh, store=away), False)):
        page = create_app(shown).test_client().get("/economy?game=dl")
        assert page.status_code == 200
        assert ("The store does not answer. These figures were read 2 min ago" in page.text) is told


def test_who_has_described_no_game_yet_is_told_how(month: Month) -> None:
    client = create_app(replace(month.data, areas=areas(Config()))).test_client()
    page = client.get("/")
    assert page.status_code == 404 and "There is nothing to show yet" in page.text
    assert "describe games and areas in the configuration" in page.text and 'data-again="5"' in page.text
    assert "no such page" not in page.text and "There is no such page" in client.get("/nowhere").text
