"""Pseudonyms in place of forgotten accts, in whatever spouts read and keep: each changes nothing but the acct.

In JSON, members called ``acct`` (game logs), ``acctid`` and ``left`` (roles), and the names in ``users`` (payments) are accts. Lines
of a mapped source are read by its mapping. What becomes shorter is followed by spaces, so that no byte behind it moves.
"""

import base64
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from analytics.core.tuples import UNDECODABLE
from analytics.spouts.forgotten import FILE, Forgotten
from analytics.spouts.mapping.originals import MARK, decode_original
from analytics.spouts.mapping.renamed import (
    STRING,
    Rename,
    reads_renamed,
    renamed_line,
    renamed_token,
    renamed_words,
)

if TYPE_CHECKING:
    from analytics.spouts.mapping.compiled import LineMapping
    from analytics.spouts.rejected import Reject

_VALUE = rb"(" + STRING + rb"|-?[0-9]+(?![0-9.eE]))"
_ACCT = re.compile(rb'"acct"\s*:\s*' + _VALUE)
_ROLE = re.compile(rb'"(?:acctid|left)"\s*:\s*' + _VALUE)
_PAYER = re.compile(rb"(" + STRING + rb")(?=\s*:\s*\{\s*" + STRING + rb"\s*:\s*[^\s{])")
"""A record that was put in again may begin with a field of the interface's own; only ``users`` has objects in it."""

_QUOTED = re.compile(rb"(" + STRING + rb")")
_OF_SPOUT = {"gamelog": _ACCT, "payment": _PAYER, "syncuser": _ROLE}
_BEGINS = {b'{"id":"%b/' % spout.encode(): spout for spout in ("payment", "syncuser")}
ITEMS = {"roles": "acctid", "orders": "acct"}
"""Arrays in the answers of interfaces, and which member of their objects says who."""

_SAYS_WHO = frozenset({"acct", "acctid", "left"})
"""Members whose text or number is an acct, found in texts by the patterns above."""

MOST_OTHERS = 300_000
"""Accts that are known not to be forgotten, so that they need not be hashed again: about 50 MB."""


class Renaming:
    """Replaces accts by other names.

    Attributes:
        places: how many were replaced.
        unmapped: by configured source, how many lines in journals no mapping reads any more; they stay as they are.
        unreadable: by configured source, of how many lines its mapping reads another acct than the name that was put there.
    """

    def __init__(self, rename: Rename) -> None:
        self._rename = rename
        self._others: set[str] = set()
        self._tokens: set[bytes] = set()
        self._given: set[str] = set()
        self._settled: frozenset[str] = frozenset()
        self._was_number = False
        self.places = 0
        self.unmapped: Counter[str] = Counter()
        self.unreadable: Counter[str] = Counter()

    def name(self, acct: str) -> str | None:
        """Return the other name of an acct, None if it has none."""
        if acct in self._others or acct in self._settled:
            return None
        name = self._rename(acct)
        if name is not None:
            self.places += 1
            self._given.add(name)
            return name
        if len(self._others) >= MOST_OTHERS:
            self._others.clear()
        self._others.add(acct)
        return None

    def journal(self, block: bytes, mappings: "Mapping[str, LineMapping]") -> bytes:
        """Return lines of a journal, or of game logs. ``mappings``: by configured source."""
        if MARK not in block and not any(begin in block for begin in _BEGINS):
            return self._in(_ACCT, block)
        return b"".join([self._journaled(line, mappings) for line in block.splitlines(keepends=True)])

    def tuples(self, topic: str, body: bytes) -> bytes:
        """Return lines of a topic of a spout."""
        return self._in(_OF_SPOUT[topic.partition(".")[0]], body)

    def mapped(self, chunk: bytes, mapping: "LineMapping", header: str) -> bytes:
        """Return lines of a source as its mapping reads them."""
        lines = [renamed_line(mapping, line, header, self.name) for line in chunk.split(b"\n")]
        return b"\n".join(lines)

    def page(self, page: Mapping[str, Any]) -> dict[str, Any]:
        """Return a page of an interface's answer: payments by acct, orders, or roles."""
        new = dict(page)
        if isinstance(users := page.get("users"), dict):
            new["users"] = {self.name(acct) or acct: paid for acct, paid in users.items()}
        for items, field in ITEMS.items():
            if isinstance(found := page.get(items), list):
                new[items] = [self._item(one, field) for one in found]
        return new

    def reject(self, one: "Reject", mappings: "Mapping[str, LineMapping]") -> "Reject":
        """Return a rejected record, of whatever shape it is."""
        text = one.original()
        mapping = mappings.get(one.mapping)
        reason = self._in(_QUOTED, one.reason.encode())
        if mapping is not None:
            text = renamed_line(mapping, text, one.header, self.name)
        elif one.mapping:
            self.unmapped[one.mapping] += 1
        else:
            self._given.clear()
            text = self._in(_ROLE, self._in(_ACCT, text))
            # What was just put there is not looked for again, as if it had been in use.
            self._settled = frozenset(self._given)
            try:
                text, was_number = self._unmapped(text)
            finally:
                self._settled = frozenset()
            if was_number:  # a reason does not quote numbers
                reason = renamed_words(reason, self.name)
        if one.raw_base64:
            raw = {"raw_base64": base64.b64encode(text).decode()}
        else:
            raw = {"raw": text.decode()}
        return msgspec.structs.replace(one, reason=reason.decode(), **raw)

    def _in(self, pattern: re.Pattern[bytes], text: bytes) -> bytes:
        """Return a text with other names in the only group of a pattern."""
        tokens = pattern.findall(text)
        if self._tokens.issuperset(tokens):  # as nearly always: none of them was forgotten
            return text
        pieces, done = list[bytes](), 0
        for match in pattern.finditer(text):
            token = match[1]
            if token in self._tokens:
                continue
            new = renamed_token(token, self.name)
            if new is token:
                self._tokens.add(token)
            else:
                pieces += (text[done : match.start(1)], new)
                done = match.end(1)
        if len(self._tokens) > MOST_OTHERS:
            self._tokens.clear()
        return b"".join((*pieces, text[done:])) if pieces else text

    def _unmapped(self, text: bytes) -> tuple[bytes, bool]:
        """Return a rejected text: what an interface answered, whose members have any order and kind, or no JSON at all.

        Also return whether a number that is no member's was an acct.
        """
        try:
            answer = msgspec.json.decode(text)
        except UNDECODABLE:
            return renamed_words(text, self.name), False
        self._was_number = False
        new = self._misshapen(answer) if isinstance(answer, dict) else self._anywhere(answer)
        return text if new == answer else msgspec.json.encode(new), self._was_number

    def _misshapen(self, value: Any) -> Any:
        """Return a part of a rejected record, where what should hold accts may have any shape."""
        if isinstance(value, list):
            return [self._misshapen(one) for one in value]
        if not isinstance(value, dict):
            return value
        return {name: self._member(name, one) for name, one in value.items()}

    def _member(self, name: str, value: Any) -> Any:
        if name in _SAYS_WHO:
            return self._anywhere(value) if isinstance(value, dict | list) else value
        if name == "users" and isinstance(value, dict):
            return {self.name(acct) or acct: self._of_payer(paid) for acct, paid in value.items()}
        if name in ITEMS and isinstance(value, list):
            return [self._misshapen(one) if isinstance(one, dict) else self._anywhere(one) for one in value]
        return self._anywhere(value) if name == "users" or name in ITEMS else self._misshapen(value)

    def _of_payer(self, paid: Any) -> Any:
        """Return what stands for an acct's payments; a number there is an amount."""
        return paid if isinstance(paid, dict | int | float) else self._anywhere(paid)

    def _anywhere(self, value: Any) -> Any:
        """Return a value with another name for each text, whole number and member's name in it that is an acct."""
        if isinstance(value, dict):
            return {self.name(name) or name: self._anywhere(one) for name, one in value.items()}
        if isinstance(value, list):
            return [self._anywhere(one) for one in value]
        if isinstance(value, bool) or not isinstance(value, str | int):
            return value
        name = self.name(str(value))
        if name is None or isinstance(value, str):
            return name or value
        self._was_number = True
        return int(name) if name.isdecimal() else name

    def _item(self, one: Any, field: str) -> Any:
        acct = one.get(field) if isinstance(one, dict) else None
        if isinstance(acct, bool) or not isinstance(acct, str | int) or not (name := self.name(str(acct))):
            return one
        return one | {field: name}

    def _journaled(self, line: bytes, mappings: "Mapping[str, LineMapping]") -> bytes:
        original = decode_original(line)
        if original is None:
            return self._in(_OF_SPOUT[_BEGINS.get(line[: line.find(b"/") + 1], "gamelog")], line)
        one, text = original
        mapping = mappings.get(one.source)
        if mapping is None:
            self.unmapped[one.source] += 1
            return line
        renamed = renamed_line(mapping, text, one.header, self.name)
        if renamed == text:
            return line
        self.unreadable[one.source] += not reads_renamed(mapping, text, renamed, one.header, self._rename)
        raw = bytes(one.raw)
        begin = line.rindex(raw)
        written = msgspec.json.encode(renamed.decode()) if raw[:1] == b'"' else renamed
        return line[:begin] + written.ljust(len(raw)) + line[begin + len(raw) :]


def renaming_of(data: Path) -> Renaming | None:
    """Return what replaces the accts that were forgotten in a data folder; None where none were."""
    forgotten = Forgotten.load(data / FILE)
    return None if forgotten is None else Renaming(forgotten.of)
