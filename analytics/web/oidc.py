"""Log-in through an OpenID Connect provider: Authlib's authorization code flow, with PKCE, state and nonce.

The provider confirms an identity; the configuration names the users who may log in, and what each of them sees.
"""

import logging
import os
from typing import Any

import gevent
import requests
from flask import Blueprint, Flask, current_app, request, session, url_for
from werkzeug.wrappers import Response as AnyResponse

from analytics.config.sections import OidcSection
from analytics.errors import ConfigError
from analytics.web.access import begin_session, local_address, login_form
from analytics.web.context import data
from analytics.web.translation import msg

PROVIDER_SECONDS = 20.0
"""For all that the provider is asked in one request of a browser."""

NEXT = "next"
AWAY = msg("The log-in provider does not answer. Try again, or log in with a password.")
REFUSED = msg("The log-in was not completed. Please try again.")
NO_USER = msg("You are logged in at the provider, but this dashboard does not know you. Ask its operator.")

log = logging.getLogger(__name__)
oidc = Blueprint("oidc", __name__, url_prefix="/login/oidc")


def enable(app: Flask, section: OidcSection) -> None:
    """Offer log-in through the provider. Raise ConfigError if Authlib is not installed."""
    try:
        from authlib.integrations.flask_client import OAuth
    except ImportError as error:
        raise ConfigError(
            "dashboard.oidc: expected the package Authlib; install the extra: pip install 'analytics[oidc]'"
        ) from error
    app.extensions["provider"] = OAuth(app).register(
        "oidc",
        client_id=section.client_id,
        client_secret=os.environ.get(section.client_secret_env) or None,
        server_metadata_url=f"{section.issuer.rstrip('/')}/.well-known/openid-configuration",
        client_kwargs={
            "scope": "openid email profile",
            "code_challenge_method": "S256",
            "default_timeout": PROVIDER_SECONDS,
        },
    )
    app.register_blueprint(oidc)


@oidc.get("")
def begin() -> AnyResponse:
    """Send the browser to the provider."""
    session[NEXT] = local_address(request.args.get(NEXT, ""))
    return _asking(lambda: _provider().authorize_redirect(url_for("oidc.complete", _external=True)))


@oidc.get("/callback")
def complete() -> AnyResponse:
    """Take what the provider says of the browser's user, and log that user in."""

    def log_in() -> AnyResponse:
        section = data().config.dashboard.oidc
        # Authlib checks state, PKCE, and the token's signature, issuer, audience, time and nonce.
        claims = _provider().authorize_access_token().get("userinfo") or {}
        name = claims.get(section.claim)
        unverified = section.claim == "email" and claims.get("email_verified") is not True
        if not isinstance(name, str) or unverified or name not in section.users:
            log.info("the provider's user %r is none of dashboard.oidc.users, or not verified", name)
            return login_form(NO_USER, 403)
        return begin_session(name, session.pop(NEXT, "/"))

    return _asking(log_in)


def _asking(ask: Any) -> AnyResponse:
    """Return what ``ask`` does, which may ask the provider; the form with a reason if that fails."""
    from authlib.common.errors import AuthlibBaseError
    from joserfc.errors import JoseError

    try:
        with gevent.Timeout(PROVIDER_SECONDS, TimeoutError("no answer in time")):
            answer: AnyResponse = ask()
            return answer
    except (requests.RequestException, TimeoutError, RuntimeError, TypeError) as error:
        # The last two are Authlib's way to say that what the issuer describes lacks an address, or is no description.
        log.warning("the log-in provider does not answer, or not as one: %s", error)
        return login_form(AWAY, 502)
    except (AuthlibBaseError, JoseError, ValueError) as error:
        log.info("a log-in through the provider was not completed: %s", error)
        return login_form(REFUSED, 403)


def _provider() -> Any:
    return current_app.extensions["provider"]
