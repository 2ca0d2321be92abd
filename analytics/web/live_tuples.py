"""What the page of live events reads and shows of a tuple, whatever its topic."""

from typing import Annotated, Any

import msgspec

from analytics.broker.topics import CODES
from analytics.broker.wire import Message
from analytics.core.tuples import UNDECODABLE
from analytics.web.answers import means

SAMPLE = 500
"""Characters of a record that are kept."""
_LONGEST_NUMBER = 19  # digits; longer ones are no numbers of records


class LiveRow(msgspec.Struct, frozen=True, kw_only=True):
    """A record that came in."""

    at: Annotated[float, means("when it was accepted or rejected, Unix seconds")]
    usable: bool
    reason: Annotated[str, means('why it was rejected; "" if it was not')]
    topic: Annotated[str, means("its topic; of rejected records whose op code is unreadable, their spout")]
    source: str
    n: Annotated[int, means("its number in the source; 0 if it has none")]
    acct: Annotated[str, means('the account that it is about; "" for none or several')]
    text: Annotated[str, means("the beginning of the record, or of the line that was rejected")]


class _OpField(msgspec.Struct, frozen=True):
    code: str = ""


class _DataField(msgspec.Struct, frozen=True):
    acct: Any = ""


class AnyTuple(msgspec.Struct):
    """What is needed of a tuple of any topic."""

    id: str = ""
    op: _OpField = _OpField()
    opname: Any = ""
    data: _DataField = _DataField()
    acct: Any = ""
    acctid: Any = ""
    uid: Any = ""
    users: dict[str, msgspec.Raw] | int = 0  # payments by account; bolts count them
    userlist: list[Any] = []

    @property
    def about(self) -> str:
        """The account that it is about, "" for none or several."""
        return str(self.data.acct or self.acct or self.acctid or "")

    @property
    def topic(self) -> str:
        """The topic of a record of a game log, "" of others."""
        code = self.op.code or self.opname
        return f"{CODES}{code}" if code else ""

    def concerns(self, acct: str) -> bool:
        """Return whether ``acct`` is in it, as an account or as a role."""
        own = (self.data.acct, self.acct, self.acctid, self.uid)
        paid = isinstance(self.users, dict) and acct in self.users
        return paid or acct in map(str, own) or acct in map(str, self.userlist)


_decode = msgspec.json.Decoder(AnyTuple).decode


def source_name(source: str) -> str:
    """Return the configured name of a record source: ``s1`` of ``gamelog/s1@f00``."""
    rest = source.partition("/")[2]
    return rest.rpartition("@")[0] or rest or source


def topic_and_acct(line: bytes) -> tuple[str, str]:
    """Return the topic of a record of a game log and the account that it is about; "" where it can't be read."""
    found = read(line)
    return found.topic, found.about


def read(line: bytes) -> AnyTuple:
    """Return what is needed of a tuple; nothing of one of another shape, as a subscriber's own topic may have."""
    try:
        return _decode(line)
    except UNDECODABLE:
        return AnyTuple()


def shown(message: Message, line: bytes) -> LiveRow:
    """Return what is shown of a line of a message."""
    found = read(line)
    number = found.id.rpartition(":")[2]
    head = b'{"id":"%s",' % found.id.encode()
    text = b"{" + line.removeprefix(head) if line.startswith(head) else line
    return LiveRow(
        at=message.header.at,
        usable=True,
        reason="",
        topic=found.topic or message.topic,
        source=source_name(message.header.source),
        n=int(number) if number.isdecimal() and len(number) < _LONGEST_NUMBER else 0,
        acct=found.about,
        text=shortened(text),
    )


def shortened(text: bytes) -> str:
    """Return the beginning of a record as text."""
    some = text[: SAMPLE * 4].decode(errors="replace")
    return some if len(some) <= SAMPLE else some[:SAMPLE] + "…"
