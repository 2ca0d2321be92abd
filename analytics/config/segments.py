"""The segments that a configuration names: what they mean, and what is wrong with them."""

import re
from collections.abc import Iterator

from analytics.config.sections import Config, Game, SegmentSection
from analytics.core.segments import OTHER, UNKNOWN, Segment, Segments
from analytics.core.tuples import LONGEST_NAME

MOST_SEGMENTS = 8
MOST_VALUES = 32
"""Of a segment, beside ``other`` and ``unknown``."""

LONGEST_VALUE = 64
assert LONGEST_VALUE < LONGEST_NAME, "a property that is cut off must not look like a listed value"

NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")
FROM = re.compile(r"(?:gamelog\.)?(?P<op_code>[^\x00]{1,100}?)\.data\.(?P<field>[^.\x00]{1,100})")
EXAMPLE = 'channel = { from = "signup_logcount.data.channel", values = ["a", "b"], other = true }'


def segments(config: Config) -> Segments:
    """Return the segments of each game that has some. Those with faults are left out."""
    found = {
        name: tuple(
            Segment(segment, match["op_code"], match["field"], tuple(section.values), section.other)
            for segment, section in game.segments.items()
            if (match := FROM.fullmatch(section.from_)) and not any(_faults_of_segment(section))
        )
        for name, game in config.games.items()
    }
    return {name: some for name, some in found.items() if some}


def segment_faults(config: Config) -> Iterator[str]:
    """Yield every fault of a segment as ``key: expected …, got …``, with an example that would work."""
    for name, game in config.games.items():
        yield from _faults_of_game(f"games.{name}.segments", game)


def _faults_of_game(key: str, game: Game) -> Iterator[str]:
    if game.segments and not game.areas:
        yield f"{key}: expected segments of a game that has areas, as others have no records; found none"
    if len(game.segments) > MOST_SEGMENTS:
        yield f"{key}: expected at most {MOST_SEGMENTS} segments, as each adds documents of every day, got {len(game.segments)}"
    for name, section in game.segments.items():
        if not NAME.fullmatch(name):
            yield f'{key}.{name}: expected a name of a lower-case letter and up to 31 of a-z, 0-9 and "_", got "{name}"'
        for fault in _faults_of_segment(section):
            yield f"{key}.{name}.{fault}; for example: {EXAMPLE}"


def _faults_of_segment(section: SegmentSection) -> Iterator[str]:
    match = FROM.fullmatch(section.from_)
    if match is None:
        yield f'from: expected "<op code>.data.<field>", got "{section.from_}"'
    elif match["field"] == "acct":
        yield "from: expected a property that has few values, got that which tells accts apart, data.acct"
    if not 1 <= len(section.values) <= MOST_VALUES:
        yield f"values: expected 1 to {MOST_VALUES} values, got {len(section.values)}"
    for index, value in enumerate(section.values):
        where = f"values[{index}]"
        if value in (OTHER, UNKNOWN):
            meant = (
                "other = true counts all values that are not listed"
                if value == OTHER
                else "it is always there"
            )
            yield f'{where}: expected a value of logs, got "{value}", which is the suite\'s own word: {meant}'
        elif not 1 <= len(value) <= LONGEST_VALUE or not value.isprintable() or value != value.strip():
            yield f"{where}: expected 1 to {LONGEST_VALUE} printable characters without spaces around them, got {value!r}"
        elif value in section.values[:index]:
            yield f'{where}: expected each value once, got "{value}" again'
