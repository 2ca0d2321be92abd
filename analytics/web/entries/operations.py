"""What the API takes, for its description; :mod:`analytics.web.forms` does it."""

from typing import Literal, NamedTuple

import msgspec

from analytics.web.entries.annotations import Annotation, AnnotationDraft
from analytics.web.entries.links import LinkDraft, NewLink
from analytics.web.entries.views import SavedView, ViewDraft


class WriteOperation(NamedTuple):
    """A way to enter or remove something. ``takes``: what the body is; ``gives``: what the answer is; None: there is none."""

    path: str
    method: Literal["post", "delete"]
    summary: str
    takes: type[msgspec.Struct] | None = None
    gives: type[msgspec.Struct] | None = None


OPERATIONS = (
    WriteOperation("/annotations", "post", "enter an annotation", AnnotationDraft, Annotation),
    WriteOperation("/annotations/{id}", "delete", "remove an annotation"),
    WriteOperation("/views", "post", "save a view", ViewDraft, SavedView),
    WriteOperation("/views/{id}", "delete", "remove a saved view of yours"),
    WriteOperation("/links", "post", "make a share link", LinkDraft, NewLink),
    WriteOperation("/links/{id}", "delete", "revoke a share link"),
)
