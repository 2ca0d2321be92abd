"""Several peers are asked at the same time, and none keeps the others waiting."""

import time

import gevent

from analytics.errors import Unavailable
from analytics.runtime.report import ask_all


def _refuses() -> None:
    raise Unavailable("the store is away")


def _breaks() -> None:
    raise KeyError("x")


def test_each_answer_is_told_by_name() -> None:
    ended: list[str] = []

    def hangs() -> None:
        try:
            gevent.sleep(600)
        finally:
            gevent.sleep(600)  # cleaning up hangs, too
            ended.append("hangs")

    began = time.monotonic()
    asked = {"well": lambda: 7, "away": _refuses, "broken": _breaks, "hangs": hangs, "store": hangs}
    answers = ask_all(asked, 0.2, {"store"})
    assert time.monotonic() - began < 60
    assert {name: (one.value, one.problem) for name, one in answers.items()} == {
        "well": (7, ""),
        "away": (None, "the store is away"),
        "broken": (None, "KeyError: 'x'"),
        "hangs": (None, "hangs did not answer within 0.2 s; it may be busy: ask again"),
        "store": (None, "store did not answer within 0.2 s; the suite, which runs it, does not run"),
    }
    assert not ended
