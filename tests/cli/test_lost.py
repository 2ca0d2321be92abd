"""``analytics lost``: what was gone before it was read, until somebody takes note."""

from pathlib import Path

from click.testing import CliRunner

from analytics.cli.lost import lost
from analytics.config import Config
from analytics.spouts.lost import Loss, Lost


def test_losses_are_listed_until_they_are_accepted(tmp_path: Path) -> None:
    config = Config(data=tmp_path)
    kept = Lost(config)
    for line in (4, 9):
        kept.put(
            Loss(at=1.0, source="gamelog/web@1", line=line, byte=100 * line, bytes=line % 2 * 50, reason="x")
        )
    kept.close()

    def said(*words: str) -> str:
        done = CliRunner().invoke(lost, words, obj=config, env={"COLUMNS": "160"})
        assert done.exit_code == 0, done.output
        return done.output

    assert "unknown" in said() and "900" in said() and said().endswith("2 lost\n")
    assert said("--accept").endswith("2 accepted\n")
    assert said() == "0 lost\n"
    kept = Lost(config)
    kept.put(Loss(at=2.0, source="gamelog/web@1", line=20, byte=5000, reason="x"))
    kept.close()
    assert said().endswith("1 lost\n")
