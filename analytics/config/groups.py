"""Which bolts run, and in which worker processes."""

from analytics.bolts import BOLTS
from analytics.config.sections import Config

REST = "main"


def groups(config: Config) -> dict[str, list[str]]:
    """Return the worker processes and their bolts: those of ``worker.groups``, and one more for the bolts that are in none.

    That one is called ``main`` or, where a group of that name is configured, ``main-rest``.
    """
    named = config.worker.groups
    placed = {bolt for members in named.values() for bolt in members} | {*config.worker.left_out}
    rest = [bolt for bolt in BOLTS if bolt not in placed]
    return named | {rest_name(named): rest} if rest else named


def rest_name(named: dict[str, list[str]]) -> str:
    """Return what the group of those bolts is called, given the configured groups."""
    return REST if REST not in named else f"{REST}-rest"
