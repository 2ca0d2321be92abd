"""This machine as one to install the suite on: deploy.sh, the service, and what of it lies where."""

import fcntl
import json
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import gevent

from analytics.testing.ports import free_ports
from analytics.testing.setting import on_ports

ROOT = Path(__file__).resolve().parents[2]
CONF = Path("/etc/analytics/analytics.toml")
DATA = Path("/var/lib/analytics")
CURRENT = Path("/opt/analytics/current")
INIT = Path("/etc/init.d/analytics")
OWN = Path("/var/tmp/analytics-deploy-test")
"""The game log's folder. While it is there, what is installed is a test's own: one that was killed left it."""
PLACES = ("/etc", "/opt", "/usr/local/bin", "/var/lib", "/var/log", "/run")
AREA = "549140c8dbdb67794fc0fa3b"
NOON = 1420689600
PATIENCE = 600.0
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": os.environ.get("HOME", "/"),
    "CFLAGS": "-O0",  # what is compiled is not measured here
}

Done = subprocess.CompletedProcess[str]


def run(*command: str | Path) -> Done:
    """Run a command; what it wrote is all in ``stdout``."""
    return subprocess.run(
        [str(word) for word in command],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
        text=True, check=False, timeout=1500, env=ENVIRONMENT, cwd="/",
    )  # fmt: skip


def deploy(*arguments: str, source: Path = ROOT) -> str:
    """Run deploy.sh, which has to succeed; return what it said."""
    done = run(source / "deploy.sh", *arguments)
    assert done.returncode == 0, done.stdout
    return done.stdout


def remove() -> None:
    """Remove the test's own installation, once no ``deploy.sh`` that a killed test left is at work on it."""
    until(lambda: run(ROOT / "deploy.sh", "--uninstall", "--purge").returncode == 0)
    shutil.rmtree(OWN)


def service(action: str) -> Done:
    """Run ``service analytics ACTION``."""
    return run("service", "analytics", action)


def traces() -> list[str]:
    """Return every path that bears the suite's name where a service leaves something, and the user."""
    found = [
        str(path)
        for place in PLACES
        for path in (*Path(place).glob("*analytics*"), *Path(place).glob("*/*analytics*"), *Path(place).glob("*/*/*analytics*"))
    ]  # fmt: skip
    return [path for path in found if not path.startswith("/opt/pypi")] + users()


def users() -> list[str]:
    """Return the service's user, if there is one."""
    return ["user analytics" for one in pwd.getpwall() if one.pw_name == "analytics"]


def contents() -> dict[str, tuple[int, int]]:
    """Return what ``deploy.sh`` wrote, each file with its inode and time of change."""
    files = [path for path in traces() if path.startswith("/")]
    files += [str(path) for place in ("/etc/analytics", "/opt/analytics") for path in Path(place).rglob("*")]
    return {
        path: (os.lstat(path).st_ino, os.lstat(path).st_mtime_ns)
        for path in files
        if "__pycache__" not in path
    }


def living() -> list[str]:
    """Return the command lines of all processes of the installed suite."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if "/opt/analytics/" in command or "/var/lib/analytics/" in command:
            found.append(command)
    return found


def until(true: Callable[[], object]) -> None:
    """Return when it is true."""
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, f"it did not come to pass; logs:{logs()}"
        gevent.sleep(0.5)  # most of what is asked takes a process or two


def logs() -> str:
    return "".join(
        f"\n--- {log}\n{log.read_text(errors='replace')[-1500:]}"
        for log in Path("/var/log/analytics").glob("*.log")
    )


class GameLog:
    """A game server's log, which the service's user may read."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "game.log"
        self.path.touch()
        self.written = 0

    def write(self, count: int) -> None:
        """Have that many more accts log in."""
        with self.path.open("a") as log:
            for number in range(self.written, self.written + count):
                op = {"code": "login_logcount"}
                line = {"op": op, "area": AREA, "ts": NOON, "data": {"corpid": 1, "acct": f"a{number}"}}
                log.write(json.dumps(line) + "\n")
        self.written += count

    @contextmanager
    def flowing(self) -> Iterator[None]:
        """Write on and on, meanwhile."""

        def write_on() -> None:
            while True:
                self.write(20)
                gevent.sleep(0.02)

        writing = gevent.spawn(write_on)
        try:
            yield
        finally:
            writing.kill()


def configuration(log: GameLog) -> str:
    """Return a configuration that reads ``log``, on ports that are free."""
    return f"""# an operator's own
data = "{DATA}"
{on_ports(*free_ports(5))}
[games.dl.areas.{AREA}]
plat = "2001"
[[gamelog.sources]]
name = "local"
kind = "file"
path = "{log.path}"
poll_seconds = 0.1
"""


def counted() -> int:
    """Return how many accts the suite says logged in."""
    done = run("/usr/local/bin/analytics", "show", "loginday", "--format", "json")
    assert done.returncode == 0, done.stdout
    return sum(int(json.loads(row)["count"]) for row in done.stdout.splitlines() if row.startswith("{"))


@contextmanager
def alone() -> Iterator[None]:
    """Wait for tests of other checkouts on this machine, which install to the same places."""
    with (Path(tempfile.gettempdir()) / "analytics-deploy-test.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def copy_of_source(folder: Path) -> Path:
    """Return a copy of what is deployed, to change something in."""
    for name in ("analytics", "conf", "init.d"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("setup.py", "pyproject.toml", "requirements.lock", "README.md", "LICENSE", "deploy.sh"):
        shutil.copy2(ROOT / name, folder / name)
    return folder
