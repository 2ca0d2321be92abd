"""Lines of a mapped source with another name in place of an acct: only that field changes. Pure."""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import msgspec

from analytics.core.tuples import UNDECODABLE
from analytics.errors import RecordError
from analytics.spouts.mapping.formats import PAIR, cells_of

if TYPE_CHECKING:
    from analytics.spouts.mapping.compiled import LineMapping

Rename = Callable[[str], str | None]
"""Returns another name for an acct, None where it keeps its own."""

STRING = rb'"[^"\\\n]*(?:\\.[^"\\\n]*)*"'
_TOKEN = re.compile(STRING + rb'|[{}\[\],:]|[^\s{}\[\],:"]+')
_WORD = re.compile(r"""[^\s"'`=,;|:()\[\]{}<>]+""")
_MARKED = re.compile(r'["\\]')
_encode = msgspec.json.encode


def renamed_line(mapping: "LineMapping", line: bytes, header: str, rename: Rename) -> bytes:
    """Return a line, without its newline, with another name in place of its acct.

    Of a line that the mapping can't read, and that counts nowhere, each word is looked at.
    ``header``: the line that names the columns of this one.
    """
    own, section = mapping.acct_field, mapping.section
    if section.format == "json":
        begin = max(line.find(b"{"), 0) if section.prefix else 0
        return line[:begin] + renamed_member(line[begin:], own.split("."), rename)
    try:
        acct = (mapping.fields(line, header) or {}).get(own)
    except RecordError:
        return renamed_words(line, rename)
    name = rename(acct) if isinstance(acct, str) else None
    if name is None:
        return line
    text = line.decode()
    for begin, end, written in reversed(list(_places(mapping, text, header, own, name))):
        text = text[:begin] + written + text[end:]
    return text.encode()


def reads_renamed(mapping: "LineMapping", line: bytes, renamed: bytes, header: str, rename: Rename) -> bool:
    """Whether a mapping reads from a renamed line what it read before, with the other name; a pattern may refuse that."""
    if not mapping.is_text:
        return True
    try:
        before = mapping.fields(line, header) or {}
    except RecordError:
        return True
    try:
        after = mapping.fields(renamed, header)
    except RecordError:
        return False
    return after == before | {mapping.acct_field: rename(str(before.get(mapping.acct_field)))}


def renamed_words(text: bytes, rename: Rename) -> bytes:
    """Return a text of no known shape with other names in place of the words that are accts."""
    words = _WORD.sub(lambda match: rename(match[0]) or match[0], text.decode(errors="surrogateescape"))
    return words.encode(errors="surrogateescape")


def renamed_member(text: bytes, path: Sequence[str], rename: Rename) -> bytes:
    """Return a JSON object with another name in place of the value at a path, wherever that occurs."""
    pieces, done = list[bytes](), 0
    for begin, end in _at_path(text, list(path)):
        pieces += (text[done:begin], renamed_token(text[begin:end], rename))
        done = end
    return b"".join((*pieces, text[done:]))


def renamed_token(token: bytes, rename: Rename) -> bytes:
    """Return a value of JSON, a string or an integer, with another name in its place, followed by spaces where that is shorter."""
    is_text = token[:1] == b'"'
    try:
        acct = msgspec.json.decode(token, type=str) if is_text else token.decode()
    except UNDECODABLE:
        return token
    name = rename(acct)
    if name is None:
        return token
    return (_encode(name) if is_text else name.encode()).ljust(len(token))


def _at_path(text: bytes, path: list[str]) -> Iterator[tuple[int, int]]:
    """Yield where the values at a path begin and end. ``at``: of each open object the member, None of each array."""
    at: list[str | None] = []
    is_object: list[bool] = []
    for match in _TOKEN.finditer(text):
        token = match[0]
        if token in (b"{", b"["):
            at.append(None)
            is_object.append(token == b"{")
        elif not at or token == b":":
            continue
        elif token in (b"}", b"]"):
            at.pop()
            is_object.pop()
        elif token == b",":
            at[-1] = None
        elif is_object[-1] and at[-1] is None:
            try:
                at[-1] = msgspec.json.decode(token, type=str)
            except UNDECODABLE:
                return
        elif at == path:
            yield match.span()


def _places(
    mapping: "LineMapping", text: str, header: str, own: str, name: str
) -> Iterator[tuple[int, int, str]]:
    """Yield where the field ``own`` begins and ends in a line, and how ``name`` is written there."""
    section = mapping.section
    if section.format == "logfmt":
        for pair in PAIR.finditer(text):
            if pair[1] == own and pair[2] is not None:
                yield *pair.span(2), _MARKED.sub(r"\\\g<0>", name)
            elif pair[1] == own and pair[3] is not None:
                yield *pair.span(3), name
    elif section.format == "csv":
        columns = section.columns or cells_of(header, section.separator)
        for column, (begin, end) in zip(columns, _cells(text, section.separator), strict=False):
            if column == own:
                quoted = text[begin:end].startswith('"')
                doubled = name.replace('"', '""')
                yield begin, end, f'"{doubled}"' if quoted else name
    elif (match := re.search(section.pattern, text)) is not None:
        yield *match.span(own), name


def _cells(text: str, separator: str) -> Iterator[tuple[int, int]]:
    cell, at = re.compile(rf'"(?:[^"]|"")*"|[^{re.escape(separator)}]*'), 0
    while at <= len(text):
        match = cell.match(text, at)
        assert match is not None
        yield match.span()
        at = match.end() + len(separator)
