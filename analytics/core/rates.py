"""Shares and averages as the documents show them."""


def percent(part: int, whole: int) -> float:
    """Return ``part`` of ``whole`` in percent, two decimals; 0 where ``whole`` is 0."""
    return round(100 * part / whole, 2) if whole else 0


def ratio(part: int, whole: int) -> float:
    """Return ``part`` ÷ ``whole``, four decimals; 0 where ``whole`` is 0."""
    return round(part / whole, 4) if whole else 0


def per_head(cents: int, heads: int) -> int | float:
    """Return ``cents`` ÷ ``heads`` in currency units, four decimals, an integer where it is whole; 0 for nobody."""
    amount = round(cents / (100 * heads), 4) if heads else 0
    return int(amount) if amount == int(amount) else amount
