"""What a task makes of lines that a mapping reads."""

import json

import pytest

from analytics.config import AreaSection, Config, Game, GamelogSection, Source, TimeSection
from analytics.engine.blocks import JournalBlock
from analytics.engine.context import Context, TaskProcess
from analytics.engine.fold import fold
from analytics.engine.tasks import FoldTask

PLANNED = 1_420_688_000
SOON = PLANNED + 86_400
"""A record of this time is refused a second earlier, as too far in the future."""


@pytest.mark.parametrize(("at", "counts"), [(PLANNED - 1, False), (PLANNED, True)])
def test_a_line_is_judged_by_the_time_of_its_plan_whenever_it_is_folded(tmp_path, at, counts) -> None:
    config = Config(
        data=tmp_path,
        games={"dl": Game(areas={"s1": AreaSection(plat="1", corpid=1, server_name="s1")})},
        gamelog=GamelogSection(
            sources=[
                Source(
                    name="log", kind="file", path="log", format="json", game="dl", opcode="login_logcount",
                    area="s1", time=TimeSection(field="at", format="unix"), fields={"acct": "who"},
                )
            ]
        ),
    )  # fmt: skip
    lines = [
        b'{"id":"gamelog/log@1:%d","as":"log","raw":%b}\n' % (n, json.dumps({"at": ts, "who": "a"}).encode())
        for n, ts in enumerate((PLANNED, SOON), 1)
    ]
    (tmp_path / "gamelog_201501080000.txt").write_bytes(b"".join(lines))
    block = JournalBlock("gamelog_201501080000.txt", 0, sum(map(len, lines)))
    summary = fold(TaskProcess(Context(config, tmp_path, "engine:1")), FoldTask(block, at), 1).summary
    assert summary.names == {"gamelog/log@1": [(1, 2 if counts else 1)]}
    assert [one.n for one in summary.unusable] == ([] if counts else [2])
