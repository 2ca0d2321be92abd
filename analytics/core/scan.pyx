# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""Game log lines, read as bytes by compiled code: no object is made of a line, only of what is wanted of it.

A chunk is accepted only if each line is regular: strict JSON, an op code, a known area, a possible time. Other chunks are
refused without a reason: the caller decodes them in another way, which finds what is unusual and what is wrong. So this
file may refuse what is right, but never take what the other way refuses or would say otherwise.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.list cimport PyList_New, PyList_SET_ITEM
from cpython.ref cimport Py_INCREF
from libc.stdint cimport int64_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memchr, memcpy, memset

from analytics.core.jsontext cimport (
    MOST_DIGITS, Span, Text, alike, end_of_member, matches, member, plain, string, text_of, value
)
from analytics.core.plain cimport MOST_CODES, Code, Group, Line, Plain

cdef enum:
    MOST_FIELDS = 64
    MOST_CHOICES = 256
    LONGEST_NAME = 200
    SHORTEST_LINE = 40

    # What the value of a field has to be. Nothing is plainly of the first kind.
    ANOTHER = 0
    INTEGER
    TEXT
    CHOICE

KINDS = {"int": INTEGER, "string": TEXT, "choice": CHOICE}


cdef struct Area:
    Span name
    Py_ssize_t place


cdef struct Field:
    # Bounds of an integer, or of a text's length; the places of the texts that a choice may be; whether another op code
    # has a field of this name and another kind.
    Span name
    int kind
    int64_t low
    int64_t high
    int first_choice
    int end_of_choices
    bint again


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
    # What a line says of an acct, and the area's next row.
    Span acct
    int64_t time
    Py_ssize_t area
    Row* next


cdef struct Column:
    # The rows of one area: how many there are, the first and the last one, and whether they are in the order of time.
    Py_ssize_t rows
    Row* first
    Row* last
    bint ordered


cdef class Scanner:
    """Reads lines that are of ``areas``, and not before ``earliest`` (Unix seconds)."""

    cdef list _names
    cdef list _texts
    cdef Area* _areas
    cdef uint64_t _mask
    cdef int64_t _earliest
    cdef list _kinds
    cdef Field _fields[MOST_FIELDS]
    cdef int _field_count
    cdef uint64_t _signs
    cdef Span _choices[MOST_CHOICES]
    cdef int _choice_count
    cdef Code* _codes
    cdef int _code_count

    def __cinit__(self, areas, int64_t earliest, schemas):
        """``schemas``: what lines have to say, per op code that bolts read."""
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
        self._kinds = []
        self._codes = <Code*> calloc(len(schemas) + 1, sizeof(Code))
        if self._codes == NULL:
            raise MemoryError
        for code, schema in schemas.items():
            self._take_schema(self._kept(code), schema)

    def __dealloc__(self):
        free(self._areas)
        free(self._codes)

    cdef _take_schema(self, Span name, schema):
        cdef Code* code = self._codes + self._code_count
        cdef int place
        code.name = name
        code.never = not schema.complete
        for field in schema.fields:
            if field.name == "acct":
                # Of one that is read as something else, nothing is plain.
                code.never |= field.kind.value != "string" or field.low > 1 or field.high < LONGEST_NAME
                code.needs_acct = field.required
                continue
            place = self._place(field)
            if place < 0:
                code.never = True
            elif field.required:
                code.needs |= <uint64_t> 1 << place
            else:
                code.optional |= <uint64_t> 1 << place
        self._code_count += 1

    cdef int _place(self, wanted) except? -2:
        """Return which field this is, a new one if no op code has it yet; -1 if there are too many."""
        cdef Field field
        cdef Py_ssize_t choices = len(wanted.choices)
        cdef int kind = KINDS.get(wanted.kind.value, ANOTHER)
        own = wanted.name, wanted.kind, wanted.low, wanted.high, wanted.choices
        if own in self._kinds:
            return self._kinds.index(own)
        if self._field_count == MOST_FIELDS or self._choice_count + choices > MOST_CHOICES:
            return -1
        memset(&field, 0, sizeof(Field))
        field.name = self._kept(wanted.name)
        field.kind = ANOTHER if kind == TEXT and wanted.low > 1 else kind
        if field.kind == INTEGER or field.kind == TEXT:
            field.low, field.high = wanted.low, wanted.high
        field.first_choice = self._choice_count
        for choice in wanted.choices:
            self._choices[self._choice_count] = self._kept(choice)
            self._choice_count += 1
        field.end_of_choices = self._choice_count
        for place in range(self._field_count):
            self._fields[place].again |= alike(self._fields[place].name, field.name)
        self._fields[self._field_count] = field
        self._signs |= _sign(field.name)
        self._field_count += 1
        self._kinds.append(own)
        return self._field_count - 1

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
        """Find all lines; return whether each is regular."""
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
                if group.known != NULL and not _says(group.known, &record):
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
        cdef Row* row
        cdef Py_ssize_t count = 0
        while at < end:
            at = self._line(at, latest, True, &record)
            if at == NULL or (at != end and at[0] != c"\n") or not record.has_acct or count == most:
                return -1
            if memchr(record.acct.begin, c"\\", record.acct.length) != NULL:
                return -1
            row = rows + count
            row.acct, row.time, row.area, row.next = record.acct, record.time, record.area, NULL
            column = columns + record.area
            column.ordered = not column.rows or (column.ordered and column.last.time <= row.time)
            if column.rows:
                column.last.next = row
            else:
                column.first = row
            column.last = row
            column.rows += 1
            count += 1
            at += 1
        return count

    cdef tuple _columns(self, Row* rows, Py_ssize_t count, Column* columns):
        """Return what ``by_area`` does of rows whose areas are known; None if an acct is no text."""
        cdef dict found = {}
        cdef list accts
        cdef bytes times
        cdef int64_t* time
        cdef int64_t earliest = rows[0].time if count else 0, latest = earliest
        cdef Column* column
        cdef Row* row
        cdef Py_ssize_t i, place
        for i in range(count):
            row, column = rows + i, columns + rows[i].area
            if row != column.first:
                continue
            # All rows of the area at once: what is used together then lies together in memory.
            times, accts = PyBytes_FromStringAndSize(NULL, 8 * column.rows), PyList_New(column.rows)
            time = <int64_t*> PyBytes_AS_STRING(times)
            for place in range(column.rows):
                time[place] = row.time
                earliest, latest = min(earliest, row.time), max(latest, row.time)
                try:
                    acct = text_of(row.acct)
                except UnicodeDecodeError:
                    return None
                Py_INCREF(acct)
                PyList_SET_ITEM(accts, place, acct)
                row = row.next
            found[self._names[rows[i].area]] = memoryview(times).cast("q"), accts, column.ordered
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
        if at == NULL or not self._signs & _sign(key):
            return at
        for i in range(self._field_count):
            if alike(key, self._fields[i].name):
                if record.seen >> i & 1:
                    return NULL
                record.seen |= <uint64_t> 1 << i
                if self._is_of(&self._fields[i], begin, at):
                    record.fields |= <uint64_t> 1 << i
                if not self._fields[i].again:
                    break
        return at

    cdef bint _is_of(self, Field* field, Text begin, Text end) noexcept nogil:
        """Say whether the value between two places is plainly what a field has to be."""
        cdef Span text
        cdef int i
        if field.kind == INTEGER:
            return _is_between(begin, end, field.low, field.high)
        if begin[0] != c'"':
            return False
        text.begin, text.length = begin + 1, end - begin - 2
        if field.kind == TEXT:
            return field.low <= text.length <= field.high
        for i in range(field.first_choice, field.end_of_choices):
            if alike(text, self._choices[i]):
                return True
        return False

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


cdef inline uint64_t _sign(Span key) noexcept nogil:
    """Return a bit that most other keys do not have: at once it says of most that they are not read."""
    return <uint64_t> 1 << ((key.begin[0] + 7 * key.length) & 63)


cdef bint _says(Code* code, Record* record) noexcept nogil:
    """Say whether a line has plainly what its op code needs."""
    return (
        not code.never
        and (record.has_acct or not code.needs_acct)
        and (record.fields & code.needs) == code.needs
        and (record.seen & code.optional & ~record.fields) == 0
    )


cdef bint _is_between(Text at, Text end, int64_t low, int64_t high) noexcept nogil:
    """Say whether a value is an integer, of at most MOST_DIGITS digits, within bounds."""
    cdef int64_t number = 0
    cdef bint negative = at[0] == c"-"
    if negative:
        at += 1
    while c"0" <= at[0] <= c"9":
        number = 10 * number + (at[0] - c"0")
        at += 1
    return at == end and low <= (-number if negative else number) <= high


cdef inline uint64_t _hash(Span text) noexcept nogil:
    cdef uint64_t hash = <uint64_t> text.length, word
    cdef Py_ssize_t i = 0
    while i + 8 <= text.length:
        memcpy(&word, text.begin + i, 8)
        hash = (hash ^ word) * 0x9E3779B97F4A7C15u
        hash ^= hash >> 32
        i += 8
    while i < text.length:
        hash = (hash ^ text.begin[i]) * 0x9E3779B97F4A7C15u
        i += 1
    return hash ^ hash >> 32


cdef Span _span(bytes text):
    return Span(<Text> PyBytes_AS_STRING(text), len(text))
