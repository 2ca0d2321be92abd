# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""Game log lines, read as bytes by compiled code: no object is made of a line, only of what is wanted of it.

Lines are taken only where each is plainly right: strict JSON, an op code, a known area, a possible time. Nothing is
said of any others: whoever asked reads them in another way, which knows what is unusual and what is wrong. So this
file may refuse what is right, but never take what the other way refuses or would say otherwise.

Loops over text don't ask where the chunk ends: each stops at a newline, which no JSON on one line has within.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.stdint cimport int64_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memchr, memcmp, memcpy, memset, strchr, strlen

ctypedef unsigned char* Text

cdef enum:
    MOST_CODES = 64
    LONGEST_ACCT = 200
    DEEPEST = 32
    MOST_DIGITS = 18
    SHORTEST_LINE = 40
    DIGITS = 20


cdef struct Span:
    Text begin
    Py_ssize_t length


cdef struct Area:
    Span name
    Py_ssize_t place


cdef struct Record:
    # What a line says, as far as it was read; the area by its place, the acct as it is written.
    Span code
    Span acct
    int64_t time
    Py_ssize_t area
    bint has_code
    bint has_area
    bint has_time
    bint has_data
    bint has_acct


cdef struct Line:
    # All of a line but its opening brace.
    Span rest
    int group


cdef struct Group:
    # The lines of one op code: how many there are, how many with an acct, their bytes, where the next one goes.
    Span code
    Py_ssize_t lines
    Py_ssize_t accts
    Py_ssize_t size
    char* at
    bint begun


cdef struct Numeral:
    # The digits of a number, the last one at the end.
    char digits[DIGITS]
    int begin


cdef struct Chunk:
    # The usable lines of a chunk, and their op codes in order of appearance.
    Line* lines
    Py_ssize_t count
    Group groups[MOST_CODES]
    int codes


cdef class Scanner:
    """Reads lines that are of ``areas``, and not before ``earliest`` (Unix seconds)."""

    cdef list _names
    cdef list _texts
    cdef Area* _areas
    cdef uint64_t _mask
    cdef int64_t _earliest

    def __cinit__(self, areas, int64_t earliest):
        cdef Area area
        self._earliest = earliest
        self._names = list(areas)
        self._texts = [name.encode() for name in self._names]
        self._mask = 15
        while self._mask < 4 * <uint64_t> len(self._names):
            self._mask = 2 * self._mask + 1
        self._areas = <Area*> calloc(self._mask + 1, sizeof(Area))
        if self._areas == NULL:
            raise MemoryError
        for area.place, text in enumerate(self._texts):
            area.name.begin, area.name.length = <Text> PyBytes_AS_STRING(text), len(text)
            self._find(area.name)[0] = area

    def __dealloc__(self):
        free(self._areas)

    def by_code(self, bytes chunk, bytes source, int64_t first, int64_t latest):
        """Return the lines of ``chunk``, which have no names yet, by op code, in the order in which these appear.

        None: a line is not plain.

        Of each: the number of lines, how many have an acct, and all of them, named, without the last newline. Whether the
        op code may be a topic, and has the fields that it needs, is not looked at.

        Args:
            chunk: valid UTF-8; whole lines, each with its newline.
            first: number of the first line in ``source``.
            latest: the last possible time (Unix seconds).
        """
        cdef Chunk found
        cdef bytes name = b'"id":"%b:' % source
        cdef Py_ssize_t most = len(chunk) // SHORTEST_LINE + 1
        if not chunk.endswith(b"\n") or first + most >= 10**18:
            return None
        found.lines = <Line*> malloc(most * sizeof(Line))
        if found.lines == NULL:
            raise MemoryError
        try:
            if not self._read(PyBytes_AS_STRING(chunk), len(chunk), most, latest, &found):
                return None
            return _named(&found, name, b"%d" % first)
        finally:
            free(found.lines)

    def by_area(self, bytes body, int64_t latest):
        """Return the times (Unix seconds) and accts of lines by area, in the order in which these appear.

        None: a line is not plain, or has no acct, or one with escapes.

        Args:
            body: whole lines, the last one's newline left out.
            latest: the last possible time (Unix seconds).
        """
        cdef Text at = <Text> PyBytes_AS_STRING(body), end = at + len(body)
        cdef Record record
        cdef list columns = [None] * len(self._names)
        cdef dict found = {}
        cdef tuple pair
        while at < end:
            at = self._line(at, latest, True, &record)
            if at == NULL or (at != end and at[0] != c"\n") or not record.has_acct:
                return None
            if memchr(record.acct.begin, c"\\", record.acct.length) != NULL:
                return None
            pair = columns[record.area]
            if pair is None:
                pair = columns[record.area] = found[self._names[record.area]] = ([], [])
            (<list> pair[0]).append(record.time)
            try:
                (<list> pair[1]).append(PyUnicode_DecodeUTF8(<char*> record.acct.begin, record.acct.length, NULL))
            except UnicodeDecodeError:
                return None
            at += 1
        return found

    cdef bint _read(
        self, const char* text, Py_ssize_t size, Py_ssize_t most, int64_t latest, Chunk* found
    ) noexcept:
        """Find all lines; return whether each is plainly right."""
        cdef Text at = <Text> text, end = at + size
        cdef Text begin
        cdef Record record
        cdef Group* group
        found.count = found.codes = 0
        with nogil:
            while at < end:
                begin = at
                at = self._line(begin, latest, False, &record)
                if at == NULL or at[0] != c"\n" or found.count == most:
                    return False
                group = _group(found, record.code)
                if group == NULL:
                    return False
                group.lines += 1
                group.accts += record.has_acct
                group.size += at - begin
                found.lines[found.count].rest.begin = begin + 1
                found.lines[found.count].rest.length = at - begin - 1
                found.lines[found.count].group = <int> (group - found.groups)
                found.count += 1
                at += 1
        return True

    cdef Text _line(self, Text at, int64_t latest, bint named, Record* record) noexcept nogil:
        """Read a tuple, which may have a name where ``named``. Return what follows it, NULL where it is not plain."""
        cdef Span key
        memset(record, 0, sizeof(Record))
        if at[0] != c"{":
            return NULL
        while at[0] != c"}":
            at = _member(at, &key)
            if at == NULL:
                return NULL
            if _is(key, "op"):
                at = NULL if record.has_code else _op(at, record)
            elif _is(key, "area"):
                at = NULL if record.has_area else self._area(at, record)
            elif _is(key, "ts"):
                at = NULL if record.has_time else self._time(at, latest, record)
            elif _is(key, "data"):
                at = NULL if record.has_data else _data(at, record)
            else:
                at = _value(at, 1) if named or not _is(key, "id") else NULL
            at = _end_of_member(at)
            if at == NULL:
                return NULL
        return at + 1 if record.has_code and record.has_area and record.has_time else NULL

    cdef Text _area(self, Text at, Record* record) noexcept nogil:
        cdef Span name
        cdef Area* area
        at = _plain(at, &name)
        if at == NULL:
            return NULL
        area = self._find(name)
        record.area = area.place
        record.has_area = area.name.begin != NULL
        return at if record.has_area else NULL

    cdef Text _time(self, Text at, int64_t latest, Record* record) noexcept nogil:
        cdef Text begin = at
        cdef int64_t time = 0
        if at[0] == c"0":
            return NULL
        while c"0" <= at[0] <= c"9" and at - begin < MOST_DIGITS:
            time = 10 * time + (at[0] - c"0")
            at += 1
        if at == begin or not self._earliest <= time <= latest:
            return NULL
        record.time = time
        record.has_time = True
        return at

    cdef Area* _find(self, Span name) noexcept nogil:
        """Return where the table of areas has this one, or where it would be."""
        cdef uint64_t hash = <uint64_t> name.length, word, place
        cdef Py_ssize_t i = 0
        while i < name.length:
            word = 0
            memcpy(&word, name.begin + i, min(8, name.length - i))
            hash = (hash ^ word) * 0x9E3779B97F4A7C15u
            hash ^= hash >> 32
            i += 8
        place = hash & self._mask
        while self._areas[place].name.begin != NULL and not _alike(name, self._areas[place].name):
            place = (place + 1) & self._mask
        return self._areas + place


cdef Text _op(Text at, Record* record) noexcept nogil:
    """Read ``op``, and the op code in it, which may be any text."""
    cdef Span key
    if at[0] != c"{":
        return NULL
    while at[0] != c"}":
        at = _member(at, &key)
        if at == NULL:
            return NULL
        if not _is(key, "code"):
            at = _value(at, 2)
        elif record.has_code:
            return NULL
        else:
            at = _plain(at, &record.code)
            record.has_code = True
        at = _end_of_member(at)
        if at == NULL:
            return NULL
    return at + 1 if record.has_code else NULL


cdef Text _data(Text at, Record* record) noexcept nogil:
    """Read ``data``, and whether it has an acct that is not empty."""
    cdef Span key
    cdef Text begin
    if at[0] != c"{":
        return NULL
    record.has_data = True
    while at[0] != c"}":
        at = _member(at, &key)
        if at == NULL:
            return NULL
        if not _is(key, "acct"):
            at = _value(at, 2)
        elif record.has_acct or at[0] != c'"':
            return NULL
        else:
            begin = at
            at = _string(at)
            if at == NULL or not 2 < at - begin <= LONGEST_ACCT:
                return NULL
            record.acct.begin, record.acct.length = begin + 1, at - begin - 2
            record.has_acct = True
        at = _end_of_member(at)
        if at == NULL:
            return NULL
    return at + 1


cdef Text _member(Text at, Span* key) noexcept nogil:
    """Return the value of the member behind the brace or comma at ``at``."""
    return _key(_space(at + 1), key)


cdef Text _end_of_member(Text at) noexcept nogil:
    """Return the comma or brace that a member's value is followed by."""
    if at == NULL:
        return NULL
    at = _space(at)
    return at if at[0] == c"," or at[0] == c"}" else NULL


cdef Text _key(Text at, Span* key) noexcept nogil:
    """Return what follows a key and its colon."""
    at = _plain(at, key)
    if at == NULL:
        return NULL
    at = _space(at)
    return _space(at + 1) if at[0] == c":" else NULL


cdef Text _value(Text at, int depth) noexcept nogil:
    """Return what follows any value but a number that may be none of 64 bits."""
    if at[0] == c'"':
        return _string(at)
    if at[0] == c"{" or at[0] == c"[":
        return _nested(at, depth) if depth < DEEPEST else NULL
    if at[0] == c"t":
        return _word(at, "true")
    if at[0] == c"f":
        return _word(at, "false")
    if at[0] == c"n":
        return _word(at, "null")
    return _number(at)


cdef Text _nested(Text at, int depth) noexcept nogil:
    cdef Span key
    cdef bint named = at[0] == c"{"
    cdef unsigned char close = c"}" if named else c"]"
    at = _space(at + 1)
    if at[0] == close:
        return at + 1
    while True:
        if named:
            at = _key(at, &key)
            if at == NULL:
                return NULL
        at = _value(at, depth + 1)
        if at == NULL:
            return NULL
        at = _space(at)
        if at[0] == close:
            return at + 1
        if at[0] != c",":
            return NULL
        at = _space(at + 1)


cdef Text _number(Text at) noexcept nogil:
    """Return what follows a number without exponent."""
    cdef Text begin
    if at[0] == c"-":
        at += 1
    begin = at
    at = _digits(at)
    if at == begin or at - begin > MOST_DIGITS or (begin[0] == c"0" and at - begin > 1):
        return NULL
    if at[0] != c".":
        return at
    begin = at + 1
    at = _digits(begin)
    return at if at > begin else NULL


cdef Text _digits(Text at) noexcept nogil:
    while c"0" <= at[0] <= c"9":
        at += 1
    return at


cdef Text _plain(Text at, Span* text) noexcept nogil:
    """Return what follows a string without escapes."""
    if at[0] != c'"':
        return NULL
    text.begin = at + 1
    at = _ordinary(at + 1)
    text.length = at - text.begin
    return at + 1 if at[0] == c'"' else NULL


cdef Text _string(Text at) noexcept nogil:
    """Return what follows a string whose escapes stand for one character each, no NUL."""
    at = _ordinary(at + 1)
    while at[0] == c"\\":
        at = _escaped(at + 1)
        if at == NULL:
            return NULL
        at = _ordinary(at)
    return at + 1 if at[0] == c'"' else NULL


cdef Text _escaped(Text at) noexcept nogil:
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


cdef inline Text _ordinary(Text at) noexcept nogil:
    """Return the first character that is not simply part of a string."""
    while at[0] >= c" " and at[0] != c'"' and at[0] != c"\\":
        at += 1
    return at


cdef inline Text _space(Text at) noexcept nogil:
    while at[0] == c" " or at[0] == c"\t":
        at += 1
    return at


cdef Text _word(Text at, const char* word) noexcept nogil:
    while word[0]:
        if at[0] != <unsigned char> word[0]:
            return NULL
        at += 1
        word += 1
    return at


cdef inline bint _is(Span text, const char* word) noexcept nogil:
    return text.length == <Py_ssize_t> strlen(word) and memcmp(text.begin, word, text.length) == 0


cdef inline bint _alike(Span one, Span other) noexcept nogil:
    return one.length == other.length and memcmp(one.begin, other.begin, one.length) == 0


cdef Group* _group(Chunk* found, Span code) noexcept nogil:
    """Return the group of an op code, a new one where it is the first; NULL where there are too many."""
    cdef int i
    for i in range(found.codes):
        if _alike(found.groups[i].code, code):
            return &found.groups[i]
    if found.codes == MOST_CODES:
        return NULL
    memset(&found.groups[found.codes], 0, sizeof(Group))
    found.groups[found.codes].code = code
    found.codes += 1
    return &found.groups[found.codes - 1]


cdef Numeral _numeral(bytes text):
    cdef Numeral numeral
    numeral.begin = DIGITS - <int> len(text)
    memcpy(numeral.digits + numeral.begin, PyBytes_AS_STRING(text), len(text))
    return numeral


cdef inline void _count_on(Numeral* n) noexcept nogil:
    cdef int place = DIGITS - 1
    while place >= n.begin and n.digits[place] == c"9":
        n.digits[place] = c"0"
        place -= 1
    if place < n.begin:
        n.begin = place
        n.digits[place] = c"0"
    n.digits[place] += 1


cdef dict _named(Chunk* found, bytes name, bytes first):
    """Return all lines by op code. Their ids begin with ``name``; the number ``first`` ends the first one's."""
    cdef list bodies = []
    cdef Group* group
    cdef Py_ssize_t length = len(name), i
    cdef Numeral n = _numeral(first)
    for i in range(found.count):
        found.groups[found.lines[i].group].size += DIGITS - n.begin
        _count_on(&n)
    for i in range(found.codes):
        group = &found.groups[i]
        # Name, quote and comma come in, a newline goes between.
        bodies.append(PyBytes_FromStringAndSize(NULL, group.size + group.lines * (length + 3) - 1))
        group.at = PyBytes_AS_STRING(bodies[i])
    _write(found, PyBytes_AS_STRING(name), length, _numeral(first))
    return {
        found.groups[i].code.begin[: found.groups[i].code.length].decode(): (
            found.groups[i].lines, found.groups[i].accts, bodies[i]
        )
        for i in range(found.codes)
    }


cdef void _write(Chunk* found, const char* name, Py_ssize_t length, Numeral n) noexcept nogil:
    """Write every line where its group has come to."""
    cdef Py_ssize_t i
    cdef Line* line
    cdef Group* group
    cdef char* at
    for i in range(found.count):
        line = &found.lines[i]
        group = &found.groups[line.group]
        at = group.at
        if group.begun:
            at[0] = c"\n"
            at += 1
        group.begun = True
        at[0] = c"{"
        memcpy(at + 1, name, length)
        at += 1 + length
        memcpy(at, n.digits + n.begin, DIGITS - n.begin)
        at += DIGITS - n.begin
        at[0], at[1] = c'"', c","
        memcpy(at + 2, line.rest.begin, line.rest.length)
        group.at = at + 2 + line.rest.length
        _count_on(&n)
