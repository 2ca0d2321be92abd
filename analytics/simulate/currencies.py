"""The currencies of the simulated game: each game's own, and that of some areas of one game, with its rate."""

from typing import Any

OWN = {"dl": "CNY", "wsdx": "USD"}
SIGNS = {"CNY": "¥", "USD": "$", "EUR": "€"}
ABROAD, EVERY = "EUR", 4
"""The currency of the last one of every four areas, which is one of ``wsdx``."""

RATE = "1.0873"
"""What one of it is in the game's currency, on all days."""

REFUND_SECONDS = 1800
"""After so long, some payments are refunded."""

REFUNDED_EVERY = 12
"""One payment of so many."""


def currency_of(game: str, index: int) -> str:
    """Return the currency of an area, given its game and its number in the order of opening."""
    return ABROAD if game == "wsdx" and index % EVERY == EVERY - 1 else OWN[game]


def sections(game: str, abroad: bool) -> list[tuple[str, dict[str, Any]]]:
    """Return the tables of a configuration, by name, that say what a game's money is. ``abroad``: whether some area has another."""
    key = f"games.{game}"
    used = {OWN[game], *([ABROAD] if abroad else [])}
    tables: list[tuple[str, dict[str, Any]]] = [
        (key, {"currency": OWN[game]}),
        (f"{key}.signs", {one: SIGNS[one] for one in sorted(used)}),
    ]
    return [*tables, (f"{key}.rates.{ABROAD}", {"2000-01-01": RATE})] if abroad else tables
