"""Whether lines may hold numbers that 64 bits can't, found out without decoding them. Pure."""

import re

_LONG_NUMBER = re.compile(rb"[:,\[\s-][0-9]{19}")
_END_OF_NUMBER = re.compile(rb"(?:^|[:,\[\s-])[0-9.]+$")
_CONTEXT = 28


def has_many_digits(chunk: bytes) -> bool:
    """Say whether a number may have 19 digits: less can't be an integer past 64 bits.

    So many digits in a row fill four words of four bytes, whose upper halves tell digits (0x30 to 0x39) from nearly
    all else. Only where four are found is it worth to see whether they begin an id, as an area's may, or a number.
    """
    import numpy as np  # a third of the time that a spout takes to start, and not needed while lines are regular

    words = np.frombuffer(chunk, "<u4", len(chunk) // 4)
    digits = (words & 0xF0F0F0F0) == 0x30303030
    two = digits[:-1] & digits[1:]
    return bool((two[:-2] & two[2:]).any()) and _LONG_NUMBER.search(chunk) is not None


def has_large_exponent(chunk: bytes) -> bool:
    """Say whether a number may have an exponent of three digits: less can't be a number past 64 bits.

    A decoder with a type passes over what its type does not name, and does not see how large that is. Pairs of a digit
    and an ``e`` are searched two bytes at a time; most are in the ids of areas.
    """
    import numpy as np

    text = np.frombuffer(chunk, np.uint8)
    for shift in (0, 1):
        words = np.frombuffer(chunk, "<u2", (len(chunk) - shift) // 2, shift)
        at = 2 * np.flatnonzero((words & 0xDFF0) == 0x4530) + shift + 2
        ends = at + (text.take(at, mode="clip") == ord("+"))
        following = [text.take(ends + n, mode="clip") - ord("0") < 10 for n in range(3)]
        at = at[following[0] & following[1] & following[2]]
        if any(map(_END_OF_NUMBER.search, {chunk[max(0, end - _CONTEXT) : end - 1] for end in at.tolist()})):
            return True
    return False
