"""The service under a real systemd, in a guest of this machine: nothing of the machine itself is touched.

It takes some minutes, so it runs only where it is asked for: see docs/how-to/install.md.
"""

import json
import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from guest import Guest
from machine import CONF, DATA, INIT, GameLog, configuration, copy_of_source

ASKED = "ANALYTICS_SYSTEMD"
PID = DATA / "run" / "supervisord.pid"
STOPPED_SECONDS = 240
EXPOSURE = 3.0
"""Of 10, as ``systemd-analyze security`` counts what a service could reach that it does not need."""

pytestmark = pytest.mark.xdist_group("the guest of this machine")


class Service:
    """The suite, deployed in a guest, and the log that it reads."""

    def __init__(self, guest: Guest) -> None:
        self.guest = guest
        games = guest.root / "srv" / "games"
        games.mkdir()
        self.log = GameLog(games)
        copy_of_source(_made(guest.root / "srv" / "source"))

    def configure(self, more: str = "") -> None:
        text = configuration(self.log).replace(str(self.log.path), "/srv/games/game.log")
        self.path(CONF).write_text(text + more)

    def path(self, path: Path) -> Path:
        """Return where a file of the guest is on this machine."""
        return self.guest.root / path.relative_to("/")

    def shown(self, name: str) -> str:
        """Return a property of the unit."""
        return self.guest.told("systemctl", "show", "--value", "--property", name, "analytics").strip()

    def is_well(self) -> bool:
        done = self.guest.run("analytics", "status")
        return done.returncode == 0 and "The balance adds up." in done.stdout

    def has_counted(self) -> bool:
        done = self.guest.run("analytics", "show", "loginday", "--format", "json")
        counts = [json.loads(row)["count"] for row in done.stdout.splitlines() if row.startswith("{")]
        return sum(int(count) for count in counts) == self.log.written

    def living(self) -> set[str]:
        """Return all processes of the installed suite, whoever started them."""
        lines = self.guest.told("ps", "-eo", "pid=,stat=,args=").splitlines()
        return {line.split()[0] for line in lines if "/opt/analytics/" in line and line.split()[1][0] != "Z"}

    def supervised(self) -> set[str]:
        """Return the processes that systemd knows of the service."""
        group = self.guest.run("cat", f"/sys/fs/cgroup{self.shown('ControlGroup')}/cgroup.procs")
        return set(group.stdout.split())

    def is_all_supervised(self) -> bool:
        """Say whether systemd knows of every process; ``start`` itself may still be ending when it has told systemd."""
        return self.living() == self.supervised() != set()

    def listening(self) -> str:
        return self.guest.told("ss", "--no-header", "--listening", "--tcp", "--processes")


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    """A guest under systemd with the suite just deployed, configured and not started."""
    if not os.environ.get(ASKED):
        pytest.skip(f"boots a guest under systemd, which takes minutes: set {ASKED}=1, as root")
    if os.geteuid() != 0:
        pytest.fail("needs root, for namespaces and cgroups")
    with tempfile.TemporaryDirectory(prefix="analytics-guest-", dir="/var/tmp") as folder:
        guest = Guest(Path(folder))
        try:
            guest.boot()
            made = Service(guest)
            assert "enabled the service" in guest.told("/srv/source/deploy.sh")
            made.configure()
            yield made
        finally:
            guest.remove()


def test_it_is_enabled_and_deploying_twice_changes_nothing(service: Service) -> None:
    guest = service.guest
    assert guest.told("systemctl", "is-enabled", "analytics") == "enabled\n"
    assert guest.told("/srv/source/deploy.sh").startswith("nothing to do: /opt/analytics/releases/")
    status = guest.run("service", "analytics", "status")
    assert status.returncode == 3 and "enabled" in status.stdout


def test_the_unit_is_sound_and_tight(service: Service) -> None:
    assert service.guest.told("systemd-analyze", "verify", "analytics.service") == ""
    told = service.guest.told("systemd-analyze", "security", "--no-pager", "analytics.service")
    level = re.search(r"Overall exposure level for analytics.service: ([\d.]+)", told)
    assert level and float(level[1]) <= EXPOSURE, told


def test_lines_in_and_numbers_out_while_it_is_restarted(service: Service) -> None:
    guest = service.guest
    service.log.write(1000)
    guest.told("service", "analytics", "start")
    assert "Active: active (running)" in guest.told("service", "analytics", "status")
    assert "Active: active (running)" in guest.told(
        INIT, "status"
    )  # what is called so goes through systemd, too
    assert service.is_well(), guest.run("analytics", "status").stdout
    service.guest.until(service.is_all_supervised)
    with service.log.flowing():
        guest.told("systemctl", "restart", "analytics")
        guest.told("service", "analytics", "force-reload")
    guest.until(service.has_counted)
    umask = guest.told("grep", "Umask", f"/proc/{service.path(PID).read_text().strip()}/status")
    assert umask.split() == ["Umask:", "0027"]


def test_a_reload_that_restarts_the_whole_suite_leaves_it_running(service: Service) -> None:
    guest = service.guest
    guest.told("systemctl", "start", "analytics")
    before, text = service.living(), service.path(CONF).read_text()
    service.path(CONF).write_text(f'log_level = "debug"\n{text}')
    try:
        with service.log.flowing():
            guest.told("service", "analytics", "reload")
            assert service.shown("ActiveState") == "active"
            assert service.shown("MainPID") == service.path(PID).read_text().strip()
        guest.until(service.is_all_supervised)
        assert not service.living() & before
        guest.until(service.has_counted)
    finally:
        service.path(CONF).write_text(text)


def test_a_supervisor_that_is_killed_is_started_again_and_nothing_is_left_of_the_one_before(
    service: Service,
) -> None:
    guest = service.guest
    guest.told("systemctl", "start", "analytics")
    before, pid = service.living(), service.path(PID).read_text()
    with service.log.flowing():
        guest.told("kill", "-KILL", pid.strip())
        guest.until(lambda: service.shown("NRestarts") == "1" and service.shown("ActiveState") == "active")
        guest.until(service.is_well)
    guest.until(service.has_counted)
    assert service.path(PID).read_text() != pid
    service.guest.until(service.is_all_supervised)
    assert not service.living() & before
    owners = set(re.findall(r"pid=(\d+)", service.listening()))
    assert owners and owners <= service.supervised()


def test_stopping_is_orderly(service: Service) -> None:
    guest = service.guest
    guest.told("systemctl", "start", "analytics")
    service.log.write(500)
    guest.until(service.has_counted)
    guest.told("timeout", str(STOPPED_SECONDS), "systemctl", "stop", "analytics")
    assert service.shown("Result") == "success"
    said = guest.journal().rpartition("stopping gamelog")[2]
    order = [said.find(words) for words in ("stopping broker", "stopping store", "stopped")]
    assert -1 not in order and order == sorted(order), said
    assert service.living() == set() and service.listening() == ""
    assert guest.run("service", "analytics", "status").returncode == 3


def test_a_configuration_that_is_refused_is_told_by_systemctl_and_not_tried_again(service: Service) -> None:
    guest = service.guest
    guest.told("systemctl", "stop", "analytics")
    service.configure("[brokre]\n")
    try:
        assert guest.run("service", "analytics", "start").returncode == 1
        told = guest.run("systemctl", "status", "--no-pager", "analytics").stdout
        assert "brokre: unknown key; did you mean broker?" in told and "Active: failed" in told, told
    finally:
        service.configure()
    assert (service.shown("Result"), service.shown("NRestarts")) == ("exit-code", "0")
    guest.told("service", "analytics", "start")
    assert service.is_well()


def test_a_node_that_does_not_come_up_leaves_the_others_running(service: Service) -> None:
    guest = service.guest
    guest.told("systemctl", "stop", "analytics")
    text = service.path(CONF).read_text()
    service.path(CONF).write_text(re.sub(r"(?s)(\[dashboard\]\nport = )\d+", r"\g<1>80", text))
    try:
        guest.told("systemctl", "start", "analytics")
        assert "dashboard ended at its start" in guest.journal()
        assert service.shown("ActiveState") == "active"
        assert guest.run("analytics", "status").returncode == 1
        guest.until(service.has_counted)
        guest.told("systemctl", "stop", "analytics")
    finally:
        service.path(CONF).write_text(text)


def test_a_taken_port_is_waited_for(service: Service) -> None:
    guest = service.guest
    guest.told("systemctl", "stop", "analytics")
    port = int(re.findall(r"receiver_port = (\d+)", service.path(CONF).read_text())[0])
    with _taken(guest, port):
        assert guest.run("systemctl", "start", "analytics").returncode == 1
        assert f"port {port} on 127.0.0.1 is taken by another program" in guest.journal()
    guest.until(service.is_well)


def test_it_comes_up_with_the_machine_and_reads_what_came_meanwhile(service: Service) -> None:
    guest = service.guest
    guest.told("systemctl", "start", "analytics")
    with service.log.flowing():
        guest.power_off()
    service.log.write(500)
    guest.boot()
    guest.until(service.is_well)
    guest.until(service.has_counted)
    service.guest.until(service.is_all_supervised)


def test_upgrading_while_lines_flow(service: Service) -> None:
    guest = service.guest
    guest.told("systemctl", "start", "analytics")
    init = guest.root / "srv" / "source" / "analytics" / "__init__.py"
    init.write_text(init.read_text() + '\nUPGRADED = "yes"\n')
    before = service.living()
    with service.log.flowing():
        said = guest.told("/srv/source/deploy.sh")
    assert "stopping the old release" in said and "starting the new release" in said
    guest.until(service.has_counted)
    assert service.is_well()
    service.guest.until(service.is_all_supervised)
    assert not service.living() & before


def test_what_was_started_by_hand_becomes_systemds(service: Service) -> None:
    """Whatever somebody does beside systemd: nothing runs that it does not know of after the next start, and lines count."""
    guest = service.guest
    guest.told("systemctl", "stop", "analytics")
    by_hand = ("runuser", "-u", "analytics", "--", "analytics")
    guest.told(*by_hand, "start")
    with service.log.flowing():
        guest.told("systemctl", "start", "analytics")
        guest.until(service.is_all_supervised)
        guest.told(*by_hand, "restart")
        assert service.is_well()
        guest.told("systemctl", "start", "analytics")
    guest.until(service.is_all_supervised)
    guest.told(*by_hand, "stop")
    guest.until(lambda: service.shown("ActiveState") == "inactive")
    assert service.living() == set()
    guest.told("systemctl", "start", "analytics")
    guest.until(service.has_counted)


def test_removing_stops_what_runs_beside_systemd_and_disables_it(service: Service) -> None:
    guest = service.guest
    guest.told("systemctl", "stop", "analytics")
    guest.told("runuser", "-u", "analytics", "--", "analytics", "start")
    assert service.living() and service.shown("ActiveState") == "inactive"
    said = guest.told("/srv/source/deploy.sh", "--uninstall", "--purge")
    assert "stopping the service" in said
    assert service.living() == set()
    assert guest.run("systemctl", "is-enabled", "analytics").returncode != 0
    assert service.shown("LoadState") == "not-found"
    traces = guest.told("find", "/etc", "/opt", "/usr/local", "/var/lib", "/run", "-name", "*analytics*")
    assert traces == ""


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


@contextmanager
def _taken(guest: Guest, port: int) -> Iterator[None]:
    """Another program of the guest that listens on the port, meanwhile."""
    program = f"import socket, sys; s = socket.create_server(('127.0.0.1', {port})); print(1, flush=True); sys.stdin.read()"
    with subprocess.Popen(
        guest.entering("python3", "-c", program), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdin and other.stdout and other.stdout.readline()
        yield
        other.stdin.close()
