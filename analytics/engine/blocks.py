"""Blocks: pieces of journals, each folded as a whole."""

import msgspec


class JournalBlock(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A piece of a journal: the lines that begin at byte ``begin`` or after it, and before ``end``.

    So the last line may end after ``end``, and ``begin`` and ``end`` need not be known to be at lines.

    Attributes:
        journal: the file's name relative to the shared folder, without ``.gz``.
        begin, end: bytes of the plain file.
    """

    journal: str
    begin: int
    end: int
