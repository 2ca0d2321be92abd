"""The currencies of a game: the rates that the configuration or a file beside it names, and what is wrong with them."""

import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import msgspec

from analytics.config.section import is_day
from analytics.config.sections import Config, Game
from analytics.core.exchange import Exchange
from analytics.errors import ConfigError

NAME = re.compile(r"[A-Za-z0-9]{1,8}")
RATE = re.compile(r"[0-9]{1,9}(\.[0-9]{1,12})?")
MOST_BYTES = 2 << 20
"""Of a file: ten currencies by day for twenty years. The rules of an engine's batches, with all rates, are one document."""

_LINE = "expected day,currency,rate with a rate above 0, as in 2026-03-01,USD,7.1034"


def exchange(game: Game, name: str) -> Exchange | None:
    """Return what turns a game's payments into its currency, None where it has only one."""
    if not has_rates(game):
        return None
    rates = {currency: sorted(days.items()) for currency, days in game.rates.items()}
    return Exchange(name, game.currency, game.currency, rates)


def has_rates(game: Game) -> bool:
    """Return whether a game's payments may be in several currencies."""
    return bool(game.rates) or any(area.currency not in ("", game.currency) for area in game.areas.values())


def sign(game: Game, currency: str = "") -> str:
    """Return the sign of a currency, of the game's own where none is named: its name where it has none."""
    named = currency or game.currency
    return game.signs.get(named, named)


def with_rates(game: Game, name: str, folder: Path) -> Game:
    """Return a game whose rates are also those of its file, relative to ``folder``. Raise ConfigError if it, or a line of it, can't be read."""
    if not game.rates_file:
        return game
    path, key = folder / game.rates_file, f"games.{name}.rates_file"
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ConfigError(f"{key}: {path}: expected at most {MOST_BYTES >> 20} MB, got more")
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{key}: {path}: expected a readable text in UTF-8: {error}") from error
    rates = {currency: dict(days) for currency, days in game.rates.items()}
    for number, line in enumerate(map(str.strip, text.splitlines()), 1):
        if not line or line.startswith(("#", "day,")):
            continue
        fields = [field.strip() for field in line.split(",")]
        if len(fields) != 3 or not is_day(fields[0]) or not _is_rate(fields[2]):
            raise ConfigError(f'{key}: {path}, line {number}: {_LINE}; got "{line}"')
        day, currency, rate = fields
        if rates.setdefault(currency, {}).setdefault(day, rate) != rate:
            raise ConfigError(
                f"{key}: {path}, line {number}: expected one rate of {currency} on {day}, got {rates[currency][day]} and {rate}"
            )
    return msgspec.structs.replace(game, rates=rates, rates_file=str(path))


def currency_faults(config: Config) -> Iterator[str]:
    """Yield every fault as ``key: expected …, got …``."""
    for name, game in config.games.items():
        yield from _faults_of(f"games.{name}", game)


def _faults_of(key: str, game: Game) -> Iterator[str]:
    if not has_rates(game):
        return
    if not NAME.fullmatch(game.currency):
        yield (
            f'{key}.currency: expected a name of 1 to 8 letters and digits, as "CNY", where a game has several currencies, got '
            f'"{game.currency}"; its sign belongs in {key}.signs'
        )
    for area, section in game.areas.items():
        if section.currency not in ("", game.currency, *game.rates):
            yield f'{key}.areas.{area}.currency: expected a currency that {key}.rates has, got "{section.currency}"'
    for currency, days in game.rates.items():
        if not NAME.fullmatch(currency) or currency == game.currency:
            yield f'{key}.rates: expected other currencies than the game\'s, of 1 to 8 letters and digits, got "{currency}"'
        for day, rate in days.items():
            if not is_day(day):
                yield f'{key}.rates.{currency}: expected a day as YYYY-MM-DD, got "{day}"'
            if not _is_rate(rate):
                yield f'{key}.rates.{currency}.{day}: expected a decimal number above 0, as "7.1034", got "{rate}"'


def _is_rate(text: str) -> bool:
    return bool(RATE.fullmatch(text) and Fraction(text))
