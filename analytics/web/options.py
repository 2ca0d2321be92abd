"""What a page takes beside the filter: a Struct declares it, the query string gives it, OpenAPI describes it.

A field is one of the words of a ``Literal``, a whole number with bounds, or a text. It has a default and a description:

    sort: Annotated[Literal["day", "revenue"], Meta(description="the column to sort by")] = "day"
    page: Annotated[int, Meta(ge=1, le=1000, description="the page of the table, from 1")] = 1
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar, get_args, get_type_hints

import msgspec

from analytics.web.filters import choice, number, one

T = TypeVar("T", bound=msgspec.Struct)
Args = Mapping[str, Sequence[str]]
"""A query string, as ``request.args.to_dict(flat=False)`` gives it."""


@dataclass(frozen=True)
class Option:
    """A parameter of the query string: one of ``choices``, a number within ``bounds``, or a text where both are empty."""

    name: str
    description: str
    default: Any = ""
    choices: tuple[str, ...] = ()
    bounds: tuple[int, ...] = ()

    def read(self, args: Args) -> Any:
        """Return its value. Raise BadFilter where the query string has none that fits."""
        if self.choices:
            return choice(args, self.name, self.choices, self.default)
        if self.bounds:
            return number(args, self.name, self.default, *self.bounds)
        return one(args, self.name, self.default)


@lru_cache
def declared(kind: type[msgspec.Struct]) -> tuple[Option, ...]:
    """Return the options that a Struct declares, in order."""
    defaults = kind()
    hints = get_type_hints(kind, include_extras=True)
    return tuple(_option(name, hints[name], getattr(defaults, name)) for name in kind.__struct_fields__)


def _option(name: str, hint: Any, default: Any) -> Option:
    base, meta = get_args(hint)  # Annotated[…, Meta(…)]
    if base is int:
        return Option(name, meta.description, default, bounds=(meta.ge, meta.le))
    return Option(name, meta.description, default, choices=get_args(base))


def read_options(kind: type[T], args: Args) -> T:
    """Return a page's options. Raise BadFilter where one is not what its field expects."""
    return kind(**{option.name: option.read(args) for option in declared(kind)})
