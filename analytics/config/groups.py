"""Which bolts run, and in which worker processes."""

from analytics.bolts import BOLTS
from analytics.config.sections import Config

REST = "main"


def groups(config: Config) -> dict[str, list[str]]:
    """Return the worker processes and their bolts: ``worker.groups``, and one more for bolts in no group.

    It is called ``main``, or ``main-rest`` if a group of that name is configured.
    """
    named = config.worker.groups
    placed = {bolt for members in named.values() for bolt in members} | {*config.worker.left_out}
    rest = [bolt for bolt in BOLTS if bolt not in placed]
    return named | {rest_name(named): rest} if rest else named


def rest_name(named: dict[str, list[str]]) -> str:
    """Return the name of the group for bolts in no group, given the configured groups."""
    return REST if REST not in named else f"{REST}-rest"
