"""What is installed is locked: requirements.lock and requirements-test.lock agree with pyproject.toml."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
GROUPS = PROJECT["dependency-groups"]
SUITE = [*PROJECT["project"]["dependencies"], *PROJECT["project"]["optional-dependencies"]["embedded"]]
PINNED = re.compile(
    r"^([\w.-]+)==(\S+?)(?: ; .*)? \\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", re.MULTILINE
)


def pinned(name: str) -> dict[str, set[Version]]:
    """Return the versions of each package in a lock: several where they depend on Python's."""
    text = (ROOT / name).read_text()
    found: dict[str, set[Version]] = {}
    for package, version, _ in PINNED.findall(text):
        found.setdefault(package, set()).add(Version(version))
    assert PINNED.sub("", text) == "", f"{name}: each line pins a version and has its hashes"
    return found


@pytest.mark.parametrize(
    ("lock", "wanted"),
    [
        ("requirements.lock", [*SUITE, *GROUPS["build"], *PROJECT["build-system"]["requires"]]),
        ("requirements-test.lock", GROUPS["test"]),
    ],
)
def test_a_lock_has_what_the_project_asks_for(lock: str, wanted: list[str]) -> None:
    locked = pinned(lock)
    for one in map(Requirement, wanted):
        versions = locked.get(one.name, set())
        assert versions and all(version in one.specifier for version in versions), (
            f"{lock} has {one.name} {versions or 'not at all'}, pyproject.toml asks for {one}: "
            "lock again, as CONTRIBUTING.md says"
        )


def test_both_locks_have_the_same_versions() -> None:
    suite, tests = pinned("requirements.lock"), pinned("requirements-test.lock")
    assert {name: tests[name] for name in suite.keys() & tests.keys()} == {
        name: suite[name] for name in suite.keys() & tests.keys()
    }
