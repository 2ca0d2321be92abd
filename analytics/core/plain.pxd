# cython: language_level=3
from libc.stdint cimport int64_t, uint64_t

from analytics.core.jsontext cimport Span

cdef enum:
    MOST_CODES = 64


cdef struct Code:
    # An op code that bolts read: a bit for each field that its lines need, or may have; whether no line of it is plain.
    Span name
    uint64_t needs
    uint64_t optional
    bint needs_acct
    bint never


cdef struct Line:
    # All of a line but its opening brace.
    Span rest
    int group


cdef struct Group:
    # The lines of one op code: how many there are, and their bytes with their numbers; where the next one is written.
    Span code
    Code* known
    Py_ssize_t lines
    Py_ssize_t size
    char* at
    bint begun


cdef class Plain:
    cdef bytes chunk
    cdef int64_t first
    cdef Line* lines
    cdef Py_ssize_t count
    cdef Group groups[MOST_CODES]
    cdef int codes

    cdef void number(self)
