"""Nothing is lost between spouts, bolts and the server documents: through real processes and sockets."""

import json
from collections import Counter
from pathlib import Path

import msgspec
import pytest
from end_to_end_harness import NODES, configured, documents, pipe, settled
from forms import thorough
from needed import EMBEDDED, need

from analytics.runtime.suite import Suite
from analytics.store.embedded import PROGRAM

CASE = json.loads((Path(__file__).parents[1] / "golden" / "transfer_count.json").read_text())
BOLTS = {
    "login": "loginday",
    "signup": "signupday",
    "createrole": "createroleday",
    "payorderuser": "paysummary",
    "server": "server",
}


def journal_lines():
    """The case's tuples as the spouts' journals would hold them."""
    counts = Counter()
    for one in CASE["tuples"]:
        spout = one["topic"].split(".")[0]
        counts[spout] += 1
        yield msgspec.json.encode({"id": f"{spout}/golden@1:{counts[spout]}"} | one["tuple"])


@pytest.fixture(params=["mongod", pytest.param("secantusdb", marks=thorough)])
def store(request):
    """The section that configures the store, as TOML, and the nodes that run."""
    if request.param == "mongod":
        return request.getfixturevalue("database").toml, NODES
    need(PROGRAM, EMBEDDED)
    return "", [["store"], *NODES]


def test_transfer_data_count(tmp_path, store):
    section, nodes = store
    file = configured(tmp_path, CASE["areas"], CASE["timezone"], section)
    with Suite(file, nodes) as suite:
        closing = pipe(file, list(journal_lines()))
        assert closing == "read 38, accepted 38, repeated 0, rejected 0"
        state = settled(suite.config)
        spouts = {name.split("/")[0]: one.accepted for name, one in state.sources.items()}
        assert spouts == CASE["all_spout_count"]
        assert {name: state.heads[topic].tuples for name, topic in BOLTS.items()} == CASE["all_bolt_count"]
        for collection, expected in CASE["documents"].items():
            found = documents(suite.config, collection)
            assert len(found) == len(expected)
            for one, should in zip(found, expected, strict=True):
                assert {name: one.get(name) for name in should} == should
