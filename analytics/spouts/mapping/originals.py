"""Lines that journals keep as they came in, since a mapping reads them. Pure."""

import re

import msgspec

from analytics.core.tuples import UNDECODABLE

MARK = b'","as":"'
_JOURNALED = re.compile(rb'\{"id":"gamelog/[A-Za-z0-9_.@/-]+:[1-9][0-9]{0,17}","as":"')


class Original(msgspec.Struct, gc=False):
    """A line of a journal that is kept as it came in."""

    id: str
    source: str = msgspec.field(name="as")
    raw: msgspec.Raw
    header: str = ""


_decode = msgspec.json.Decoder(Original).decode
_decode_text = msgspec.json.Decoder(str).decode


def decode_original(line: bytes) -> tuple[Original, bytes] | None:
    """Return what a journal says of a line that is kept as it came in, and that line; None where it is none."""
    if not _JOURNALED.match(line):
        return None
    try:
        one = _decode(line)
        raw = bytes(one.raw)
        text = _decode_text(raw).encode() if raw[:1] == b'"' else raw
    except (*UNDECODABLE, UnicodeEncodeError):
        return None
    return None if b"\n" in text else (one, text)
