"""The Flask application: its parts put together."""

import logging
from collections.abc import Sequence

from flask import Flask, Response, jsonify, make_response, render_template, request
from flask_compress import Compress
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from analytics.config import Config, is_loopback
from analytics.errors import AnalyticsError, Unavailable
from analytics.web.access import guard
from analytics.web.api import api
from analytics.web.context import AUDIT, EXTENSION, PAGES, data, language, t
from analytics.web.data import Data
from analytics.web.entries.audit import AuditLog
from analytics.web.filters import BadFilter
from analytics.web.forms import forms
from analytics.web.hosts import LOOPBACK, reached_by
from analytics.web.oidc import enable
from analytics.web.page_set import PageSet
from analytics.web.place import NothingThere
from analytics.web.rendering import pages
from analytics.web.rights import NotAllowed
from analytics.web.sharing import sharing
from analytics.web.translation import SOURCE, TranslatableError, msg
from analytics.web.wsgi import LARGEST_REQUEST

AWAY_SECONDS = 5
"""``Retry-After`` while the store is down."""

PACKED = ["text/html", "text/css", "text/csv", "text/javascript", "application/json", "image/svg+xml"]

log = logging.getLogger(__name__)


def create_app(shown: Data) -> Flask:
    """Return the application of what is shown; any WSGI server can serve it."""
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_REQUEST
    app.extensions[EXTENSION] = shown
    app.extensions[PAGES] = PageSet(shown)
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.extensions[AUDIT] = AuditLog(shown.entries, shown.config.dashboard.audit_days)
    app.register_error_handler(Exception, failed)
    app.wsgi_app = reached_by(names_of(shown.config), app.wsgi_app)  # type: ignore[method-assign, assignment]
    app.register_blueprint(pages)
    app.register_blueprint(api)
    app.register_blueprint(forms)
    app.register_blueprint(sharing)
    guard(app)
    if (section := shown.config.dashboard.oidc).issuer:
        enable(app, section)
    app.config.update(
        COMPRESS_MIMETYPES=PACKED,
        COMPRESS_LEVEL=3,
        COMPRESS_ZSTD_LEVEL=1,  # a fifth of gzip's time, and fewer bytes
        COMPRESS_ALGORITHM=["zstd", "br", "gzip"],
        COMPRESS_ALGORITHM_STREAMING=["zstd", "gzip"],  # brotli would keep all of a CSV back until its end
    )
    Compress(app)
    return app


def names_of(config: Config) -> Sequence[str] | None:
    """Return the names by which the dashboard is reached; None: others reach it too, by names that are not known."""
    dashboard = config.dashboard
    return LOOPBACK if is_loopback(dashboard.host) and not dashboard.behind_proxy else None


def failed(error: Exception) -> Response:
    """Answer an error with a text and its status: 400 for a bad request, 503 if the store is down or refuses, 500 for our own faults."""
    status, text = 500, OURS
    if isinstance(error, HTTPException):
        status, text = error.code or 500, error.description or ""
    elif isinstance(error, AnalyticsError):
        status, text = STATUSES.get(type(error), 503), str(error)
    if status >= 500:
        data().counts["failed"] += 1
        # The address of a share link is a secret.
        path = "/shared/…" if request.blueprint == "sharing" else request.path
        log.error("%s %r: %s", request.method, path, error, exc_info=status == 500)
    if request.path.startswith("/api/"):
        answer = jsonify({"error": text})
    else:
        answer = _page(status, error, text)
    answer.status_code = status
    if isinstance(error, Unavailable):
        answer.headers["Retry-After"] = str(AWAY_SECONDS)
    if isinstance(error, MethodNotAllowed):
        answer.headers["Allow"] = ", ".join(sorted(error.valid_methods or ()))
    return answer


STATUSES: dict[type[Exception], int] = {BadFilter: 400, NotAllowed: 403, NothingThere: 404}
OURS = msg("the dashboard failed; see its log for the cause")
HEADINGS = {
    400: (msg("This can't be shown"), msg("Correct the address, or show the page without a filter.")),
    403: (msg("You may not see this"), msg("Ask the operator, who sets what each user may see.")),
    404: (msg("There is no such page"), msg("Start from the overview.")),
    503: (
        msg("The store does not answer"),
        msg(
            "No record is lost: they wait until the store is back. See System or bin/analytics status for details."
        ),
    ),
}
NOTHING_YET = (
    msg("There is nothing to show yet"),
    msg("Comments in the configuration say how, and bin/analytics check verifies it."),
)
OTHERWISE = (msg("Something is wrong"), msg("See System or the dashboard's log."))


def _page(status: int, error: Exception, text: str) -> Response:
    heading, advice = HEADINGS.get(status, OTHERWISE)
    if isinstance(error, NothingThere):
        heading, advice = NOTHING_YET
    elif status == 503 and not isinstance(error, Unavailable):
        heading, advice = OTHERWISE  # the store answers, but not as it should
    if isinstance(error, TranslatableError):
        shown = error.message.translated(t())
    elif isinstance(error, HTTPException) and text == type(error).description:
        shown = text = ""  # the library's words say no more than the heading
    else:
        shown = t()(text)
    foreign = shown == text and language() != SOURCE
    passing = request.method == "GET" and (status >= 500 or isinstance(error, NothingThere))
    return make_response(
        render_template(
            "error.html",
            status=status,
            heading=heading,
            text=shown,
            foreign=foreign,
            advice=advice,
            again=AWAY_SECONDS if passing else 0,
        )
    )
