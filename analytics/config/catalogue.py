"""The bolts of a configuration; and what of it names bolts, op codes and nodes, checked against them."""

from collections.abc import Iterator, Mapping

from analytics.bolts import BOLTS
from analytics.config.checks import SOURCE_NAME
from analytics.config.sections import Config
from analytics.core.bolt import Bolt

Catalogue = Mapping[str, Bolt]
"""Bolts by name, each after those whose tuples it reads."""

REST = "main"
NODES = ("broker", "dashboard", "gamelog", "metrics", "payment", "store", "syncuser", "timers", "workers")
_GAMELOG = "gamelog."


def catalogue(config: Config) -> Catalogue:
    """Return the bolts of a configuration: the built-in ones, then its own.

    Whatever runs with a configuration takes bolts from here.
    """
    return BOLTS


def catalogue_faults(config: Config) -> Iterator[str]:
    """Yield every fault as ``key: expected …, got …``."""
    bolts = catalogue(config)
    yield from _opcodes(config, bolts)
    yield from _groups(config, bolts)
    yield from _nodes(config, bolts)


def groups(config: Config) -> dict[str, list[str]]:
    """Return the worker processes and their bolts: ``worker.groups``, and one more for bolts in no group.

    It is called ``main``, or ``main-rest`` if a group of that name is configured.
    """
    named = config.worker.groups
    placed = {bolt for members in named.values() for bolt in members} | {*config.worker.left_out}
    rest = [bolt for bolt in catalogue(config) if bolt not in placed]
    return named | {_rest_name(named): rest} if rest else named


def _rest_name(named: dict[str, list[str]]) -> str:
    """Return the name of the group for bolts in no group, given the configured groups."""
    return REST if REST not in named else f"{REST}-rest"


def _opcodes(config: Config, bolts: Catalogue) -> Iterator[str]:
    read = {topic for bolt in bolts.values() for topic in bolt.reads}
    known = sorted(topic.removeprefix(_GAMELOG) for topic in read if topic.startswith(_GAMELOG))
    for name, game in config.games.items():
        for own, target in game.opcodes.items():
            if target not in known:
                yield f'games.{name}.opcodes.{own}: expected one of {", ".join(known)}, got "{target}"'


def _groups(config: Config, bolts: Catalogue) -> Iterator[str]:
    group_of: dict[str, str] = {}
    for group, members in config.worker.groups.items():
        key = f"worker.groups.{group}"
        if not SOURCE_NAME.fullmatch(group):
            yield f'{key}: expected a name of letters, digits, "_", "." and "-", got "{group}"'
        if group in NODES:
            yield f'{key}: expected a name that is no node\'s, got "{group}"'
        if not members:
            yield f"{key}: expected names of bolts, got none"
        for bolt in members:
            if bolt not in bolts:
                yield f'{key}: expected some of {", ".join(bolts)}, got "{bolt}"'
            if bolt in group_of:
                yield f'{key}: expected a bolt in one group, got "{bolt}", which is also in {group_of[bolt]}'
            group_of.setdefault(bolt, group)
    for index, bolt in enumerate(config.worker.left_out):
        key = f"worker.left_out[{index}]"
        if bolt not in bolts:
            yield f'{key}: expected one of {", ".join(bolts)}, got "{bolt}"'
        if bolt in group_of:
            yield f'{key}: expected a bolt in no group, got "{bolt}", which is in worker.groups.{group_of[bolt]}'
    out = {*config.worker.left_out}
    for bolt, of in bolts.items():
        if bolt not in out and out.issuperset(of.reads):
            yield f"worker.left_out: expected {bolt}, too, which reads {', '.join(of.reads)} alone, found it not"
    if _rest_name(config.worker.groups) in config.worker.groups:
        name = _rest_name(config.worker.groups)
        yield f"worker.groups.{name}: expected another name, as bolts in no group run under this one"


def _nodes(config: Config, bolts: Catalogue) -> Iterator[str]:
    known = [*NODES, *groups(config), *bolts]
    for index, name in enumerate(config.service.nodes):
        if name not in known:
            yield f'service.nodes[{index}]: expected one of {", ".join(known)}, got "{name}"'
