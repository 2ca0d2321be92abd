"""Several hosts with links between them: one dies, links are cut and mended, the broker's host vanishes and comes back."""

import os
from pathlib import Path

from cluster_harness import PATIENCE, need_etcd
from cut_off import GAME, MAIN, CutOff
from forms import THOROUGH
from lost_hosts import Hosts, NoHosts, possible
from needed import missing, need_mongod

from analytics.broker.clients import Subscriber
from analytics.runtime.suite import Suite
from analytics.testing.ports import free_ports

SETTINGS = {
    "etcd": "ttl_seconds = 3\nbeat_seconds = 0.5\npoll_seconds = 0.3\ntimeout_seconds = 2.0",
    "broker": "silence_seconds = 1.5",
}
CUT_SECONDS = float(os.environ.get("ANALYTICS_CUT_SECONDS", "4"))


def need_hosts() -> None:
    """Go on only where namespaces can be had."""
    try:
        possible()
    except NoHosts as error:
        missing(str(error))


def test_who_only_listens_notices_that_the_broker_has_vanished(tmp_path: Path) -> None:
    need_hosts()
    receiver, sender, refill = free_ports(3)
    with Hosts(["main"]) as hosts:
        file = tmp_path / "analytics.toml"
        file.write_text(
            f'data = "data"\n[broker]\nhost = "{hosts.address("main")}"\nlet_anyone_in = true\nmin_free_mb = 16\n'
            f"receiver_port = {receiver}\nsender_port = {sender}\nrefill_port = {refill}\nsilence_seconds = 1.0\n"
        )
        with Suite(file, [["broker"]], hosts.within("main")) as suite:
            subscriber = Subscriber(suite.config.broker, ["a"])
            assert subscriber.recv(PATIENCE) is not None
            hosts.lose("main")
            while subscriber.recv(2.0) is not None:
                pass
            hosts.come_back("main")
            suite.restart("broker")
            assert subscriber.recv(PATIENCE) is not None
            subscriber.close()


def test_hosts_are_lost_and_links_are_cut_and_every_number_is_exact(tmp_path: Path) -> None:
    need_hosts()
    need_etcd()
    need_mongod()
    said: list[str] = []
    with CutOff(tmp_path, 100, SETTINGS, said.append) as test:
        test.lose_worker()
        if THOROUGH:
            test.cut(test.active(), CUT_SECONDS)
            test.cut(GAME, CUT_SECONDS)
        test.cut(MAIN, CUT_SECONDS)
        if THOROUGH:
            test.lose_broker(CUT_SECONDS)
        assert test.wrong() == [], said
    print("\n".join(said))
