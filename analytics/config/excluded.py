"""The accts that a game excludes: what the configuration names, what a file beside it lists, and what is wrong with them."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from analytics.config.sections import Config, ExcludedSection, Game
from analytics.core.exclusion import Exclusion
from analytics.core.tuples import LONGEST_NAME
from analytics.errors import ConfigError

MOST_PATTERNS = 100
MOST_BYTES = 64 << 20
"""Of a file: some million accts."""

MOST_KEPT_BYTES = 12 << 20
"""Of all games where an engine counts: the rules of its batches are one document, which may have 16 MB."""


def exclusion(section: ExcludedSection) -> Exclusion | None:
    """Return what a game excludes, None if that is nothing."""
    if not section.accts and not section.patterns:
        return None
    return Exclusion(frozenset(section.accts), tuple(section.patterns))


def exclusions(config: Config) -> Mapping[str, Exclusion]:
    """Return what games exclude, by game."""
    found = {name: exclusion(game.excluded) for name, game in config.games.items() if game.areas}
    return {name: one for name, one in found.items() if one is not None}


def with_listed(game: Game, name: str, folder: Path) -> Game:
    """Return a game whose excluded accts are also those of its file, relative to ``folder``. Raise ConfigError if it can't be read."""
    section = game.excluded
    if not section.accts_file:
        return game
    path = folder / section.accts_file
    key = f"games.{name}.excluded.accts_file"
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ConfigError(f"{key}: {path}: expected at most {MOST_BYTES >> 20} MB, got more")
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{key}: {path}: expected a readable text in UTF-8, an acct a line: {error}"
        ) from error
    lines = (line.strip() for line in text.splitlines())
    accts = sorted({*section.accts, *(line for line in lines if line and not line.startswith("#"))})
    return msgspec.structs.replace(
        game, excluded=msgspec.structs.replace(section, accts=accts, accts_file=str(path))
    )


def excluded_faults(config: Config) -> Iterator[str]:
    """Yield every fault as ``key: expected …, got …``."""
    size = len(msgspec.msgpack.encode([game.excluded for game in config.games.values()]))
    if config.engine.kind and size > MOST_KEPT_BYTES:
        yield (
            f"games.*.excluded: expected at most {MOST_KEPT_BYTES >> 20} MB of accts where an engine counts, as its batches keep them in "
            f"one document, got {size / (1 << 20):.0f} MB; patterns take less"
        )
    for name, game in config.games.items():
        key, section = f"games.{name}.excluded", game.excluded
        for index, acct in enumerate(section.accts):
            if not 1 <= len(acct) <= LONGEST_NAME:
                yield f"{key}.accts[{index}]: expected an acct of 1 to {LONGEST_NAME} characters, got {len(acct)}"
        if len(section.patterns) > MOST_PATTERNS:
            yield f"{key}.patterns: expected at most {MOST_PATTERNS} patterns, got {len(section.patterns)}; list accts in a file"
        for index, pattern in enumerate(section.patterns):
            if not pattern.strip("*?"):
                yield (
                    f'{key}.patterns[{index}]: expected a pattern of some accts, like "bot_*", got "{pattern}", which all or '
                    "any may fit"
                )
