"""Every record of a log says when, how grave, of which node and what; its form is the configuration's."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
LINE = re.compile(rf"({TIME.pattern}) (\w+) (\S+) (\S+) (.*)")

PROGRAM = """
from gevent import monkey; monkey.patch_all()
import logging, sys, warnings, gevent
from pathlib import Path
from analytics.config import Config
from analytics.runtime.logs import set_up
from analytics.runtime.node import run

class Talking:
    role = "spout"
    def __init__(self, name): self.name = name
    def start(self):
        logging.getLogger("analytics.spouts.x").info("two\\nlines, a \\"quote\\" and %s", "ü")
        def later():
            logging.debug("far down")
            gevent.spawn(lambda: logging.warning("further down"))
        self.greenlet = gevent.spawn(lambda: gevent.spawn(later))
    def step(self):
        gevent.sleep(0.05)
        if self.name == "b":
            gevent.get_hub().threadpool.apply(logging.info, ("from a thread",))
            gevent.spawn(lambda: 1 / 0)
            gevent.sleep(0.05)
            raise ValueError("b breaks")
    def stop(self): logging.error("at the end")
    def state(self): return {}

set_up(sys.argv[1], sys.argv[2], ["a", "b"])
warnings.warn("old")
run([Talking("a"), Talking("b")], Config(data=Path(sys.argv[3])))
raise RuntimeError("no more")
"""


def logged(level: str, form: str, folder: Path) -> str:
    """Return what a process with two nodes writes to stderr, one of which dies."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, level, form, str(folder)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=600,
        check=False,
    )
    assert done.stdout == ""
    return done.stderr


def of_text(written: str) -> list[dict[str, str]]:
    records: list[dict[str, str]] = []
    for line in written.splitlines():
        if line.startswith("    "):
            records[-1]["trace"] = records[-1].get("trace", "") + line[4:] + "\n"
            continue
        found = LINE.fullmatch(line)
        assert found, line
        records.append(dict(zip(("time", "level", "node", "module", "message"), found.groups(), strict=True)))
    return records


def of_logfmt(written: str) -> list[dict[str, str]]:
    records = []
    for line in written.splitlines():
        pairs = re.findall(r'(\w+)=("(?:[^"\\]|\\.)*"|[^\s"]+)(?: |$)', line)
        assert " ".join(f"{name}={value}" for name, value in pairs) == line
        records.append({name: json.loads(value) if value[0] == '"' else value for name, value in pairs})
    return records


def of_json(written: str) -> list[dict[str, str]]:
    return [json.loads(line) for line in written.splitlines()]


@pytest.mark.parametrize(("form", "read"), [("text", of_text), ("logfmt", of_logfmt), ("json", of_json)])
def test_every_record_says_which_node_wrote_it(
    tmp_path: Path, form: str, read: Callable[[str], list[dict[str, str]]]
) -> None:
    records = read(logged("debug", form, tmp_path))
    assert all(TIME.fullmatch(one["time"]) for one in records)
    said = [(one["level"], one["node"], one["message"]) for one in records]
    words = 'two | lines, a "quote" and ü' if form == "text" else 'two\nlines, a "quote" and ü'
    for name in ("a", "b"):
        assert ("info", name, words) in said
        assert ("debug", name, "far down") in said
        assert ("warning", name, "further down") in said
        assert ("error", name, "at the end") in said
    assert ("info", "a+b", "from a thread") in said
    assert {one["module"] for one in records if one["message"] == words} == {"spouts.x"}
    # Nothing goes to stderr in another form: warnings, greenlets that fail, the end of the process.
    assert any(one["module"] == "py.warnings" and "old" in one["message"] for one in records)
    traces = {one["message"]: one["trace"] for one in records if "trace" in one}
    assert traces["b died: ValueError: b breaks"].startswith("Traceback (most recent call last)")
    assert "ValueError: b breaks" in traces["b died: ValueError: b breaks"]
    assert "ZeroDivisionError" in traces["a greenlet ended: ZeroDivisionError: division by zero"]
    assert "RuntimeError" in traces["the process ends: RuntimeError: no more"]


def test_the_level_keeps_back_what_is_less_grave(tmp_path: Path) -> None:
    levels = {one["level"] for one in of_json(logged("error", "json", tmp_path))}
    assert levels == {"error", "critical"}


def test_level_and_form_come_from_the_configuration(tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    file.write_text(
        'log_format = "json"\n[broker]\nreceiver_port = 9\nsender_port = 10\nrefill_port = 11\nhost = "192.0.2.1"\n'
        "let_anyone_in = true\n"
    )
    command = [sys.executable, "-m", "analytics", "--config", str(file), "run", "broker"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=600, check=False)
    died = [one for one in of_json(done.stderr) if one["level"] == "error"]
    assert died and all(one["node"] == "broker" and "trace" in one for one in died)
    file.write_text('log_format = "xml"')
    refused = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=600, check=False)
    assert refused.returncode == 2
    assert "log_format" in refused.stderr and '"xml"' in refused.stderr and "logfmt" in refused.stderr
