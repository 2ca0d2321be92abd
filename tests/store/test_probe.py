"""A probe of MongoDB says in one sentence what keeps the suite from working, and leaves nothing behind."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme
from mongod_users import PASSWORD, QUOTED, add_root, add_user, as_user
from pymongo import MongoClient, WriteConcern

from analytics.store import MongoStore
from analytics.store.probe import PROBE_SECONDS, Finding, Grade, probe_mongodb
from analytics.store.probe.finding import ProbeStopped
from analytics.store.probe.server import of_version
from analytics.testing.mongod import ReplicaSet, Server
from analytics.testing.ports import free_ports

SECONDS = 12.0
"""What no probe may take, on a machine that others use, too."""


def tried(uri: str, ahead: float = 0.0) -> list[Finding]:
    """Return the findings about the database ``analytics``; ``ahead``: seconds by which our own clock is."""
    store = MongoStore(uri, "analytics", PROBE_SECONDS)
    begun = time.monotonic()
    try:
        return list(probe_mongodb(store.database, now=lambda: time.time() + ahead))
    finally:
        store.close()
        assert time.monotonic() - begun < SECONDS


def error(uri: str) -> str:
    """Return the one ERROR, which is the last finding and shows no secret."""
    *others, last = tried(uri)
    assert last.grade is Grade.ERROR
    assert not [one for one in others if one.grade is Grade.ERROR]
    assert PASSWORD not in last.text and QUOTED not in last.text
    return last.text


def warnings(uri: str, ahead: float = 0.0) -> list[str]:
    found = tried(uri, ahead)
    assert not [one for one in found if one.grade is Grade.ERROR]
    return [one.text for one in found if one.grade is Grade.WARNING]


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("secured"), flags=["--auth"]) as server:
        add_root(server)
        yield server


@pytest.fixture(scope="module")
def members(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReplicaSet]:
    # The tests' own failure points, such as one that halts replication, are off in a server by default.
    flags = ["--setParameter", "enableTestCommands=1"]
    with ReplicaSet(tmp_path_factory.mktemp("members"), flags=flags) as replica_set:
        yield replica_set


@pytest.fixture
def whole(members: ReplicaSet) -> Iterator[ReplicaSet]:
    """The replica set, all of whose members are up before and after."""
    yield members
    for member in members.members:
        member.thaw()
        if not member.running:
            member.start()
    members.primary()
    until = time.monotonic() + 30
    while time.monotonic() < until:
        if sum(1 for one in members.members if one.hello().get("secondary")) == 2:
            return
        time.sleep(0.1)
    raise AssertionError("a member did not come back")


def collections(server: Server) -> list[str]:
    with MongoClient[dict[str, Any]](as_user(server, "root")) as client:
        return client.analytics.list_collection_names()


def test_a_user_who_may_read_and_write_passes_and_nothing_stays(secured: Server) -> None:
    found = tried(add_user(secured, "writer", [{"role": "readWrite", "db": "analytics"}]))
    assert [one.text for one in found if one.grade is Grade.OK] == [
        "its clock agrees with ours",
        "a standalone server: while it is down, results wait in the Queue",
        "may read, write, delete and index in database analytics",
        'acknowledges a write with {w: "majority", j: true}, and a majority reads it back',
    ]
    assert collections(secured) == []


def test_documents_of_killed_probes_are_removed_and_those_of_running_ones_stay(secured: Server) -> None:
    now = datetime.now(UTC)
    with MongoClient[dict[str, Any]](as_user(secured, "root")) as client:
        check = client.analytics.check
        check.insert_many([{"_id": "killed", "at": now - timedelta(days=1)}, {"_id": "running", "at": now}])
        assert warnings(as_user(secured, "root"))
        assert [one["_id"] for one in check.find()] == ["running"]
        check.drop()


def test_no_credentials_where_they_are_needed(secured: Server) -> None:
    text = error(secured.uri)
    assert text.startswith("the server demands a log-in, and the URI names no user (")
    assert "mongodb.uri_env" in text


def test_a_wrong_password(secured: Server) -> None:
    text = error(as_user(secured, "root").replace(QUOTED, "wrong"))
    assert text.startswith("the server refused the log-in (Authentication failed)")
    assert "correct them in the URI" in text


def test_a_user_who_is_looked_for_in_the_wrong_database(secured: Server) -> None:
    assert "name it with authSource=" in error(as_user(secured, "root", "analytics"))


def test_a_user_who_may_only_read(secured: Server) -> None:
    text = error(add_user(secured, "reader", [{"role": "read", "db": "analytics"}]))
    assert text.startswith(
        "user reader of admin may not createIndex, insert, update, remove in database analytics (roles: read on analytics)"
    )
    assert 'db.grantRolesToUser("reader", [{role: "readWrite", db: "analytics"}])' in text
    assert collections(secured) == []


def test_a_user_of_another_database(secured: Server) -> None:
    text = error(add_user(secured, "other", [{"role": "readWrite", "db": "other"}], "other"))
    assert text.startswith(
        "user other of other may not listCollections, find, createIndex, insert, update, remove in database analytics "
        "(roles: readWrite on other)"
    )
    assert "`use other`" in text


def test_a_single_missing_right_is_named(secured: Server) -> None:
    actions = ["find", "insert", "update", "remove", "listCollections"]
    with MongoClient[dict[str, Any]](as_user(secured, "root")) as client:
        privilege = {"resource": {"db": "analytics", "collection": ""}, "actions": actions}
        client.admin.command("createRole", "noIndex", privileges=[privilege], roles=[])
    text = error(add_user(secured, "noindex", [{"role": "noIndex", "db": "admin"}]))
    assert text.startswith("user noindex of admin may not createIndex in database analytics")
    with MongoClient[dict[str, Any]](as_user(secured, "root")) as client:
        client.analytics.check.drop()


def test_a_user_who_may_not_drop_the_collection_learns_that_it_stays(secured: Server) -> None:
    actions = ["find", "insert", "update", "remove", "createIndex", "listCollections"]
    with MongoClient[dict[str, Any]](as_user(secured, "root")) as client:
        privilege = {"resource": {"db": "analytics", "collection": ""}, "actions": actions}
        client.admin.command("createRole", "noDrop", privileges=[privilege], roles=[])
        found = warnings(add_user(secured, "nodrop", [{"role": "noDrop", "db": "admin"}]))
        assert [text for text in found if "may not drop the collection `check`" in text]
        assert client.analytics.check.find_one() is None
        client.analytics.check.drop()


def test_an_unreachable_server() -> None:
    port = free_ports(1)[0]
    text = error(f"mongodb://someone:{QUOTED}@127.0.0.1:{port}/")
    assert text.startswith(f"no server can be used: 127.0.0.1:{port}: [Errno 111] Connection refused. ")
    assert "start it, or correct host and port" in text


def test_a_host_that_nobody_knows() -> None:
    assert "Expected a host name that this machine can resolve" in error("mongodb://nowhere.invalid/")


def test_a_frozen_server(secured: Server) -> None:
    secured.freeze()
    try:
        text = error(secured.uri)
    finally:
        secured.thaw()
    assert secured.address in text and "whether the server runs and is not frozen" in text


def test_another_set_than_the_uri_names(secured: Server) -> None:
    text = error(f"mongodb://{secured.address}/?replicaSet=other")
    assert 'replica set name "other"' in text and "correct replicaSet=" in text


def test_tls_that_the_server_does_not_speak(secured: Server) -> None:
    assert "take tls=true out of the URI" in error(secured.uri + "&tls=true")


def test_tls_that_the_uri_does_not_speak_and_a_certificate_that_nobody_trusts(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(tmp_path / "server.pem")
    flags = ["--tlsMode", "requireTLS", "--tlsCertificateKeyFile", str(tmp_path / "server.pem")]
    server = Server(tmp_path, flags=flags)
    trusted = f"{server.uri}&tls=true&tlsCAFile={tmp_path / 'ca.pem'}"
    server.start(wait=False)
    try:
        with MongoClient[dict[str, Any]](trusted) as client:
            client.admin.command("ping")
        assert warnings(trusted)
        assert "try tls=true in the URI" in error(server.uri)
        assert "name the authority's file with tlsCAFile=" in error(server.uri + "&tls=true")
    finally:
        server.stop()


def test_a_whole_replica_set_passes(whole: ReplicaSet) -> None:
    texts = [one.text for one in tried(whole.uri)]
    primary = whole.primary().address
    found = f"replica set rs, primary {primary}: of 3 members 3 vote and 3 are up; a majority write needs 2"
    assert found in texts


def test_an_arbiter_is_a_warning(tmp_path: Path) -> None:
    arbiter = Server(tmp_path / "arbiter", flags=["--replSet", "rs"])
    with ReplicaSet(tmp_path, count=1) as one, arbiter:
        with MongoClient[dict[str, Any]](one.uri) as client:
            # With an arbiter there is no default that MongoDB would choose itself.
            client.admin.command("setDefaultRWConcern", defaultWriteConcern={"w": 1})
            config = client.admin.command("replSetGetConfig")["config"]
            config["version"] += 1
            config["members"].append({"_id": 1, "host": arbiter.address, "arbiterOnly": True})
            client.admin.command("replSetReconfig", config)
        until = time.monotonic() + 30
        while not arbiter.hello().get("arbiterOnly") and time.monotonic() < until:
            time.sleep(0.1)
        assert any(text.startswith(f"{arbiter.address} is an arbiter") for text in warnings(one.uri))


def test_a_member_that_is_down_is_a_warning_and_two_are_an_error(whole: ReplicaSet) -> None:
    """First the primary is there and no majority acknowledges, which is noticed within seconds; then there is no primary."""
    primary = whole.primary()
    first, second = (one for one in whole.members if one is not primary)
    first.kill()
    assert any(
        f"3 vote and 2 are up; a majority write needs 2. Not up: {first.address}" in text
        for text in warnings(whole.uri)
    )
    second.kill()
    no_primary = (
        "the replica set rs has no primary: of 3 members 3 vote and 1 are up; a majority write needs 2"
    )
    assert error(whole.uri).startswith(("a write with", no_primary))
    until = time.monotonic() + 30
    while primary.hello().get("isWritablePrimary") and time.monotonic() < until:
        time.sleep(0.2)
    text = error(whole.uri)
    assert text.startswith("the replica set rs has no primary: of 3 members 3 vote and 1 are up")
    assert all(one.address in text.split("start ")[1] for one in (first, second))


def test_members_that_lag_leave_a_write_unacknowledged(whole: ReplicaSet) -> None:
    """Their replication is halted, while they vote on and the primary stays."""
    primary = whole.primary()
    point = {"configureFailPoint": "stopReplProducer", "mode": "alwaysOn"}
    secondaries = [one for one in whole.members if one is not primary]
    try:
        for member in secondaries:
            with MongoClient[dict[str, Any]](member.uri) as client:
                client.admin.command(point)
        time.sleep(1)
        text = error(whole.uri)
    finally:
        for member in secondaries:
            with MongoClient[dict[str, Any]](member.uri) as client:
                client.admin.command({**point, "mode": "off"})
    assert text.startswith('a write with {w: "majority", j: true} was not acknowledged within 2 s')
    assert "see how far behind the others are" in text


@pytest.mark.parametrize(
    ("w", "words"), [(5, "Not enough"), ("nearby", "No write concern mode named 'nearby' found")]
)
def test_a_write_concern_that_the_set_never_satisfies(whole: ReplicaSet, w: int | str, words: str) -> None:
    with MongoClient[dict[str, Any]](whole.uri) as client:
        database = client.get_database("analytics", write_concern=WriteConcern(w=w))
        *_, last = probe_mongodb(database)
    assert last.grade is Grade.ERROR
    named = f'"{w}"' if isinstance(w, str) else w
    assert last.text.startswith(f"the server can't keep the write concern {{w: {named}}}: {words}")
    assert last.text.endswith("expected w=majority: leave w out of the URI")


def test_more_members_than_a_standalone_server_has(secured: Server) -> None:
    with MongoClient[dict[str, Any]](as_user(secured, "root")) as client:
        *_, last = probe_mongodb(client.get_database("analytics", write_concern=WriteConcern(w=5)))
    assert last.text.startswith("the server can't keep the write concern {w: 5}: cannot use 'w' > 1")


def test_a_secondary_by_direct_connection(whole: ReplicaSet) -> None:
    primary = whole.primary()
    secondary = next(one for one in whole.members if one is not primary)
    text = error(secondary.uri)
    assert text.startswith(f"{secondary.address} is a secondary of the replica set rs")
    assert f"expected the primary, now {primary.address}" in text and "?replicaSet=rs without" in text


def test_the_primary_by_direct_connection_is_a_warning(whole: ReplicaSet) -> None:
    assert any("stops after the next election" in text for text in warnings(whole.primary().uri))


def test_clocks_that_are_apart(secured: Server) -> None:
    for ahead, side in ((60.0, "60.0 s behind"), (-60.0, "60.0 s ahead of")):
        found = [text for text in warnings(as_user(secured, "root"), ahead) if "clock" in text]
        assert len(found) == 1 and found[0].startswith(f"the server's clock is {side} ours"), found


def test_an_upgrade_that_was_not_finished(secured: Server) -> None:
    uri = as_user(secured, "root")
    with MongoClient[dict[str, Any]](uri) as client:
        before = client.admin.command("getParameter", featureCompatibilityVersion=1)
        client.admin.command("setFeatureCompatibilityVersion", "5.0")
        try:
            assert any("featureCompatibilityVersion is still 5.0" in text for text in warnings(uri))
        finally:
            version = before["featureCompatibilityVersion"]["version"]
            client.admin.command("setFeatureCompatibilityVersion", version)


@pytest.mark.parametrize(
    ("release", "embedded", "grade", "words"),
    [
        ("4.4.29", False, Grade.WARNING, "no longer supported"),
        ("6.0.5", False, Grade.WARNING, "Upgrade to 7.0 or newer"),
        ("6.0.5", True, Grade.OK, "MongoDB 6.0.5"),
        ("7.0.14", False, Grade.OK, "MongoDB 7.0.14"),
        ("8.0.4", True, Grade.OK, "MongoDB 8.0.4"),
        (
            "8.2.0-rc1",
            False,
            Grade.WARNING,
            "newer than the releases this suite was checked with, 4.4 to 8.0",
        ),
    ],
)
def test_versions(release: str, embedded: bool, grade: Grade, words: str) -> None:
    found = list(of_version(release, embedded))
    assert [one.grade for one in found] == [grade] and words in found[0].text


def test_a_version_that_is_too_old() -> None:
    with pytest.raises(ProbeStopped, match=r"MongoDB 4\.2\.24 is too old: expected 4\.4 to 8\.0; upgrade"):
        list(of_version("4.2.24", False))
