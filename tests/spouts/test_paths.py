"""Every path that a line can take says the same of it, whatever stands around it."""

import itertools
import random
from collections.abc import Callable

import msgspec
import pytest
from click.testing import CliRunner
from needed import need_compiled
from test_records import RULES, line

from analytics.cli.fuzz import fuzz as command
from analytics.config import Mapped
from analytics.core.fold import Folder, UnusableLine
from analytics.spouts import records
from analytics.testing.fuzz import fuzz, groups, mapped_groups, narrowed, smallest
from analytics.testing.mapped import SECTIONS, TABLES, MappedLines, MappedPaths
from analytics.testing.paths import SOURCE, DecodingPaths

COIN = line("yuanbao_logchange", amount=-5, reason="shop")
OUT_OF_RANGE = [
    b"1e400",
    b"-1E+400",
    b"1.8e308",
    b"123456789012345678e292",
    b"0.5e0999",
    b"1." + b"9" * 40 + b"e999",
]


@pytest.mark.parametrize("number", OUT_OF_RANGE)
@pytest.mark.parametrize("where", [b'{"x": %b, "op"', b'{"x": [1, {"y": %b}], "op"', b'{"x":%b,"op"'])
def test_a_number_out_of_range_is_refused_among_any_lines(number: bytes, where: bytes) -> None:
    bad = line("other").replace(b'{"op"', where % number)
    for before, after in ([], []), ([line()], [COIN]), ([b""], []), ([b"not json"], [line()]):
        chunk = b"".join(one + b"\n" for one in [*before, bad, *after])
        shares = records.convert(chunk, SOURCE, 1, RULES, 1_700_000_000)
        assert 1 + len(before) in [one.n for share in shares for one in share.bad]
        assert DecodingPaths().disagreement([*before, bad, *after]) is None


@pytest.mark.parametrize("number", [b"1e308", b"1e-400", b"0.1e99", b'"1e400"', b'" 1e400"', b'"4e1200"'])
def test_what_only_looks_like_one_is_taken(number: bytes) -> None:
    good = line("other").replace(b'{"op"', b'{"x": %b, "op"' % number)
    (share,) = records.convert(good + b"\n", SOURCE, 1, RULES, 1_700_000_000)
    assert list(share.ns) == [1]


def test_an_area_with_an_exponent_in_it_is_no_large_number() -> None:
    assert not records.has_large_exponent(line(area="549140c84e1204e9994fc0fa") * 3)


TWICE = [
    line("yuanbao_logchange", amount=1, reason="x").replace(b'"amount"', b'"amount": "much", "amount"'),
    line().replace(b'"acct"', b'"acct": 5, "acct"'),
    line("other").replace(b'"ts"', b'"ts": null, "ts"'),
    line().replace(b'"ts"', b'"ts": 99999999999, "ts"'),
    line().replace(b'"data"', b'"data": {"level": 1}, "data"'),
    line().replace(b'"data"', b'"data": {"acct": ""}, "data"'),
    COIN.replace(b'"data"', b'"data": {"amount": 1, "reason": "x"}, "data"'),
    b'{"id":"gamelog/a@1:7","id":"gamelog/b@1:9",' + line()[1:],
]


@pytest.mark.parametrize("text", TWICE)
def test_a_field_that_comes_twice_counts_once_for_every_reader(text: bytes) -> None:
    """The last one counts; a reader with a type would else refuse what was accepted."""
    assert DecodingPaths().disagreement([text]) is None
    assert DecodingPaths().disagreement([line("other").replace(b'"data"', b'"x"'), text]) is None
    (share,) = records.convert(text + b"\n", SOURCE, 1, RULES, 1_700_000_000)
    assert len(share.ns) == 1
    ((_, lines),) = share.topics.items()
    assert msgspec.json.decode(lines.body, type=dict)["id"] == f"{share.source}:{share.ns[0]}"


def test_no_two_paths_disagree_on_generated_lines() -> None:
    """The same lines each time; ``analytics fuzz`` draws others."""
    done = fuzz(1, 1e9, 4_000)
    assert done.found is None, done.found
    assert done.lines >= 4_000 and done.accepted > done.lines / 2


def blind(name: str) -> Callable[[pytest.MonkeyPatch], None]:
    return lambda patch: patch.setattr(records, name, lambda *_: "")


def test_compiled_code_takes_chunks_of_every_mapping_and_a_fault_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    need_compiled()
    for section in SECTIONS:
        paths = MappedPaths(section)
        for chunks in itertools.islice(mapped_groups(1, section), 4):
            assert paths.disagreement(*chunks) is None
        assert paths.accepted > 300 and paths.at_once > 20
    section = SECTIONS[2]
    line = MappedLines(random.Random(1), section).good().replace(b'"num":2', b'"num":"\xff"')
    assert MappedPaths(section).disagreement([line]) is None
    monkeypatch.setattr(records, "is_utf8", lambda chunk: True)
    assert "compiled: ('good'" in str(MappedPaths(section).disagreement([line]))


@pytest.mark.parametrize("section", TABLES, ids=lambda section: section.format)
def test_tables_with_empty_cells_are_among_the_generated_lines(section: Mapped) -> None:
    paths, lines = MappedPaths(section), MappedLines(random.Random(1), section)
    chunk = [lines.good() for _ in range(200)]
    assert paths.disagreement(chunk) is None
    reasons = [one.reason for share in paths._whole(chunk, 1) for one in share.bad]
    assert paths.accepted > 100 and any("nothing: its" in reason for reason in reasons)
    assert not any("seconds" in reason for reason in reasons)


@pytest.mark.parametrize("name", ["has_large_exponent", "_fault"])
def test_a_fault_is_found_and_cut_down(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Without one of the checks that make the paths agree, it does not take long."""
    blind(name)(monkeypatch)
    done = fuzz(2, 1e9, 100_000)
    assert done.found is not None and len(done.found.lines) == 1
    assert DecodingPaths().disagreement(done.found.lines) is not None


def test_the_least_lines_are_found() -> None:
    chunk = next(groups(3))[0]
    lines = [*chunk, b"abcXdef", *chunk]
    found = smallest(lines, "x", lambda some: "X" if any(b"X" in one for one in some) else None)
    assert (found.lines, found.what) == ([b"X"], "X")


def test_what_only_several_chunks_show_is_reported_with_all_their_lines() -> None:
    assert narrowed([[b"a"], [b"b"]], "x", lambda _: None).lines == [b"a", b"b"]
    both = narrowed([[b"a"], [b"c", b"b"]], "x", lambda some: "ab" if {b"a", b"b"} <= {*some} else None)
    assert (both.lines, both.what) == ([b"a", b"b"], "ab")


def test_the_command_prints_what_it_did_and_how_to_repeat_it(monkeypatch: pytest.MonkeyPatch) -> None:
    done = CliRunner().invoke(command, ["--seed", "7", "--lines", "50"])
    assert done.exit_code == 0 and done.stdout.startswith("seed 7\n") and " 0 disagreements" in done.stdout
    assert "lines so far" in done.stderr
    monkeypatch.setattr(Folder, "fold", lambda *_: ({}, [UnusableLine(b"x", "no")]))
    failed = CliRunner().invoke(command, ["--seed", "7", "--lines", "5000"])
    assert failed.exit_code != 0 and "Repeat with --seed 7" in str(failed.exception)


def test_several_processes_take_seeds_of_their_own(capfd: pytest.CaptureFixture[str]) -> None:
    done = CliRunner().invoke(command, ["--seed", "7", "--lines", "1", "--processes", "2"])
    assert done.exit_code == 0, done.output
    printed = capfd.readouterr().out
    assert "seed 7\n" in printed and "seed 8\n" in printed and printed.count(" 0 disagreements") == 2
