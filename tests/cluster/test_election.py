"""One process of several is active at a time, whatever becomes of it and of etcd."""

import itertools
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import gevent
import msgspec
import pytest
from cluster_harness import Clients, NewEtcd, section, section_of
from waiting import eventually

from analytics.cluster import Election
from analytics.cluster.keys import clock
from analytics.config import Config, EtcdSection

KINDS = ("local", "v2", "v3")
TIMES = {"ttl_seconds": 10, "beat_seconds": 0.5, "poll_seconds": 0.2}


class Contender:
    """A process that contends, and the moments at which it was active."""

    def __init__(self, config: Config, file: Path) -> None:
        self._file = file
        command = [sys.executable, str(Path(__file__).with_name("contender.py"))]
        text = msgspec.json.encode(config, enc_hook=str).decode()
        self._process = subprocess.Popen([*command, text, str(file)], start_new_session=True)

    @property
    def acts(self) -> list[float]:
        """Moments at which it was active, by :func:`clock`."""
        text = self._file.read_text() if self._file.exists() else ""
        return [float(line) for line in text[: text.rfind("\n") + 1].splitlines()]

    def acts_after(self, moment: float) -> bool:
        return any(act > moment for act in self.acts)

    def send(self, number: int) -> None:
        os.kill(self._process.pid, number)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


NewContender = Callable[[EtcdSection], Contender]


@pytest.fixture
def contenders(tmp_path: Path) -> Iterator[NewContender]:
    made: list[Contender] = []
    numbers = itertools.count()

    def make(section: EtcdSection) -> Contender:
        config = Config(data=tmp_path / "data", etcd=section)
        made.append(Contender(config, tmp_path / f"acts{next(numbers)}"))
        return made[-1]

    yield make
    for one in made:
        one.kill()


def never_together(*contenders: Contender) -> bool:
    """Return whether each was active alone: between the first and last act of a spell of one lies none of another."""
    acts = sorted((act, number) for number, one in enumerate(contenders) for act in one.acts)
    spells = sum(1 for (_, one), (_, next_one) in itertools.pairwise(acts) if one != next_one)
    return spells < len(contenders)


def test_killed_then_frozen_the_active_one_is_followed(
    request: pytest.FixtureRequest, contenders: NewContender
) -> None:
    """For each kind at once, as there is much to wait for: A is killed, B takes over and freezes, C takes over, B wakes."""
    stories = [
        gevent.spawn(story, msgspec.structs.replace(section_of(request, kind), **TIMES), contenders)
        for kind in KINDS
    ]
    gevent.joinall(stories, raise_error=True)


def story(facts: EtcdSection, contenders: NewContender) -> None:
    a = contenders(facts)
    eventually(lambda: a.acts)
    b = contenders(facts)
    gevent.sleep(1)
    assert not b.acts
    a.kill()
    eventually(lambda: b.acts)
    c = contenders(facts)
    gevent.sleep(0.5)
    b.send(signal.SIGSTOP)
    eventually(lambda: c.acts)
    woken = clock()
    b.send(signal.SIGCONT)
    eventually(lambda: c.acts_after(woken + 1))
    assert not b.acts_after(woken)
    assert never_together(a, b, c)


def test_who_stops_in_order_is_followed_at_once(request: pytest.FixtureRequest, clients: Clients) -> None:
    for kind in KINDS:
        # With these times the next one would have a long time to wait for the key's end.
        facts = msgspec.structs.replace(section_of(request, kind), ttl_seconds=3600, poll_seconds=0.1)
        heard: list[tuple[str, bool]] = []
        one = Election(clients(facts), "g", facts, lambda active, heard=heard: heard.append(("one", active)))  # type: ignore[misc]
        other = Election(
            clients(facts),
            "g",
            facts,
            lambda active, heard=heard: heard.append(("other", active)),  # type: ignore[misc]
        )
        one.start()
        eventually(lambda one=one: one.active)
        other.start()
        gevent.sleep(0.3)
        assert not other.active
        one.stop()
        assert not one.active
        eventually(lambda other=other: other.active)
        other.stop()
        assert heard == [("one", True), ("one", False), ("other", True), ("other", False)]


def test_without_etcd_nobody_stays_active_and_with_it_somebody_is_again(
    new_etcd: NewEtcd, clients: Clients
) -> None:
    etcd = new_etcd()
    elections = []
    heard: list[bool] = []
    for api in ("v2", "v3"):
        facts = section(etcd.addresses, api=api, timeout_seconds=1.0, ttl_seconds=3)
        elections.append(Election(clients(facts), "g", facts, heard.append))
        elections[-1].start()
    eventually(lambda: all(one.active for one in elections))
    etcd.members[0].freeze()
    eventually(lambda: not any(one.active for one in elections))
    eventually(lambda: all(one.problem for one in elections))
    # Told as soon as it is so, by a greenlet that waits for nothing else.
    eventually(lambda: heard.count(True) == heard.count(False) >= 2)
    etcd.members[0].thaw()
    eventually(lambda: all(one.active for one in elections))
    eventually(lambda: not any(one.problem for one in elections))
    for one in elections:
        one.stop()


def test_a_key_that_somebody_removed_is_noticed(request: pytest.FixtureRequest, clients: Clients) -> None:
    for kind in KINDS:
        facts = msgspec.structs.replace(section_of(request, kind), ttl_seconds=3600, beat_seconds=0.1)
        keys, other = clients(facts), clients(facts)
        election = Election(keys, "g", facts)
        election.start()
        eventually(lambda election=election: election.active)
        keys.resign("active/g", election.me)
        if other.elect("active/g", "other", 3600):
            eventually(lambda election=election: not election.active)
        election.stop()
