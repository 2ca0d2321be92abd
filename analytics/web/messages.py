"""What pages say in which language. Texts are written in English where they are used; other languages are catalogues."""

import tomllib
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path

LANGUAGES = {"en": "English"}
"""Code to the name that its speakers know it by; the first is the default."""

DEFAULT = "en"
FOLDER = Path(__file__).parent / "languages"

Translate = Callable[..., str]


@lru_cache
def catalogue(language: str) -> Mapping[str, str]:
    """Return the English texts and what they are in ``language``; empty for English."""
    if language == DEFAULT:
        return {}
    found: dict[str, str] = tomllib.loads((FOLDER / f"{language}.toml").read_text(encoding="utf-8"))
    return found


@lru_cache
def translator(language: str) -> Translate:
    """Return what gives an English text in ``language``, its ``{names}`` filled in. Unknown texts stay English."""
    texts = catalogue(language)

    def translate(text: str, **values: object) -> str:
        found = texts.get(text, text)
        return found.format(**values) if values else found

    return translate


def chosen(asked: str | None, kept: str | None, accepted: list[str]) -> str:
    """Return the language to answer in: what the URL says, else the cookie, else the browser's first that there is."""
    wanted = [asked, kept, *(one.split("-")[0].lower() for one in accepted)]
    return next((one for one in wanted if one in LANGUAGES), DEFAULT)
