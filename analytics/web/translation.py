"""What pages say in which language. Texts are written in English where they are used; other languages are catalogues.

A catalogue is ``languages/CODE.toml``: each English text, and what it is in that language. Texts that a call of
:func:`translator`'s result does not name itself are marked with :func:`msg`, or are those of charts, tables and shapes;
a test finds all of them and holds the catalogues against them.
"""

import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from analytics.errors import AnalyticsError

FOLDER = Path(__file__).parent / "languages"
SOURCE = "en"
"""The language in which texts are written; it needs no catalogue."""

Translate = Callable[..., str]


@dataclass(frozen=True)
class Language:
    """A language. ``name``: as its speakers know it; ``tag``: as HTML wants it (BCP 47)."""

    name: str
    tag: str


LANGUAGES = {"en": Language("English", "en"), "zh": Language("中文", "zh-Hans")}
"""By code, as addresses and ``dashboard.language`` have it."""


@lru_cache
def catalogue(language: str) -> Mapping[str, str]:
    """Return the English texts and what they are in ``language``; empty for English."""
    if language == SOURCE:
        return {}
    found: dict[str, str] = tomllib.loads((FOLDER / f"{language}.toml").read_text(encoding="utf-8"))
    return found


@lru_cache
def translator(language: str) -> Translate:
    """Return what gives an English text in ``language``, its ``{names}`` filled in. Unknown texts stay English.

    What it returns is text, not HTML: templates escape it like any other.
    """

    def translate(text: str, /, **values: object) -> str:
        found = catalogue(language).get(text, text)
        return found.format(**values) if values else found

    return translate


def msg(text: str) -> str:
    """Return ``text`` as it is: the mark of an English text that is translated elsewhere."""
    return text


@dataclass(frozen=True)
class TranslatableText:
    """An English text with ``{names}`` and their values, which may be Messages themselves."""

    text: str
    values: Mapping[str, object]

    def translated(self, t: Translate) -> str:
        """Return it in the language of ``t``."""
        values = {
            name: value.translated(t) if isinstance(value, TranslatableText) else value
            for name, value in self.values.items()
        }
        return t(self.text, **values)

    def __str__(self) -> str:
        return self.translated(translator(SOURCE))


class TranslatableError(AnalyticsError):
    """An error that readers of pages see in their language; the API returns it in English."""

    def __init__(self, text: str, **values: object) -> None:
        self.message = TranslatableText(text, values)
        super().__init__(str(self.message))


def negotiated(asked: str | None, kept: str | None, accepted: Iterable[str], default: str) -> str:
    """Return the language to answer in: what the URL says, else the cookie, else the browser's first that there is,
    else the configuration's."""
    wanted = [asked, kept, *(one.split("-")[0].lower() for one in accepted)]
    return next((one for one in wanted if one in LANGUAGES), default)
