"""What is wrong with a funnel is said with its place; and what its bolt makes of records."""

from pathlib import Path

import pytest

from analytics.bolts.funnels import acctstep
from analytics.config import catalogue, fingerprint, funnels, load
from analytics.config.catalogue import fingerprints
from analytics.core.areas import Area, Areas
from analytics.core.periods import zone
from analytics.core.reference import Reference
from analytics.errors import ConfigError

FAULTS = [
    ('steps = ["signup"]', "steps: expected 2 to 9 steps, got 1"),
    ('steps = ["level:2", "signup"]', 'steps[0]: expected "signup", as a funnel counts the accts'),
    ('steps = ["signup", "task:5"]', 'steps[1]: expected "signup", "createrole", "task:<number> accept"'),
    ('steps = ["signup", "level:007"]', '"level:<number>" or "first payment", got "level:007"'),
    ('steps = ["signup", "signup"]', 'steps[1]: expected each step once, got "signup" again'),
    ('steps = ["signup", "createrole"]\nwithin = "31d"', 'within: expected a time after the sign-up, such as "30m"'),
    ('steps = ["signup", "createrole"]\nwithin = "7"', 'at most 30d, got "7"; for example: steps = ["signup"'),
]  # fmt: skip


@pytest.mark.parametrize(("text", "fault"), FAULTS)
def test_a_fault_is_named_with_its_place(tmp_path: Path, text: str, fault: str) -> None:
    file = tmp_path / "analytics.toml"
    file.write_text(f"[funnels.one]\n{text}\n")
    with pytest.raises(ConfigError) as refused:
        load(file)
    assert "funnels.one." in str(refused.value) and fault in str(refused.value)


def test_a_configuration_has_the_bolt_that_its_funnels_need(tmp_path: Path) -> None:
    file = tmp_path / "analytics.toml"
    file.write_text('[funnels.one]\nsteps = ["signup", "first payment", "level:3"]\nwithin = "12h"\n')
    config = load(file)
    assert [(one.name, one.within, one.days) for one in funnels(config)] == [("one", 43_200, 2)]
    assert set(catalogue(config)["acctstep"].reads) == {"gamelog.signup_logcount", "syncuser"}
    file.write_text(file.read_text().replace("level:3", "createrole"))
    changed = load(file)
    assert fingerprints(changed) != fingerprints(config), "it lacks the past"
    assert fingerprint(changed) != fingerprint(config), "a rebuild is refused until all nodes know the step"


def test_of_each_acct_the_first_time_of_a_day_counts_whatever_comes_first() -> None:
    area, day = "5" * 24, 1_420_646_400
    runner = Reference([acctstep(("level:3", "task:5 finish"))], Areas([Area(area, "g", "p", zone("UTC"))]))
    for n, (ts, acct, task) in enumerate([(90, "a", 5), (30, "a", 5), (10, "a", 4), (50, "b", 5)]):
        record = {"id": f"x:{n}", "area": area, "ts": day + ts, "data": {"acct": acct, "task": task}}
        runner.put("gamelog.trunk_task_finish", [record])
    roles = [
        {"id": f"y:{n}", "area": area, "ts": day + n, "uid": "u", "acctid": "a", "grade": grade, "rest_yuanbao": 0}
        for n, grade in enumerate([4, 2, 3])
    ]  # fmt: skip
    runner.put("syncuser", roles)
    found = {one["step"]: (one["users"], one["_accts"]) for one in runner.collections["acctstep"].values()}
    assert {step: users for step, (users, _) in found.items()} == {"level:3": 1, "task:5 finish": 2}
    assert min(found["task:5 finish"][1]) == ["a", day + 30] and min(found["level:3"][1]) == ["a", day]
