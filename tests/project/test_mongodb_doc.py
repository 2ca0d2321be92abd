"""docs/mongodb.md names the indexes that the store makes, and options of a URI that the suite refuses."""

import re
from pathlib import Path

from analytics.config.uris import weakening
from analytics.store.mongo import READERS_INDEXES, WITHOUT_TS

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "mongodb.md").read_text()


def section(title: str) -> str:
    """Return the text under a heading."""
    return TEXT.split(f"\n## {title}\n")[1].split("\n## ")[0]


def test_it_names_every_index_and_no_other() -> None:
    rows = re.findall(r"^\| (`.*?`) \|", section("Indexes"), re.MULTILINE)
    named = {tuple(name.split(", ")) for row in rows for name in re.findall(r"`([^`]+)`", row)}
    made = {("_id",), *READERS_INDEXES, *(fields for one in WITHOUT_TS.values() for fields in one)}
    assert named == made


def test_every_option_that_it_calls_refused_is_refused() -> None:
    sentence = section("Write safety").split("The URI options ")[1].split(" are\nrefused")[0]
    options = re.findall(r"`(\w+)`", sentence)
    assert len(options) == 7
    assert all(list(weakening(f"mongodb://host/?{option}=0")) for option in options)
