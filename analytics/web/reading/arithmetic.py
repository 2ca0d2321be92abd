"""Small arithmetic that several views share."""

from collections.abc import Mapping, Sequence

from analytics.core.rates import per_head


def money(amount: float, digits: int = 2) -> int | float:
    """Return an amount that was added up, without the noise of binary fractions, an integer where it is whole."""
    rounded = round(amount, digits)
    return int(rounded) if rounded == int(rounded) else rounded


def a_head(amount: float, heads: int) -> int | float:
    """Return ``amount`` ÷ ``heads``, four decimals; 0 for nobody."""
    return per_head(round(amount * 100), heads)


def change(now: float, before: float) -> float | None:
    """Return by how many percent ``now`` is above ``before``, one decimal; None where that was 0."""
    return round(100 * (now - before) / before, 1) if before else None


def counts(names: Mapping[str, str], sums: Sequence[float]) -> dict[str, int]:
    """Return sums of the fields ``names``, as whole numbers, by what an answer calls them."""
    return dict(zip(names.values(), map(int, sums), strict=True))
