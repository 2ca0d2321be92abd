"""The bolts of a configuration; and what of it names bolts, op codes and nodes, checked against them."""

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from graphlib import CycleError, TopologicalSorter
from hashlib import sha256
from typing import NamedTuple

import msgspec

from analytics.bolts import BOLTS
from analytics.bolts.excluded import excluded
from analytics.bolts.funnels import acctstep
from analytics.bolts.segments import acctsegment
from analytics.config.alert_checks import alert_faults
from analytics.config.bolt_drafts import name_faults
from analytics.config.bolt_files import bolts_of_files, fingerprint_of
from analytics.config.bolt_sections import BoltSection
from analytics.config.checks import SOURCE_NAME
from analytics.config.excluded import exclusions
from analytics.config.funnels import funnels
from analytics.config.kept import kept_faults
from analytics.config.numbers import number_faults
from analytics.config.own_bolts import declared_bolts
from analytics.config.sections import Config
from analytics.config.segments import segments
from analytics.core.bolt import Bolt
from analytics.core.exclusion import EXCLUDED
from analytics.core.funnels import STEPS, steps_of_bolt
from analytics.core.schema import GAMELOG, is_of_spout, schemas
from analytics.core.segments import PROPERTIES, Segment
from analytics.errors import ConfigError

Catalogue = Mapping[str, Bolt]
"""Bolts by name, each after those whose tuples it reads."""

MOST_OWN = 100
"""Bolts of one configuration: the broker bounds how many report to it."""

REST = "main"
NODES = (
    "alerts", "broker", "dashboard", "engine", "gamelog", "metrics", "payment", "store", "syncuser", "timers", "workers",
)  # fmt: skip


def catalogue(config: Config) -> Catalogue:
    """Return the bolts of a configuration: the built-in ones, then its own.

    Whatever runs with a configuration takes bolts from here. Raise ConfigError if its own can't be; one that was loaded has been checked.
    """
    bolts: Catalogue = BOLTS
    if config.bolts or config.bolt_files:
        found = _with_own(_encoded(config))
        if found.faults:
            raise ConfigError("\n".join(f"{config.file}: {fault}" for fault in found.faults))
        bolts = found.bolts
    if divided := segments(config):
        games = tuple((id, name) for name, game in config.games.items() for id in game.areas)
        properties = _properties(tuple(divided.items()), games)
        bolts = {**bolts, properties.name: properties}
    if steps := steps_of_bolt(funnels(config)):
        bolts = {**bolts, STEPS: _steps(steps)}
    if exclusions(config):
        left_out = {*config.worker.left_out}
        read = {topic for name, bolt in bolts.items() if name not in left_out for topic in bolt.reads}
        bolts = {**bolts, EXCLUDED: _excluded(tuple(sorted(filter(is_of_spout, read))))}
    return bolts


def fingerprints(config: Config) -> dict[str, str]:
    """Return, for each bolt that the configuration declares, what tells its declaration from others: its own, and that of segments."""
    texts = {name: msgspec.json.encode(section, order="sorted") for name, section in config.bolts.items()}
    found = {name: sha256(text).hexdigest()[:16] for name, text in texts.items()}
    files = _with_own(_encoded(config)).files
    found |= {name: fingerprint_of(config.bolt_files[path]) for name, path in files.items()}
    if properties := sorted(
        (game, one.name, one.source) for game, some in segments(config).items() for one in some
    ):
        found[PROPERTIES] = sha256(msgspec.json.encode(properties)).hexdigest()[:16]
    if steps := steps_of_bolt(funnels(config)):
        found[STEPS] = sha256(msgspec.json.encode(steps)).hexdigest()[:16]
    return found


def catalogue_faults(config: Config) -> Iterator[str]:
    """Yield every fault as ``key: expected …, got …``, or of a Python file with its line."""
    found = _with_own(_encoded(config))
    yield from found.faults
    if found.faults:
        return
    bolts = catalogue(config)
    yield from _unsent(config, bolts)
    yield from _opcodes(config, bolts)
    yield from _segments(config, bolts)
    yield from _groups(config, bolts)
    yield from _nodes(config, bolts)
    yield from kept_faults(config, bolts)
    yield from alert_faults(config, bolts)
    yield from number_faults(config, bolts)


def groups(config: Config) -> dict[str, list[str]]:
    """Return the worker processes and their bolts: ``worker.groups``, and one more for bolts in no group.

    It is called ``main``, or ``main-rest`` if a group of that name is configured.
    """
    named = config.worker.groups
    placed = {bolt for members in named.values() for bolt in members} | {*config.worker.left_out}
    rest = [bolt for bolt in catalogue(config) if bolt not in placed]
    return named | {_rest_name(named): rest} if rest else named


@lru_cache(maxsize=4)
def _properties(
    divided: tuple[tuple[str, tuple[Segment, ...]], ...], games: tuple[tuple[str, str], ...]
) -> Bolt:
    """Return the bolt of segments, each time the same: it has types of its own, and a report asks for it several times."""
    properties = acctsegment(dict(divided), dict(games))
    assert properties is not None
    return properties


_steps = lru_cache(maxsize=4)(acctstep)
"""Returns the bolt of the steps of funnels, each time the same."""

_excluded = lru_cache(maxsize=4)(excluded)
"""Returns the bolt of excluded accts, each time the same."""

_Sources = tuple[dict[str, BoltSection], dict[str, str]]


class _Found(NamedTuple):
    """All bolts, what is wrong with the configuration's own, and by name the files of those in Python."""

    bolts: Catalogue
    faults: list[str]
    files: Mapping[str, str] = {}


def _encoded(config: Config) -> bytes:
    return msgspec.json.encode((config.bolts, config.bolt_files))  # its order is that of the file


@lru_cache(maxsize=16)
def _with_own(encoded: bytes) -> _Found:
    """Return the bolts, given what of a configuration declares its own."""
    sections, sources = msgspec.json.decode(encoded, type=_Sources)
    found, faults = bolts_of_files(sources, BOLTS)
    files = {bolt.name: path for path, bolt in found}
    own = {name: f"[bolts.{name}] of the configuration" for name in sections}
    for path, bolt in found:
        said = [*_file_faults(bolt, [one for _, one in found]), *name_faults(bolt.name, BOLTS, own)]
        faults += [f"{path}: bolt {bolt.name}: {text}" for text in said]
        own.setdefault(bolt.name, path)
    try:
        bolts = BOLTS | _sorted(bolt for _, bolt in found if bolt.name not in sections)
        declared, more = declared_bolts(sections, bolts)
        faults += more
        bolts |= declared
        if not faults:
            schemas(bolts.values())
    except ValueError as error:
        return _Found(BOLTS, [*faults, f"bolts: {error}"])
    if len(sections) + len(files) > MOST_OWN:
        faults.append(
            f"bolts: expected at most {MOST_OWN} bolts of your own, got {len(sections) + len(files)}"
        )
    return _Found(bolts, faults, files)


def _sorted(bolts: Iterable[Bolt]) -> dict[str, Bolt]:
    """Return bolts by name, each after those that it reads. Raise ValueError where some read each other."""
    own = {bolt.name: bolt for bolt in bolts}
    order = TopologicalSorter({name: [one for one in bolt.reads if one in own] for name, bolt in own.items()})
    try:
        return {name: own[name] for name in order.static_order()}
    except CycleError as error:
        raise ValueError(f"expected none that reads itself, got {' ← '.join(error.args[1])}") from error


def _file_faults(bolt: Bolt, own: list[Bolt]) -> Iterator[str]:
    """Yield what is wrong with a bolt of a Python file."""
    published = {one.name for one in (*BOLTS.values(), *own) if one.publishes}
    unsent = [topic for topic in bolt.reads if not is_of_spout(topic) and topic not in published]
    if unsent:
        yield (
            f'expected topics that a spout or a bolt publishes, as "gamelog.pvp_log" or "loginday", got "{unsent[0]}", '
            "which nobody sends"
        )
    if not bolt.reads or len({*map(is_of_spout, bolt.reads)}) > 1:
        yield f"expected topics of spouts alone, or of bolts alone, got {', '.join(bolt.reads) or 'none'}"
    try:
        bolt.show(measure.empty() for measure in bolt.measures.values())
    except Exception as error:
        yield (
            f"finish: expected it to work for a document without rows, too, got {type(error).__name__}: {error}"
        )


def _unsent(config: Config, bolts: Catalogue) -> Iterator[str]:
    """Yield the own bolts that read an op code which every game turns into another."""
    sent = {code for game in config.games.values() for code in game.opcodes.values()}
    for name in bolts.keys() - BOLTS.keys():
        for topic in bolts[name].reads:
            code = topic.removeprefix(GAMELOG)
            turned = [game.opcodes[code] for game in config.games.values() if code in game.opcodes]
            if turned and len(turned) == len(config.games) and code not in sent:
                yield (
                    f'bolts.{name}.reads: expected an op code that some record has, as "{turned[0]}", got "{code}", '
                    "which the opcodes of every game turn into another"
                )


def _rest_name(named: dict[str, list[str]]) -> str:
    """Return the name of the group for bolts in no group, given the configured groups."""
    return REST if REST not in named else f"{REST}-rest"


def _opcodes(config: Config, bolts: Catalogue) -> Iterator[str]:
    read = {topic for bolt in bolts.values() for topic in bolt.reads}
    known = sorted(topic.removeprefix(GAMELOG) for topic in read if topic.startswith(GAMELOG))
    for name, game in config.games.items():
        for own, target in game.opcodes.items():
            if target not in known:
                yield f'games.{name}.opcodes.{own}: expected one of {", ".join(known)}, got "{target}"'


def _segments(config: Config, bolts: Catalogue) -> Iterator[str]:
    """Yield segments of records that no log has under that name: of a bolt's tuples, or of an op code that stands for another."""
    for name, of_game in segments(config).items():
        for segment in of_game:
            key, code = f"games.{name}.segments.{segment.name}.from", segment.op_code
            if code in bolts or code in ("payment", "syncuser"):
                yield (
                    f'{key}: expected the op code of a game log, as in "signup_logcount.data.{segment.field}", got "{code}", '
                    "whose tuples a bolt or another spout publishes"
                )
            elif target := config.games[name].opcodes.get(code):
                yield (
                    f'{key}: expected "{target}.data.{segment.field}", as games.{name}.opcodes.{code} makes all its records '
                    f'"{target}", got "{code}.data.{segment.field}"'
                )


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
