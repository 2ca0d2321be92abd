# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""Regular lines in their input buffer, until all lines of a batch are written together."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdlib cimport free
from libc.string cimport memchr, memcpy

from analytics.core.jsontext cimport text_of

cdef enum:
    LONGEST_NUMBER = 20


cdef struct Numeral:
    # The digits of a number, the last one at the end.
    char digits[LONGEST_NUMBER]
    int begin


cdef class Plain:
    """The usable lines of a chunk, which have no names yet, and their op codes in order of appearance."""

    def __dealloc__(self):
        free(self.lines)

    def __len__(self):
        return self.count

    @property
    def size(self):
        """The lines' bytes, as they came in."""
        return len(self.chunk)

    def op_codes(self):
        """Return the lines' op codes."""
        return [text_of(self.groups[i].code) for i in range(self.codes)]

    cdef void number(self):
        """Add the digits of the lines' numbers to the sizes of their groups: once, when all lines are there."""
        cdef Numeral n = _numeral(b"%d" % self.first)
        cdef Py_ssize_t i
        for i in range(self.count):
            self.groups[self.lines[i].group].size += LONGEST_NUMBER - n.begin
            _count_on(&n)


def named(plains, bytes source):
    """Return the lines of some chunks of ``source`` by op code, in the order in which these appear: all that have one.

    Of each: how many, and all of them, named, without the last newline.
    """
    cdef Plain one
    cdef bytes name = b'"id":"%b:' % source
    cdef dict places = {}
    cdef list lines = [], sizes = []
    cdef int i
    for one in plains:
        for i in range(one.codes):
            code = text_of(one.groups[i].code)
            place = places.setdefault(code, len(places))
            if place == len(lines):
                lines.append(0)
                sizes.append(-1)
            lines[place] += one.groups[i].lines
            # Name, quote and comma come in, a newline goes between.
            sizes[place] += one.groups[i].size + one.groups[i].lines * (len(name) + 3)
    bodies = [PyBytes_FromStringAndSize(NULL, size) for size in sizes]
    done = [0] * len(bodies)
    for one in plains:
        _write(one, name, places, bodies, done)
    return {code: (lines[place], bodies[place]) for code, place in places.items()}


def count_lines(bytes text, Py_ssize_t begin, Py_ssize_t end):
    """Return the newlines between two places."""
    cdef const char* start = PyBytes_AS_STRING(text)
    cdef const char* at = start + begin
    cdef Py_ssize_t count = 0
    while True:
        at = <const char*> memchr(at, c"\n", start + end - at)
        if at == NULL:
            return count
        count += 1
        at += 1


cdef _write(Plain one, bytes name, dict places, list bodies, list done):
    """Write the lines of a chunk to where the bodies of their op codes are ``done``."""
    cdef Group* group
    cdef int i
    cdef list own = [places[text_of(one.groups[i].code)] for i in range(one.codes)]
    for i in range(one.codes):
        group = &one.groups[i]
        group.begun = done[own[i]] > 0
        group.at = PyBytes_AS_STRING(bodies[own[i]]) + <Py_ssize_t> done[own[i]]
    _write_lines(one, PyBytes_AS_STRING(name), len(name), _numeral(b"%d" % one.first))
    for i in range(one.codes):
        done[own[i]] = one.groups[i].at - PyBytes_AS_STRING(bodies[own[i]])


cdef void _write_lines(Plain one, const char* name, Py_ssize_t length, Numeral n) noexcept nogil:
    """Write every line where its group has come to."""
    cdef Py_ssize_t i
    cdef Line* line
    cdef Group* group
    cdef char* at
    for i in range(one.count):
        line = &one.lines[i]
        group = &one.groups[line.group]
        at = group.at
        if group.begun:
            at[0] = c"\n"
            at += 1
        group.begun = True
        at[0] = c"{"
        memcpy(at + 1, name, length)
        at += 1 + length
        memcpy(at, n.digits + n.begin, LONGEST_NUMBER - n.begin)
        at += LONGEST_NUMBER - n.begin
        at[0], at[1] = c'"', c","
        memcpy(at + 2, line.rest.begin, line.rest.length)
        group.at = at + 2 + line.rest.length
        _count_on(&n)


cdef Numeral _numeral(bytes text):
    cdef Numeral numeral
    numeral.begin = LONGEST_NUMBER - <int> len(text)
    memcpy(numeral.digits + numeral.begin, PyBytes_AS_STRING(text), len(text))
    return numeral


cdef inline void _count_on(Numeral* n) noexcept nogil:
    cdef int place = LONGEST_NUMBER - 1
    while place >= n.begin and n.digits[place] == c"9":
        n.digits[place] = c"0"
        place -= 1
    if place < n.begin:
        n.begin = place
        n.digits[place] = c"0"
    n.digits[place] += 1
