"""A mapped source through the spout, in this process: restarts, crashes, headers, replays, and what the journal keeps."""

import json

import pytest
from gamelogs import A, accts, configured, exactly
from msgspec.structs import replace
from waiting import eventually

from analytics.broker.broker import Broker
from analytics.config import Source, TimeSection
from analytics.spouts.gamelog import GamelogSpout
from analytics.spouts.rejected import waiting
from analytics.spouts.replay import replay
from analytics.spouts.stdin import Piped


def table(path, **more):
    keys = {
        "format": "csv",
        "area": A,
        "time": TimeSection(field="at", format="unix"),
        "opcode": "login_logcount",
    }
    keys |= {"fields": {"acct": "who"}} | more
    return Source(name="s1", kind="file", path=str(path), poll_seconds=0.05, **keys)


def rows(first, last):
    return "".join(f"{1_420_688_000 + n};u{n};x\n" for n in range(first, last + 1)).encode()


def append(path, data):
    with path.open("ab") as file:
        file.write(data)


def journal_lines(config):
    texts = [path.read_bytes() for path in sorted(config.data.glob("gamelog_*.txt"))]
    return [json.loads(line) for text in texts for line in text.splitlines()]


def test_a_table_with_a_header_is_read_on_after_a_restart_and_a_crash(tmp_path, started):
    log = tmp_path / "table.csv"
    log.write_bytes(b"\xef\xbb\xbfat;who;more\r\n" + rows(1, 3).replace(b"\n", b"\r\n"))
    config = configured(tmp_path, table(log, separator=";"))
    started(Broker(config.broker, config.data))
    spout = started(GamelogSpout(config))
    exactly(config, 1, 3)
    spout.stop()
    append(log, rows(4, 700))
    spout = started(GamelogSpout(config))
    exactly(config, 1, 700)
    spout.vanish()
    append(log, rows(701, 900))
    started(GamelogSpout(config))
    exactly(config, 1, 900)
    found = journal_lines(config)
    assert {(one["as"], one["header"]) for one in found} == {("s1", "at;who;more")}
    # Numbers are those of the log's lines; the header is the first of them.
    numbers = {int(one["id"].rpartition(":")[2]): one["raw"] for one in found}
    assert sorted(numbers) == [*range(2, 902)]
    assert numbers[901] == "1420688900;u900;x"


def test_a_table_whose_columns_change_is_read_by_the_header_before_each_line(tmp_path, started):
    """A program writes its header whenever it starts, and a newer one has other columns."""
    log = tmp_path / "table.csv"
    first = b"\n".join(rows(n, n).strip() for n in range(1, 6))
    log.write_bytes(b"at;who;more\n" + first + b"\n")
    config = configured(tmp_path, table(log, separator=";"))
    started(Broker(config.broker, config.data))
    spout = started(GamelogSpout(config))
    exactly(config, 1, 5)
    swapped = b"".join(b"x;%d;u%d\n" % (1_420_688_000 + n, n) for n in range(6, 9))
    append(
        log,
        b"at;who;more\n"
        + rows(6, 6)
        + b"more;at;who\r\n"
        + swapped.partition(b"\n")[2]
        + b'at;x\n"at;who;more\n',
    )
    exactly(config, 1, 8)
    spout.vanish()
    append(log, b"x;1420688009;u9\n")
    started(GamelogSpout(config))
    exactly(config, 1, 9)
    assert {one["header"] for one in journal_lines(config)} == {"at;who;more", "more;at;who"}
    bad = waiting(config.data).values()
    assert {one.raw for one in bad} == {"at;x", '"at;who;more'}
    assert {one.header for one in bad} == {"more;at;who"}


def test_a_table_that_was_truncated_has_no_header_and_loses_no_line(tmp_path, started):
    """Its program wrote the header when it started. Named in the configuration, the columns make all of it count."""
    log = tmp_path / "table.csv"
    log.write_bytes(b"at;who;more\n" + rows(1, 5))
    config = configured(tmp_path, table(log, separator=";"))
    started(Broker(config.broker, config.data))
    spout = started(GamelogSpout(config))
    exactly(config, 1, 5)
    log.write_bytes(rows(6, 9))
    eventually(lambda: spout.node.state()["rejected"] == 4)
    eventually(spout.node._pipeline.idle)
    spout.stop()
    reasons = {one.n: one.reason for one in waiting(config.data).values()}
    assert "expected a header that names at, got" in reasons.pop(1)
    assert all(reason.startswith("at: expected a value, got nothing") for reason in reasons.values())
    config = replace(
        config,
        gamelog=replace(config.gamelog, sources=[table(log, separator=";", columns=["at", "who", "more"])]),
    )
    assert replay(config).accepted == 4
    exactly(config, 1, 9)


def test_what_was_journaled_and_not_accepted_is_published_after_a_crash(tmp_path, started):
    log = tmp_path / "game.log"
    log.write_bytes(b"".join(b'{"at":%d,"who":"u%d"}\n' % (1_420_688_000 + n, n) for n in range(1, 301)))
    config = configured(tmp_path, table(log, format="json"))
    spout = started(GamelogSpout(config))  # there is no broker yet
    eventually(lambda: spout.node.state()["journaled"] == 300)
    spout.vanish()
    log.unlink()
    started(Broker(config.broker, config.data))
    started(GamelogSpout(config))
    exactly(config, 1, 300)
    assert all(one["raw"]["who"] == f"u{one['id'].rpartition(':')[2]}" for one in journal_lines(config))


@pytest.mark.parametrize("mapped_at_first", [True, False])
def test_rejected_lines_are_put_in_again_by_the_corrected_mapping(tmp_path, started, mapped_at_first):
    log = tmp_path / "game.log"
    log.write_bytes(rows(1, 5))
    wrong = table(log, columns=["at", "somebody", "more"], fields={"acct": "somebody"}, separator=",")
    plain = Source(name="s1", kind="file", path=str(log), poll_seconds=0.05)
    config = configured(tmp_path, wrong if mapped_at_first else plain)
    started(Broker(config.broker, config.data))
    spout = started(GamelogSpout(config))
    eventually(lambda: spout.node.state()["rejected"] == 5)
    eventually(spout.node._pipeline.idle)
    spout.stop()
    reasons = {one.reason.partition(":")[0] for one in waiting(config.data).values()}
    assert reasons == {"line"} if mapped_at_first else {"$"}
    right = table(log, columns=["at", "who", "more"], separator=";")
    config = configured_again(config, right)
    outcome = replay(config)
    assert (outcome.accepted, outcome.rejected) == (5, 0)
    exactly(config, 1, 5)
    assert not waiting(config.data)
    assert [one["as"] for one in journal_lines(config)] == ["s1"] * 5


def configured_again(config, source):
    import msgspec

    section = msgspec.structs.replace(config.gamelog, sources=[source])
    return msgspec.structs.replace(config, gamelog=section)


def test_a_table_is_piped_in_by_the_mapping_of_a_source(tmp_path, started):
    config = configured(tmp_path, table(tmp_path / "none", separator=";"))
    started(Broker(config.broker, config.data))
    text = b"at;who;more\n" + rows(1, 4)
    (tmp_path / "in").write_bytes(text)
    for expected in (
        "read 4, accepted 4, repeated 0, rejected 0",
        "read 4, accepted 0, repeated 4, rejected 0",
    ):
        with (tmp_path / "in").open("rb") as file:
            piped = Piped(config, mapping="s1")
            assert str(piped.read(file.fileno())) == expected
            piped.close()
    assert accts(config) == {f"u{n}": 1 for n in range(1, 5)}
    journal = tmp_path / "journal"
    journal.write_bytes(b"".join(path.read_bytes() for path in sorted(config.data.glob("gamelog_*.txt"))) * 2)
    with journal.open("rb") as file:
        piped = Piped(config)
        assert str(piped.read(file.fileno())) == "read 8, accepted 0, repeated 8, rejected 0"
        piped.close()


def test_a_json_log_whose_lines_begin_with_an_id_counts_once_whichever_way_it_comes(tmp_path, started):
    log = tmp_path / "game.log"
    log.write_bytes(
        b"".join(b'{"id":"e%d","at":%d,"who":"u%d"}\n' % (n, 1_420_688_000 + n, n) for n in range(1, 6))
    )
    config = configured(tmp_path, table(log, format="json"))
    started(Broker(config.broker, config.data))
    spout = started(GamelogSpout(config))
    exactly(config, 1, 5)
    spout.stop()
    assert piped_in(config, log) == "read 5, accepted 0, repeated 5, rejected 0"


def piped_in(config, path):
    piped = Piped(config, mapping="s1")
    try:
        with path.open("rb") as file:
            return str(piped.read(file.fileno()))
    finally:
        piped.close()


@pytest.mark.parametrize("comes_whole", [True, False])
def test_the_end_of_a_table_that_was_cut_off_does_not_count_for_the_whole_line(
    tmp_path, started, comes_whole
):
    config = configured(tmp_path, table(tmp_path / "none", separator=";"))
    started(Broker(config.broker, config.data))
    log = tmp_path / "table.csv"
    log.write_bytes(b"at;who;more\n" + rows(1, 51)[:-2])
    assert piped_in(config, log) == "read 51, accepted 50, repeated 0, rejected 1"
    (rejected,) = waiting(config.data).values()
    assert (rejected.n, rejected.header, rejected.original()) == (52, "at;who;more", b"1420688051;u51;")
    assert rejected.reason == "line: expected a newline at its end, got none, so some of it may be missing"
    if comes_whole:
        log.write_bytes(b"at;who;more\n" + rows(1, 51))
        assert piped_in(config, log) == "read 51, accepted 1, repeated 50, rejected 0"
    else:
        assert replay(config).accepted == 1
    exactly(config, 1, 51)


def test_each_mapping_is_compiled_once_however_many_sources_there_are(tmp_path, started, monkeypatch):
    from analytics.spouts.mapping import compiled

    made = []

    class Counted(compiled.LineMapping):
        def __init__(self, name, *more):
            made.append(name)
            super().__init__(name, *more)

    monkeypatch.setattr(compiled, "LineMapping", Counted)
    sources = [replace(table(tmp_path / f"{n}.csv"), name=f"s{n}") for n in range(3)]
    started(GamelogSpout(configured(tmp_path, *sources)))
    assert sorted(made) == ["s0", "s1", "s2"]


def test_rejected_lines_that_the_corrected_mapping_skips_leave_the_list(tmp_path, started):
    log = tmp_path / "game.log"
    log.write_bytes(b"starting up\n" + rows(1, 2))
    text = {"format": "regex", "pattern": r"^(?P<at>\d+);(?P<who>\w+);x$"}
    config = configured(tmp_path, table(log, **text))
    started(Broker(config.broker, config.data))
    spout = started(GamelogSpout(config))
    exactly(config, 1, 2)
    spout.stop()
    assert len(waiting(config.data)) == 1
    outcome = replay(configured_again(config, table(log, **text, unmatched="skip")))
    assert (outcome.accepted, outcome.rejected) == (0, 0)
    assert not waiting(config.data)
