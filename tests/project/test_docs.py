"""What the documents tell to type exists, and what they link to is there."""

import re
import shlex
import tomllib
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from analytics.app import UnknownNode, build
from analytics.bolts import BOLTS
from analytics.cli.main import COMMANDS, cli
from analytics.config import Config
from analytics.runtime.timers.collections import WRITTEN

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "data/README.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
INDENTED = re.compile(r"^    (bin/\w+.*?)(?:  +#.*)?$", re.MULTILINE)
INLINE = re.compile(r"`(bin/\w+[^`]*)`")
LINK = re.compile(r"\]\((?!http)([^)#]*)(?:#([^)]+))?\)")
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)


def told() -> list[str]:
    """Return every command line that the documents tell to type."""
    texts = [document.read_text() for document in DOCUMENTS]
    return sorted(
        {line.strip() for text in texts for pattern in (INDENTED, INLINE) for line in pattern.findall(text)}
    )


def anchors(document: Path) -> set[str]:
    """Return what links may name in a document: GitHub's form of its headings."""
    titles = HEADING.findall(document.read_text())
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_there_are_commands_in_the_documents() -> None:
    assert len(told()) > 10


@pytest.mark.parametrize("line", told())
def test_a_command_that_is_told_exists(line: str) -> None:
    program, *arguments = shlex.split(line)
    assert (ROOT / program).stat().st_mode & 0o111
    if program != "bin/analytics" or not arguments:
        return
    name, *rest = arguments
    command = cli.get_command(click.Context(cli), name)
    assert command is not None, f"{name}: no such command"
    # Parsing refuses options that do not exist and values that can't be.
    command.make_context(name, list(rest)) if rest or not command.params else None
    if name == "run":
        try:
            build(rest, Config())
        except UnknownNode as error:
            pytest.fail(str(error))
    if name == "show":
        assert rest[0] in {*BOLTS, *WRITTEN}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: str(document.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    for name, anchor in LINK.findall(document.read_text()):
        target = document.parent / name if name else document
        assert target.exists(), f"{document.name}: {name}"
        assert not anchor or anchor in anchors(target), f"{document.name}: {name}#{anchor}"


def test_every_document_is_in_the_index() -> None:
    index = (ROOT / "docs" / "README.md").read_text()
    linked = {(ROOT / "docs" / name).resolve() for name, _ in LINK.findall(index)}
    pages = {page for page in (ROOT / "docs").rglob("*.md") if page.parent.name != "decisions"}
    assert pages - linked == {ROOT / "docs" / "README.md"}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: str(document.relative_to(ROOT)))
def test_toml_in_the_documents_is_toml(document: Path) -> None:
    for block in re.findall(r"```toml\n(.*?)```", document.read_text(), re.DOTALL):
        tomllib.loads(block)


def test_the_summaries_in_the_list_of_commands_are_told_by_help() -> None:
    listed = CliRunner().invoke(cli, ["--help"]).output
    assert all(name in listed for name in COMMANDS)


def test_the_data_folder_is_described(tmp_path: Path) -> None:
    """Every folder that a module makes under ``data`` is in data/README.md."""
    described = (ROOT / "data" / "README.md").read_text()
    code = "\n".join(file.read_text() for file in (ROOT / "analytics").rglob("*.py"))
    named = set(re.findall(r'\bdata / "(\w+)"', code)) - {"analytics", "demo", "game"}
    assert named
    for folder in named:
        assert f"`{folder}/" in described, folder
