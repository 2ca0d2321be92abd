"""The page on adding a bolt is right: its example runs and gives what it says, and it lists every measure."""

import inspect
import json
import re
import textwrap
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Literal, get_args

import msgspec
import pytest

from analytics.config import areas, catalogue, load
from analytics.config.bolt_sections import BoltSection, FieldKind, MeasureSection
from analytics.core import latest, measures, tuples
from analytics.core.bolt import Bolt
from analytics.core.expressions import parse
from analytics.core.reference import Reference
from analytics.core.schema import schema
from analytics.errors import RecordError
from analytics.runtime.nodes import groups, readers
from analytics.spouts.gamelog import rules_of
from analytics.spouts.records import convert

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/how-to/add-a-bolt.md").read_text()


def blocks(name):
    """Return the page's code of a file, or other text of that name."""
    found = re.findall(rf"^ *```\w+ {re.escape(name)}\n(.*?)^ *```", PAGE, re.DOTALL | re.MULTILINE)
    return [textwrap.dedent(one) for one in found]


CONFIG = """
[games.dl.areas.549140c8dbdb67794fc0fa3b]
plat = "2001"

[games.dl.areas.s1]
plat = "2001"
"""


@pytest.fixture(scope="module")
def added(tmp_path_factory):
    """A folder with a configuration to which both bolts of the page were added."""
    folder = tmp_path_factory.mktemp("conf")
    (folder / "analytics.toml").write_text(f"{CONFIG}\n{''.join(blocks('analytics.toml'))}")
    (folder / "bolts").mkdir()
    (folder / "bolts" / "pets.py").write_text(*blocks("pets.py"))
    return folder


def test_the_table_counts_what_the_page_says(added):
    config = load(added / "analytics.toml")
    lines = "".join(blocks("pvp_log"))
    (found,) = convert(lines.encode(), "gamelog/try", 1, rules_of(config), now=1420700000)
    assert not found.bad
    runner = Reference([catalogue(config)["pvp"]], areas(config))
    runner.put("gamelog.pvp_log", map(json.loads, lines.splitlines()))
    ((id_, document),) = runner.documents("pvp").items()
    assert (f"`{id_}`" in PAGE, json.dumps(document, indent=2)) == (True, blocks("pvp")[0].strip())


def test_the_file_counts_what_the_page_says(added, monkeypatch):
    monkeypatch.chdir(added)
    names = {}
    exec(*blocks("try"), names)  # the page is ours
    reasons, document = names["reasons"], names["document"]
    assert [reasons, document] == [json.loads(*blocks("reasons")), json.loads(*blocks("document"))]
    assert list(document) == list(json.loads(*blocks("document")))
    ((id_, whole),) = names["runner"].collections["pets"].items()
    assert f"`{id_}`" in PAGE and sorted(whole["_users"]) == ["a", "b"]


@pytest.mark.parametrize("right", [True, False])
def test_the_test_of_the_page_checks_the_bolt(added, monkeypatch, right):
    monkeypatch.syspath_prepend(ROOT / "tests" / "bolts")
    (code,) = blocks("test_pets.py")
    code = code.replace("/etc/analytics", str(added))
    names = {}
    exec(code if right else code.replace('"levels": levels', '"levels": levels + 1'), names)
    if right:
        names["test_pets"]()
        return
    with pytest.raises(AssertionError):
        names["test_pets"]()


def test_the_rest_of_the_suite_knows_them(added):
    (added / "other.toml").write_text(
        (added / "analytics.toml").read_text() + '[games.dl.opcodes]\nhatch = "pet_hatch"\n'
    )
    config = load(added / "other.toml")
    assert groups(config)["main"][-2:] == ["pets", "pvp"]
    assert readers(config)["pets"] == ["gamelog.pet_hatch"]


def test_the_tables_list_every_key_and_kind():
    assert [one.name for one in msgspec.structs.fields(BoltSection) if f"| `{one.name}` |" not in PAGE] == []
    assert [kind for kind in get_args(FieldKind) if f'`"{kind}"`' not in PAGE] == []
    assert [
        one.name
        for one in msgspec.structs.fields(MeasureSection)
        if not re.search(rf"[{{,] {one.name} = ", PAGE)
    ] == []


@pytest.mark.parametrize("text", re.search(r"the rest\.\n\n((?:    .*\n)+)", PAGE)[1].splitlines())
def test_expressions_of_the_page_are_some(text):
    parsed = parse(text.strip())
    assert parsed.kind({name: parsed.implied.get(name, "text") for name in parsed.names}) == "flag"


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
