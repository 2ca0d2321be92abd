"""Where documents and tuples of a bolt have accts, as its declaration says."""

from collections.abc import Callable
from functools import partial
from typing import Any

from analytics.bolts.sessions import WORDS_BEFORE_ACCT
from analytics.core.bolt import Bolt, joined
from analytics.core.latest import Latest, LatestBy, LatestRow, Members
from analytics.core.measures import Distinct
from analytics.spouts.mapping.renamed import Rename

NAMES = frozenset({"acct", "acctid", "left"})
"""What fields of tuples are called that hold an acct."""

Fields = dict[str, Any]
_Item = Callable[[Any, Rename], Any]


class AcctFields:
    """The fields of one bolt's documents and tuples that have accts. Without a bolt: those that readers see."""

    def __init__(self, bolt: Bolt | None, totals: bool = False) -> None:
        """``totals``: of the documents of whole games and plats, which have no lists."""
        self._totals = totals
        self._lists: dict[str, _Item] = {}
        self._values: list[str] = []
        self._latest: list[str] = []
        self._key: list[bool] = []
        if bolt is None:
            self._lists, self._values = {"userlist": _item}, sorted(NAMES)
            return
        for field, measure in () if totals else bolt.measures.items():
            self._see(field, measure)
        own = {field: _is_acct(of) for field, of in bolt.by.items()}
        self._values += [field for field, is_acct in own.items() if is_acct]
        self._key = [own.get(field, False) for field in bolt.key_fields]

    def __bool__(self) -> bool:
        return bool(self._lists or self._values or self._latest)

    @property
    def in_id(self) -> bool:
        """Whether the ``_id`` of a document has an acct."""
        return any(self._key)

    def renamed(self, fields: Fields, rename: Rename) -> Fields:
        """Return a document, one of its parts, or a tuple with other names; ``fields`` itself where nothing changes.

        An ``_id``, and what refers to one, stays: see :meth:`id`.
        """
        changed: Fields = {}
        for name in self._lists.keys() & fields.keys():
            item = self._lists[name]
            items = [item(one, rename) for one in fields[name]]
            if any(new is not old for new, old in zip(items, fields[name], strict=True)):
                changed[name] = items
        for name in self._values:
            value = fields.get(name)
            if isinstance(value, str) and (new := rename(value)) is not None:
                changed[name] = new
        for name in self._latest:
            kept = fields.get(f"_{name}")
            if isinstance(kept, list) and (new := _item(kept[1], rename)) is not kept[1]:
                changed |= {name: new, f"_{name}": [kept[0], new, *kept[2:]]}
        return {**fields, **changed} if changed else fields

    def own(self, fields: Fields, acct: str) -> Fields:
        """Return what a document, or a part, says of one acct: all of it where it is about that acct alone."""
        if any(fields.get(name) == acct for name in (*self._values, *self._latest)):
            return {name: value for name, value in fields.items() if not name.startswith("_")}
        found = {}
        for name, item in self._lists.items():
            if items := [one for one in fields.get(name, ()) if _names(one, item, acct)]:
                found[name] = items
        return found

    def id(self, id_: str, rename: Rename) -> str:
        """Return the ``_id`` that a document has under other names; ``id_`` may be one of its parts'."""
        if not self.in_id:
            return id_
        stem, mark, part = id_.partition("#")
        flags = self._key
        if self._totals:
            # Scope and game, or scope, game and plat, take the place of the area.
            flags = [False] * (1 if stem.startswith("game:") else 2) + flags
        texts = stem.split(":", len(flags) - 1)
        if len(texts) != len(flags):
            return id_
        last = len(texts) - 1
        key = [_unescaped(text, place == last) for place, text in enumerate(texts)]
        new = [rename(text) or text if is_acct else text for text, is_acct in zip(key, flags, strict=True)]
        return id_ if new == key else joined(new) + mark + part

    def _see(self, field: str, measure: Any) -> None:
        if isinstance(measure, Members) and _is_acct(measure.key_path):
            self._lists[measure.list_field] = _item
        elif isinstance(measure, LatestBy) and _is_acct(measure.key_path):
            self._lists[measure.list_field] = _row
        elif isinstance(measure, Distinct):
            words = WORDS_BEFORE_ACCT.get(measure.list_field)
            if words is not None:
                self._lists[measure.list_field] = partial(_behind, words)
            elif _is_acct(measure.path) or measure.path == "userlist":
                self._lists[measure.list_field] = _item
        elif isinstance(measure, Latest) and _is_acct(measure.path):
            self._latest.append(field)
        elif isinstance(measure, LatestRow):
            self._values += [name for name in measure.names if name in NAMES]


def _is_acct(path: object) -> bool:
    return isinstance(path, str) and path.rpartition(".")[2] in NAMES


def _unescaped(text: str, is_last: bool) -> str:
    if not is_last:
        text = text.replace("%3A", ":")
    return text.replace("%23", "#").replace("%25", "%")


def _item(item: Any, rename: Rename) -> Any:
    return (rename(item) or item) if isinstance(item, str) else item


def _row(row: Any, rename: Rename) -> Any:
    new = _item(row[0], rename)
    return row if new is row[0] else [new, *row[1:]]


def _names(one: Any, item: _Item, acct: str) -> bool:
    """Whether an item of a list names an acct."""
    return bool(item(one, lambda name: f"{name}!" if name == acct else None) is not one)


def _behind(words: int, item: Any, rename: Rename) -> Any:
    *before, acct = item.split(" ", words)
    new = _item(acct, rename)
    return item if new is acct else " ".join([*before, new])
