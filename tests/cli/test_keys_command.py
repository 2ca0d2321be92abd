"""``bin/analytics keys``: from an empty folder to keys, and what it refuses."""

import stat
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from analytics.cli.main import cli
from analytics.errors import ConfigError


def keys(tmp_path: Path, section: str, *names: str) -> Result:
    file = tmp_path / "analytics.toml"
    file.write_text(f'data = "data"\n[broker]\n{section}\n')
    return CliRunner().invoke(cli, ["--config", str(file), "keys", *names], catch_exceptions=False)


def test_each_host_gets_a_pair_that_its_owner_alone_reads(tmp_path: Path) -> None:
    told = keys(tmp_path, 'host = "10.0.0.1"\nkeys = "k"', "a", "b")
    assert told.exit_code == 0
    files = {str(path.relative_to(tmp_path / "k")) for path in (tmp_path / "k").rglob("*.key*")}
    assert files == {f"public/{name}.key" for name in ("a", "b", "broker")} | {
        f"secret/{name}.key_secret" for name in ("a", "b", "broker")
    }
    assert {stat.S_IMODE((tmp_path / "k" / name).stat().st_mode) for name in files} == {0o600}
    assert 'broker.key_name = "b"' in told.output


def test_what_can_not_be_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"broker\.keys: expected a folder"):
        keys(tmp_path, "let_anyone_in = true")
    with pytest.raises(ConfigError, match=r'got "\.\./a"'):
        keys(tmp_path, 'keys = "k"', "../a")
