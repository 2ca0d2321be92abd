"""What holds for the project as a whole: imports point inward, files stay small, only the executable patches."""

import ast
import os
import re
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "analytics"
FILES = sorted(PACKAGE.rglob("*.py"))
LONGEST = 400
MOST_ATTRIBUTES = 15
AS_LARGE_AS_WHAT_THEY_DESCRIBE = {
    "Config",
    "AnswerScope",
    "AreaRow",
    "DashboardPage",
    "Known",
    "MonthOfPayers",
}
"""A configuration file, rows, answers and declarations of pages, a stored document: their fields are the formats'."""


def classes() -> Iterator[tuple[Path, ast.ClassDef]]:
    """Yield every class of the package."""
    for file in FILES:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ClassDef):
                yield file, node


def attributes(node: ast.ClassDef) -> set[str]:
    """Return the fields that a class declares, and what its methods assign to ``self``."""
    fields = {one.target for one in node.body if isinstance(one, ast.AnnAssign)}
    return {one.id for one in fields if isinstance(one, ast.Name)} | {
        one.attr
        for one in ast.walk(node)
        if isinstance(one, ast.Attribute)
        and isinstance(one.ctx, ast.Store)
        and isinstance(one.value, ast.Name)
        and one.value.id == "self"
    }


def imports(file: Path) -> Iterator[str]:
    """Yield the dotted name of every module that ``file`` imports, wherever in it."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_every_package_is_installed_with_the_suite() -> None:
    assert [str(file.parent) for file in FILES if not (file.parent / "__init__.py").exists()] == []


def test_imports_point_inward() -> None:
    """The contracts are in pyproject.toml; they see imports inside functions and those that go through other modules."""
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stdout


def test_the_picture_of_packages_is_what_is_checked() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    layers = settings["tool"]["importlinter"]["contracts"][0]["layers"]
    page = (ROOT / "docs" / "architecture.md").read_text().split("\n## Packages\n")[1]
    picture = re.findall(r"```text\n(.*?)```", page, re.DOTALL)[0]
    assert [set(row.split()) for row in picture.splitlines()] == [set(row.split(" | ")) for row in layers]
    assert [name for row in layers for name in row.split(" | ") if f"`{name}`" not in page] == []


def test_only_the_executable_patches_gevent() -> None:
    patching = [file.name for file in FILES if "patch_all" in file.read_text()]
    assert patching == ["__main__.py"]
    text = (PACKAGE / "__main__.py").read_text()
    assert text.index("patch_all()") < text.index("from analytics")


def test_zeromq_is_green_everywhere() -> None:
    for file in FILES:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                assert all(alias.name != "zmq" for alias in node.names), f"{file}: import zmq.green as zmq"


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_files_are_small_and_say_what_they_are_for(file: Path) -> None:
    text = file.read_text()
    assert len(text.splitlines()) <= LONGEST
    assert ast.get_docstring(ast.parse(text)), "a module says in a docstring what it is for"


def test_a_class_name_stands_once() -> None:
    found: dict[str, list[str]] = {}
    for file, node in classes():
        found.setdefault(node.name, []).append(f"{file.relative_to(ROOT)}:{node.lineno}")
    assert {name: places for name, places in found.items() if len(places) > 1} == {}


def test_no_two_files_of_tests_have_one_name() -> None:
    """Their folders are no packages, so the second one could not be imported in a run of all."""
    names = Counter(file.name for file in (ROOT / "tests").rglob("*.py") if file.name != "conftest.py")
    assert [name for name, count in names.items() if count > 1] == []


def test_a_class_can_be_understood_alone() -> None:
    large = {node.name for _, node in classes() if len(attributes(node)) > MOST_ATTRIBUTES}
    assert large <= AS_LARGE_AS_WHAT_THEY_DESCRIBE


def test_the_gpl_program_is_never_imported() -> None:
    for file in FILES:
        assert not any(name.split(".")[0].lower().startswith("secantus") for name in imports(file)), file


def test_the_core_imports_in_a_bare_process() -> None:
    """Neither directly nor through anything else does the core pull in machinery."""
    found = imported_with("analytics.bolts", "analytics.core.reference")
    assert not {"gevent", "zmq", "pymongo", "requests"} & found


@pytest.mark.parametrize(
    ("module", "slow"),
    [
        ("analytics.broker.broker", {"pymongo", "numpy"}),
        ("analytics.runtime.worker, analytics.runtime.hosted", {"numpy", "rich"}),
        ("analytics.spouts.payment, analytics.spouts.syncuser", {"pymongo", "numpy"}),
        ("analytics.spouts.gamelog, analytics.spouts.stdin", {"numpy"}),
        ("analytics.store.embedded", {"numpy", "zmq"}),
        ("analytics.web.dashboard_node", {"bokeh.models"}),
        ("analytics.cli.service", {"numpy"}),
    ],
)
def test_a_node_imports_nothing_slow_that_it_does_not_need(module: str, slow: set[str]) -> None:
    assert not slow & imported_with("analytics.app", module)


def test_who_reads_the_queue_is_known_without_numpy() -> None:
    """A broker asks for it, and so do commands such as ``status``."""
    asked = "analytics.runtime.nodes.readers(analytics.config.Config())"
    assert "numpy" not in imported_with("analytics.config", "analytics.runtime.nodes", then=asked)


def imported_with(*modules: str, then: str = "pass") -> set[str]:
    """Return all that a process has imported after ``modules``, and after it has run ``then``."""
    code = f"import sys, {', '.join(modules)}; {then}; print(*sys.modules)"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    return set(done.stdout.split())
