"""Journals of a source that a mapping reads give the same answers as any others."""

import errno
import gzip
import json
from pathlib import Path

import pytest

from analytics.config import AreaSection, Config, Game, GamelogSection, Source, TimeSection
from analytics.errors import AnalyticsError
from analytics.export import mapped
from analytics.export.query import answer
from analytics.spouts.gamelog import rules_of
from analytics.spouts.mapping.lines import convert

pytest.importorskip("duckdb")
SOURCE = Source(
    name="s1", kind="file", path="x", format="json", area="s1", time=TimeSection(field="at", format="unix"), event="what",
    fields={"acct": "who"},
)  # fmt: skip


@pytest.mark.parametrize("packed", [False, True])
def test_lines_of_a_mapped_source_are_rows(tmp_path: Path, packed: bool) -> None:
    games = {"g": Game(areas={"s1": AreaSection(plat="1")})}
    config = Config(data=tmp_path, games=games, gamelog=GamelogSection(sources=[SOURCE]), timezone="UTC")
    lines = [{"at": 1_700_000_000 + n, "what": "login_logcount", "who": f"a{n % 3}"} for n in range(10)]
    text = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    (share,) = convert(text, "gamelog/s1@1", 1, rules_of(config, "s1"), 1_800_000_000)
    journal = b"\n".join(share.journaled()) + b'\n{"id":"torn'
    name = tmp_path / "gamelog_202311142200.txt"
    if packed:
        name.with_name(name.name + ".gz").write_bytes(gzip.compress(journal))
    else:
        name.write_bytes(journal)
    sql = "SELECT code, area, acct, count(*), min(n), max(ts) FROM gamelog GROUP BY ALL ORDER BY ALL"
    with answer(config, sql) as found:
        rows = [row for some in found.rows for row in some]
    assert rows == [
        ("login_logcount", "s1", f"a{k}", len(range(k, 10, 3)), k + 1, 1_700_000_000 + max(range(k, 10, 3)))
        for k in range(3)
    ]


def test_a_journal_of_a_mapped_source_that_cannot_be_copied_is_not_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    games = {"g": Game(areas={"s1": AreaSection(plat="1")})}
    config = Config(data=tmp_path, games=games, gamelog=GamelogSection(sources=[SOURCE]), timezone="UTC")
    line = b'{"id":"gamelog/s1@1:1","as":"s1","raw":{"at":1700000000,"what":"login_logcount","who":"a"}}\n'
    (tmp_path / "gamelog_202311142200.txt").write_bytes(line)

    def full(*_: object) -> tuple[bytes, dict[str, list[int]]]:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(mapped, "plain_journal", full)
    reason = r"gamelog_202311142200.txt .*No space left"
    with pytest.raises(AnalyticsError, match=reason), answer(config, "SELECT count(*) FROM gamelog"):
        pass
