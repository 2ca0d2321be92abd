"""All that is known of one acct: its records in journals, rejected ones, and what documents say of it. Nothing of others."""

from collections.abc import Iterator
from typing import Any

import msgspec

from analytics.config import Config, catalogue
from analytics.core.tuples import UNDECODABLE
from analytics.forget.documents import documents_of
from analytics.forget.fields import AcctFields
from analytics.forget.files import blocks, change_of, record_files
from analytics.spouts.forgotten import FILE, Forgotten
from analytics.spouts.gamelog import rules_of
from analytics.spouts.renaming import ITEMS, Renaming
from analytics.store import Store

Known = dict[str, Any]


def known_of(config: Config, store: Store, acct: str) -> Iterator[Known]:
    """Yield, ready for JSON, each line of a journal and each document that names an acct, with what is its own in it.

    An acct that was forgotten is looked for under its own name, so nothing is found.
    """
    yield from _records(config, acct)
    for name, bolt in catalogue(config).items():
        fields = AcctFields(bolt)
        for documents in documents_of(store, name) if fields else ():
            for one in documents:
                if own := fields.own(one, acct):
                    yield {"collection": name, "_id": one["_id"], **own}


def is_forgotten(config: Config, acct: str) -> bool:
    """Whether an acct has a pseudonym."""
    forgotten = Forgotten.load(config.data / FILE)
    return forgotten is not None and forgotten.of(acct) is not None


def _records(config: Config, acct: str) -> Iterator[Known]:
    renaming = Renaming(lambda name: name if name == acct else None)
    mappings = rules_of(config).mappings
    written = msgspec.json.encode(acct)[1:-1]
    for path in record_files(config):
        change, number = change_of(path, renaming, mappings), 0
        for block in blocks(path):
            lines = block.splitlines()
            # Most of a journal is others'. A line with a backslash may write the same name in another way.
            if written in block or b"\\" in block:
                for place, line in enumerate(lines, number + 1):
                    before = renaming.places
                    if (written in line or b"\\" in line) and change(line) and renaming.places > before:
                        yield {"file": path.name, "line": place, "record": _own(line, acct)}
            number += len(lines)


def _own(text: bytes, acct: str) -> Any:
    """Return a record; of payments, and of a rejected answer of an interface, only what is the acct's own."""
    try:
        record = msgspec.json.decode(text)
    except UNDECODABLE:
        return text.decode(errors="replace")
    if not isinstance(record, dict):
        return _named(record, acct)
    if "users" in record:
        users = record["users"]
        record["users"] = (
            {acct: users[acct]} if isinstance(users, dict) and acct in users else _named(users, acct)
        )
    for items, field in ITEMS.items():
        if isinstance(found := record.get(items), list):
            record[items] = [
                one for one in found if str(one.get(field) if isinstance(one, dict) else one) == acct
            ]
    if isinstance(raw := record.get("raw"), str):
        record["raw"] = _own(raw.encode(), acct)
    return record


def _named(value: Any, acct: str) -> Any:
    """Return what of a value of any shape is an acct's: of lists and objects what has the acct in it."""
    if isinstance(value, dict):
        return {name: one for name, one in value.items() if name == acct or _named(one, acct)}
    if isinstance(value, list):
        return [one for one in value if _named(one, acct)]
    return value if not isinstance(value, bool) and str(value) == acct else None
