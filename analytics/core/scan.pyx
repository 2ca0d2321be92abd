# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""Game log lines, read as bytes by compiled code: no object is made of a line, only of what is wanted of it.

Lines are taken only where each is plainly right: strict JSON, an op code, a known area, a possible time. Nothing is
said of any others: whoever asked reads them in another way, which knows what is unusual and what is wrong. So this
file may refuse what is right, but never take what the other way refuses or would say otherwise.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.list cimport PyList_New, PyList_SET_ITEM
from cpython.object cimport PyObject
from cpython.ref cimport Py_INCREF
from libc.stdint cimport int64_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memchr, memcpy, memset

from analytics.core.jsontext cimport (
    MOST_DIGITS, Span, Text, alike, digits, end_of_member, matches, member, plain, string, text_of, value
)
from analytics.core.plain cimport MOST_CODES, Code, Group, Line, Plain

cdef enum:
    MOST_FIELDS = 32
    LONGEST_NAME = 200
    SHORTEST_LINE = 40

    # What the value of a field has to be.
    INTEGER = 1
    POSITIVE
    NAME
    RESULT

KINDS = {"int": INTEGER, "number": INTEGER, "count": POSITIVE, "name": NAME, "result": RESULT}


cdef struct Area:
    Span name
    Py_ssize_t place


cdef struct Field:
    Span name
    int kind


cdef struct Record:
    # What a line says, as far as it was read; the area by its place, the acct as it is written. Of the fields that bolts
    # read, a bit for each that was seen, and for each whose value they take.
    Span code
    Span acct
    int64_t time
    Py_ssize_t area
    uint64_t seen
    uint64_t fields
    bint has_code
    bint has_area
    bint has_time
    bint has_data
    bint has_acct


cdef struct Row:
    Span acct
    int64_t time
    Py_ssize_t area


cdef struct Column:
    # The rows of one area: how many there are, and whether they are in the order of time; where the next one is written.
    Py_ssize_t rows
    int64_t last
    bint ordered
    int64_t* time
    PyObject* accts
    Py_ssize_t written


cdef class Scanner:
    """Reads lines that are of ``areas``, and not before ``earliest`` (Unix seconds)."""

    cdef list _names
    cdef list _texts
    cdef Area* _areas
    cdef uint64_t _mask
    cdef int64_t _earliest
    cdef Field _fields[MOST_FIELDS]
    cdef int _field_count
    cdef Code _codes[MOST_CODES]
    cdef int _code_count

    def __cinit__(self, areas, int64_t earliest, fields):
        """``fields``: per op code that bolts read, names and kinds (KINDS) of the fields that ``data`` needs besides acct."""
        cdef Area area
        self._earliest = earliest
        self._names = list(areas)
        self._texts = []
        self._mask = 15
        while self._mask < 4 * <uint64_t> len(self._names):
            self._mask = 2 * self._mask + 1
        self._areas = <Area*> calloc(self._mask + 1, sizeof(Area))
        if self._areas == NULL:
            raise MemoryError
        for area.place, name in enumerate(self._names):
            area.name = self._kept(name)
            self._find(area.name)[0] = area
        self._take_fields(fields)

    def __dealloc__(self):
        free(self._areas)

    cdef _take_fields(self, fields):
        cdef dict kinds = {name: kind for needed in fields.values() for name, kind in needed}
        cdef list names = list(kinds)
        for code, needed in fields.items():
            self._codes[self._code_count] = Code(self._kept(code), 0)
            for name, kind in needed:
                if kinds[name] != kind:
                    raise ValueError(f"field {name}: expected one kind, got {kind} and {kinds[name]}")
                self._codes[self._code_count].needs |= <uint64_t> 1 << <int> names.index(name)
            self._code_count += 1
        for name, kind in kinds.items():
            self._fields[self._field_count] = Field(self._kept(name), KINDS[kind])
            self._field_count += 1

    cdef Span _kept(self, str name):
        """Return a name as bytes that stay where they are."""
        text = name.encode()
        self._texts.append(text)
        return _span(text)

    def plain(self, bytes chunk, int64_t first, int64_t latest):
        """Return the lines of ``chunk``, which have no names yet; None if one is not plain.

        Whether their op codes may be topics is not looked at.

        Args:
            chunk: valid UTF-8; whole lines, each with its newline.
            first: number of the first line in its source.
            latest: the last possible time (Unix seconds).
        """
        cdef Py_ssize_t most = len(chunk) // SHORTEST_LINE + 1
        cdef Plain found = Plain()
        if not chunk.endswith(b"\n") or first + most >= 10**18:
            return None
        found.chunk, found.first = chunk, first
        found.lines = <Line*> malloc(most * sizeof(Line))
        if found.lines == NULL:
            raise MemoryError
        if not self._read(found, PyBytes_AS_STRING(chunk), len(chunk), most, latest):
            return None
        found.number()
        return found

    def by_area(self, bytes body, int64_t latest):
        """Return the rows of lines by area, in the order in which these appear, and their earliest and latest time.

        Of each area: times (Unix seconds), accts, and whether they are in the order of time.

        None: a line is not plain, or has no acct, or one with escapes.

        Args:
            body: whole lines, the last one's newline left out.
            latest: the last possible time (Unix seconds).
        """
        cdef Py_ssize_t count
        cdef Py_ssize_t most = len(body) // SHORTEST_LINE + 1
        cdef Row* rows = <Row*> malloc(most * sizeof(Row))
        cdef Column* columns = <Column*> calloc(len(self._names) + 1, sizeof(Column))
        try:
            if rows == NULL or columns == NULL:
                raise MemoryError
            count = self._read_rows(<Text> PyBytes_AS_STRING(body), len(body), most, latest, rows, columns)
            return None if count < 0 else self._columns(rows, count, columns)
        finally:
            free(rows)
            free(columns)

    cdef bint _read(
        self, Plain found, const char* text, Py_ssize_t size, Py_ssize_t most, int64_t latest
    ) noexcept:
        """Find all lines; return whether each is plainly right."""
        cdef Text at = <Text> text, end = at + size
        cdef Text begin
        cdef Record record
        cdef Group* group
        with nogil:
            while at < end:
                begin = at
                at = self._line(begin, latest, False, &record)
                if at == NULL or at[0] != c"\n" or found.count == most:
                    return False
                group = self._group(found, record.code)
                if group == NULL:
                    return False
                if group.known != NULL and (
                    not record.has_acct or (record.fields & group.known.needs) != group.known.needs
                ):
                    return False
                group.lines += 1
                group.size += at - begin
                found.lines[found.count].rest.begin = begin + 1
                found.lines[found.count].rest.length = at - begin - 1
                found.lines[found.count].group = <int> (group - found.groups)
                found.count += 1
                at += 1
        return True

    cdef Py_ssize_t _read_rows(
        self, Text at, Py_ssize_t size, Py_ssize_t most, int64_t latest, Row* rows, Column* columns
    ) noexcept nogil:
        """Find all rows, and how many each area has; return their number, -1 where one is not plain."""
        cdef Text end = at + size
        cdef Record record
        cdef Column* column
        cdef Py_ssize_t count = 0
        while at < end:
            at = self._line(at, latest, True, &record)
            if at == NULL or (at != end and at[0] != c"\n") or not record.has_acct or count == most:
                return -1
            if memchr(record.acct.begin, c"\\", record.acct.length) != NULL:
                return -1
            column = columns + record.area
            column.ordered = not column.rows or (column.ordered and column.last <= record.time)
            column.last = record.time
            column.rows += 1
            rows[count].acct, rows[count].time, rows[count].area = record.acct, record.time, record.area
            count += 1
            at += 1
        return count

    cdef tuple _columns(self, Row* rows, Py_ssize_t count, Column* columns):
        """Return what ``by_area`` does of rows whose areas are counted; None if an acct is no text."""
        cdef dict found = {}
        cdef list accts
        cdef bytes times
        cdef int64_t earliest = rows[0].time if count else 0, latest = earliest
        cdef Column* column
        cdef Py_ssize_t i
        for i in range(count):
            column = columns + rows[i].area
            if column.time == NULL:
                times, accts = PyBytes_FromStringAndSize(NULL, 8 * column.rows), PyList_New(column.rows)
                column.time, column.accts = <int64_t*> PyBytes_AS_STRING(times), <PyObject*> accts
                found[self._names[rows[i].area]] = memoryview(times).cast("q"), accts, column.ordered
            column.time[column.written] = rows[i].time
            earliest, latest = min(earliest, rows[i].time), max(latest, rows[i].time)
            try:
                acct = text_of(rows[i].acct)
            except UnicodeDecodeError:
                return None
            Py_INCREF(acct)
            PyList_SET_ITEM(<object> column.accts, column.written, acct)
            column.written += 1
        return found, earliest, latest

    cdef Text _line(self, Text at, int64_t latest, bint named, Record* record) noexcept nogil:
        """Read a tuple, which may have a name where ``named``. Return what follows it, NULL where it is not plain."""
        cdef Span key
        memset(record, 0, sizeof(Record))
        if at[0] != c"{":
            return NULL
        while at[0] != c"}":
            at = member(at, &key)
            if at == NULL:
                return NULL
            if matches(key, "op"):
                at = NULL if record.has_code else _op(at, record)
            elif matches(key, "area"):
                at = NULL if record.has_area else self._area(at, record)
            elif matches(key, "ts"):
                at = NULL if record.has_time else self._time(at, latest, record)
            elif matches(key, "data"):
                at = NULL if record.has_data else self._data(at, record)
            else:
                at = value(at, 1) if named or not matches(key, "id") else NULL
            at = end_of_member(at)
            if at == NULL:
                return NULL
        return at + 1 if record.has_code and record.has_area and record.has_time else NULL

    cdef Text _area(self, Text at, Record* record) noexcept nogil:
        cdef Span name
        cdef Area* area
        at = plain(at, &name)
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

    cdef Text _data(self, Text at, Record* record) noexcept nogil:
        """Read ``data``: whether it has an acct that is not empty, and which fields with values that bolts take."""
        cdef Span key
        cdef Text begin
        if at[0] != c"{":
            return NULL
        record.has_data = True
        while at[0] != c"}":
            at = member(at, &key)
            if at == NULL:
                return NULL
            if not matches(key, "acct"):
                at = self._field(at, key, record)
            elif record.has_acct or at[0] != c'"':
                return NULL
            else:
                begin = at
                at = string(at)
                if at == NULL or not 2 < at - begin <= LONGEST_NAME:
                    return NULL
                record.acct.begin, record.acct.length = begin + 1, at - begin - 2
                record.has_acct = True
            at = end_of_member(at)
            if at == NULL:
                return NULL
        return at + 1

    cdef Text _field(self, Text at, Span key, Record* record) noexcept nogil:
        """Return what follows the value of a field of ``data``; NULL, too, for the second value of one that bolts read."""
        cdef int i
        cdef Text begin = at
        at = value(at, 2)
        if at == NULL:
            return NULL
        for i in range(self._field_count):
            if alike(key, self._fields[i].name):
                if record.seen >> i & 1:
                    return NULL
                record.seen |= <uint64_t> 1 << i
                if _is_of(self._fields[i].kind, begin, at):
                    record.fields |= <uint64_t> 1 << i
                break
        return at

    cdef Area* _find(self, Span name) noexcept nogil:
        """Return where the table of areas has this one, or where it would be."""
        cdef uint64_t place = _hash(name) & self._mask
        while self._areas[place].name.begin != NULL and not alike(name, self._areas[place].name):
            place = (place + 1) & self._mask
        return self._areas + place

    cdef Group* _group(self, Plain found, Span code) noexcept nogil:
        """Return the group of an op code, a new one where it is the first; NULL where there are too many."""
        cdef int i
        for i in range(found.codes):
            if alike(found.groups[i].code, code):
                return &found.groups[i]
        if found.codes == MOST_CODES:
            return NULL
        memset(&found.groups[found.codes], 0, sizeof(Group))
        found.groups[found.codes].code = code
        for i in range(self._code_count):
            if alike(self._codes[i].name, code):
                found.groups[found.codes].known = &self._codes[i]
        found.codes += 1
        return &found.groups[found.codes - 1]


cdef Text _op(Text at, Record* record) noexcept nogil:
    """Read ``op``, and the op code in it, which may be any text."""
    cdef Span key
    if at[0] != c"{":
        return NULL
    while at[0] != c"}":
        at = member(at, &key)
        if at == NULL:
            return NULL
        if not matches(key, "code"):
            at = value(at, 2)
        elif record.has_code:
            return NULL
        else:
            at = plain(at, &record.code)
            record.has_code = True
        at = end_of_member(at)
        if at == NULL:
            return NULL
    return at + 1 if record.has_code else NULL


cdef bint _is_of(int kind, Text begin, Text end) noexcept nogil:
    """Say whether the value between two places is plainly of a kind."""
    cdef Span text
    if kind == INTEGER or kind == POSITIVE:
        if kind == INTEGER and begin[0] == c"-":
            begin += 1
        return (c"1" if kind == POSITIVE else c"0") <= begin[0] <= c"9" and digits(begin) == end
    if begin[0] != c'"':
        return False
    if kind == NAME:
        return end - begin - 2 <= LONGEST_NAME
    text.begin, text.length = begin + 1, end - begin - 2
    return matches(text, "enter") or matches(text, "pass") or matches(text, "fail")


cdef inline uint64_t _hash(Span text) noexcept nogil:
    cdef uint64_t hash = <uint64_t> text.length, word
    cdef Py_ssize_t i = 0
    while i < text.length:
        word = 0
        memcpy(&word, text.begin + i, min(8, text.length - i))
        hash = (hash ^ word) * 0x9E3779B97F4A7C15u
        hash ^= hash >> 32
        i += 8
    return hash


cdef Span _span(bytes text):
    return Span(<Text> PyBytes_AS_STRING(text), len(text))
