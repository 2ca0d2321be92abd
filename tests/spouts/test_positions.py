"""Positions on disk: whole at any time, and no burden however many they are."""

import time

from analytics import sealed
from analytics.spouts.positions import SpoutState, StateFile, StreamPosition


def test_saving_that_takes_long_is_done_seldom(tmp_path, monkeypatch):
    clock = [100.0]
    write = sealed.write

    def slow(path, text):
        write(path, text)
        clock[0] += 2.0

    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(sealed, "write", slow)
    file = StateFile(tmp_path / "state.json", every=0.5)
    assert file.save(SpoutState())
    clock[0] += 90.0
    later = SpoutState(sources={"gamelog/s1@1": StreamPosition("1", 5)})
    assert not file.save(later)
    assert file.load(SpoutState).sources == {}
    assert file.save(later, now=True)
    assert file.load(SpoutState).sources["gamelog/s1@1"].n == 5
    clock[0] += 101.0
    assert file.save(SpoutState())
