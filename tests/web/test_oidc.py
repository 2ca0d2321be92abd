"""Log-in through an OpenID Connect provider, which runs in this process and is asked over HTTP."""

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from entering import USERS, dashboard
from flask.testing import FlaskClient
from msgspec.structs import replace
from needed import CI

from analytics.config import Config, DashboardSection
from analytics.config.checks import faults
from analytics.config.sections import OidcSection, RightsSection

if not CI:
    pytest.importorskip("authlib", reason="pip install authlib")
from provider import CLIENT, SECRET, running_provider

ANN, EVE, BOB = "ann@example.com", "eve@example.com", "bob@example.com"


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    with running_provider({ANN: True, EVE: False, BOB: True}) as address:
        yield address


@pytest.fixture
def client(issuer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FlaskClient:
    monkeypatch.setenv("OIDC_SECRET", SECRET)
    section = OidcSection(issuer=issuer, client_id=CLIENT, client_secret_env="OIDC_SECRET", users=[ANN, EVE])
    rights = {ANN: RightsSection(games=["dl"])}
    return dashboard(tmp_path, DashboardSection(users=USERS, oidc=section, rights=rights))[0].test_client()


def at_provider(client: FlaskClient, user: str) -> str:
    """Go to the provider, log in there, and return the address that it sends the browser back to."""
    begun = client.get("/login/oidc?next=/payment?game=dl")
    assert begun.status_code == 302
    asked = parse_qs(urlsplit(begun.headers["Location"]).query)
    assert asked["code_challenge_method"] == ["S256"] and asked["nonce"] and asked["state"]
    back = requests.get(f"{begun.headers['Location']}&login={user}", allow_redirects=False, timeout=60)
    assert back.status_code == 302, back.text
    return back.headers["Location"].removeprefix("http://localhost")


def test_a_user_of_the_provider_is_logged_in_with_that_users_rights(client: FlaskClient) -> None:
    assert client.get("/payment").status_code == 302
    assert "/login/oidc?next=" in client.get("/login?next=/payment").text
    landed = client.get(at_provider(client, ANN))
    assert (landed.status_code, landed.headers["Location"]) == (302, "/payment?game=dl")
    page = client.get("/payment?game=dl")
    assert page.status_code == 200 and f"Log out {ANN}" in page.text
    assert client.get("/payment?game=wsdx").status_code == 400
    assert client.get("/login").status_code == 200


@pytest.mark.parametrize("user", [EVE, BOB])
def test_a_user_who_is_not_named_or_not_verified_is_refused(client: FlaskClient, user: str) -> None:
    refused = client.get(at_provider(client, user))
    assert refused.status_code == 403 and "does not know you" in refused.text
    assert client.get("/payment").status_code == 302


def test_an_answer_that_this_browser_did_not_ask_for_is_refused(client: FlaskClient) -> None:
    back = at_provider(client, ANN)
    other = client.application.test_client()
    assert other.get(back).status_code == 403, "another browser's answer"
    assert client.get(back.replace("state=", "state=x")).status_code == 403
    assert client.get("/login/oidc/callback?error=access_denied").status_code == 403
    assert client.get("/payment").status_code == 302
    assert client.get(back).status_code == 302
    assert client.get(back).status_code == 403, "an answer counts once"


def test_a_token_of_another_issuer_is_refused(client: FlaskClient) -> None:
    known = client.application.extensions["provider"]
    back = at_provider(client, ANN)
    known.server_metadata["issuer"] = "https://login.example.com"
    assert client.get(back).status_code == 403


def test_a_provider_that_is_away_says_so(tmp_path: Path) -> None:
    section = OidcSection(issuer="http://127.0.0.1:1", client_id="analytics", users=[ANN])
    away = dashboard(tmp_path, DashboardSection(users=USERS, oidc=section))[0].test_client()
    answer = away.get("/login/oidc")
    assert answer.status_code == 502 and "does not answer" in answer.text and 'name="password"' in answer.text


@pytest.mark.parametrize("described", [{}, {"error": "not found"}])
def test_an_issuer_that_is_no_provider_is_reported(
    client: FlaskClient, described: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    known = client.application.extensions["provider"]
    monkeypatch.setattr(known, "load_server_metadata", lambda: described)
    answer = client.get("/login/oidc")
    assert answer.status_code == 502 and 'name="password"' in answer.text


def test_what_would_let_in_someone_else_is_refused() -> None:
    good = DashboardSection(
        users=USERS, oidc=OidcSection(issuer="https://a.example", client_id="x", users=[ANN])
    )
    assert not [one for one in faults(Config(dashboard=good)) if "oidc" in one]
    for changed, key in (
        ({"issuer": "http://a.example"}, "issuer"), ({"client_id": ""}, "client_id"), ({"users": []}, "users"), ({"users": ["ann"]}, "users")
    ):  # fmt: skip
        wrong = replace(good, oidc=replace(good.oidc, **changed))
        found = [one for one in faults(Config(dashboard=wrong)) if "oidc" in one]
        assert len(found) == 1 and found[0].startswith(f"dashboard.oidc.{key}: expected"), json.dumps(found)
