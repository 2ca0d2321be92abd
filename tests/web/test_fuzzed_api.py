"""The API as its own description has it, asked for everything that schemathesis thinks of."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from databases import Database
from forms import THOROUGH
from gevent import subprocess
from running import Suite, a_suite

EXAMPLES = os.environ.get("ANALYTICS_FUZZ_EXAMPLES", "6" if THOROUGH else "1")
"""For each operation; beside them come values at and beyond each bound of each parameter."""

CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,"
    "negative_data_rejection,unsupported_method"
)
PATIENCE = 1500
FEW = "areas|economy|live|views|accts"
"""The pages that are asked for where there is no time for all: their parameters are of every kind."""


@pytest.fixture(scope="module")
def suite(module_database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Suite]:
    with a_suite(tmp_path_factory.mktemp("fuzzed"), module_database.section) as running:
        yield running


def test_every_answer_is_as_described_and_what_is_wrong_is_refused(suite: Suite, tmp_path: Path) -> None:
    program = Path(sys.executable).with_name("schemathesis")
    options = ["--max-examples", EXAMPLES, "--checks", CHECKS, "--phases", "examples,coverage,fuzzing"]
    # The pages of all bolts are made by the same code, and so are all CSVs.
    left_out = "/collections/(?!cointype|userpay)|/(access|annotations|views)/.*csv"
    options += [
        "--exclude-path-regex",
        left_out if THOROUGH else f"{left_out}|/(?!{FEW})[a-z]+(/[a-z_]+.csv)?$",
    ]
    # What can be entered is refused if no page or game is named, and no generated id is one: that is no warning.
    options += ["--warnings", "missing_auth"]
    options += ["--continue-on-failure", "--no-color", "--workers", "1", "--request-timeout", "120"]
    # The same each time, unless somebody wants to search.
    searching = "ANALYTICS_FUZZ_EXAMPLES" in os.environ
    options += ["--generation-database", "none"] if searching else ["--generation-deterministic"]
    with suite.dashboard() as address:
        done = subprocess.run(
            [str(program), "run", f"{address}/api/v1/openapi.json", *options],
            cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=PATIENCE, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stdout.decode()[:20_000]
    assert b"No issues found" in done.stdout
