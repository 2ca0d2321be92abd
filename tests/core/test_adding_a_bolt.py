"""The page on adding a bolt is right: its example runs and gives what it says, and it lists every measure."""

import inspect
import json
import re
from dataclasses import fields
from pathlib import Path

from analytics.core import latest, measures
from analytics.core.bolt import Bolt

PAGE = (Path(__file__).parents[2] / "docs/how-to/add-a-bolt.md").read_text()


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def test_the_example_gives_what_the_page_says():
    names: dict = {}
    exec("\n".join(blocks("python")), names)  # The page is ours.
    document = names["document"]
    (expected,) = blocks("json")
    assert json.dumps(document) == json.dumps(json.loads(expected))
    (stored,) = names["runner"].collections["coinday"].values()
    assert f"`{stored['_id']}`" in PAGE
    assert sorted(stored["_users"]) == ["a", "b"]


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
