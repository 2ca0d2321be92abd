"""Every example in docs/reading.md works: the documents look so, and the queries find something on a real server."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from journaled import journaled
from pymongo import MongoClient
from pymongo.database import Database

from analytics.bolts import BOLTS
from analytics.config import catalogue
from analytics.core.periods import DATES
from analytics.export.columns import collections
from analytics.export.views import create_views
from analytics.runtime.directory import write_directory
from analytics.store import Write, open_store

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "reading.md").read_text()
SHOWN = {*collections(BOLTS), "acctsegment", "acctstep", "kpi_segment_total", "areas", "games"}
SECTIONS = {
    part.partition("\n")[0]: part
    for part in re.split(r"^##+ ", TEXT, flags=re.MULTILINE)
    if part.partition("\n")[0] in SHOWN
}


LATE = ("loginlong", "paylong")


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


@pytest.fixture(scope="module")
def database(
    tmp_path_factory: pytest.TempPathFactory, module_database: Any
) -> Iterator[Database[dict[str, Any]]]:
    """A real database with the documents of the simulated game that the examples are of."""
    world = journaled(tmp_path_factory.mktemp("world"))
    config = msgspec.structs.replace(world.config, mongodb=module_database.section)
    store = open_store(config)
    for name, by_id in world.documents.items():
        store.write(name, [Write(id, {**one, "_v": 1}, 0) for id, one in by_id.items()])
    for name in LATE:  # the game is too short for them
        shown = json.loads(blocks(SECTIONS[name], "json")[0])
        store.write(name, [Write(shown["_id"], shown | {"_v": 1}, 0)])
    write_directory(config, store)
    store.close()
    with MongoClient[dict[str, Any]](config.mongodb.uri) as client:
        found = client[config.mongodb.database]
        assert list(create_views(found, catalogue(config)))
        yield found


@pytest.fixture(scope="module")
def names(database: Database[dict[str, Any]]) -> dict[str, Any]:
    """What the page's first two blocks of Python define, with the test's database."""
    found: dict[str, Any] = {}
    first, second, *_ = blocks(TEXT, "python")
    connect = re.sub(r'MongoClient\("mongodb://…"\)\.analytics', "DATABASE", first)
    exec(connect + second, {"DATABASE": database}, found)
    assert found["db"] is database
    return found


def test_every_collection_has_a_section() -> None:
    assert set(SECTIONS) == SHOWN, (
        "docs/reading.md needs a section for each collection, as docs/how-to/add-a-bolt.md says"
    )
    for name, text in SECTIONS.items():
        (shell,) = (block for block in blocks(text, "javascript") if "// mongosh" in block)
        assert len(blocks(text, "json")) == len(blocks(text, "python")) == 1 and "// Grafana" in shell, name


@pytest.mark.parametrize("name", SECTIONS)
def test_a_document_looks_so(name: str, database: Database[dict[str, Any]]) -> None:
    (text,) = blocks(SECTIONS[name], "json")
    shown = json.loads(text)
    stored = database[name].find_one(shown["_id"])
    assert stored is not None
    if name == "areas":
        shown["opened"], shown["name"] = stored["opened"], stored["name"]
        shown["corpid"], shown["server_name"] = stored["corpid"], stored["server_name"]
    dates = set() if name in ("areas", "games") else {*DATES} & (stored.keys() - shown.keys())
    assert shown.keys() == stored.keys() - {"_v", "updated"} - dates
    for field, value in shown.items():
        if isinstance(value, list):
            assert set(value) <= set(stored[field])
        elif isinstance(value, dict):
            assert value.items() <= stored[field].items()
        else:
            assert value == stored[field], field


@pytest.mark.parametrize("name", SECTIONS)
def test_python_finds_something(name: str, names: dict[str, Any]) -> None:
    (code,) = blocks(SECTIONS[name], "python")
    found = dict(names)
    exec(code, found)
    assert found["rows"]


@pytest.mark.parametrize("name", SECTIONS)
@pytest.mark.parametrize("tool", ["mongosh", "Grafana"])
def test_a_pipeline_finds_something(name: str, tool: str, database: Database[dict[str, Any]]) -> None:
    (block,) = (block for block in blocks(SECTIONS[name], "javascript") if "// mongosh" in block)
    match = re.search(rf"// {tool}\ndb\.(\w+)\.aggregate\((\[.*?\n\])\)\n", block, re.DOTALL)
    assert match and match[1] in (name, f"bi_{name}", "server")
    bounds = {"from": "1769904000", "to": "1775001600"}
    text = re.sub(r"\$\{__(\w+):date:seconds\}", lambda found: bounds[found[1]], match[2])
    assert list(database[match[1]].aggregate(json.loads(text)))
