"""Repeats between the blocks of a batch, and with what counts already. Pure."""

from collections.abc import Iterable, Mapping, Sequence

from msgspec.structs import replace

from analytics.core.intervals import Intervals, Pair
from analytics.engine.tasks import FoldTask, Names, Summary

Known = Mapping[str, Intervals]


def to_fold_again(
    tasks: Sequence[FoldTask], summaries: Sequence[Summary], known: Known
) -> dict[int, FoldTask]:
    """Return, by index, the blocks that have records which count already, or in an earlier block, each without these.

    ``known``: per source, records that do not count in this batch.
    """
    taken: dict[str, Intervals] = {}
    again = {}
    for place, (task, summary) in enumerate(zip(tasks, summaries, strict=True)):
        repeated = {
            source: _common(pairs, taken.get(source), known.get(source))
            for source, pairs in summary.names.items()
        }
        if any(repeated.values()):
            again[place] = replace(task, without=_united(task.without, repeated))
        for source, pairs in summary.names.items():
            taken.setdefault(source, Intervals()).update(pairs)
    return again


def names_of(summaries: Iterable[Summary]) -> Names:
    """Return the records of all blocks."""
    found: dict[str, Intervals] = {}
    for summary in summaries:
        for source, pairs in summary.names.items():
            found.setdefault(source, Intervals()).update(pairs)
    return {source: list(pairs) for source, pairs in found.items()}


def foreign(names: Names, planned: Names) -> dict[str, Intervals]:
    """Return, by source, the records of ``names`` that are not in ``planned``."""
    found = {}
    for source, pairs in names.items():
        left = found[source] = Intervals(pairs)
        for pair in planned.get(source, ()):
            left.discard(*pair)
    return found


def _common(pairs: Sequence[Pair], *others: Intervals | None) -> list[Pair]:
    """Return which of ``pairs`` are in any of the others."""
    common = Intervals()
    for other in others:
        for first, last in pairs if other else ():
            missing = other.missing(first, last) if other else []
            if missing != [(first, last)]:
                there = Intervals([(first, last)])
                for pair in missing:
                    there.discard(*pair)
                common.update(there)
    return list(common)


def _united(names: Names, more: Names) -> Names:
    return {
        source: list(Intervals([*names.get(source, ()), *more.get(source, ())]))
        for source in {**names, **more}
        if names.get(source) or more.get(source)
    }
