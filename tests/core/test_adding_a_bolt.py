"""The page on adding a bolt is right: its example runs and gives what it says, and it lists every measure."""

import inspect
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import pytest

from analytics.core import latest, measures, tuples
from analytics.core.bolt import Bolt
from analytics.core.schema import schema
from analytics.errors import RecordError

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/how-to/add-a-bolt.md").read_text()


def blocks(name):
    """Return the page's code of a file, or other text of that name."""
    return re.findall(rf"```\w+ {re.escape(name)}\n(.*?)```", PAGE, re.DOTALL)


SHOW = "print(json.dumps([reasons, document, runner.collections['pets'], sorted(BOLTS)]))"


@pytest.fixture(scope="module")
def added(tmp_path_factory):
    """A copy of the suite to which the bolt was added as the page says."""
    root = tmp_path_factory.mktemp("suite")
    shutil.copytree(ROOT / "analytics", root / "analytics", ignore=shutil.ignore_patterns("__pycache__"))
    bolts = root / "analytics" / "bolts"
    (bolts / "pets.py").write_text(*blocks("pets.py"))
    imported, listed = blocks("__init__.py")
    text = (bolts / "__init__.py").read_text()
    head, tail = text.split("        userlevel,\n")
    first, rest = head.split("from analytics.bolts.accts", 1)
    (bolts / "__init__.py").write_text(
        f"{first}{imported}from analytics.bolts.accts{rest}        userlevel,\n{listed}{tail}"
    )
    return root


def ran(root, code):
    """Return what ``code`` prints, run with the suite in ``root``."""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, env=os.environ | {"PYTHONPATH": str(root)},
        capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_example_is_one_file_and_its_place_in_the_list(added):
    (code,) = blocks("try")
    reasons, document, stored, bolts = json.loads(ran(added, code + SHOW))
    assert [reasons, document] == [json.loads(*blocks("reasons")), json.loads(*blocks("document"))]
    assert list(document) == list(json.loads(*blocks("document")))
    assert "pets" in bolts
    ((id_, whole),) = stored.items()
    assert f"`{id_}`" in PAGE and sorted(whole["_users"]) == ["a", "b"]


def test_the_rest_of_the_suite_knows_it(added):
    code = """
from analytics.config import Config, Game
from analytics.config.catalogue import catalogue_faults
from analytics.runtime.nodes import groups, readers
config = Config(games={"dl": Game(opcodes={"hatch": "pet_hatch"})})
assert not list(catalogue_faults(config))
assert "pets" in groups(config)["main"] and readers(config)["pets"] == ["gamelog.pet_hatch"]
"""
    ran(added, code)


POLLED = """
from typing import Annotated
import msgspec
from analytics.core.bolt import Bolt, Reads
from analytics.core.latest import Latest
from analytics.core.measures import Count

class Vip(msgspec.Struct):
    area: str
    ts: int
    uid: str
    vip: Annotated[int, msgspec.Meta(ge=0, le=10)] = 0

class Times(msgspec.Struct):
    times: Annotated[int, msgspec.Meta(le=5)]

class Few(msgspec.Struct):
    area: str
    ts: int
    users: dict[str, Times]

vips = Bolt("vips", {"syncuser": Reads(Vip)}, {"vip": Latest("vip", "ts")}, period=None, by={"uid": "uid"})
few = Bolt("few", {"payment": Reads(Few)}, {"count": Count()})
"""
CHECK_POLLED = """
import json
from analytics.core.areas import Area, Areas
from analytics.core.periods import zone
from analytics.spouts.paid import check
from analytics.spouts.records import convert
from analytics.spouts.roles import role_tuple, sorted_out
from analytics.spouts.rules import Rules

area, now = Area("5" * 24, "dl", "2001", zone("UTC")), 1_700_000_000
role = {"ts": now, "uid": 7, "acctid": "a", "grade": 3, "rest_yuanbao": 5, "nobody_reads": 1}
good, bad = sorted_out([role | {"vip": 4}, role, role | {"vip": 11}], area, now)
paid, wrong = check({"a": {"times": 5, "amount": 1}, "b": {"times": 6, "amount": 1}})
lines = [b'{"id":"syncuser/dl@1:%d",' % n + role_tuple(one, 5)[1:] for n, one in enumerate([*good, good[0] | {"vip": -1}], 1)]
(share,) = convert(b"".join(line + b"\\n" for line in lines), "gamelog/x", 1, Rules(Areas([area]), {}), now)
reasons = [one.reason for one in share.bad]
print(json.dumps([[one.get("vip") for one in good], [why for why, _ in bad], list(paid), wrong, list(share.ns), reasons]))
"""


def test_roles_and_payments_are_checked_by_bolts_of_ones_own(added):
    bolts = added / "analytics" / "bolts"
    text = (bolts / "__init__.py").read_text()
    (bolts / "polled.py").write_text(POLLED)
    (bolts / "__init__.py").write_text(
        text.replace("        pets,", "        pets, few, vips,").replace(
            "from analytics.bolts.pets",
            "from analytics.bolts.polled import few, vips\nfrom analytics.bolts.pets",
        )
    )
    roles, bad, paid, wrong, taken, reasons = json.loads(ran(added, CHECK_POLLED))
    assert (roles, bad) == ([4, None], ["$.vip: expected int from 0 to 10, got 11"])
    assert (paid, wrong) == (["a"], {"b": '$.users[...].times: expected int <= 5 for account "b"'})
    assert (taken, reasons) == ([1, 2], ["$.vip: expected int from 0 to 10, got -1"])


@pytest.mark.parametrize(("kind", "accepts", "reason"), re.findall(r"^\| `([\w\[].*?)` \| (.*?) \| `(expected .*?)` \|$", PAGE, re.MULTILINE))  # fmt: skip
def test_types_are_rejected_as_the_page_says(kind, accepts, reason):
    names = vars(tuples) | {"Annotated": Annotated, "Literal": Literal, "msgspec": msgspec}
    struct = msgspec.defstruct("Data", [("x", eval(kind, names))])  # The page is ours.
    (field,) = schema("gamelog.x", [tuples.Gamelog[struct]]).fields
    values = [[], None, "", "x" * 201, True, 0, 101, "cow"]
    reasons = []
    for value in values:
        try:
            field.correct({"x": value}, "$.data")
        except RecordError as error:
            reasons.append(str(error))
    assert any(f": {reason}, got " in one for one in reasons), reasons


def test_every_measure_is_listed():
    declared = [
        name
        for name, one in (vars(measures) | vars(latest)).items()
        if inspect.isclass(one) and issubclass(one, measures.Measure) and not inspect.isabstract(one)
    ]
    assert len(declared) >= 9
    assert [name for name in declared if f"| `{name}(" not in PAGE] == []


def test_every_attribute_of_a_declaration_is_listed():
    assert [one.name for one in fields(Bolt) if f"| `{one.name}` |" not in PAGE] == []
