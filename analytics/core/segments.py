"""Segments of a game: a bounded property of its accts, such as the channel that each came from. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

PROPERTIES = "acctsegment"
"""The bolt, collection and topic of the properties that segments are made of."""

OTHER, UNKNOWN = "other", "unknown"
"""The value of accts whose property is none of those listed, and of accts of which no record has the property."""


@dataclass(frozen=True)
class Segment:
    """How the accts of a game are divided.

    Attributes:
        op_code, field: the property: a field of ``data`` in the records of an op code.
        listed: the values that are counted one by one.
        other: whether all further values count together as ``OTHER``; if not, they count as ``UNKNOWN``.
    """

    name: str
    op_code: str
    field: str
    listed: tuple[str, ...]
    other: bool = False

    @property
    def source(self) -> str:
        """The property, as the configuration names it."""
        return f"{self.op_code}.data.{self.field}"

    @cached_property
    def values(self) -> tuple[str, ...]:
        """What an acct's value can be, ``UNKNOWN`` last."""
        return (*self.listed, *([OTHER] if self.other else []), UNKNOWN)

    @cached_property
    def places(self) -> Mapping[str, int]:
        """The place among the values of each one that is listed."""
        return {value: place for place, value in enumerate(self.listed)}

    def place(self, property_: str) -> int:
        """Return the place among the values of an acct's whose first record with the property has this one."""
        return self.places.get(property_, len(self.listed))


Segments = Mapping[str, Sequence[Segment]]
"""By game."""
