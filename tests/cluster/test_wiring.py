"""Nodes tell of themselves through etcd, and ``status`` and ``check`` look there."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import gevent
import msgspec
import pytest
from cluster_harness import NewEtcd, section
from waiting import eventually

from analytics.cli.check import tries
from analytics.cluster import LocalRegistry, open_registry
from analytics.config import Config
from analytics.errors import AnalyticsError
from analytics.runtime.draining import NotDrained, drain
from analytics.runtime.node import Exit, run
from analytics.runtime.report import SECONDS, StatusReport, node_reports, report
from analytics.testing.ports import free_ports
from benchmarks.etcd import Etcd


class Counting:
    """A node that counts."""

    name, role = "gamelog", "spout"
    steps = 0

    def start(self) -> None: ...

    def step(self) -> None:
        self.steps += 1
        gevent.sleep(0.01)

    def stop(self) -> None: ...

    def state(self) -> dict[str, Any]:
        return {"published": self.steps}


def configs(etcd: Etcd, folder: Path, *hosts: str) -> list[Config]:
    facts = section(etcd.addresses, timeout_seconds=2.0)
    base = Config(data=folder, broker=msgspec.structs.replace(Config().broker, refill_port=free_ports(1)[0]))
    return [
        msgspec.structs.replace(base, data=folder / host, etcd=msgspec.structs.replace(facts, host_name=host))
        for host in hosts
    ]


def test_a_node_that_runs_is_seen_from_another_host_and_gone_when_it_ends(
    whole: Etcd, tmp_path: Path
) -> None:
    here, there = configs(whole, tmp_path, "here", "there")
    looker: LocalRegistry = open_registry(there)
    seen = []

    def look() -> None:
        try:
            eventually(
                lambda: (
                    seen.extend(one for one in node_reports(there, looker.list()) if one.host == "here")
                    or seen
                )
            )
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    gevent.spawn(look)
    assert run([Counting()], here) == Exit.OK
    assert [(node.name, node.problem, node.healthy) for node in seen] == [("gamelog", "", True)]
    eventually(lambda: looker.list() == [])
    looker.close()


def problem_of_etcd(found: StatusReport) -> str:
    return next(peer.problem for peer in found.peers if peer.name == "etcd")


def test_while_etcd_hangs_status_says_so_and_drain_waits(new_etcd: NewEtcd, tmp_path: Path) -> None:
    etcd = new_etcd()
    [config] = configs(etcd, tmp_path, "here")
    eventually(lambda: problem_of_etcd(report(config)) == "")
    etcd.members[0].freeze()
    found = report(config)
    assert re.search("etcd (can't be used|did not answer)", problem_of_etcd(found))
    assert not found.healthy
    with pytest.raises(NotDrained, match="spouts of other hosts; etcd can't be used"):
        drain(config, 0.1)


def test_status_within_two_seconds_while_etcd_hangs(new_etcd: NewEtcd, tmp_path: Path) -> None:
    etcd = new_etcd()
    [port] = free_ports(1)
    file = tmp_path / "a.toml"
    file.write_text(f'[etcd]\nendpoints = ["{etcd.addresses[0]}"]\n[broker]\nrefill_port = {port}\n')
    etcd.members[0].freeze()
    command = [sys.executable, "-m", "analytics", "--config", str(file), "status"]
    shown = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    assert shown.returncode == 1
    assert "Other hosts are not known, work goes on: etcd" in shown.stdout
    assert "No answer: store: " in shown.stdout
    # All that it asks is asked at once, each for so long; what it computes besides depends on the machine.
    assert SECONDS < 1.5


def test_check_tries_each_address(whole: Etcd, tmp_path: Path) -> None:
    [config] = configs(whole, tmp_path, "here")
    [address] = whole.addresses
    dead = f"http://127.0.0.1:{free_ports(1)[0]}"
    both = msgspec.structs.replace(config.etcd, endpoints=[address, dead])
    found = dict(tries(msgspec.structs.replace(config, etcd=both)))
    assert found[f"etcd {address}"]() == "answers; 0 nodes of this suite are known there"
    with pytest.raises(AnalyticsError, match="Connection refused"):
        found[f"etcd {dead}"]()


def test_without_its_package_etcd_v2_is_refused_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = Config(data=tmp_path, etcd=section([f"http://127.0.0.1:{free_ports(1)[0]}"], api="v2"))
    monkeypatch.setitem(sys.modules, "etcd", None)  # importing it fails from here on
    monkeypatch.delitem(sys.modules, "analytics.cluster.etcd2", raising=False)
    with pytest.raises(AnalyticsError, match=r'etcd\.api: "v2" needs .*python-etcd.*pip install.*"v3"'):
        open_registry(config)
