"""What of a configuration names bolts, op codes and nodes: checked against the bolts that there are. The caller hands these in."""

from collections.abc import Collection, Iterator, Mapping

from analytics.config.checks import SOURCE_NAME
from analytics.config.sections import Config

Catalogue = Mapping[str, Collection[str]]
"""The bolts that there are: by name, the topics that each reads."""

REST = "main"
NODES = ("broker", "dashboard", "gamelog", "metrics", "payment", "store", "syncuser", "timers", "workers")
_GAMELOG = "gamelog."


def catalogue_faults(config: Config, bolts: Catalogue) -> Iterator[str]:
    """Yield every fault as ``key: expected …, got …``."""
    yield from _opcodes(config, bolts)
    yield from _groups(config, bolts)
    yield from _nodes(config, bolts)


def groups(config: Config, bolts: Catalogue) -> dict[str, list[str]]:
    """Return the worker processes and their bolts: ``worker.groups``, and one more for bolts in no group.

    It is called ``main``, or ``main-rest`` if a group of that name is configured.
    """
    named = config.worker.groups
    placed = {bolt for members in named.values() for bolt in members} | {*config.worker.left_out}
    rest = [bolt for bolt in bolts if bolt not in placed]
    return named | {_rest_name(named): rest} if rest else named


def _rest_name(named: dict[str, list[str]]) -> str:
    """Return the name of the group for bolts in no group, given the configured groups."""
    return REST if REST not in named else f"{REST}-rest"


def _opcodes(config: Config, bolts: Catalogue) -> Iterator[str]:
    read = {topic for topics in bolts.values() for topic in topics}
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
    for bolt, topics in bolts.items():
        if bolt not in out and out.issuperset(topics):
            yield f"worker.left_out: expected {bolt}, too, which reads {', '.join(topics)} alone, found it not"
    if _rest_name(config.worker.groups) in config.worker.groups:
        name = _rest_name(config.worker.groups)
        yield f"worker.groups.{name}: expected another name, as bolts in no group run under this one"


def _nodes(config: Config, bolts: Catalogue) -> Iterator[str]:
    known = [*NODES, *groups(config, bolts), *bolts]
    for index, name in enumerate(config.service.nodes):
        if name not in known:
            yield f'service.nodes[{index}]: expected one of {", ".join(known)}, got "{name}"'
