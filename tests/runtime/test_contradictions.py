"""Documents that say something else of an area than the configuration does are reported, with what to do."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gevent
import pytest
from msgspec.structs import replace

from analytics.cli import check
from analytics.config import AreaSection, Config, Game, MongoDB
from analytics.core.periods import zone
from analytics.errors import Unavailable
from analytics.runtime.contradictions import Contradiction, contradictions, summary
from analytics.runtime.service import control, refusals
from analytics.runtime.service.reloading import reload
from analytics.runtime.service.supervisor import Supervisor
from analytics.store import MemoryStore, Write
from analytics.store.store import Document

A, B = "549140c8dbdb67794fc0fa3b", "5461bb1bec8b9c686a8b4576"
LONDON = "Europe/London"
CONFIG = Config(
    mongodb=MongoDB(uri="mongodb://127.0.0.1:1"),
    games={
        "dl": Game(timezone=LONDON, areas={A: AreaSection(plat="1")}),
        "wsdx": Game(areas={B: AreaSection(plat="2")}),
    },
)


@pytest.fixture
def store() -> MemoryStore:
    """A store with some days of area A in winter and in summer, and of its game."""
    made = MemoryStore()
    for day in ("2015-01-08", "2015-01-09", "2015-06-01"):
        ts = zone(LONDON).day_of(day)
        fields = {"_v": 1, "game": "dl", "ts": ts}
        made.write("loginday", [Write(f"{A}:{ts}", fields | {"area": A, "plat": "1"}, 0)])
        made.write("kpi", [Write(f"{A}:{ts}", fields | {"area": A, "plat": "1"}, 0)])
        made.write("kpi_total", [Write(f"game:dl:{ts}", fields | {"scope": "game"}, 0)])
    return made


def changed(**fields: Any) -> Config:
    area = replace(CONFIG.games["dl"].areas[A], **fields)
    return replace(CONFIG, games=CONFIG.games | {"dl": replace(CONFIG.games["dl"], areas={A: area})})


def test_what_agrees_is_not_reported(store: MemoryStore) -> None:
    assert contradictions(CONFIG, store) == []


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (changed(plat="7"), 'plat "1" where the configuration says "7"'),
        (changed(timezone="Asia/Shanghai"), "a day begins at 08:00 in Asia/Shanghai"),
        (changed(timezone="UTC"), "a day begins at 23:00 in UTC"),
    ],
    ids=["plat", "zone", "a zone that differs in summer alone"],
)
def test_what_was_changed_is_reported(store: MemoryStore, config: Config, said: str) -> None:
    [found] = contradictions(config, store)
    assert found.text.startswith(f"area {A}: documents say") and said in found.text


def test_a_game_that_was_renamed_and_the_zone_of_a_whole_game(store: MemoryStore) -> None:
    renamed = replace(CONFIG, games={"dragon": CONFIG.games["dl"]})
    assert ['game "dl" where' in one.text for one in contradictions(renamed, store)] == [True]
    moved = replace(CONFIG.games["dl"], timezone="UTC", areas={A: AreaSection(plat="1", timezone=LONDON)})
    [found] = contradictions(replace(CONFIG, games=CONFIG.games | {"dl": moved}), store)
    assert found.text.startswith("the whole of dl: documents say that a day begins at 23:00")


def test_start_and_check_name_the_command(store: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (check, control):
        monkeypatch.setattr(module, "open_store", lambda config, timeout: store)
    said: list[str] = []
    control.report_contradictions(changed(plat="7"), said.append)
    [finding] = check._areas(changed(plat="7"))
    assert said == [f"warning: {finding.text}"]
    assert "`bin/analytics rebuild`" in finding.text
    assert isinstance(check._areas(CONFIG), str)


def test_a_reload_reports_what_it_makes_contradict(
    store: MemoryStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Supervisor, "pid", 1)
    for module in (control, refusals):
        monkeypatch.setattr(module, "open_store", lambda config, timeout: store)
    monkeypatch.setattr(control, "restart_node", lambda *_: None)
    Supervisor(replace(CONFIG, data=tmp_path)).folder.mkdir()
    Supervisor(replace(CONFIG, data=tmp_path)).note_configuration()
    said: list[str] = []
    reload(replace(changed(plat="7"), data=tmp_path), said.append)
    assert said[0].startswith("warning: area") and 'plat "1" where the configuration says "7"' in said[0]


def test_a_store_that_is_away_is_reported_once(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    asked = []

    def away(*arguments: object, **more: object) -> Iterator[Document]:
        asked.append(arguments)
        gevent.sleep(0)
        raise Unavailable("away")

    monkeypatch.setattr(store, "find", away)
    with pytest.raises(Unavailable, match="away"):
        contradictions(CONFIG, store)
    assert asked and capfd.readouterr().err == ""


def test_many_are_summed_up() -> None:
    text = summary(CONFIG, [Contradiction(f"area {n}") for n in range(9)])
    assert "area 4; and 4 more" in text
    assert "area 5" not in text


def test_changing_back_is_advised_only_where_it_repairs_all() -> None:
    areas = [Contradiction("area x.rates: documents say otherwise"), Contradiction("area 2")]
    assert summary(CONFIG, areas).endswith(", or change the configuration back")
    noted = Contradiction("payments were converted at other rates than now", goes_back=False)
    assert summary(CONFIG, [*areas, noted]).endswith("again as the configuration says")
