"""The Flask application: its parts put together."""

import logging

from flask import Flask, Response, render_template, request
from werkzeug.exceptions import HTTPException, SecurityError
from werkzeug.http import HTTP_STATUS_CODES

from analytics.errors import AnalyticsError, Unavailable
from analytics.web.data import Data
from analytics.web.filters import BadFilter
from analytics.web.here import EXTENSION, data
from analytics.web.pages import pages

LARGEST_REQUEST = 64 * 1024
NAMES = ["127.0.0.1", "localhost", "[::1]"]
"""By these it is reached; a page of another site that resolves to this machine is refused."""

# Bokeh puts style sheets into the shadow roots of its charts.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
ADVICE = {
    400: "Change the address, or go to the overview.",
    404: "Go to the overview, and from there where you want.",
    503: "Look at System, or run `bin/analytics status`. The page can be tried again at once.",
}
log = logging.getLogger(__name__)


def create_app(data: Data) -> Flask:
    """Return the application that shows ``data``; any WSGI server can serve it."""
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_REQUEST
    app.extensions[EXTENSION] = data
    app.config["TRUSTED_HOSTS"] = NAMES
    app.register_blueprint(pages)
    app.register_error_handler(Exception, failed)
    app.after_request(guarded)
    return app


def guarded(response: Response) -> Response:
    """Tell browsers to run and load nothing but what comes from here, and to show it in no frame."""
    response.headers["Content-Security-Policy"] = POLICY
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "same-origin"
    data().counts["answered"] += 1
    return response


def failed(error: Exception) -> Response:
    """Answer an error in words, with the status that fits: 400 the asker's fault, 503 the store's, 500 ours."""
    status, text = 500, "something went wrong here; the dashboard's log says what"
    if isinstance(error, BadFilter):
        status, text = 400, str(error)
    elif isinstance(error, Unavailable):
        status, text = 503, str(error)
    elif isinstance(error, HTTPException):
        status, text = error.code or 500, error.description or ""
    elif isinstance(error, AnalyticsError):
        text = str(error)
    if status >= 500:
        data().counts["failed"] += 1
        log.error("%s %s: %s", request.method, request.path, error, exc_info=status == 500)
    if isinstance(error, SecurityError):  # no address can be made of a host that is not ours
        return Response(text, status, content_type="text/plain; charset=utf-8")
    heading, advice = (
        HTTP_STATUS_CODES.get(status, "Error"),
        ADVICE.get(status, "The dashboard's log says more."),
    )
    page = render_template("error.html", status=status, heading=heading, text=text, advice=advice)
    return Response(page, status, content_type="text/html; charset=utf-8")
