"""Access to the dashboard: log-in with a limit on wrong passwords, sessions, and the headers that every answer has.

Without users in the configuration nobody has to log in; the dashboard then listens on the loopback only.
"""

import hmac
import secrets
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from flask import (
    Blueprint,
    Flask,
    Response,
    abort,
    current_app,
    g,
    make_response,
    redirect,
    render_template,
    request,
    session,
    url_for,
)
from gevent.threadpool import ThreadPool
from werkzeug.security import check_password_hash, generate_password_hash
from werkzeug.wrappers import Response as AnyResponse

from analytics.config.addresses import network
from analytics.web.context import EXTENSION, data, with_language
from analytics.web.entries.tokens import viewer_with
from analytics.web.login_limit import LoginLimit
from analytics.web.translation import msg

TOKEN_BYTES = 24
"""Of random bytes in a form's token: nobody guesses 192 bits."""

MOST_NAME = 80
"""Characters of a user's name that are shown again and counted against: a form may send 64 KB."""

WRONG = msg("User or password is wrong.")
TOO_MANY = msg("Too many wrong passwords. Wait five minutes, then try again.")
OLD_FORM = msg("csrf: this form has expired or comes from another site; reload the page and send it again")
OLD_LOGIN = msg(
    "This form has expired: the dashboard was restarted, or cookies are off. Please send it again."
)
OPEN = (
    "access.login",
    "static",
    "pages.bokeh_js",
    "sharing.shared_page",
    "sharing.shared_figures",
    "oidc.begin",
    "oidc.complete",
)
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
"""Styles may be inline, as Bokeh's are; scripts may not."""

access = Blueprint("access", __name__)


class LoginSessions:
    """The sessions that are logged in. A log-out ends one here, so a copy of its cookie is worthless."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._ends: dict[str, float] = {}

    def begin(self) -> str:
        """Return the name of a new session."""
        now = self._clock()
        self._ends = {name: end for name, end in self._ends.items() if end > now}
        name = secrets.token_urlsafe(16)
        self._ends[name] = now + self._seconds
        return name

    def goes_on(self, name: object) -> bool:
        """Whether this session has begun and not ended."""
        return isinstance(name, str) and self._ends.get(name, 0.0) > self._clock()

    def end(self, name: object) -> None:
        """End a session, if it is one."""
        self._ends.pop(str(name), None)


def guard(app: Flask) -> None:
    """Require a log-in for ``app`` if there are users, and add the security headers to every answer."""
    dashboard = app.extensions[EXTENSION].config.dashboard
    app.secret_key = secrets.token_bytes(32)
    secure = bool(dashboard.tls_cert or dashboard.behind_proxy)
    app.config.update(
        # With this prefix browsers take the cookie from this host alone, and only over TLS.
        SESSION_COOKIE_NAME="__Host-analytics" if secure else "analytics",
        SESSION_COOKIE_PATH="/",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=secure,
        SESSION_REFRESH_EACH_REQUEST=False,  # a page that asks for new numbers does not keep it alive
        PERMANENT_SESSION_LIFETIME=timedelta(hours=dashboard.session_hours),
    )
    app.extensions["login_limit"] = LoginLimit()
    app.extensions["hashing"] = ThreadPool(1)
    app.extensions["sessions"] = LoginSessions(dashboard.session_hours * 3600)
    app.extensions["nobody"] = generate_password_hash(secrets.token_hex(), _method(dashboard.users))
    app.register_blueprint(access)
    app.before_request(_admit)
    app.after_request(_with_headers)
    app.context_processor(_known)


def _method(users: Mapping[str, str]) -> str:
    """Return the hash method of the first user: the check of an unknown user takes as long."""
    return next(iter(users.values()), "scrypt$").split("$")[0]


def csrf() -> str:
    """Return this session's token, which forms send back.

    It is masked with random bytes each time. Pages are compressed and repeat words of their address, so the length of a page that
    held the same secret each time could reveal it.
    """
    if "csrf" not in session:
        session["csrf"] = secrets.token_hex(TOKEN_BYTES)
    pad = secrets.token_bytes(TOKEN_BYTES)
    return (pad + _mixed(pad, bytes.fromhex(session["csrf"]))).hex()


def _mixed(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))


def _known() -> dict[str, Any]:
    """Return what templates need to show the user."""
    user = session.get("user") if data().config.dashboard.known_users else None
    return {"user": user, "csrf": csrf, "logout_url": with_language(url_for("access.logout"))}


def _admit() -> AnyResponse | None:
    """Redirect a browser that is not logged in to the log-in; refuse other clients."""
    users = data().config.dashboard.known_users
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if request.path.startswith("/api/") and scheme.lower() == "bearer":
        shown = data()
        asking = viewer_with(shown.store, token.strip(), shown.clock())
        if asking is None:
            abort(
                401,
                "Authorization: expected a valid API token; this one is unknown, has expired, or was revoked",
            )
        g.data = shown.seen_by(asking)
        return None
    if not users or request.endpoint in OPEN:
        return None
    sessions: LoginSessions = _extension("sessions")
    if session.get("user") in users and sessions.goes_on(session.get("id")):
        g.data = data().seen_by(data().viewer_named(session["user"]))
        return None
    if request.path.startswith("/api/"):
        abort(
            401,
            "log in first: send an API token as `Authorization: Bearer …`, or the cookie that /login answers with",
        )
    return redirect(with_language(url_for("access.login", next=request.full_path.rstrip("?"))))


def _with_headers(answer: Response) -> Response:
    headers: dict[str, str] = g.get("headers", HEADERS)
    answer.headers.extend({name: value for name, value in headers.items() if name not in answer.headers})
    if request.endpoint not in OPEN:
        answer.headers.setdefault("Cache-Control", "no-store")
    dashboard = data().config.dashboard
    if dashboard.tls_cert or dashboard.behind_proxy:
        answer.headers["Strict-Transport-Security"] = "max-age=31536000"
    data().counts["answered"] += 1
    return answer


@access.route("/login", methods=["GET", "POST"])
def login() -> AnyResponse:
    """Show the form, and take it."""
    if request.method == "GET":
        return login_form()
    if not form_is_ours():
        return login_form(OLD_LOGIN, 400)
    limit: LoginLimit = _extension("login_limit")
    user = request.form.get("user", "")
    whom = network(request.remote_addr or ""), user[:MOST_NAME]
    if (seconds := limit.wait(*whom)) > 0:
        answer = login_form(TOO_MANY, 429)
        answer.headers["Retry-After"] = str(int(seconds) + 1)
        return answer
    hashed = data().config.dashboard.users.get(user)
    # An unknown user takes as long as a known one, so that answers do not reveal which users exist.
    right = _is_right(hashed or _extension("nobody"), request.form.get("password", ""))
    if not right or hashed is None:
        limit.wrong(*whom)
        return login_form(WRONG, 403)
    limit.right(*whom)
    return begin_session(user, request.form.get("next", ""))


def begin_session(user: str, wanted: str) -> AnyResponse:
    """Log a user in, and redirect to the page that was wanted."""
    sessions: LoginSessions = _extension("sessions")
    sessions.end(session.get("id"))
    session.clear()
    session.update(user=user, id=sessions.begin())
    session.permanent = True
    return redirect(with_language(local_address(wanted)))


def _is_right(hashed: str, password: str) -> bool:
    """Compare in a thread, one at a time: a hash takes a good part of a second, in which others are answered."""
    pool: ThreadPool = _extension("hashing")
    return bool(pool.apply(check_password_hash, (hashed, password)))


@access.post("/logout")
def logout() -> AnyResponse:
    """Forget who this is."""
    if not form_is_ours():
        abort(400, OLD_FORM)
    _extension("sessions").end(session.get("id"))
    session.clear()
    return redirect(with_language(url_for("access.login")))


def login_form(error: str = "", status: int = 200) -> Response:
    """Return the form to log in, with what went wrong before."""
    wanted = request.values.get("next", "")
    given = request.form.get("user", "")[:MOST_NAME]
    dashboard = data().config.dashboard
    provider = with_language(url_for("oidc.begin", next=wanted)) if dashboard.oidc.issuer else ""
    page = render_template(
        "login.html", error=error, next=wanted, user=None, given=given, provider=provider, passwords=dashboard.users
    )  # fmt: skip
    answer = make_response(page, status)
    answer.headers["Cache-Control"] = "no-store"
    return answer


def form_is_ours() -> bool:
    """Whether a form comes from a page of ours, in this session."""
    try:
        given = bytes.fromhex(request.form.get("csrf", ""))
        token = _mixed(given[:TOKEN_BYTES], given[TOKEN_BYTES:]).hex()
    except ValueError:  # of another length, or no token at all
        token = ""
    return bool(token) and hmac.compare_digest(token, str(session.get("csrf", "")))


def local_address(address: str) -> str:
    """Return ``address`` if it leads to a page of ours, else the first page."""
    # With one slash at its beginning it has no host. Browsers take a backslash for a slash, and pass over tabs and line ends.
    safe = address.startswith("/") and not address.startswith("//") and "\\" not in address
    return address if safe and address.isprintable() else "/"


def _extension(name: str) -> Any:
    return current_app.extensions[name]
