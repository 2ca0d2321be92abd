"""The Queue's messages with pseudonyms, under the same numbers and with new checksums."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from analytics.broker.checksum import crc32
from analytics.broker.opening import QUEUE, damaged
from analytics.broker.records import Damaged, Entry, Record, encode_record, placed, read_body, scan
from analytics.core.bolt import Bolt
from analytics.core.schema import GAMELOG
from analytics.core.tuples import UNDECODABLE
from analytics.forget.fields import AcctFields
from analytics.forget.files import replacing
from analytics.spouts.renaming import Renaming

_OF_SPOUTS = ("payment", "syncuser")


class QueueChange:
    """Puts pseudonyms into messages."""

    def __init__(self, renaming: Renaming, bolts: Mapping[str, Bolt]) -> None:
        """``bolts``: by topic that they publish."""
        self._renaming = renaming
        self._fields = {name: AcctFields(bolt) for name, bolt in bolts.items()}
        self._others = AcctFields(None)

    def body(self, topic: str, body: bytes) -> bytes:
        """Return a message's lines."""
        if topic.startswith(GAMELOG) or topic in _OF_SPOUTS:
            return self._renaming.tuples(topic, body)
        fields = self._fields.get(topic, self._others)
        return b"\n".join([self._line(line, fields) for line in body.split(b"\n")]) if fields else body

    def _line(self, line: bytes, fields: AcctFields) -> bytes:
        try:
            one = msgspec.json.decode(line)
        except UNDECODABLE:
            return line
        new = fields.renamed(one, self._renaming.name) if isinstance(one, dict) else one
        return line if new is one else msgspec.json.encode(new)


def segments(data: Path) -> list[Path]:
    """Return the segments of a data folder's Queue, which was opened and closed: nothing incomplete is in them."""
    return sorted((data / QUEUE).glob("*.log"))


def would_change(path: Path, change: QueueChange) -> bool:
    """Return whether a segment has anything to replace. Raise LogError where it is damaged."""
    return any(old != new for _, pairs in _records(path, change) for old, new in pairs)


def rewrite(path: Path, change: QueueChange) -> None:
    """Replace a segment durably. Raise LogError where it is damaged."""
    with replacing(path, path.with_suffix(".new")) as file:  # which the broker deletes, where it stays
        for record, pairs in _records(path, change):
            header = record.header
            if isinstance(header, Entry):
                parts = [
                    msgspec.structs.replace(part, size=len(new), crc=crc32(new))
                    for part, (_, new) in zip(header.parts, pairs, strict=True)
                ]
                header = msgspec.structs.replace(header, parts=parts)
            file.write(encode_record(record.seq, header))
            file.writelines(new for _, new in pairs)


def _records(path: Path, change: QueueChange) -> Iterator[tuple[Record, list[tuple[bytes, bytes]]]]:
    """Yield a segment's records, the head first, each with its bodies as they are and as they shall be."""
    try:
        with path.open("rb") as file:
            for record in scan(file.fileno(), 0, path.stat().st_size):
                bodies = [
                    (part.topic, read_body(file.fileno(), record, part, offset))
                    for part, offset in placed(record)
                ]
                yield record, [(body, change.body(topic, body)) for topic, body in bodies]
    except Damaged as damage:
        raise damaged(path, damage) from damage
