"""The core and the bolts know no machinery and no clock: importing them loads none of it."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted([*ROOT.glob("analytics/core/*.py"), *ROOT.glob("analytics/bolts/*.py")])
MACHINERY = {"gevent", "zmq", "pymongo", "bson", "requests", "socket", "ssl", "asyncio"}
IMPURE = {"time", "random", "secrets", "uuid", "os", "threading"}
CLOCKS = {"now", "utcnow", "today"}


def test_importing_them_loads_no_machinery():
    code = "import sys, analytics.bolts, analytics.core.reference; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert "analytics.core.settle" in loaded.stdout.split()
    assert {name.split(".")[0] for name in loaded.stdout.split()} & (MACHINERY - {"socket", "ssl"}) == set()


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_they_neither_ask_the_clock_nor_leave_anything_to_chance(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            modules = [node.module or ""]
        else:
            assert not (isinstance(node, ast.Attribute) and node.attr in CLOCKS), f"{path.name}:{node.lineno}"
            continue
        for module in modules:
            top, _, rest = module.partition(".")
            assert top not in MACHINERY | IMPURE, f"{path.name}:{node.lineno}: {module}"
            if top == "analytics":
                assert rest.split(".")[0] in ("core", "bolts", "errors"), (
                    f"{path.name}:{node.lineno}: {module}"
                )
