"""Where there is no C compiler, nothing of the suite needs what is compiled."""

import subprocess
import sys

WITHOUT = """
import pkgutil, sys
for name in ("accts", "journal_scan", "plain", "scan", "texts"):
    sys.modules[f"analytics.core.{name}"] = None
import analytics
from analytics.core.compiled import COMPILED
for found in pkgutil.walk_packages(analytics.__path__, "analytics."):
    if found.name not in sys.modules and not found.name.endswith("__main__"):
        __import__(found.name)
print(COMPILED)
"""


def test_every_module_can_be_imported_without_it() -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "False\n"), done.stderr
