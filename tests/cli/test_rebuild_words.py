"""What ``analytics rebuild`` refuses before it does anything, and how it shows what differs."""

import json

import pytest
from click.testing import CliRunner

from analytics.cli.rebuild import _as_json, _as_text, rebuild
from analytics.config import AreaSection, Config, Game
from analytics.core.agree import NOTHING, ListChanged, ValueChanged
from analytics.errors import AnalyticsError
from analytics.rebuild.check import DifferingDocument

CONFIG = Config(games={"dl": Game(areas={"549140c8dbdb67794fc0fa3b": AreaSection(plat="1")})})


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--bolt", "logindayy"], "expected a bolt that the configuration runs, got"),
        (["--area", "nowhere"], 'there is no area "nowhere"'),
        (["--bolt", "userpay", "--from", "2024-01-01"], "documents of userpay have no day"),
    ],
)
def test_what_can_not_be_is_refused(words, told):
    with pytest.raises(AnalyticsError, match=told):
        CliRunner().invoke(rebuild, words, obj=CONFIG, catch_exceptions=False)


CHANGE = DifferingDocument(
    "loginday",
    "a:1",
    "changed",
    {
        "count": ValueChanged(999, 62),
        "note": ValueChanged("by hand", NOTHING),
        "userlist": ListChanged(["x"], [f"acct{n}" for n in range(1_000)]),
    },
)


def test_a_difference_is_shown_field_by_field():
    first, count, note, accts = _as_text(CHANGE)
    assert first == "loginday a:1: changed"
    assert count.split() == ["count", "999", "→", "62"]
    assert note.split() == ["note", '"by', 'hand"', "→", "nothing"]
    assert accts.split()[:4] == ["userlist", "−1", '("x")', "+1,000"]
    assert len(accts) < 120


def test_a_difference_as_json_is_complete():
    one = json.loads(_as_json(CHANGE))
    assert (one["collection"], one["id"], one["what"]) == ("loginday", "a:1", "changed")
    assert one["fields"]["count"] == {"old": 999, "new": 62}
    assert one["fields"]["note"] == {"old": "by hand"}
    assert len(one["fields"]["userlist"]["more"]) == 1_000
