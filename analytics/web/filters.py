"""What a page is asked about, as its URL says it: game, plat, areas, united area and days. Pure.

A filter is written ``?game=dl&plat=2001&area=a,b&from=2026-10-01&to=2026-10-30&segment=channel:a``; what is left out has a
default. The same query string means the same on every page, in the API and in every CSV; those that don't divide accts refuse
a segment.
"""

import difflib
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from analytics.web.translation import TranslatableError, TranslatableText, msg

SEGMENT = "segment"
UNITED = "united"
NAMES = ("game", "plat", "area", UNITED, "from", "to", SEGMENT)
MOST_AREAS = 100
"""Areas that are named are read on demand: a document for each, and for each day and collection."""

MOST_DAYS = 366
"""A leap year."""

DEFAULT_DAYS = 30
FIRST_DAY, LAST_DAY = date(1999, 12, 31), date(2099, 12, 31)
"""When the first record can be, at 2000 in UTC, it is still 1999 west of Greenwich."""

NO_GAME = msg('game: there is no game "{value}" with areas; {near}')
UNKNOWN = msg('"{value}": unknown parameter; {near}')
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


class BadFilter(TranslatableError):
    """A filter or option can't be used; the message names the parameter, what was found and what was expected."""


@dataclass(frozen=True, slots=True)
class Filters:
    """The parameters as they were given; "" and None and () stand for the default."""

    game: str = ""
    plat: str = ""
    areas: tuple[str, ...] = ()
    since: date | None = None
    until: date | None = None
    segment: str = ""
    united: str = ""

    @classmethod
    def parse(cls, given: Mapping[str, Sequence[str]], others: Iterable[str] = ()) -> "Filters":
        """Return the filters of a query string, as ``request.args.to_dict(flat=False)`` gives it.

        Args:
            others: names of further parameters that the page takes.

        Raises:
            BadFilter: a parameter is unknown, comes twice, or can't be read.
        """
        for name in given:
            expect_known(UNKNOWN, name, [*NAMES, *others])
        areas = [area for text in given.get("area", ()) for area in text.split(",") if area]
        if len(areas) > MOST_AREAS:
            raise BadFilter(
                "area: expected at most {most} areas, got {n}; leave it out for all of them",
                most=MOST_AREAS,
                n=len(areas),
            )
        since, until = day(given, "from"), day(given, "to")
        if since and until and since > until:
            raise BadFilter(
                "from: expected a day up to {until} (`to`), got {since}", until=until, since=since
            )
        if since and until and (until - since).days >= MOST_DAYS:
            raise BadFilter(
                "from: expected at most {most} days up to {until} (`to`), got {since}",
                most=MOST_DAYS,
                until=until,
                since=since,
            )
        game, plat, segment, united = (one(given, name) for name in ("game", "plat", SEGMENT, UNITED))
        return cls(game, plat, tuple(dict.fromkeys(areas)), since, until, segment, united)

    def of_all_accts(self) -> "Filters":
        """Return the same. Raise BadFilter where a segment is asked for."""
        if self.segment:
            raise BadFilter(
                "segment: expected none, as these numbers are of all accts, got {value}; leave it out",
                value=_shown(self.segment),
            )
        return self


def expect_known(text: str, value: str, known: Collection[str], **values: object) -> None:
    """Raise BadFilter where a value is not among the known ones, with ``text``: its ``{near}`` says which was meant."""
    if value not in known:
        raise BadFilter(text, value=value[:40], near=nearest(value, known), **values)


def one(given: Mapping[str, Sequence[str]], name: str, default: str = "") -> str:
    """Return a parameter's only value. Raise BadFilter where there are several."""
    values = given.get(name, ())
    if len(values) > 1:
        raise BadFilter("{name}: expected it once, got it {n} times", name=name, n=len(values))
    return values[0] if values and values[0] else default


def choice(given: Mapping[str, Sequence[str]], name: str, choices: Sequence[str], default: str) -> str:
    """Return a parameter that has to be one of ``choices``."""
    value = one(given, name, default)
    if value not in choices:
        raise BadFilter(
            "{name}: expected one of {choices}, got {value}",
            name=name,
            choices=", ".join(choices),
            value=_shown(value),
        )
    return value


def number(given: Mapping[str, Sequence[str]], name: str, default: int, least: int, most: int) -> int:
    """Return a parameter that has to be a whole number from ``least`` to ``most``."""
    text = one(given, name, str(default))
    if not re.fullmatch(r"[0-9]{1,9}", text) or not least <= int(text) <= most:
        raise BadFilter(
            "{name}: expected a whole number from {least} to {most}, got {value}",
            name=name,
            least=least,
            most=most,
            value=_shown(text),
        )
    return int(text)


def nearest(name: str, known: Iterable[str], most: int = 10) -> TranslatableText:
    """Return words on which of the ``known`` was meant, or which there are."""
    names = sorted(known)
    if near := difflib.get_close_matches(name, names, n=1):
        return TranslatableText("did you mean {name}?", {"name": near[0]})
    if not names:
        return TranslatableText("there are: none yet", {})
    values = {"names": ", ".join(names[:most]), "n": len(names) - most}
    return TranslatableText(
        "there are: {names} and {n} more" if len(names) > most else "there are: {names}", values
    )


def day(given: Mapping[str, Sequence[str]], name: str) -> date | None:
    """Return a parameter that has to be a day, None where it is left out."""
    text = one(given, name)
    if not text:
        return None
    try:
        if not _DATE.fullmatch(text):
            raise ValueError
        found = date.fromisoformat(text)
    except ValueError:
        raise BadFilter(
            "{name}: expected a day like 2026-01-31, got {value}", name=name, value=_shown(text)
        ) from None
    if not FIRST_DAY <= found <= LAST_DAY:
        raise BadFilter(
            "{name}: expected a day from {first} to {last}, got {day}",
            name=name,
            first=FIRST_DAY,
            last=LAST_DAY,
            day=found,
        )
    return found


def _shown(text: str) -> str:
    return f'"{text if len(text) <= 40 else text[:40] + "…"}"'
