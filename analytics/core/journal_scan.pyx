# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""Lines of journals, found by compiled code: which topic each has, and which record it is. No object is made of a line.

A block is taken only if each line is regular: strict JSON, a record's name, an area, a time, and in a game log an op code. Other
blocks are left to the caller, who decodes them line by line.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport int64_t
from libc.string cimport memcmp, memset, strlen

from analytics.core.jsontext cimport (
    MOST_DIGITS, Span, Text, alike, end_of_member, matches, member, plain, text_of, value
)

cdef enum:
    # Of a line with its newline: no regular one is shorter.
    SHORTEST_LINE = 38

cdef const char** SPOUTS = ["gamelog/", "payment/", "syncuser/"]

cdef enum:
    GAMELOG
    OTHER_SPOUTS
    SPOUT_COUNT = 3


cdef struct Line:
    Span source
    Span code
    int64_t number
    int64_t time
    int spout
    bint has_id
    bint has_op
    bint has_area
    bint has_time


def scan(bytes block):
    """Return where topics and sources begin in a journal's block, and each line's number and end; None if a line is not regular.

    Args:
        block: whole lines, each with its newline.

    Returns:
        Pairs of a topic and the first line that has it after one of another topic; pairs of a source and a line likewise; as
        bytes of 64-bit integers, the record's number in its source of each line, and the byte after its newline; the latest time.
    """
    cdef Py_ssize_t most = len(block) // SHORTEST_LINE + 1, count = 0
    cdef bytes numbers = PyBytes_FromStringAndSize(NULL, 8 * most), ends = PyBytes_FromStringAndSize(NULL, 8 * most)
    cdef int64_t* number = <int64_t*> PyBytes_AS_STRING(numbers)
    cdef int64_t* end_of = <int64_t*> PyBytes_AS_STRING(ends)
    cdef Text begin = <Text> PyBytes_AS_STRING(block)
    cdef Text at = begin, end = begin + len(block)
    cdef Line line, last
    cdef int64_t newest = 0
    cdef list topics = [], sources = []
    if not block.endswith(b"\n"):
        return None
    try:
        while at < end:
            at = _line(at, &line)
            if at == NULL or at[0] != c"\n" or count == most:
                return None
            at += 1
            if not count or not alike(line.source, last.source):
                sources.append((text_of(line.source), count))
            if not count or not _same_topic(&line, &last):
                topics.append((_topic(&line), count))
            number[count], end_of[count] = line.number, at - begin
            newest = max(newest, line.time)
            count += 1
            last = line
    except UnicodeDecodeError:
        return None
    return topics, sources, numbers[: 8 * count], ends[: 8 * count], newest


cdef bint _same_topic(Line* line, Line* last) noexcept:
    return line.spout == last.spout and (line.spout != GAMELOG or alike(line.code, last.code))


cdef str _topic(Line* line):
    if line.spout == GAMELOG:
        return f"gamelog.{text_of(line.code)}"
    return "payment" if line.spout == OTHER_SPOUTS else "syncuser"


cdef Text _line(Text at, Line* line) noexcept:
    """Read a line. Return what follows it, NULL where it is not regular."""
    cdef Span key
    memset(line, 0, sizeof(Line))
    if at[0] != c"{":
        return NULL
    while at[0] != c"}":
        at = member(at, &key)
        if at == NULL:
            return NULL
        if matches(key, "id"):
            at = NULL if line.has_id else _id(at, line)
        elif matches(key, "op"):
            at = NULL if line.has_op else _op(at, line)
        elif matches(key, "area"):
            at = NULL if line.has_area else _area(at, line)
        elif matches(key, "ts"):
            at = NULL if line.has_time else _time(at, line)
        else:
            at = value(at, 1)
        at = end_of_member(at)
        if at == NULL:
            return NULL
    if not line.has_id or not line.has_area or not line.has_time:
        return NULL
    return at + 1 if line.has_op or line.spout != GAMELOG else NULL


cdef Text _id(Text at, Line* line) noexcept:
    """Read a record's name: its source, a colon, and its number there."""
    cdef Span name
    cdef Text digit
    cdef int64_t number = 0
    cdef Py_ssize_t length
    at = plain(at, &name)
    if at == NULL:
        return NULL
    digit = name.begin + name.length
    while digit > name.begin and c"0" <= digit[-1] <= c"9":
        digit -= 1
    length = name.begin + name.length - digit
    if not 0 < length <= MOST_DIGITS or digit[0] == c"0" or digit == name.begin or digit[-1] != c":":
        return NULL
    while c"0" <= digit[0] <= c"9":
        number = 10 * number + (digit[0] - c"0")
        digit += 1
    line.number = number
    line.source.begin, line.source.length = name.begin, name.length - length - 1
    for line.spout in range(SPOUT_COUNT):
        length = strlen(SPOUTS[line.spout])
        if line.source.length > length and memcmp(line.source.begin, SPOUTS[line.spout], length) == 0:
            line.has_id = True
            return at
    return NULL


cdef Text _op(Text at, Line* line) noexcept:
    cdef Span key
    cdef bint has_code = False
    if at[0] != c"{":
        return NULL
    while at[0] != c"}":
        at = member(at, &key)
        if at == NULL:
            return NULL
        if not matches(key, "code"):
            at = value(at, 2)
        elif has_code:
            return NULL
        else:
            at = plain(at, &line.code)
            has_code = True
        at = end_of_member(at)
        if at == NULL:
            return NULL
    line.has_op = has_code
    return at + 1 if has_code else NULL


cdef Text _area(Text at, Line* line) noexcept:
    """Read an area, which is of ASCII characters: others would have to be checked."""
    cdef Span name
    cdef Py_ssize_t i
    at = plain(at, &name)
    if at == NULL:
        return NULL
    for i in range(name.length):
        if name.begin[i] >= 0x80:
            return NULL
    line.has_area = True
    return at


cdef Text _time(Text at, Line* line) noexcept:
    cdef Text begin = at
    if at[0] == c"0":
        return NULL
    while c"0" <= at[0] <= c"9" and at - begin < MOST_DIGITS:
        line.time = 10 * line.time + (at[0] - c"0")
        at += 1
    line.has_time = at > begin
    return at
