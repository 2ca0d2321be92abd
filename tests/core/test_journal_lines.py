"""A journal's block by topic: each record once, the same with compiled code and without it."""

import itertools

import pytest
from needed import need_compiled

from analytics.core import journal_lines
from analytics.core.compiled import journal_scan
from analytics.core.journal_lines import BlockLines, by_topic
from analytics.testing.fuzz import journal_groups
from analytics.testing.paths import JournalPaths

AREA = "549140c8dbdb67794fc0fa3b"


def line(name: str, code: str = "login_logcount", ts: int = 1_420_688_004) -> bytes:
    op = f'"op":{{"code":"{code}"}},' if code else ""
    return f'{{"id":"{name}",{op}"area":"{AREA}","ts":{ts},"data":{{"acct":"a"}}}}'.encode()


def block(*lines: bytes) -> bytes:
    return b"".join(one + b"\n" for one in lines)


@pytest.fixture(params=["compiled", "line by line"])
def decoded(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "compiled":
        need_compiled()
    if request.param == "line by line":
        monkeypatch.setattr(journal_lines, "journal_scan", lambda block: None)


@pytest.mark.usefixtures("decoded")
def test_lines_are_divided_by_topic_and_each_record_counts_once() -> None:
    first, second = line("gamelog/a@1:7"), line("gamelog/a@1:9", "x", 1_420_688_009)
    paid = line("payment/dl@1:1", "")
    found = by_topic(block(first, second, first, line("gamelog/a@1:8"), paid, line("gamelog/b:c@1:8")))
    assert found == BlockLines(
        {
            "gamelog.login_logcount": (3, block(first, line("gamelog/a@1:8"), line("gamelog/b:c@1:8"))[:-1]),
            "gamelog.x": (1, second),
            "payment": (1, paid),
        },
        {"gamelog/a@1": [(7, 9)], "payment/dl@1": [(1, 1)], "gamelog/b:c@1": [(8, 8)]},
        left_out=1,
        newest=1_420_688_009,
    )


@pytest.mark.usefixtures("decoded")
def test_records_can_be_left_out() -> None:
    lines = [line(f"gamelog/a@1:{n}", "x" if n % 2 else "y") for n in (5, 6, 7, 8, 11)]
    found = by_topic(block(*lines), {"gamelog/a@1": [(1, 5), (7, 7), (9, 10)], "gamelog/b@1": [(6, 6)]})
    assert found.numbers == {"gamelog/a@1": [(6, 6), (8, 8), (11, 11)]}
    assert found.topics == {
        "gamelog.y": (2, lines[1] + b"\n" + lines[3]),
        "gamelog.x": (1, lines[4]),
    }
    assert found.left_out == 2
    assert by_topic(block(*lines), {"gamelog/a@1": [(1, 99)]}).topics == {}


@pytest.mark.parametrize(
    "bad",
    [b"{", line("gamelog/:7"), line("gamelog/a@1:"), line("other/a@1:7"), line("gamelog/a@1:1234567890123456789"), b'{"id":"gamelog/a@1:7"}'],
)  # fmt: skip
def test_what_is_no_record_is_returned_with_its_reason(bad: bytes) -> None:
    good = line("gamelog/a@1:7")
    found = by_topic(block(bad, good))
    assert found.topics == {"gamelog.login_logcount": (1, good)}
    assert [(one.line, bool(one.reason)) for one in found.unusable] == [(bad, True)]


def test_both_paths_agree_and_regular_blocks_are_scanned() -> None:
    """The same lines each time; ``analytics fuzz`` draws others."""
    need_compiled()
    paths = JournalPaths()
    for chunks in itertools.islice(journal_groups(1), 20):
        assert paths.disagreement(*chunks) is None
    assert paths.accepted > 1_000
    assert journal_scan(b"") is None and by_topic(b"") == BlockLines()
