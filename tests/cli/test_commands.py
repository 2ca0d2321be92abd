"""The commands, as people and scripts call them, against a suite that runs."""

import itertools
import json
import os
import re
import signal
import time
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import gevent
import pytest
from click.testing import CliRunner
from running_suite import ROOT, Run, RunningSuite

from analytics.cli.main import COMMANDS, cli
from analytics.core.compiled import COMPILED
from analytics.runtime.report import report
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
def test_a_folder_that_cannot_be_used_is_reported_in_a_line(
    analytics: Run, tmp_path: Path, words: list[str]
) -> None:
    file = tmp_path / "a.toml"
    file.write_text('data = "/proc/nowhere"')
    refused = analytics("--config", str(file), *words)
    assert refused.returncode == 1
    assert refused.stderr == "analytics: /proc/nowhere: No such file or directory\n"


def test_a_node_that_is_none(analytics: Run) -> None:
    refused = analytics("run", "loginhuor")
    assert refused.returncode == 1
    assert 'got "loginhuor"; did you mean loginhour?' in refused.stderr


PATIENT = ("--patience", "60")
"""However busy the machine is."""


def in_time(run: Callable[[], CompletedProcess[str]]) -> CompletedProcess[str]:
    """Return what a command does once it succeeds, or after a minute: what a busy machine does in time varies."""
    until = time.monotonic() + 60
    while (done := run()).returncode and time.monotonic() < until:
        gevent.sleep(0.5)
    return done


def test_status_of_a_suite_that_is_well(analytics: Run, running: RunningSuite) -> None:
    shown = in_time(lambda: analytics("--config", str(running.file), "status", "--json", *PATIENT))
    assert shown.returncode == 0, shown.stdout
    facts = json.loads(shown.stdout)
    assert facts["healthy"] is True
    assert {node["name"] for node in facts["nodes"]} == {
        "store",
        "broker",
        "worker-main",
        "timers",
        "gamelog",
        "payment",
        "syncuser",
    }
    spouts = {spout["name"]: spout for spout in facts["balance"]["spouts"]}
    assert spouts["gamelog"]["ever_accepted"] == running.game.ledger.records
    table = in_time(lambda: analytics("--config", str(running.file), "status", *PATIENT))
    assert table.returncode == 0
    assert "The balance adds up." in table.stdout
    assert f"{running.game.ledger.records:,}" in table.stdout


def test_drain_returns_at_once_when_all_is_counted(analytics: Run, running: RunningSuite) -> None:
    assert analytics("--config", str(running.file), "drain", "--timeout", "50").returncode == 0


def test_tail_prints_tuples_as_they_pass(analytics: Run, running: RunningSuite) -> None:
    tailing = gevent.spawn(
        analytics, "--config", str(running.file), "tail", "gamelog.*", "--count", "2", timeout=300
    )
    area = running.game.servers[0].id
    ts = int(time.time())
    lines = "".join(
        json.dumps({"op": {"code": "hello"}, "area": area, "ts": ts, "data": {"corpid": 1, "acct": f"a{n}"}})
        + "\n"
        for n in range(3)
    )
    for number in itertools.count():  # whoever begins to listen has missed what came before
        put = gevent.subprocess.run(
            [str(ROOT / "bin" / "read_stdin_gamelog"), "--source", f"hello{number}"],
            input=lines.encode(), capture_output=True, env={"ANALYTICS_CONFIG": str(running.file), "PATH": "/usr/bin:/bin"},
        )  # fmt: skip
        assert put.returncode == 0, put.stderr
        tailing.join(1)
        if tailing.ready():
            break
    tailed = tailing.get()
    assert tailed.returncode == 0, tailed.stderr
    tuples = [json.loads(line) for line in tailed.stdout.splitlines()]
    assert [one["id"].rpartition(":")[2] for one in tuples] == ["1", "2"]
    assert tuples[0]["op"]["code"] == "hello"


def test_check_tries_everything(analytics: Run, running: RunningSuite) -> None:
    checked = in_time(lambda: analytics("--config", str(running.file), "check"))
    assert checked.returncode == 0, checked.stdout
    for name in (
        "configuration",
        "store",
        "broker",
        "payment interface",
        "gamelog source server1001",
        f"reading of game logs: {'' if COMPILED else 'not '}compiled",
    ):
        assert re.search(rf"^ok +{name}", checked.stdout, re.MULTILINE), checked.stdout


def test_check_says_what_is_wrong(analytics: Run, tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    file.write_text(
        '[[gamelog.sources]]\nname = "web"\nkind = "http"\nurl = "http://127.0.0.1:9/x"\n'
        '[[gamelog.sources]]\nname = "files"\nkind = "file"\npath = "none/*.log"\n'
        '[mongodb]\nuri_env = "A_SECRET_THAT_IS_NOT_SET"\n'
    )
    checked = analytics("--config", str(file), "check")
    assert checked.returncode == 1
    for told in (
        "ERROR   environment: mongodb.uri_env: expected a value in the environment variable A_SECRET_THAT_IS_NOT_SET",
        "ERROR   gamelog source web: http://127.0.0.1:9/x: Connection refused; is the address right",
        f"ERROR   gamelog source files: no file matches {tmp_path}/none/*.log",
    ):
        assert told in checked.stdout


def test_nothing_answers_where_nothing_runs(analytics: Run, tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    file.write_text("[broker]\nreceiver_port = 9\nsender_port = 10\nrefill_port = 11\n")
    shown = analytics("--config", str(file), "status", "--json")
    assert shown.returncode == 1
    facts = json.loads(shown.stdout)
    assert "did not answer" in facts["problem"]
    assert {node["problem"] for node in facts["nodes"]} == {"not running"}
    drained = analytics("--config", str(file), "drain", "--timeout", "0.5")
    assert drained.returncode == 1
    assert "did not answer" in drained.stderr


@pytest.mark.parametrize(
    ("frozen", "told"),
    [
        (["broker"], ["No balance: (the )?broker "]),
        (["server"], ["No answer: store: "]),
        (["broker", "server"], ["No balance: (the )?broker ", "No answer: store: "]),
    ],
)
def test_status_within_two_seconds_whatever_hangs(
    analytics: Run, running: RunningSuite, frozen: list[str], told: list[str]
) -> None:
    nodes = {node.name: node for node in report(running.suite.config).nodes}
    pids = {"broker": running.suite.pid("broker"), "server": nodes["store"].state["server_pid"]}
    try:
        for name in frozen:
            os.kill(pids[name], signal.SIGSTOP)
        shown = analytics("--config", str(running.file), "status", timeout=600)
    finally:
        for name in frozen:
            os.kill(pids[name], signal.SIGCONT)
    assert shown.returncode == 1
    for words in told:
        assert re.search(words, shown.stdout)
    # How long it waits; what it computes takes well below half a second where nothing else is computed.
    assert "[default: 1.2;" in analytics("status", "--help").stdout


def test_a_killed_node_is_shown_and_comes_back(analytics: Run, running: RunningSuite) -> None:
    running.suite.kill("gamelog")
    shown = analytics("--config", str(running.file), "status", "--json")
    assert shown.returncode == 1
    problems = {node["name"]: node["problem"] for node in json.loads(shown.stdout)["nodes"]}
    assert problems["gamelog"].startswith("died")
    running.suite.restart("gamelog")
    again = in_time(lambda: analytics("--config", str(running.file), "status", "--json", *PATIENT))
    assert again.returncode == 0, again.stdout


def test_a_process_that_can_not_start_is_quoted(tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    file.write_text('[[gamelog.sources]]\nname = "a"\nkind = "tcp"\nhost = "192.0.2.1"\nport = 5010\n')
    with pytest.raises(ProcessNotUp, match="gamelog ended with status 1"), Suite(file, [["gamelog"]]):
        pass
