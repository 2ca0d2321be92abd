"""A Debian of its own with systemd as its process 1, in a folder of this machine: namespaces stand for the hardware."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import gevent
from machine import ENVIRONMENT, ROOT, Done
from needed import missing, need

RELEASES = {(3, 11): "bookworm", (3, 13): "trixie"}
"""Debian's releases by their Python: the guest has no network, so it installs what this Python has fetched."""
PACKAGES = "systemd,systemd-sysv,dbus,python3,python3-venv,procps,iproute2,init-system-helpers"
KEPT = ROOT / ".venv" / "guest"
BOOT = Path(__file__).with_name("boot")
PATIENCE = 600.0


class Guest:
    """A copy of the kept Debian, in a folder that it may have for itself."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "root"
        self._console = folder / "console"
        self._cgroup = _cgroup2() / f"analytics-guest-{os.getpid()}"
        self._init = 0
        self._boot: subprocess.Popen[bytes] | None = None
        subprocess.run(["cp", "-a", "--reflink=auto", _debian(), self.root], check=True)
        shutil.copytree(_wheels(), self.root / "srv" / "wheels")
        (self.root / "etc" / "hostname").write_text("guest\n")

    def boot(self) -> None:
        """Return when it is up."""
        with self._console.open("ab") as console:
            self._boot = subprocess.Popen(
                [BOOT, self.root, self._cgroup], stdin=subprocess.DEVNULL, stdout=console, stderr=console
            )
        children = Path(f"/proc/{self._boot.pid}/task/{self._boot.pid}/children")

        def is_up() -> bool:
            assert self._boot and self._boot.poll() is None, self._console.read_text()
            self._init = int((children.read_text().split() or ["0"])[0])
            named = Path(f"/proc/{self._init}/comm")
            if not self._init or named.read_text() != "systemd\n":
                return False
            return self.run("systemctl", "is-system-running").stdout in ("running\n", "degraded\n")

        self.until(is_up)

    def run(self, *command: str | Path) -> Done:
        """Run a command in it, as root; what it wrote is all in ``stdout``."""
        return subprocess.run(
            self.entering(*command),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
            text=True, check=False, timeout=1500, cwd="/",
            env={**ENVIRONMENT, "HOME": "/root", "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "/srv/wheels"},
        )  # fmt: skip

    def entering(self, *command: str | Path) -> list[str]:
        """Return the command line of this machine that runs a command in it."""
        return ["nsenter", "--target", str(self._init), "--all", *(str(word) for word in command)]

    def told(self, *command: str | Path) -> str:
        """Run a command in it that has to succeed; return what it wrote."""
        done = self.run(*command)
        assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}\n{self.journal()}"
        return done.stdout

    def journal(self) -> str:
        """Return the last that systemd and the suite's commands said of the service."""
        return self.run("journalctl", "--unit", "analytics", "--no-pager", "--lines", "60").stdout

    def until(self, true: Callable[[], object]) -> None:
        """Return when it is true."""
        end = time.monotonic() + PATIENCE
        while not true():
            assert time.monotonic() < end, f"it did not come to pass\n{self.journal()}"
            gevent.sleep(0.2)

    def power_off(self) -> None:
        """Have systemd stop everything in order; return when it is off."""
        self.run("systemctl", "poweroff")
        assert self._boot
        self._boot.wait(PATIENCE)

    def remove(self) -> None:
        """End whatever runs in it, and leave nothing of it on this machine but what the next one starts from."""
        if self._boot:
            self._boot.kill()  # process 1 of the guest with it, and all of its processes with that
            self._boot.wait()
        end = time.monotonic() + PATIENCE
        for group in sorted(self._cgroup.rglob("*"), reverse=True) if self._cgroup.exists() else []:
            if group.is_dir():
                _remove_group(group, end)
        if self._cgroup.exists():
            _remove_group(self._cgroup, end)
        shutil.rmtree(self.root)


def _remove_group(group: Path, end: float) -> None:
    while True:
        try:
            return group.rmdir()
        except OSError:  # its processes are about to end
            if time.monotonic() > end:
                raise
            gevent.sleep(0.05)


def _cgroup2() -> Path:
    """Return where this machine has its cgroups of version 2."""
    mounts = (line.split() for line in Path("/proc/self/mounts").read_text().splitlines())
    groups = (
        Path(where) for _, where, kind, options, *_ in mounts if kind == "cgroup2" and options[:2] == "rw"
    )
    return next(groups, None) or missing(
        "needs cgroups of version 2 that can be written, and this machine has none"
    )


def _debian() -> Path:
    """Return a Debian with systemd and Python as it is before its first boot, made when it is first asked for."""
    release = RELEASES.get(sys.version_info[:2]) or missing(
        f"needs the Python of a Debian, {' or '.join(f'{a}.{b}' for a, b in RELEASES)}: make .venv with one (PYTHON=…)"
    )
    root = KEPT / release
    if not root.exists():
        begun = root.with_suffix(".begun")
        shutil.rmtree(begun, ignore_errors=True)
        begun.parent.mkdir(parents=True, exist_ok=True)
        debootstrap = need("debootstrap", "as root: apt-get install debootstrap")
        _make([debootstrap, "--variant=minbase", f"--include={PACKAGES}", release, begun], cwd="/")
        begun.rename(root)
    return root


def _wheels() -> Path:
    """Return a folder with all that pip needs for an installation, fetched again where the lock has changed since."""
    wheels, stamp, lock = KEPT / "wheels", KEPT / "requirements.lock", ROOT / "requirements.lock"
    if not stamp.exists() or stamp.read_bytes() != lock.read_bytes():
        shutil.rmtree(wheels, ignore_errors=True)
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
        _make([*pip, "--dest", wheels, "--require-hashes", "--requirement", lock], cwd=KEPT)
        shutil.copy2(lock, stamp)
    return wheels


def _make(command: list[str | Path], cwd: Path | str) -> None:
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, cwd=cwd
    )
    assert done.returncode == 0, f"{command[0]}: {done.stdout[-3000:]}"
