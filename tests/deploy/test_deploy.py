"""The suite as a service of a Debian machine, for real: installed, counting, restarted, upgraded and removed."""

import os
import shutil
import signal
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from machine import (
    CONF,
    CURRENT,
    DATA,
    INIT,
    OWN,
    GameLog,
    alone,
    configuration,
    contents,
    copy_of_source,
    counted,
    deploy,
    living,
    logs,
    remove,
    run,
    service,
    traces,
    until,
)
from needed import CI

pytestmark = pytest.mark.xdist_group("the service of this machine")
NEEDED = ("service", "update-rc.d", "runuser", "useradd")


@pytest.fixture(scope="module")
def log() -> Iterator[GameLog]:
    """The suite, just installed on this machine, and the log that it will read. Everything is removed in the end."""
    if not CI:
        pytest.skip("installs a service on this machine, as root: run .ci/run, or set CI=true")
    missing = [program for program in NEEDED if shutil.which(program) is None]
    assert os.geteuid() == 0 and not missing, (
        f"needs root on Debian, with the programs {', '.join(missing or NEEDED)}"
    )
    with alone():
        if OWN.exists():
            remove()
        assert not traces(), f"this machine has an installation, which is left as it is: {traces()}"
        OWN.mkdir()
        OWN.chmod(0o755)
        try:
            said = deploy()
            assert "done: describe your games in /etc/analytics/analytics.toml" in said
            yield GameLog(OWN)
        finally:
            remove()


def is_well() -> bool:
    """Whether ``status`` finds nothing wrong; where a machine is busy, it may be asked again."""
    shown = service("status")
    return shown.returncode == 0 and "The balance adds up." in shown.stdout


def test_deploying_twice_changes_nothing(log: GameLog) -> None:
    before = contents()
    assert f'data = "{DATA}"' in CONF.read_text()
    assert deploy().startswith("nothing to do: /opt/analytics/releases/")
    assert contents() == before
    assert stat.S_IMODE(Path("/etc/default/analytics").stat().st_mode) == 0o600
    assert service("status").returncode == 3
    assert service("stop").returncode == 0
    assert service("force-reload").returncode == 7


def test_lines_in_and_numbers_out_while_it_is_restarted_and_upgraded(log: GameLog, tmp_path: Path) -> None:
    CONF.write_text(configuration(log))
    log.write(1000)
    for _ in range(2):  # what runs already is started with success
        started = service("start")
        assert started.returncode == 0, started.stdout + logs()
    until(is_well)
    with log.flowing():
        assert service("restart").returncode == 0
    until(lambda: counted() == log.written)

    source = copy_of_source(tmp_path)
    init = source / "analytics" / "__init__.py"
    init.write_text(init.read_text() + '\nUPGRADED = "yes"\n')
    release = CURRENT.resolve()
    with log.flowing():
        said = deploy(source=source)
    assert "stopping the old release" in said and "started (process" in said
    assert CURRENT.resolve() != release and release.exists()
    assert CONF.read_text().startswith("# an operator's own")
    until(is_well)
    until(lambda: counted() == log.written)
    assert living()
    assert all(str(CURRENT.resolve()) in command for command in living() if " run " in command)


def test_exit_statuses_are_those_of_lsb(log: GameLog) -> None:
    CONF.write_text(configuration(log))
    assert service("start").returncode == 0
    assert service("force-reload").returncode == 0
    assert service("reload").returncode == 0
    pid = int((DATA / "run" / "supervisord.pid").read_text())
    os.kill(pid, signal.SIGKILL)
    until(lambda: not living())
    assert service("status").returncode == 1
    assert service("start").returncode == 0
    until(lambda: counted() == log.written)
    assert service("stop").returncode == 0
    assert not living()
    assert [service(action).returncode for action in ("status", "stop", "try-restart")] == [3, 0, 0]
    assert [service(action).returncode for action in ("rotate", "reload")] == [2, 7]
    assert run("runuser", "-u", "nobody", "--", INIT, "start").returncode in (4, 5)
    good = CONF.read_text()
    CONF.write_text("[brokre]\n")
    refused = service("start")
    assert refused.returncode == 6 and "brokre: unknown key; did you mean broker?" in refused.stdout
    upgrade = run(Path(__file__).resolve().parents[2] / "deploy.sh")
    assert upgrade.returncode == 1 and "did you mean broker?" in upgrade.stdout
    CONF.unlink()
    assert service("start").returncode == 6
    CONF.write_text(good)


def test_removing_keeps_data_unless_told_otherwise(log: GameLog) -> None:
    CONF.write_text(configuration(log))
    assert service("start").returncode == 0
    said = deploy("--uninstall")
    assert "stopping the service" in said and f"kept {DATA}" in said
    assert not living() and not INIT.exists() and not CURRENT.parent.exists()
    assert CONF.exists() and list((DATA / "queue").iterdir())
    deploy("--uninstall", "--purge")
    assert traces() == []
    assert deploy("--uninstall", "--purge") == "nothing to do: it is not installed\n"
