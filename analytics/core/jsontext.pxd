# cython: language_level=3
"""JSON text on one line, read as bytes: each function takes where something begins and returns what follows it.

NULL stands for text that is not regular. No function asks where the text ends: each stops at a newline or NUL byte,
which no JSON on one line has within.
"""

from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.string cimport memcmp, memcpy, strchr, strlen

cdef extern from "Python.h":
    str PyUnicode_New(Py_ssize_t length, Py_UCS4 highest)
    void* PyUnicode_DATA(object text)

cdef extern from *:
    """
    #include <stdint.h>
    #if defined(__SSE2__) && defined(__GNUC__)
    #include <emmintrin.h>
    #endif

    /* Looks at 16 bytes at a time, also at some behind the text, but never at another page of memory. */
    #ifdef __GNUC__
    __attribute__((no_sanitize_address))
    #endif
    static inline unsigned char *analytics_ordinary(unsigned char *at) {
        for (;;) {
    #if defined(__SSE2__) && defined(__GNUC__)
            if (((uintptr_t) at & 4095) <= 4096 - 16) {
                __m128i some = _mm_loadu_si128((const __m128i *) at);
                __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(some, _mm_set1_epi8(31)), some);
                __m128i quote = _mm_cmpeq_epi8(some, _mm_set1_epi8('"'));
                __m128i escape = _mm_cmpeq_epi8(some, _mm_set1_epi8('\\\\'));
                int found = _mm_movemask_epi8(_mm_or_si128(control, _mm_or_si128(quote, escape)));
                if (found) return at + __builtin_ctz(found);
                at += 16;
                continue;
            }
    #endif
            if (*at < ' ' || *at == '"' || *at == '\\\\') return at;
            at++;
        }
    }
    """
    unsigned char* analytics_ordinary(unsigned char* at) noexcept nogil

ctypedef unsigned char* Text

cdef enum:
    DEEPEST = 32
    MOST_DIGITS = 18


cdef struct Span:
    Text begin
    Py_ssize_t length


cdef inline Text member(Text at, Span* key) noexcept nogil:
    """Return the value of the member behind the brace or comma at ``at``."""
    return key_and_colon(space(at + 1), key)


cdef inline Text end_of_member(Text at) noexcept nogil:
    """Return the comma or brace that a member's value is followed by."""
    if at == NULL:
        return NULL
    at = space(at)
    return at if at[0] == c"," or at[0] == c"}" else NULL


cdef inline Text key_and_colon(Text at, Span* key) noexcept nogil:
    """Return what follows a key and its colon."""
    at = plain(at, key)
    if at == NULL:
        return NULL
    at = space(at)
    return space(at + 1) if at[0] == c":" else NULL


cdef inline Text value(Text at, int depth) noexcept nogil:
    """Return what follows any value but a number that may be none of 64 bits."""
    if at[0] == c'"':
        return string(at)
    if at[0] == c"{" or at[0] == c"[":
        return nested(at, depth) if depth < DEEPEST else NULL
    if at[0] == c"t":
        return literal(at, "true")
    if at[0] == c"f":
        return literal(at, "false")
    if at[0] == c"n":
        return literal(at, "null")
    return number(at)


cdef inline Text nested(Text at, int depth) noexcept nogil:
    cdef Span key
    cdef bint named = at[0] == c"{"
    cdef unsigned char close = c"}" if named else c"]"
    at = space(at + 1)
    if at[0] == close:
        return at + 1
    while True:
        if named:
            at = key_and_colon(at, &key)
            if at == NULL:
                return NULL
        at = value(at, depth + 1)
        if at == NULL:
            return NULL
        at = space(at)
        if at[0] == close:
            return at + 1
        if at[0] != c",":
            return NULL
        at = space(at + 1)


cdef inline Text number(Text at) noexcept nogil:
    """Return what follows a number without exponent."""
    cdef Text begin
    if at[0] == c"-":
        at += 1
    begin = at
    at = digits(at)
    if at == begin or at - begin > MOST_DIGITS or (begin[0] == c"0" and at - begin > 1):
        return NULL
    if at[0] != c".":
        return at
    begin = at + 1
    at = digits(begin)
    return at if at > begin else NULL


cdef inline Text digits(Text at) noexcept nogil:
    while c"0" <= at[0] <= c"9":
        at += 1
    return at


cdef inline Text plain(Text at, Span* text) noexcept nogil:
    """Return what follows a string without escapes."""
    if at[0] != c'"':
        return NULL
    text.begin = at + 1
    at = ordinary(at + 1)
    text.length = at - text.begin
    return at + 1 if at[0] == c'"' else NULL


cdef inline Text string(Text at) noexcept nogil:
    """Return what follows a string whose escapes stand for one character each, no NUL."""
    at = ordinary(at + 1)
    while at[0] == c"\\":
        at = escaped(at + 1)
        if at == NULL:
            return NULL
        at = ordinary(at)
    return at + 1 if at[0] == c'"' else NULL


cdef inline Text escaped(Text at) noexcept nogil:
    cdef int code = 0, i
    if at[0] != c"u":
        return at + 1 if at[0] and strchr('"\\/bfnrt', at[0]) else NULL
    for i in range(1, 5):
        if c"0" <= at[i] <= c"9":
            code = 16 * code + (at[i] - c"0")
        elif c"a" <= (at[i] | 0x20) <= c"f":
            code = 16 * code + ((at[i] | 0x20) - c"a" + 10)
        else:
            return NULL
    return NULL if code == 0 or 0xD800 <= code < 0xE000 else at + 5


cdef inline Text ordinary(Text at) noexcept nogil:
    """Return the first character that is not simply part of a string."""
    return analytics_ordinary(at)


cdef inline Text space(Text at) noexcept nogil:
    while at[0] == c" " or at[0] == c"\t":
        at += 1
    return at


cdef inline Text literal(Text at, const char* word) noexcept nogil:
    while word[0]:
        if at[0] != <unsigned char> word[0]:
            return NULL
        at += 1
        word += 1
    return at


cdef inline bint matches(Span text, const char* word) noexcept nogil:
    return text.length == <Py_ssize_t> strlen(word) and memcmp(text.begin, word, strlen(word)) == 0


cdef inline bint alike(Span one, Span other) noexcept nogil:
    return one.length == other.length and memcmp(one.begin, other.begin, one.length) == 0


cdef inline str text_of(Span text):
    cdef unsigned char all = 0
    cdef Py_ssize_t i
    for i in range(text.length):
        all |= text.begin[i]
    if text.length and all < 128:
        made = PyUnicode_New(text.length, 127)
        memcpy(PyUnicode_DATA(made), text.begin, text.length)
        return made
    return PyUnicode_DecodeUTF8(<char*> text.begin, text.length, NULL)
