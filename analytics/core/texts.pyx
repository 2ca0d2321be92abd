# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Long lists of texts, as documents have them of accts: which of them are new, and all of them as BSON."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.set cimport PySet_Add, PySet_GET_SIZE
from libc.stdint cimport int32_t
from libc.string cimport memcpy

cdef extern from "Python.h":
    bint PyUnicode_Check(object)
    bint PyUnicode_IS_COMPACT_ASCII(object)
    const char* PyUnicode_DATA(object)
    Py_ssize_t PyUnicode_GET_LENGTH(object)

cdef enum:
    # BSON's numbers for kinds of values.
    STRING = 2
    ARRAY = 4

    LONGEST_NUMBER = 20


def added(set known, more):
    """Add texts to those that are ``known``, and return the new ones, each once."""
    cdef Py_ssize_t count = PySet_GET_SIZE(known)
    cdef list new = []
    for text in more:
        PySet_Add(known, text)
        if PySet_GET_SIZE(known) > count:
            count += 1
            new.append(text)
    return new


def lists_as_bson(dict document, Py_ssize_t least):
    """Return the lists of ``least`` texts or more as members of a BSON document, by name; without those of more than ASCII."""
    cdef dict found = {}
    for name, value in document.items():
        if type(value) is list and len(<list> value) >= least:
            whole = _list_as_bson(name, value)
            if whole is not None:
                found[name] = whole
    return found


cdef bytes _list_as_bson(name, list items):
    """Return a member of a BSON document; None if ``name`` or an item is no ASCII text, or ``name`` has a NUL."""
    cdef Py_ssize_t count = len(items), size, i
    cdef char* at
    if not _is_ascii(name) or "\0" in name:
        return None
    # Kind, name, the array's size, its items and a NUL.
    size = 1 + PyUnicode_GET_LENGTH(name) + 1 + 4 + _digits(count) + 1
    for item in items:
        if not _is_ascii(item):
            return None
        # Kind, the place with a NUL, the text's size, the text with a NUL.
        size += 1 + 1 + 4 + PyUnicode_GET_LENGTH(item) + 1
    if size > 2**31 - 1:
        return None
    whole = PyBytes_FromStringAndSize(NULL, size)
    at = PyBytes_AS_STRING(whole)
    at[0] = ARRAY
    at = _put_text(at + 1, name)
    at = _put_size(at, size - (at - PyBytes_AS_STRING(whole)))
    for i in range(count):
        item = items[i]
        at[0] = STRING
        at = _put_number(at + 1, i)
        at = _put_size(at, PyUnicode_GET_LENGTH(item) + 1)
        at = _put_text(at, item)
    at[0] = 0
    return whole


cdef inline bint _is_ascii(text) noexcept:
    return PyUnicode_Check(text) and PyUnicode_IS_COMPACT_ASCII(text)


cdef Py_ssize_t _digits(Py_ssize_t count) noexcept:
    """Return how many digits all numbers from 0 up to ``count``, without that, have together."""
    cdef Py_ssize_t digits = count, power = 10
    while power < count:
        digits += count - power
        power *= 10
    return digits


cdef inline char* _put_text(char* at, text) noexcept:
    """Write a text with a NUL after it."""
    cdef Py_ssize_t length = PyUnicode_GET_LENGTH(text)
    memcpy(at, PyUnicode_DATA(text), length)
    at[length] = 0
    return at + length + 1


cdef inline char* _put_number(char* at, Py_ssize_t number) noexcept:
    """Write a number in digits with a NUL after them."""
    cdef char digits[LONGEST_NUMBER]
    cdef int first = LONGEST_NUMBER
    while True:
        first -= 1
        digits[first] = c"0" + <char> (number % 10)
        number //= 10
        if not number:
            break
    memcpy(at, digits + first, LONGEST_NUMBER - first)
    at += LONGEST_NUMBER - first
    at[0] = 0
    return at + 1


cdef inline char* _put_size(char* at, Py_ssize_t size) noexcept:
    """Write 32 bits, the lowest ones first."""
    at[0], at[1], at[2], at[3] = size & 255, size >> 8 & 255, size >> 16 & 255, size >> 24 & 255
    return at + 4
