"""Which blocks the next batch has. Pure."""

import re
from collections.abc import Mapping

from analytics.engine.blocks import JournalBlock

LEAST_BYTES = 1 << 20
"""Of a block, if a journal has so much: less is not worth a task of its own."""

_MINUTE = re.compile(r"_(\d{12})(?:-(\d+))?\.txt$")


def next_batch(
    planned: Mapping[str, int], ends: Mapping[str, int], batch_bytes: int, block_bytes: int, tasks: int = 1
) -> list[JournalBlock]:
    """Return the blocks of the next batch, none if nothing waits.

    The oldest journal begins, and each has its turn: so a journal with much does not keep the others waiting.

    Args:
        planned: per journal, the byte before which everything is planned.
        ends: per journal, its durable end.
        batch_bytes, block_bytes: the most for all blocks, and for one. A batch has one block at least.
        tasks: how many blocks are folded at a time: few bytes are divided among so many.
    """
    waiting = {
        name: (planned.get(name, 0), end)
        for name, end in sorted(ends.items(), key=lambda one: age(one[0]))
        if end > planned.get(name, 0)
    }
    left = min(batch_bytes, sum(end - begin for begin, end in waiting.values()))
    size = min(block_bytes, max(LEAST_BYTES, -(-left // tasks)))
    blocks: list[JournalBlock] = []
    while waiting:
        for name, (begin, end) in list(waiting.items()):
            if left <= 0 and blocks:
                return blocks
            until = min(end, begin + size)
            blocks.append(JournalBlock(name, begin, until))
            left -= until - begin
            if until < end:
                waiting[name] = until, end
            else:
                del waiting[name]
    return blocks


def age(journal: str) -> tuple[str, int, str]:
    """Return what sorts journals: the older one first."""
    match = _MINUTE.search(journal)
    return (match[1], int(match[2] or 1), journal) if match else ("", 0, journal)
