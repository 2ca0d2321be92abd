"""What others may read of a suite's files and messages: nothing that is not theirs."""

import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from analytics.cli import main as main_module
from analytics.config import load
from analytics.config.uris import without_secrets
from analytics.errors import ConfigError
from analytics.testing.ports import free_ports


@pytest.fixture
def umask() -> Iterator[None]:
    """A umask that keeps nothing from anybody, for one test."""
    before = os.umask(0)
    yield
    os.umask(before)


def test_commands_write_nothing_that_others_may_read(tmp_path: Path, umask: None) -> None:
    main_module.main([], run=lambda *_, **__: (tmp_path / "file").write_text("acct"))
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o640


def test_a_node_writes_nothing_that_others_may_read(tmp_path: Path, umask: None) -> None:
    ports = free_ports(3)
    config = tmp_path / "a.toml"
    config.write_text(
        f'data = "data"\n[broker]\nreceiver_port = {ports[0]}\nsender_port = {ports[1]}\nrefill_port = {ports[2]}\n'
        "min_free_mb = 1\n"
    )
    data = tmp_path / "data"
    data.mkdir(mode=0o755)
    node = subprocess.Popen([sys.executable, "-m", "analytics", "--config", str(config), "run", "broker"])
    until = time.monotonic() + 120
    while not list(data.glob("run/*broker*")) and time.monotonic() < until:
        time.sleep(0.05)
    node.send_signal(signal.SIGTERM)
    assert node.wait(600) == 0
    found = [data, *data.rglob("*")]
    assert len(found) > 5
    assert not [path for path in found if path.stat().st_mode & (stat.S_IRWXO | stat.S_IWGRP)]


@pytest.mark.parametrize(
    "text",
    [
        '[payment]\nurl = "ann:SECRET@10.0.0.8/pay?token=SECRET"',
        '[payment]\nurl = "http://ann:SECRET@h/pay?token=SECRET&area={nothing}"',
        '[payment]\nurl = "http://h/{?token=SECRET"',
        "[payment]\nurl = 5\nheaders = { Authorization = 5, Cookie = [\"SECRET\"] }",
        '[payment]\nurl = ["http://ann:SECRET@h/"]',
        '[payment]\nheaders = "Authorization: SECRET"',
        '[mongodb]\nuri = ["mongodb://ann:SECRET@h"]',
        '[mongodb]\nuri = "mongodb://ann:SECRET@[::1/?w=1"',
        '[etcd]\nendpoints = ["http://ann:SECRET@h:2379"]',
        '[[gamelog.sources]]\nname = "a"\nkind = "http"\nurl = "ftp://ann:SECRET@h/a?SECRET"',
        '[[gamelog.sources]]\nname = "a"\nkind = "http"\nurl = "http://h"\nproxy = "ann:SECRET@h"',
        '[dashboard]\nusers = ["SECRET"]',
    ],
)  # fmt: skip
def test_no_message_of_the_configuration_shows_a_secret(tmp_path: Path, text: str) -> None:
    file = tmp_path / "a.toml"
    file.write_text(text)
    with pytest.raises(ConfigError) as refused:
        load(file)
    assert "SECRET" not in str(refused.value) and "ann" not in str(refused.value)


def test_an_address_is_shown_without_its_secrets() -> None:
    assert without_secrets("http://u:p@h:1/a?t=x&area={area}#y") == "http://h:1/a?t=…&area={area}"
    assert without_secrets("u:p@h/a") == "…" and without_secrets("http://[x/") == "…"
