"""Makes a picture of every page over a simulated month, in light and dark, some in Chinese too: `benchmarks/screenshots`."""

import sys
import tempfile
from pathlib import Path

from filled import app
from gevent import subprocess
from gevent.pywsgi import WSGIServer

from analytics.web.contents import PAGES

BROWSE = Path(__file__).with_name("browse.py")
IN_CHINESE = ("/", "/retention")


def main(folder: Path) -> None:
    """Write ``folder/PAGE-THEME.png``."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as data:
        server = WSGIServer(("127.0.0.1", 0), app(Path(data))[0], log=None)
        server.start()
        address = f"http://127.0.0.1:{server.server_port}"
        paths = [page.path for page in PAGES] + [f"{path}?lang=zh" for path in IN_CHINESE]
        subprocess.run([sys.executable, str(BROWSE), address, str(folder), *paths], check=True)
        server.stop(timeout=1)
