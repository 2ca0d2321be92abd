"""Asking several peers at the same time, each for a limited time: none that hangs keeps the others' answers back."""

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

import gevent

from analytics.errors import AnalyticsError


@dataclass(slots=True)
class Reply:
    """What came of one question: ``value``, or why there is none in ``problem``, and the seconds that it took."""

    value: Any = None
    problem: str = ""
    seconds: float = 0.0


def ask_all(
    questions: Mapping[str, Callable[[], Any]], seconds: float, stopped: Collection[str] = ()
) -> dict[str, Reply]:
    """Ask all ``questions`` side by side; return the answers by name within ``seconds``.

    A question that hangs is given up by name; its own clean-up goes on without anybody waiting for it. ``stopped``: those
    whose peer is known not to run.
    """
    asking = {name: gevent.spawn(_asked, question) for name, question in questions.items()}
    gevent.joinall(list(asking.values()), timeout=seconds)
    answers = {}
    for name, greenlet in asking.items():
        if greenlet.ready():
            answers[name] = greenlet.value or Reply()
        else:
            greenlet.kill(block=False)
            why = "the suite, which runs it, does not run" if name in stopped else "it may be busy: ask again"
            problem = f"{name} did not answer within {seconds:g} s; {why}"
            answers[name] = Reply(problem=problem, seconds=seconds)
    return answers


def _asked(question: Callable[[], Any]) -> Reply:
    began = time.monotonic()
    try:
        answer = Reply(question())
    except AnalyticsError as error:
        answer = Reply(problem=str(error))
    except Exception as error:  # one that can't be asked must not hide what the others say
        answer = Reply(problem=f"{type(error).__name__}: {error}")
    answer.seconds = time.monotonic() - began
    return answer
