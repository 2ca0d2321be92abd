"""What happens when etcd is killed, hangs, refuses, or loses a member."""

import time
from collections.abc import Callable
from pathlib import Path

import gevent
import msgspec
import pytest
import requests
import trustme
from cluster_harness import Clients, NewEtcd, section
from gevent.pywsgi import WSGIServer
from waiting import eventually

from analytics.cluster import Keys, open_keys
from analytics.config import Config, EtcdSection
from analytics.errors import Unavailable
from benchmarks.etcd import Etcd

BOTH = ("v2", "v3")
both = pytest.mark.parametrize("api", BOTH)
BOUND = 20.0  # far more than the timeout of 2 s; without one a call would wait for ever


def works(keys: Keys) -> bool:
    try:
        keys.beat("nodes/a:x", b"1", 30)
        return keys.list("nodes/a:x") == {"nodes/a:x": b"1"}
    except Unavailable:
        return False


def test_killed_and_back_with_or_without_its_data(
    new_etcd: NewEtcd, clients: Clients, tmp_path: Path
) -> None:
    etcd = new_etcd()
    both_keys = [clients(section(etcd.addresses, api=api, timeout_seconds=30)) for api in BOTH]
    for keys in both_keys:
        assert works(keys)
        assert keys.elect("active/g", "me", 10)
    etcd.stop()
    for keys in both_keys:
        calls: list[Callable[[], object]] = [
            lambda keys=keys: keys.beat("nodes/a:x", b"1", 10),  # type: ignore[misc]
            lambda keys=keys: keys.list(""),  # type: ignore[misc]
            lambda keys=keys: keys.elect("active/g", "me", 10),  # type: ignore[misc]
            lambda keys=keys: keys.resign("active/g", "me"),  # type: ignore[misc]
            lambda keys=keys: keys.forget("nodes/a:x"),  # type: ignore[misc]
        ]
        for call in calls:
            with pytest.raises(Unavailable, match=r"http://127.0.0.1:\d+: .*Connection refused"):
                call()
    etcd.start()
    assert all(map(works, both_keys))
    etcd.stop()
    (tmp_path / "etcd0" / "m0" / "data").rename(tmp_path / "lost")
    etcd.start()
    for keys in both_keys:
        # A client that finds another cluster than before may say so once.
        eventually(lambda keys=keys: works(keys))
        eventually(lambda keys=keys: keys.elect("active/g", "me", 10))


def test_frozen_calls_end_in_time_and_leave_nothing_behind(new_etcd: NewEtcd, clients: Clients) -> None:
    etcd = new_etcd()
    both_keys = [clients(section(etcd.addresses, api=api, timeout_seconds=1.0)) for api in BOTH]
    for keys in both_keys:
        eventually(lambda keys=keys: works(keys))
    etcd.members[0].freeze()
    before = open_files()
    said = []

    def call(keys: Keys) -> None:
        try:
            keys.beat("nodes/a:y", b"1", 30)
        except Unavailable as error:
            said.append(str(error))

    begun = time.monotonic()
    for _ in range(3):
        gevent.joinall([gevent.spawn(call, keys) for keys in both_keys * 8], timeout=BOUND, raise_error=True)
    assert time.monotonic() - begun < BOUND
    assert len(said) == 48
    assert all("did not answer within" in one or "timed out" in one for one in said), set(said)
    eventually(lambda: open_files() <= before + 2)
    etcd.members[0].thaw()
    for keys in both_keys:
        eventually(lambda keys=keys: works(keys))


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def use(keys: Keys) -> None:
    for _ in range(20):
        assert works(keys)
        assert keys.elect("active/g", "me", 60)


def test_one_of_three_hangs_then_dies(new_etcd: NewEtcd, clients: Clients) -> None:
    etcd = new_etcd(3)
    facts = [section(etcd.addresses, api=api, timeout_seconds=9.0) for api in BOTH]
    both_keys = [clients(one) for one in facts]
    for keys in both_keys:
        assert keys.elect("active/g", "me", 60)
    etcd.members[0].freeze()
    begun = time.monotonic()
    gevent.joinall([gevent.spawn(use, keys) for keys in both_keys], raise_error=True)
    # Asking the one that hangs first each time would take 60 times its share of 3 s.
    assert time.monotonic() - begun < 90
    etcd.members[0].kill()
    assert all(map(works, both_keys))
    etcd.members[1].kill()
    for one in facts:
        with pytest.raises(Unavailable):
            clients(msgspec.structs.replace(one, timeout_seconds=1.0)).elect("active/g", "me", 60)
    etcd.start(etcd.members[0])
    for keys in both_keys:
        eventually(lambda keys=keys: works(keys))
        assert keys.elect("active/g", "me", 60)


def enable_login(etcd: Etcd, api: str) -> None:
    """Demand the password ``right`` of the user root."""
    [address] = etcd.addresses
    if api == "v2":
        user = {"user": "root", "password": "right"}
        requests.put(f"{address}/v2/auth/users/root", json=user, timeout=30).raise_for_status()
        requests.put(f"{address}/v2/auth/enable", timeout=30).raise_for_status()
        return
    for path, body in (
        ("user/add", {"name": "root", "password": "right"}),
        ("user/grant", {"user": "root", "role": "root"}),
        ("enable", {}),
    ):
        requests.post(f"{address}/v3/auth/{path}", json=body, timeout=30).raise_for_status()


def test_a_login(new_etcd: NewEtcd, clients: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    etcd = new_etcd()
    opened = []
    for api in BOTH:
        enable_login(etcd, api)
        facts = section(etcd.addresses, api=api, user="root", password_env="ETCD_TEST", timeout_seconds=10.0)
        monkeypatch.setenv("ETCD_TEST", "wrong")
        with pytest.raises(Unavailable, match=r"see etcd\.user and etcd\.password_env"):
            clients(facts).beat("nodes/a:x", b"1", 30)
        monkeypatch.setenv("ETCD_TEST", "right")
        opened.append(clients(facts))
        assert works(opened[-1])
    with pytest.raises(Unavailable, match=r"see etcd\.user"):
        clients(section(etcd.addresses)).beat("nodes/a:x", b"1", 30)
    # The tokens that etcd has given are gone with the process.
    etcd.stop()
    etcd.start()
    assert all(map(works, opened))


@both
def test_tls(api: str, new_etcd: NewEtcd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority, stranger = trustme.CA(), trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    ca, cert, key, other = (str(tmp_path / name) for name in ("ca.pem", "cert.pem", "key.pem", "other.pem"))
    authority.cert_pem.write_to_path(ca)
    stranger.cert_pem.write_to_path(other)
    certificate.cert_chain_pems[0].write_to_path(cert)
    certificate.private_key_pem.write_to_path(key)
    flags = ["--cert-file", cert, "--key-file", key, "--trusted-ca-file", ca, "--client-cert-auth"]
    etcd = new_etcd(scheme="https", flags=flags, verify=ca, cert=(cert, key))

    def opened(**changes: str) -> Keys:
        facts: EtcdSection = section(etcd.addresses, api=api, timeout_seconds=10.0, **changes)
        return open_keys(Config(etcd=facts))

    # What the environment says of certificates and proxies is for others.
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", other)
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    assert works(opened(ca=ca, cert=cert, key=key))
    for changes in ({"ca": other, "cert": cert, "key": key}, {"ca": ca}, {"cert": cert, "key": key}):
        with pytest.raises(Unavailable, match=r"https://127.0.0.1:\d+: "):
            opened(**changes).list("")


@both
def test_a_server_without_the_api_is_told_from_one_that_is_down(api: str) -> None:
    server = WSGIServer(("127.0.0.1", 0), _page_not_found, log=None)
    server.start()
    try:
        keys = open_keys(Config(etcd=section([f"http://127.0.0.1:{server.server_port}"], api=api)))
        with pytest.raises(Unavailable, match=r"etcd\.api"):
            keys.list("nodes/")
    finally:
        server.stop()


def _page_not_found(environment: object, start_response: Callable[..., object]) -> list[bytes]:
    start_response("404 Not Found", [("Content-Type", "text/plain")])
    return [b"404 page not found\n"]
