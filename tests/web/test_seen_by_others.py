"""The dashboard as others reach it: behind its own certificate, and behind a web server that speaks TLS."""

import dataclasses
import http.client
import socket
import ssl
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

import pytest
import trustme
from databases import Database
from flask.testing import FlaskClient
from gevent import subprocess
from month import a_month
from msgspec.structs import replace
from running import Suite, a_suite
from werkzeug.security import generate_password_hash

from analytics.config import Config, DashboardSection, is_loopback
from analytics.config.addresses import network
from analytics.config.checks import faults
from analytics.testing.ports import free_ports
from analytics.web import access, wsgi
from analytics.web.access import LoginSessions
from analytics.web.app import create_app
from analytics.web.csvs import pieces
from analytics.web.hosts import is_among
from analytics.web.login_limit import OF_ADDRESS as GUESSES
from analytics.web.login_limit import OF_USER, LoginLimit

PASSWORD = "correct horse battery"
USERS = {"ann": generate_password_hash(PASSWORD, "pbkdf2:sha256:1000")}
PROXY = Path(__file__).with_name("reverse_proxy.py")
PATIENCE = 600.0
COOKIE = "__Host-analytics"


class Answer(NamedTuple):
    status: int
    headers: Any
    text: str

    @property
    def cookie(self) -> SimpleCookie:
        return SimpleCookie(self.headers["Set-Cookie"])


class Client:
    """A browser at an address of its own: keeps its cookie."""

    def __init__(
        self, address: str, context: ssl.SSLContext | None = None, source: str = "127.0.0.1"
    ) -> None:
        self._at = urlsplit(address)
        self._context = context
        self._source = (source, 0)
        self.kept = ""

    def ask(self, path: str, form: dict[str, str] | None = None, **headers: str) -> Answer:
        where, port = self._at.hostname or "", self._at.port
        if self._at.scheme == "https":
            connection = http.client.HTTPSConnection(
                where, port, timeout=PATIENCE, source_address=self._source, context=self._context
            )
        else:
            connection = http.client.HTTPConnection(where, port, PATIENCE, self._source)
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        sent |= {"Cookie": self.kept} if self.kept else {}
        if form is not None:
            sent["Content-Type"] = "application/x-www-form-urlencoded"
        connection.request("GET" if form is None else "POST", path, urlencode(form or {}), sent)
        found = connection.getresponse()
        answer = Answer(found.status, found.headers, found.read().decode())
        connection.close()
        if "Set-Cookie" in answer.headers:
            self.kept = "; ".join(f"{name}={one.value}" for name, one in answer.cookie.items())
        return answer

    def log_in(self, password: str = PASSWORD, user: str = "ann", next: str = "", **headers: str) -> Answer:
        token = token_of(self.ask("/login", **headers).text)
        return self.ask(
            "/login", {"user": user, "password": password, "csrf": token, "next": next}, **headers
        )


def token_of(page: str) -> str:
    return page.split('name="csrf" value="')[1].split('"')[0]


@pytest.fixture(scope="module")
def suite(module_database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Suite]:
    with a_suite(tmp_path_factory.mktemp("others"), module_database.section, areas=1, players=10) as running:
        yield running


class Certificate(NamedTuple):
    cert: str
    key: str
    trusting: ssl.SSLContext


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    folder = tmp_path_factory.mktemp("certificate")
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    issued.private_key_pem.write_to_path(folder / "key.pem")
    for blob in issued.cert_chain_pems:
        blob.write_to_path(folder / "cert.pem", append=True)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    return Certificate(str(folder / "cert.pem"), str(folder / "key.pem"), trusting)


@pytest.fixture(scope="module")
def over_tls(suite: Suite, certificate: Certificate) -> Iterator[str]:
    with suite.dashboard(users=USERS, tls_cert=certificate.cert, tls_key=certificate.key) as address:
        yield address


def check_cookie(answer: Answer) -> None:
    cookie = answer.cookie[COOKIE]
    assert cookie["secure"] and cookie["httponly"] and cookie["samesite"] == "Lax" and cookie["path"] == "/"


def test_over_tls_one_logs_in_with_a_cookie_for_tls_alone(over_tls: str, certificate: Certificate) -> None:
    client = Client(over_tls, certificate.trusting)
    assert over_tls.startswith("https://") and client.ask("/payment?game=dl").status == 302
    answer = client.log_in(next="/payment?game=dl")
    assert (answer.status, answer.headers["Location"]) == (302, "/payment?game=dl")
    check_cookie(answer)
    page = client.ask("/payment?game=dl")
    assert page.status == 200 and "Log out ann" in page.text
    assert page.headers["Strict-Transport-Security"] and page.headers["Cache-Control"] == "no-store"


def test_plain_http_gets_nothing_where_there_is_tls(over_tls: str) -> None:
    with pytest.raises((http.client.HTTPException, OSError)):
        Client(over_tls.replace("https:", "http:")).ask("/login")


def test_who_does_not_know_the_certificate_is_told_by_it(over_tls: str) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        Client(over_tls, ssl.create_default_context()).ask("/login")


def test_who_is_silent_is_cut_off(over_tls: str, suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wsgi, "REQUEST_SECONDS", 0.05)
    with suite.dashboard() as plain:
        for address in (plain, over_tls):
            at = urlsplit(address)
            with socket.create_connection((at.hostname, at.port), timeout=PATIENCE) as silent:
                assert silent.recv(1) == b""


@contextmanager
def proxied(back: str, certificate: Certificate, *scheme: str) -> Iterator[str]:
    port = free_ports(1)[0]
    command = [
        sys.executable,
        str(PROXY),
        str(port),
        str(urlsplit(back).port),
        certificate.cert,
        certificate.key,
    ]
    process = subprocess.Popen([*command, *scheme], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None and process.stdout.readline() == b"ready\n"
        yield f"https://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def behind(suite: Suite) -> Iterator[str]:
    with suite.dashboard(users=USERS, behind_proxy=True, proxies=["127.0.0.1"]) as address:
        yield address


@pytest.fixture(scope="module")
def outside(behind: str, certificate: Certificate) -> Iterator[str]:
    with proxied(behind, certificate) as address:
        yield address


def test_behind_a_proxy_cookies_are_secure_and_redirects_stay_outside(
    outside: str, behind: str, certificate: Certificate
) -> None:
    client = Client(outside, certificate.trusting)
    refused = client.ask("/payment?game=dl")
    assert refused.headers["Location"] == "/login?next=%2Fpayment%3Fgame%3Ddl"
    answer = client.log_in(next="/payment?game=dl")
    assert answer.headers["Location"] == "/payment?game=dl"
    check_cookie(answer)
    page = client.ask("/payment?game=dl")
    assert page.status == 200 and str(urlsplit(behind).port) not in page.text


def test_behind_a_proxy_guesses_are_counted_by_the_real_client(
    outside: str, certificate: Certificate
) -> None:
    def guess(client: Client, user: str, **headers: str) -> int:
        return client.log_in("wrong", user, **headers).status

    guesser = Client(outside, certificate.trusting, "127.0.0.2")
    forged = [f"10.0.0.{n}" for n in range(GUESSES + 1)]
    found = [guess(guesser, f"user{n}", X_Forwarded_For=forged[n]) for n in range(GUESSES)]
    assert found == [403] * GUESSES
    assert guess(guesser, "another", X_Forwarded_For=forged[-1]) == 429
    assert guess(Client(outside, certificate.trusting, "127.0.0.3"), "another") == 403


def test_nobody_comes_around_the_proxy_whatever_they_say(behind: str) -> None:
    forged = {
        "X_Forwarded_For": "127.0.0.1",
        "X_Forwarded_Proto": "https",
        "X_Forwarded_Host": "evil.example",
    }
    for headers in ({}, forged):
        answer = Client(behind, source="127.0.0.9").ask("/login", **headers)
        assert answer.status == 403 and "127.0.0.9, in dashboard.proxies" in answer.text


def test_what_came_to_the_proxy_without_tls_is_refused(behind: str, certificate: Certificate) -> None:
    with proxied(behind, certificate, "http") as plain:
        answer = Client(plain, certificate.trusting).ask("/login")
    assert answer.status == 403 and "https://" in answer.text and "Set-Cookie" not in answer.headers


def test_without_a_proxy_what_is_forwarded_counts_nothing(suite: Suite) -> None:
    with suite.dashboard(users=USERS) as address:
        client = Client(address, source="127.0.0.2")
        headers = {
            "X_Forwarded_For": "127.0.0.1",
            "X_Forwarded_Host": "evil.example",
            "X_Forwarded_Proto": "https",
        }
        for n in range(GUESSES):
            client.log_in("wrong", f"user{n}", **headers | {"X_Forwarded_For": f"10.0.0.{n}"})
        answer = client.log_in("wrong", "another", **headers)
        assert answer.status == 429
        assert "evil.example" not in answer.text and "Strict-Transport-Security" not in answer.headers


def test_probes_are_this_machines_and_not_a_foreign_names(suite: Suite, behind: str, outside: str,
                                                          certificate: Certificate) -> None:  # fmt: skip
    with suite.dashboard() as address:
        assert Client(address).ask("/metrics").status == 200
        for path in ("/metrics", "/healthz", "/"):
            assert Client(address).ask(path, Host="evil.example").status == 400
    for path in ("/metrics", "/healthz"):
        assert Client(outside, certificate.trusting).ask(path).status == 302


def test_proxies_are_addresses_or_networks() -> None:
    assert is_among("10.1.2.3", ["10.0.0.0/8"]) and is_among("::ffff:127.0.0.1", ["127.0.0.1"])
    assert not is_among("11.1.2.3", ["10.0.0.0/8", "::1"]) and not is_among("", ["127.0.0.1"])


# What a cookie and a log-in are worth ---------------------------------------------------------------------------------


@pytest.fixture
def client(tmp_path: Path) -> FlaskClient:
    month = a_month(tmp_path, areas=1, players=10)
    config = replace(month.data.config, dashboard=DashboardSection(users=USERS))
    return create_app(replace_config(month.data, config)).test_client()


def replace_config(data: Any, config: Any) -> Any:

    return dataclasses.replace(data, config=config)


def log_in(client: FlaskClient, user: str = "ann", password: str = PASSWORD) -> Any:
    form = {"user": user, "password": password, "csrf": token_of(client.get("/login").text)}
    return client.post("/login", data=form)


def test_a_copied_cookie_ends_with_the_session(client: FlaskClient) -> None:
    log_in(client)
    copied = client.get_cookie("analytics")
    assert copied is not None and client.get("/").status_code == 200
    client.post("/logout", data={"csrf": token_of(client.get("/").text)})
    client.set_cookie("analytics", copied.value)
    assert client.get("/").status_code == 302 and client.get("/api/v1/overview").status_code == 401


def test_a_log_in_begins_another_session(client: FlaskClient) -> None:
    client.get("/login")
    before = client.get_cookie("analytics")
    token = token_of(client.get("/login").text)
    log_in(client)
    after = client.get_cookie("analytics")
    assert before and after and before.value != after.value
    assert token not in client.get("/").text


def test_looking_keeps_no_session_alive(client: FlaskClient) -> None:
    log_in(client)
    client.get("/")  # gives the session its token
    assert "Set-Cookie" not in client.get("/").headers
    now = [0.0]
    sessions = LoginSessions(10.0, lambda: now[0])
    name = sessions.begin()
    now[0] = 9.0
    assert sessions.goes_on(name) and not sessions.goes_on("made up") and not sessions.goes_on(None)
    now[0] = 10.0
    assert not sessions.goes_on(name)


def test_an_unknown_user_is_checked_like_a_known_one(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[str] = []

    def note(hashed: str, password: str) -> bool:
        checked.append(hashed.split("$")[0])
        return False

    monkeypatch.setattr(access, "check_password_hash", note)
    answers = [log_in(client, user, "wrong") for user in ("ann", "nobody")]
    assert checked == ["pbkdf2:sha256:1000"] * 2
    bodies = {
        answer.text.replace(token_of(answer.text), "").replace(f'value="{user}"', "")
        for user, answer in zip(("ann", "nobody"), answers, strict=True)
    }
    assert len(bodies) == 1 and [answer.status_code for answer in answers] == [403, 403]


def test_all_of_a_network_that_one_has_counts_as_one() -> None:
    assert network("2001:db8::1") == network("2001:db8::ffff:2") != network("2001:db8:0:1::1")
    assert network("192.0.2.1") != network("192.0.2.2")
    # A socket for both versions shows IPv4 so, and some proxies name the port.
    assert network("::ffff:192.0.2.1") == network("192.0.2.1:5000") == network("192.0.2.1")
    assert network("[2001:db8::1]:5000") == network("2001:db8::1")
    assert is_loopback("::ffff:127.0.0.1") and not is_loopback("::ffff:192.0.2.1")


def test_nobody_locks_a_user_out_of_where_the_user_logs_in() -> None:
    guesses = LoginLimit(lambda: 0.0)
    guesses.right("192.0.2.1", "ann")
    for n in range(OF_USER):
        guesses.wrong(f"198.51.100.{n}", "ann")
    assert guesses.wait("203.0.113.1", "ann") > 0 and guesses.wait("203.0.113.1", "bob") == 0
    assert guesses.wait("192.0.2.1", "ann") == 0
    for _ in range(GUESSES):
        guesses.wrong("192.0.2.1", "ann")
    assert guesses.wait("192.0.2.1", "ann") > 0


def test_five_wrong_passwords_stop_their_address_and_no_other() -> None:
    guesses = LoginLimit(lambda: 0.0)
    for _ in range(GUESSES):
        guesses.wrong("198.51.100.1", "ann")
    assert guesses.wait("198.51.100.1", "bob") > 0 and guesses.wait("192.0.2.1", "ann") == 0


@pytest.mark.parametrize("path", ["/", "/api/v1/overview", "/payment", "/nowhere", "/login", "/system"])
def test_nothing_private_is_kept_by_anybody(client: FlaskClient, path: str) -> None:
    assert client.get(path).headers["Cache-Control"] == "no-store"
    log_in(client)
    assert client.get(path).headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"])
def test_no_text_is_a_formula(sign: str) -> None:
    assert "".join(pieces([[f"{sign}1+1"]])).lstrip('"').startswith(f"'{sign}")


def test_a_proxy_that_is_no_address_is_refused() -> None:

    found = list(faults(Config(dashboard=DashboardSection(proxies=["proxy.example"]))))
    assert found and 'dashboard.proxies[0]: expected an address or network like "10.0.0.7"' in found[0]
