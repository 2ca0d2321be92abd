"""The commands, as people and scripts call them, against a suite that runs."""

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from in_process import in_process
from running_suite import Run

from analytics.cli.main import COMMANDS, cli
from analytics.runtime.suite import ProcessNotUp, Suite


def test_help_lists_every_command_and_is_quick(analytics: Run) -> None:
    listed = analytics("--help", env={"PYTHONPROFILEIMPORTTIME": "1"})
    assert listed.returncode == 0
    imported = {line.rpartition("|")[2].strip() for line in listed.stderr.splitlines()}
    assert "click" in imported
    slow = {"importlib.metadata", "zmq", "pymongo", "requests", "numpy", "rich", "msgspec"}
    assert not imported & slow, "they take long"
    assert all(re.search(rf"^  {name}\b", listed.stdout, re.MULTILINE) for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_help(name: str) -> None:
    environment = {"ANALYTICS_CONFIG": "/nowhere"}
    shown = CliRunner().invoke(cli, [name, "--help"], env=environment, prog_name="analytics")
    assert shown.exit_code == 0, shown.output
    assert shown.stdout.startswith(f"Usage: analytics {name}")


def test_a_bad_configuration_is_refused_with_status_2(analytics: Run, tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    file.write_text("[broker]\nreciever_port = 1")
    refused = analytics("--config", str(file), "run", "broker")
    assert refused.returncode == 2
    assert (
        refused.stderr
        == f"analytics: {file}: broker.reciever_port: unknown key; did you mean receiver_port?\n"
    )


@pytest.mark.parametrize("words", [["show", "loginday"], ["read-stdin-gamelog"]])
def test_a_folder_that_cannot_be_used_is_reported_in_a_line(tmp_path: Path, words: list[str]) -> None:
    file = tmp_path / "a.toml"
    file.write_text('data = "/proc/nowhere"')
    refused = in_process("--config", str(file), *words)
    assert refused.returncode == 1
    assert refused.stderr == "analytics: /proc/nowhere: No such file or directory\n"


def test_a_node_that_is_none() -> None:
    refused = in_process("run", "loginhuor")
    assert refused.returncode == 1
    assert 'got "loginhuor"; did you mean loginhour?' in refused.stderr


def test_check_says_what_is_wrong(tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    file.write_text(
        '[[gamelog.sources]]\nname = "web"\nkind = "http"\nurl = "http://127.0.0.1:9/x"\n'
        '[[gamelog.sources]]\nname = "files"\nkind = "file"\npath = "none/*.log"\n'
        '[mongodb]\nuri_env = "A_SECRET_THAT_IS_NOT_SET"\n'
    )
    checked = in_process("--config", str(file), "check")
    assert checked.returncode == 1
    for told in (
        "ERROR   environment: mongodb.uri_env: expected a value in the environment variable A_SECRET_THAT_IS_NOT_SET",
        "ERROR   gamelog source web: http://127.0.0.1:9/x: Connection refused; is the address right",
        f"ERROR   gamelog source files: no file matches {tmp_path}/none/*.log",
    ):
        assert told in checked.stdout


def test_nothing_answers_where_nothing_runs(tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    file.write_text("[broker]\nreceiver_port = 9\nsender_port = 10\nrefill_port = 11\n")
    shown = in_process("--config", str(file), "status", "--json")
    assert shown.returncode == 1
    facts = json.loads(shown.stdout)
    assert "did not answer" in facts["problem"]
    assert {node["problem"] for node in facts["nodes"]} == {"not running"}
    drained = in_process("--config", str(file), "drain", "--timeout", "0.5")
    assert drained.returncode == 1
    assert "did not answer" in drained.stderr


def test_a_process_that_can_not_start_is_quoted(tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    file.write_text('[[gamelog.sources]]\nname = "a"\nkind = "tcp"\nhost = "192.0.2.1"\nport = 5010\n')
    with pytest.raises(ProcessNotUp, match="gamelog ended with status 1"), Suite(file, [["gamelog"]]):
        pass
