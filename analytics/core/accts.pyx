# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""Accts as numbers, kept by compiled code: a name's bytes stand once, in a row, and no object is made of it."""

from cpython.mem cimport PyMem_RawCalloc, PyMem_RawFree, PyMem_RawRealloc
from cpython.unicode cimport PyUnicode_AsUTF8AndSize
from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memcmp, memcpy

cdef enum:
    FIRST_PLACES = 64
    FIRST_NAMES = 40
    FIRST_TEXT = 512


cdef class Accts:
    """Gives each acct the next number, from 0 on, when it is first seen.

    An open table finds the number by the name's hash, which is Python's own and differs from process to process: nobody
    can make up names that collide. Fewer than 2 ** 32 - 1 accts.
    """

    # Names one after the other, where each ends, and part of its hash.
    cdef char* _text
    cdef uint64_t* _ends
    cdef uint32_t* _hashes
    # Per place the number found there + 1, 0 if there is none.
    cdef uint32_t* _places
    cdef uint64_t _mask
    cdef uint64_t _room
    cdef uint32_t _count
    cdef uint32_t _most

    def __cinit__(self):
        self._places = <uint32_t*> PyMem_RawCalloc(FIRST_PLACES, sizeof(uint32_t))
        if self._places == NULL:
            raise MemoryError
        self._mask = FIRST_PLACES - 1
        self._make_room(FIRST_NAMES, FIRST_TEXT)

    def __dealloc__(self):
        PyMem_RawFree(self._text)
        PyMem_RawFree(self._ends)
        PyMem_RawFree(self._hashes)
        PyMem_RawFree(self._places)

    def __len__(self):
        return self._count

    @property
    def nbytes(self):
        """How much memory they take."""
        return self._room + self._most * (sizeof(uint64_t) + sizeof(uint32_t)) + (self._mask + 1) * sizeof(uint32_t)

    def numbers(self, list accts):
        """Return the number of each of ``accts``, as native 32-bit integers."""
        cdef bytearray result = bytearray(len(accts) * sizeof(uint32_t))
        cdef uint32_t* at = <uint32_t*> <char*> result
        cdef Py_ssize_t length
        cdef const char* text
        for acct in accts:
            text = PyUnicode_AsUTF8AndSize(acct, &length)
            at[0] = self._number(_folded(hash(acct)), text, length)
            at += 1
        return result

    def numbers_of(self, Accts other, uint32_t begin):
        """Return the number of each acct that ``other`` numbers from ``begin`` on, in its order."""
        cdef bytearray result = bytearray((other._count - begin) * sizeof(uint32_t))
        cdef uint32_t* at = <uint32_t*> <char*> result
        cdef uint32_t n
        cdef uint64_t start
        for n in range(begin, other._count):
            start = other._ends[n - 1] if n else 0
            at[0] = self._number(other._hashes[n], other._text + start, other._ends[n] - start)
            at += 1
        return result

    cdef uint32_t _number(self, uint32_t hash, const char* text, uint64_t length) except? 0xFFFFFFFF:
        cdef uint64_t place = hash & self._mask, start
        cdef uint32_t n
        while self._places[place]:
            n = self._places[place] - 1
            if self._hashes[n] == hash:
                start = self._ends[n - 1] if n else 0
                if self._ends[n] - start == length and memcmp(self._text + start, text, length) == 0:
                    return n
            place = (place + 1) & self._mask
        return self._add(place, hash, text, length)

    cdef uint32_t _add(
        self, uint64_t place, uint32_t hash, const char* text, uint64_t length
    ) except? 0xFFFFFFFF:
        cdef uint32_t n = self._count
        cdef uint64_t end = self._ends[n - 1] if n else 0
        if n == self._most or end + length > self._room:
            self._make_room(
                n + n // 4 + 1 if n == self._most else self._most,
                end + end // 4 + length if end + length > self._room else self._room,
            )
        memcpy(self._text + end, text, length)
        self._ends[n] = end + length
        self._hashes[n] = hash
        self._places[place] = n + 1
        self._count += 1
        if 3 * <uint64_t> self._count > 2 * self._mask:
            self._spread()
        return n

    cdef int _make_room(self, uint32_t names, uint64_t text) except -1:
        """Have room for so many names, which take so many bytes."""
        cdef void* moved = PyMem_RawRealloc(self._text, text)
        if moved == NULL:
            raise MemoryError
        self._text, self._room = <char*> moved, text
        moved = PyMem_RawRealloc(self._ends, names * sizeof(uint64_t))
        if moved == NULL:
            raise MemoryError
        self._ends = <uint64_t*> moved
        moved = PyMem_RawRealloc(self._hashes, names * sizeof(uint32_t))
        if moved == NULL:
            raise MemoryError
        self._hashes, self._most = <uint32_t*> moved, names
        return 0

    cdef int _spread(self) except -1:
        """Double the places."""
        cdef uint64_t mask = 2 * self._mask + 1, place
        cdef uint32_t n
        cdef uint32_t* places = <uint32_t*> PyMem_RawCalloc(mask + 1, sizeof(uint32_t))
        if places == NULL:
            raise MemoryError
        for n in range(self._count):
            place = self._hashes[n] & mask
            while places[place]:
                place = (place + 1) & mask
            places[place] = n + 1
        PyMem_RawFree(self._places)
        self._places, self._mask = places, mask
        return 0


cdef uint32_t _folded(Py_ssize_t hash) noexcept:
    return <uint32_t> (<uint64_t> hash ^ (<uint64_t> hash >> 32))
