"""The page *system*: how the suite itself does."""

from typing import Annotated

import msgspec
from msgspec import Meta

from analytics.runtime.report import StatusReport


class RejectedKind(msgspec.Struct, frozen=True):
    """Records that could not be used for the same reason, from the same source."""

    reason: Annotated[str, Meta(description="what was expected and where, without the value that was found")]
    source: str
    count: Annotated[int, Meta(description="distinct records that are still put aside")]
    newest: Annotated[float, Meta(description="when the newest was put aside, Unix seconds")]
    sample_reason: Annotated[str, Meta(description="the newest one's reason in full")]
    sample: Annotated[str, Meta(description="the beginning of the newest one's text")]
    sample_n: Annotated[int, Meta(description="its number in the source; 0 where it has none")]


class JournalFile(msgspec.Struct, frozen=True):
    """A file of the data folder that keeps records as they came in."""

    name: str
    kind: Annotated[str, Meta(description='"gamelog", "payment", "syncuser" or "rejected"')]
    bytes: int
    written: Annotated[float, Meta(description="when it was last written to, Unix seconds")]


class System(msgspec.Struct, frozen=True):
    """The page *system*. It is about this suite, so it has no scope; times are Unix seconds."""

    healthy: Annotated[bool, Meta(description="whether every node is well and the balance adds up")]
    status: Annotated[
        StatusReport, Meta(description="nodes, balance and broker, as `bin/analytics status` has them")
    ]
    rejected: Annotated[
        list[RejectedKind], Meta(description="most frequent first; at most 100 kinds, the CSV has all")
    ]
    rejected_count: Annotated[int, Meta(description="records that are put aside, in all")]
    journals: Annotated[list[JournalFile], Meta(description="newest first; at most 100, the CSV has all")]
    journal_bytes: Annotated[int, Meta(description="bytes of all of them")]
    store_error: Annotated[str, Meta(description='why the store does not answer; "" where it does')]
