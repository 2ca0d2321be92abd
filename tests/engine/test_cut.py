"""What a task makes of lines that a mapping reads."""

import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from analytics.config import AreaSection, Config, Game, GamelogSection, Source, TimeSection
from analytics.engine.blocks import JournalBlock, MappingGone
from analytics.engine.context import Context, TaskProcess
from analytics.engine.fold import fold
from analytics.engine.tasks import FoldTask

PLANNED = 1_420_688_000
SOON = PLANNED + 86_400
"""A record of this time is refused a second earlier, as too far in the future."""


def mapped(folder: Path) -> Config:
    """Return a configuration whose source has lines of another shape."""
    return Config(
        data=folder,
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


def journal(folder: Path) -> JournalBlock:
    """Write a journal with two lines of that source."""
    lines = [
        b'{"id":"gamelog/log@1:%d","as":"log","raw":%b}\n' % (n, json.dumps({"at": ts, "who": "a"}).encode())
        for n, ts in enumerate((PLANNED, SOON), 1)
    ]
    (folder / "gamelog_201501080000.txt").write_bytes(b"".join(lines))
    return JournalBlock("gamelog_201501080000.txt", 0, sum(map(len, lines)))


@pytest.mark.parametrize(("at", "counts"), [(PLANNED - 1, False), (PLANNED, True)])
def test_a_line_is_judged_by_the_time_of_its_plan_whenever_it_is_folded(tmp_path, at, counts) -> None:
    block = journal(tmp_path)
    summary = fold(
        TaskProcess(Context(mapped(tmp_path), tmp_path, "engine:1")), FoldTask(block, at), 1
    ).summary
    assert summary.names == {"gamelog/log@1": [(1, 2 if counts else 1)]}
    assert [one.n for one in summary.unusable] == ([] if counts else [2])


@pytest.mark.parametrize("source_stays", [True, False])
def test_lines_wait_while_their_mapping_is_gone(tmp_path, source_stays) -> None:
    config = mapped(tmp_path)
    sources = [Source(name="log", kind="file", path="log")] if source_stays else []
    without = replace(config, gamelog=GamelogSection(sources=sources))
    task = FoldTask(journal(tmp_path), SOON)
    with pytest.raises(MappingGone, match=r"no source log with a format any more: put it back"):
        fold(TaskProcess(Context(without, tmp_path, "engine:1")), task, 1)
