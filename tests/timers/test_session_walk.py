"""Sessions equal those of a plain walk over each acct's logins and logouts."""

import numpy as np
from forms import examples
from hypothesis import example, given, settings
from hypothesis import strategies as st

from analytics.timers.sessions import BY_LIMIT, BY_LOGIN, ENDED, LOGIN, OPEN, UNKNOWN, sessions_of

BEGIN, DAY = 1_000, 100
"""A day of a hundred seconds, so that a few records come to everything that a rule speaks of."""
GAP, LIMIT = 5, 30
SPAN, END = (BEGIN, BEGIN + DAY), BEGIN + 2 * DAY

records = st.tuples(
    st.integers(0, 2),
    st.integers(BEGIN - DAY, END - 1) | st.integers(BEGIN - 10, BEGIN + 40),
    st.sampled_from([LOGIN, LOGIN, UNKNOWN, 0, 1, 4, 12, LIMIT, LIMIT + 20]),
)
"""Acct, time, and what stands for the seconds of a logout."""


@given(st.lists(records, min_size=1, max_size=12, unique=True), st.booleans())
# A logout belongs to a login up to the limit, and then is no session of its own.
@example([(0, BEGIN, LOGIN), (0, BEGIN + 9, 3)], True)
@example([(0, BEGIN, LOGIN), (0, BEGIN + LIMIT, 3)], True)
@example([(0, BEGIN, LOGIN), (0, BEGIN, 0)], True)
# Nor is one that says nothing and has no login.
@example([(0, BEGIN, UNKNOWN), (1, BEGIN, 1)], True)
# What a logout says has ended, however late it is; what a login begins has at the limit.
@example([(0, BEGIN + 20, 3), (1, BEGIN + 2, LOGIN)], False)
@example([(0, BEGIN, LOGIN), (1, BEGIN + LIMIT, 0)], False)
@example([(0, BEGIN + DAY, 0)], True)
@settings(max_examples=examples(1000))
def test_sessions_are_those_of_a_plain_walk(some: list[tuple[int, int, int]], over: bool):
    accts, times, seconds = (np.array(column) for column in zip(*some, strict=True))
    found = sessions_of(accts.astype(np.uint32), times, seconds, SPAN, END, over, GAP, LIMIT)
    assert sorted(zip(*(column.tolist() for column in found), strict=True)) == sorted(walked(some, over))


def walked(some, over):
    """Return acct, seconds and end of each session that began on the day."""
    if all(seconds == LOGIN for _, _, seconds in some):
        return []
    newest = END + LIMIT if over else max(ts for _, ts, _ in some)
    found = []
    for acct in {acct for acct, *_ in some}:
        own = sorted((ts, rank(seconds), seconds) for of, ts, seconds in some if of == acct)
        sessions = []
        for begin, end, way, before in stretches(own, newest):
            if not sessions or begin - before > GAP:
                sessions.append([])
            sessions[-1].append((begin, end, way))
        found += [
            (acct, sum(end - begin for begin, end, _ in one), one[-1][2])
            for one in sessions
            if SPAN[0] <= one[0][0] < SPAN[1]
        ]
    return found


def rank(seconds):
    """Of one second: a logout of an earlier login, a login, a logout that may be that login's."""
    return 1 if seconds == LOGIN else 0 if seconds > 0 else 2


def stretches(own, newest):
    """Yield begin and end of each stretch of an acct, what ended it, and the time of the record before."""
    for n, (ts, _, seconds) in enumerate(own):
        before, _, said_before = own[n - 1] if n else (0, 0, 0)
        after, _, said_after = own[n + 1] if n + 1 < len(own) else (None, 0, 0)
        follows_login = n > 0 and said_before == LOGIN
        if seconds == LOGIN and after is not None and after <= ts + LIMIT:
            yield ts, after, BY_LOGIN if said_after == LOGIN else ENDED, before
        elif seconds == LOGIN and newest < ts + LIMIT:
            yield ts, ts, OPEN, before
        elif seconds == LOGIN:
            yield ts, min(ts + LIMIT, END), BY_LIMIT, before
        elif seconds >= 0 and not (follows_login and ts <= before + LIMIT):
            least = before + LIMIT if follows_login else before
            yield max(ts - min(seconds, LIMIT), least), ts, ENDED, before
