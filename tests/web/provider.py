"""An OpenID Connect provider, made of Authlib's server side: it signs tokens, and checks secret, PKCE, nonce and redirection."""

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import ClientMixin
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oidc.core import AuthorizationCodeMixin, OpenIDCode
from flask import Flask, jsonify, request
from gevent.pywsgi import WSGIServer
from joserfc.jwk import ECKey, KeySet

CLIENT, SECRET, REDIRECT = "analytics", "a secret of the client", "http://localhost/login/oidc/callback"


class OneClient(ClientMixin):
    """The dashboard."""

    def get_client_id(self) -> str:
        return CLIENT

    def get_default_redirect_uri(self) -> str:
        return REDIRECT

    def get_allowed_scope(self, scope: str) -> str:
        return scope

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return redirect_uri == REDIRECT

    def check_client_secret(self, client_secret: str) -> bool:
        return client_secret == SECRET

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return method == "client_secret_basic"

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type == "authorization_code"


@dataclass
class Code(AuthorizationCodeMixin):
    """What a browser was sent back with."""

    user: str
    asked: dict[str, str]

    def get_redirect_uri(self) -> str:
        return self.asked["redirect_uri"]

    def get_scope(self) -> str:
        return self.asked["scope"]

    def get_nonce(self) -> str:
        return self.asked["nonce"]

    def get_auth_time(self) -> int:
        return int(time.time())

    @property
    def code_challenge(self) -> str:
        return self.asked["code_challenge"]

    @property
    def code_challenge_method(self) -> str:
        return self.asked["code_challenge_method"]


@contextmanager
def running_provider(users: dict[str, bool]) -> Iterator[str]:
    """Yield the address of a provider whose users have these addresses, verified or not. ``login`` in a request says who it is."""
    app, codes = Flask(__name__), dict[str, Code]()
    key = ECKey.generate_key("P-256", {"kid": "one", "alg": "ES256", "use": "sig"})

    class CodeGrant(AuthorizationCodeGrant):
        def save_authorization_code(self, code: str, request: Any) -> None:
            codes[code] = Code(request.user, dict(request.payload.data))

        def query_authorization_code(self, code: str, client: OneClient) -> Code | None:
            return codes.get(code)

        def delete_authorization_code(self, authorization_code: Code) -> None:
            for code in [code for code, one in codes.items() if one is authorization_code]:
                del codes[code]

        def authenticate_user(self, authorization_code: Code) -> str:
            return authorization_code.user

    class SignedTokens(OpenIDCode):
        def exists_nonce(self, nonce: str, request: Any) -> bool:
            return any(one.get_nonce() == nonce for one in codes.values())

        def get_jwt_config(self, grant: Any, client: Any = None) -> dict[str, Any]:
            return {"key": key, "alg": "ES256", "iss": request.host_url.rstrip("/"), "exp": 60}

        def generate_user_info(self, user: str, scope: str) -> dict[str, Any]:
            return {"sub": user, "email": user, "email_verified": users[user]}

    server = AuthorizationServer(
        app, query_client=lambda id: OneClient(), save_token=lambda token, asked: None
    )
    server.register_grant(CodeGrant, [SignedTokens(require_nonce=True), CodeChallenge(required=True)])

    @app.get("/.well-known/openid-configuration")
    def metadata() -> Any:
        here = request.host_url.rstrip("/")
        return jsonify(
            issuer=here, authorization_endpoint=f"{here}/authorize", token_endpoint=f"{here}/token", jwks_uri=f"{here}/jwks",
            response_types_supported=["code"], id_token_signing_alg_values_supported=["ES256"], subject_types_supported=["public"],
        )  # fmt: skip

    @app.get("/jwks")
    def jwks() -> Any:
        return jsonify(KeySet([key]).as_dict(private=False))

    @app.get("/authorize")
    def authorize() -> Any:
        grant = server.get_consent_grant(end_user=request.args["login"])
        return server.create_authorization_response(grant_user=request.args["login"], grant=grant)

    @app.post("/token")
    def token() -> Any:
        return server.create_token_response()

    app.secret_key = secrets.token_bytes(8)
    listening = WSGIServer(("127.0.0.1", 0), app, log=None)
    listening.start()
    try:
        yield f"http://127.0.0.1:{listening.server_port}"
    finally:
        listening.stop(1)
