"""Makes a picture of every page of a running demo, in light and dark, some in Chinese or narrow: `benchmarks/screenshots`."""

import os
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from analytics.web.contents import PAGES

ROOT = Path(__file__).resolve().parents[2]
BROWSE = Path(__file__).with_name("browse.py")
IN_CHINESE = ("/", "/retention")
NARROW = ("/", "/retention", "/areas")
DAYS, SECONDS = 75, 60
ADDRESS = re.compile(r"The dashboard: (http://\S+)/")


def main(folder: Path) -> None:
    """Write ``folder/PAGE-THEME.png``."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as data:
        command = [sys.executable, "-m", "analytics", "demo", "--data", f"{data}/demo"]
        command += ["--days", str(DAYS), "--seconds", str(SECONDS)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        demo = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        try:
            take(address_of(demo), folder)
        finally:
            demo.send_signal(signal.SIGTERM)
            demo.communicate()


def address_of(demo: "subprocess.Popen[str]") -> str:
    """Wait until the demo has compared every document and tells where its dashboard is."""
    assert demo.stdout is not None
    told = ""
    for line in demo.stdout:
        told += line
        if found := ADDRESS.search(line):
            return found[1]
    sys.exit(f"the demo ended before it told where its dashboard is:\n{told}")


def take(address: str, folder: Path) -> None:
    """Take every picture."""
    for old in folder.glob("*.png"):
        old.unlink()
    paths = [page.path for page in PAGES]
    paths += [f"{path}?lang=zh" for path in IN_CHINESE] + [f"{path}?narrow" for path in NARROW]
    subprocess.run([sys.executable, str(BROWSE), address, str(folder), *paths], check=True)
