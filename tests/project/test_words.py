"""Texts are spelled right and in plain English: words that only this project used to use don't come back."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

PLAIN = {
    r"\bmend(s|ed|ing)?\b": "fix, repair, correct",
    r"\banew\b": "again, from scratch",
    r"\btold\b(?! apart)": "reported, notified",
    r"\b(tells?|speaks?) of\b": "reports, mentions, concerns",
    r"\bwhoever\b": "anyone who; better: name the subject",
    r"\bput aside\b": "rejected",
    r"\bgraver?\b": "severe, serious",
    r"\b(is|are|be|was|were) (un)?well\b(?! (above|below|formed|known|within))": "healthy, unhealthy",
    r"\b(on|under) (its|their) way\b": "in flight",
    r"\bhas had\b(?! no\b)": "has seen, has received",
    r"\bof then\b": "of that time",
    r"\bas \S+( \S+){0,2} has it\b": "according to",
    r"\b(hangs?|hung) up\b": "disconnects, closes the connection",
    r"\bheld against\b": "compared with, checked against",
    r"\bknock(s|ed)?\b": "tries to connect",
    r"\bmatter with\b": "wrong with",
    r"\bhears?\b|\bheard\b": "receives",
    r"\broads?\b": "path",
    r"\b(own|its) books\b": "ledger",
    r"\b(is|was|are|were) over\b": "has ended",
    r"\b(gives?|gave|given) way\b": "yields",
    r"\ball the same\b": "anyway, still",
    r"\bin words\b": "leave it out",
    r"\bby (itself|themselves)\b": "automatically, alone; or leave it out",
    r"\bplainly right\b": "regular",
    r"\bfor want of\b": "for lack of, without",
    r"\bgives? back\b": "returns, releases",
    r"\bin the midst\b": "during",
    r"\b(everybody|somebody)\b": "name the subject",
    r"\bfor so long\b": "for this long",
    r"\bwithout a word\b": "silently",
    r"\bas good as\b": "equivalent to",
    r"\bin good order\b": "orderly; or leave it out",
    r"\bthrow(n|s)? away\b": "delete, discard",
    r"\btake(s|n)? along\b": "carries, includes",
    r"(?-i:(^|[.;:] |\"\"\")Who )(?!.*\?)": "name the subject",
}
"""Patterns, whatever the case of letters, and what to write instead."""

CLEAN = [
    *("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs", "data/README.md"),
    *(".ci", "bin", "conf", "deploy.sh", "init.d", "analytics"),
]
"""Files and folders that are in plain English. The list only grows."""

SUFFIXES = {".md", ".py", ".pyx", ".pxd", ".pyi", ".toml", ".yml", ".sh", ".conf", ".service", ""}


def texts(name: str) -> list[Path]:
    """Return the text files of a folder, or the file itself."""
    path = ROOT / name
    assert path.exists(), path
    if path.is_file():
        return [path]
    return sorted(
        one
        for one in path.rglob("*")
        if one.is_file() and one.suffix in SUFFIXES and "__pycache__" not in one.parts
    )


@pytest.mark.parametrize("name", CLEAN)
def test_plain_words(name: str) -> None:
    found = []
    for file in texts(name):
        for number, line in enumerate(file.read_text().splitlines(), 1):
            for pattern, instead in PLAIN.items():
                if match := re.search(pattern, line, re.IGNORECASE):
                    place = f"{file.relative_to(ROOT)}:{number}"
                    found.append(f"{place}: {match[0].strip()!r}, write: {instead}\n    {line.strip()}")
    assert not found, "\n" + "\n".join(found)


def test_spelling() -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("codespell"), "--quiet-level=2"],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stdout + done.stderr
