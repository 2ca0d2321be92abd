# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""JSON lines of another shape, rewritten as records by compiled code: no object is made of a line.

As in ``scan.pyx``, a chunk is taken only if each line is regular. Other chunks are left to Python, which reads them line by line. A
record is ``{"op":{"code":…},"area":…,"ts":…,"data":{mapped fields, other members of the line}}``.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.object cimport PyObject
from libc.stdint cimport int64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memchr, memcmp, memcpy, memset

from analytics.core.jsontext cimport Span, Text, alike, digits, end_of_member, member, plain, string, value

cdef enum:
    MOST_MEMBERS = 64
    MOST_TARGETS = 48
    MOST_WRITTEN = 48
    LONGEST_TIME = 64
    LONGEST_NAME = 200
    MOST_WHOLE_DIGITS = 15
    LONGEST_NUMBER = 20
    MOST_KNOWN = 10_000
    KNOWN = 256
    # Where the seconds stand in "2026-11-28 13:45:07", and what follows them.
    SECONDS = 17
    AFTER_SECONDS = 19

    # What a field has to be.
    ANY = 0
    NUMBER
    FRACTION
    NAME

KINDS = {"int": NUMBER, "number": FRACTION, "string": NAME}


cdef struct Member:
    # A member of a line, or of an object in it (``node``), that means something. ``inner``: the node that its value is, 0 where
    # none is read. ``own``: its name is one of the suite's, and stays (``kind``). ``dropped``: it is written in another way.
    Span name
    int node
    int inner
    int kind
    bint own
    bint dropped
    bint reserved


cdef struct Target:
    # A field of the suite's: its name with quotes and colon, and the member that it comes from.
    Span name
    int member
    int kind


cdef struct Found:
    # A value, and for members of the outermost level which of them it is of.
    Span value
    int index


cdef struct Known:
    # What is known of a name that lines say, and the name.
    Span name
    PyObject* found


cdef class Remapper:
    """Rewrites lines.

    Args:
        time, event, area: paths (lists of names) of the members that say so; [] where none does.
        fields: name of the suite's, its kind, and the path of the member that it comes from.
        own: names of the suite's, and their kinds, that members may have themselves.
        reserved: names that events set.
        scale: 0 where times are texts, else how many of their units are a second.
        by_minute: whether times are written like "2026-11-28 13:45:07", so that one of a minute tells the others.
        seconds: reads a time that is a text.
        event_of: returns the head's begin and what is set, as bytes, by an event's name.
        area_of: returns an area as JSON bytes, by what the line says.

    These three take bytes, and return None for what they can't use.
    """

    cdef Member _members[MOST_MEMBERS]
    # By the first letter of a name, one more than the place of the last member that begins so; and of a member, the one before.
    cdef unsigned char _last[256]
    cdef unsigned char _before[MOST_MEMBERS]
    cdef int _count
    cdef int _nodes
    cdef Target _targets[MOST_TARGETS]
    cdef int _target_count
    cdef int _time, _event, _area
    cdef int64_t _scale
    cdef bint _by_minute
    cdef object _seconds, _event_of, _area_of
    cdef dict _events, _areas
    cdef Known _known_events[KNOWN]
    cdef Known _known_areas[KNOWN]
    cdef list _texts
    # The last time that was read: as it was written, and as it was before its seconds.
    cdef char _known[LONGEST_TIME]
    cdef Py_ssize_t _known_length
    cdef int64_t _known_time
    cdef char* _out
    cdef Py_ssize_t _size, _room

    def __cinit__(self, time, event, area, fields, own, reserved, int64_t scale, bint by_minute, seconds, event_of, area_of):
        self._texts, self._events, self._areas = [], {}, {}
        self._scale, self._seconds, self._event_of, self._area_of = scale, seconds, event_of, area_of
        self._by_minute, self._nodes = by_minute, 1
        self._time = self._member(time)
        self._event = self._member(event) if event else -1
        self._area = self._member(area) if area else -1
        cdef int place
        for place in (self._time, self._event, self._area):
            if place >= 0 and not self._members[place].node:
                self._members[place].dropped = True
        for name, kind, path in fields:
            place = self._member(path)
            if path == [name]:
                continue
            if self._target_count == MOST_TARGETS:
                raise ValueError(f"expected at most {MOST_TARGETS} fields")
            self._targets[self._target_count] = Target(self._kept(f'"{name}":'), place, KINDS.get(kind, ANY))
            self._target_count += 1
            self._members[self._member([name])].dropped = True
            if len(path) == 1:
                self._members[place].dropped = True
        for name, kind, path in fields:
            if path == [name]:
                self._members[self._member(path)].dropped = False
        for name, kind in own.items():
            place = self._member([name])
            self._members[place].own = True
            self._members[place].kind = KINDS.get(kind, ANY)
        for name in reserved:
            self._members[self._member([name])].reserved = True

    def __dealloc__(self):
        free(self._out)

    cdef Span _kept(self, str name):
        text = name.encode()
        self._texts.append(text)
        return Span(<Text> PyBytes_AS_STRING(text), len(text))

    cdef int _member(self, list path) except -2:
        """Return the place of the member at a path, a new one where there is none."""
        cdef int node = 0, place = -1, i
        cdef Span name
        for depth, part in enumerate(path):
            name = self._kept(part)
            place = -1
            for i in range(self._count):
                if self._members[i].node == node and alike(self._members[i].name, name):
                    place = i
            if place < 0:
                if self._count == MOST_MEMBERS:
                    raise ValueError(f"expected at most {MOST_MEMBERS} members")
                place = self._count
                memset(&self._members[place], 0, sizeof(Member))
                self._members[place].name = name
                self._members[place].node = node
                self._before[place] = self._last[name.begin[0]]
                self._last[name.begin[0]] = place + 1
                self._count += 1
            if depth + 1 < len(path):
                if not self._members[place].inner:
                    self._members[place].inner = self._nodes
                    self._nodes += 1
                node = self._members[place].inner
        return place

    def records(self, bytes chunk):
        """Return the records of whole lines, each with its newline; None where one is not plain."""
        cdef Text at = <Text> PyBytes_AS_STRING(chunk), end = at + len(chunk)
        cdef Found found[MOST_MEMBERS]
        cdef Span members[MOST_MEMBERS]
        cdef int count = 0
        if not chunk.endswith(b"\n"):
            return None
        self._size = 0
        while at < end:
            memset(found, 0, self._count * sizeof(Found))
            at = self._line(at, found, members, &count)
            if at == NULL or at[0] != c"\n" or not self._write(found, members, count):
                return None
            at += 1
        return PyBytes_FromStringAndSize(self._out, self._size)

    cdef Text _line(self, Text at, Found* found, Span* members, int* count) noexcept:
        """Find a line's members: those that mean something, and the texts of all of the outermost level."""
        cdef Span key
        cdef Text begin
        cdef int place
        count[0] = 0
        if at[0] != c"{":
            return NULL
        while at[0] != c"}":
            at = member(at, &key)
            if at == NULL or count[0] == MOST_MEMBERS:
                return NULL
            begin = at
            place = self._place(key, 0)
            at = self._value(at, place, found, 1)
            if at == NULL:
                return NULL
            members[count[0]].begin = key.begin - 1
            members[count[0]].length = at - key.begin + 1
            if place >= 0:
                found[place].index = count[0]
            count[0] += 1
            at = end_of_member(at)
            if at == NULL:
                return NULL
        return at + 1

    cdef Text _value(self, Text at, int place, Found* found, int depth) noexcept:
        """Return what follows a value, and note it where it means something; NULL for the second one of a name."""
        cdef Text begin = at
        cdef Span key
        if place < 0:
            return value(at, depth)
        if found[place].value.begin != NULL:
            return NULL
        if self._members[place].inner and at[0] == c"{":
            while at[0] != c"}":
                at = member(at, &key)
                if at == NULL:
                    return NULL
                at = self._value(at, self._place(key, self._members[place].inner), found, depth + 1)
                if at == NULL:
                    return NULL
                at = end_of_member(at)
                if at == NULL:
                    return NULL
            at += 1
        else:
            at = value(at, depth)
        if at == NULL:
            return NULL
        found[place].value.begin = begin
        found[place].value.length = at - begin
        return at

    cdef int _place(self, Span key, int node) noexcept:
        cdef int i = self._last[key.begin[0]]
        while i:
            if self._members[i - 1].node == node and alike(self._members[i - 1].name, key):
                break
            i = self._before[i - 1]
        return i - 1

    cdef bint _write(self, Found* found, Span* members, int count) except -1:
        """Write a line's record; return False where that needs a closer look."""
        cdef int64_t time = 0
        cdef bytes head, sets, area
        cdef tuple known
        cdef Span text
        cdef Py_ssize_t most = 64
        cdef int i
        cdef bint gone[MOST_MEMBERS]
        if not self._moment(found[self._time].value, &time):
            return False
        text = Span(<Text> b"", 0)
        if self._event >= 0 and not _inside(found[self._event].value, &text):
            return False
        known = self._of_event(text)
        if known is None:
            return False
        head, sets = known
        if self._area < 0:
            text = Span(<Text> b"", 0)
        elif not _inside(found[self._area].value, &text):
            return False
        area = self._of_area(text)
        if area is None:
            return False
        # Of a member that is written in another way, quotes and a comma more.
        for i in range(count):
            most += members[i].length + 4
        for i in range(self._target_count):
            most += self._targets[i].name.length + found[self._targets[i].member].value.length + 4
        self._reserve(2 * most + len(head) + len(sets) + len(area))
        self._put(PyBytes_AS_STRING(head), len(head))
        self._put(PyBytes_AS_STRING(area), len(area))
        self._put(b',"ts":', 6)
        self._size = _put_digits(self._out + self._size, time) - self._out
        self._put(b',"data":{', 9)
        for i in range(self._target_count):
            text = found[self._targets[i].member].value
            if text.begin != NULL:
                self._put(<char*> self._targets[i].name.begin, self._targets[i].name.length)
                if not self._put_as(self._targets[i].kind, text):
                    return False
                self._put(b",", 1)
        memset(gone, 0, count * sizeof(bint))
        for i in range(self._count):
            if self._members[i].node or found[i].value.begin == NULL:
                continue
            if self._members[i].reserved and len(sets):
                return False
            if self._members[i].dropped:
                gone[found[i].index] = True
            elif self._members[i].own and not _is_of(self._members[i].kind, found[i].value):
                self._put(b'"', 1)
                self._put(<char*> self._members[i].name.begin, self._members[i].name.length)
                self._put(b'":', 2)
                if not self._put_as(self._members[i].kind, found[i].value):
                    return False
                self._put(b",", 1)
                gone[found[i].index] = True
        self._put(PyBytes_AS_STRING(sets), len(sets))
        for i in range(count):
            if not gone[i]:
                self._put(<char*> members[i].begin, members[i].length)
                self._put(b",", 1)
        if self._out[self._size - 1] == c",":
            self._size -= 1
        self._put(b"}}\n", 3)
        return True

    cdef bint _put_as(self, int kind, Span text) noexcept:
        """Write a value as a field of a kind; return False where it plainly can't be."""
        cdef Text end
        cdef Py_ssize_t length
        if text.begin[0] == c"n":
            return False  # null counts as missing
        if kind == NAME:
            if text.begin[0] == c'"':
                self._put(<char*> text.begin, text.length)
                return True
            if not _is_of(NUMBER, text) or text.begin[0] == c"-" and text.begin[1] == c"0":
                return False
            self._put(b'"', 1)
            self._put(<char*> text.begin, text.length)
            self._put(b'"', 1)
            return True
        if kind == FRACTION and text.begin[0] == c'"':
            return False
        if kind == NUMBER and not _is_of(NUMBER, text):
            if text.begin[0] == c'"':
                text.begin += 1
                text.length -= 2
            length = _whole(text)
            if not length:
                return False
            text.length = length
        self._put(<char*> text.begin, text.length)
        return True

    cdef bint _moment(self, Span text, int64_t* time) except -1:
        """Read a time; return False where it is not plainly one."""
        cdef int i
        if text.begin == NULL:
            return False
        if self._scale:
            if not c"1" <= text.begin[0] <= c"9" or digits(text.begin) != text.begin + text.length or text.length > 15:
                return False
            for i in range(text.length):
                time[0] = 10 * time[0] + (text.begin[i] - c"0")
            if self._scale == 1 and time[0] >= 100_000_000_000 or self._scale > 1 and time[0] < 10_000_000_000:
                return False
            time[0] //= self._scale
            return True
        if not _inside(text, &text) or text.length >= LONGEST_TIME or not text.length:
            return False
        if not self._same_minute(text):
            known = self._seconds(PyBytes_FromStringAndSize(<char*> text.begin, text.length))
            if known is None:
                return False
            self._known_time = known
            memcpy(self._known, text.begin, text.length)
            self._known_length = text.length
            if self._has_seconds(text):
                self._known_time -= 10 * (text.begin[SECONDS] - c"0") + text.begin[SECONDS + 1] - c"0"
        time[0] = self._known_time
        if self._has_seconds(text):
            time[0] += 10 * (text.begin[SECONDS] - c"0") + text.begin[SECONDS + 1] - c"0"
        return True

    cdef bint _same_minute(self, Span text) noexcept:
        """Say whether a time reads like the last one, but for the seconds and the digits of their fraction."""
        cdef Py_ssize_t i
        cdef char* known = self._known
        if text.length != self._known_length:
            return False
        if not self._has_seconds(text):
            return memcmp(text.begin, known, text.length) == 0
        if memcmp(text.begin, known, SECONDS) != 0:
            return False
        i = AFTER_SECONDS
        if i < text.length and (text.begin[i] == c"." or text.begin[i] == c","):
            if known[i] != <char> text.begin[i]:
                return False
            i += 1
            while i < text.length and c"0" <= text.begin[i] <= c"9" and c"0" <= known[i] <= c"9":
                i += 1
        return memcmp(text.begin + i, known + i, text.length - i) == 0

    cdef bint _has_seconds(self, Span text) noexcept:
        """Say whether a time is written like "2026-11-28 13:45:07", whatever follows."""
        cdef int i
        if not self._by_minute or text.length < AFTER_SECONDS:
            return False
        for i in range(AFTER_SECONDS):
            if i == 4 or i == 7:
                if text.begin[i] != c"-":
                    return False
            elif i == 13 or i == 16:
                if text.begin[i] != c":":
                    return False
            elif i != 10 and not c"0" <= text.begin[i] <= c"9":
                return False
        return text.begin[SECONDS] <= c"5"

    cdef object _of_event(self, Span name):
        return self._looked_up(name, self._known_events, self._events, self._event_of)

    cdef object _of_area(self, Span name):
        return self._looked_up(name, self._known_areas, self._areas, self._area_of)

    cdef object _looked_up(self, Span name, Known* known, dict all, ask):
        """Return what ``ask`` says of a name, asked once; None where it can't be used."""
        cdef Known* place = known
        cdef bytes key
        if name.length > 0:
            place += (name.length * 31 + name.begin[0] * 7 + name.begin[name.length // 2] * 13 + name.begin[name.length - 1]) % KNOWN
        if place.found != NULL and alike(place.name, name):
            return <object> place.found
        key = PyBytes_FromStringAndSize(<char*> name.begin, name.length)
        found = all.get(key)
        if found is None:
            found = ask(key)
            if found is None:
                return None
            if len(all) > MOST_KNOWN:
                all.clear()
                memset(known, 0, KNOWN * sizeof(Known))
            found = (key, found)
            all[key] = found
        # Both live as long as the dict has them.
        place.name = Span(<Text> PyBytes_AS_STRING(found[0]), len(found[0]))
        place.found = <PyObject*> found[1]
        return found[1]

    cdef _reserve(self, Py_ssize_t more):
        cdef char* out
        if self._size + more > self._room:
            self._room = 2 * (self._size + more)
            out = <char*> realloc(self._out, self._room)
            if out == NULL:
                raise MemoryError
            self._out = out

    cdef inline void _put(self, const char* text, Py_ssize_t length) noexcept:
        memcpy(self._out + self._size, text, length)
        self._size += length


def numbered(bytes chunk, int64_t first, bytes begin, bytes end):
    """Return whole lines, each between ``begin``, its number, ``end`` and a brace; the last one's newline left out."""
    cdef Text at = <Text> PyBytes_AS_STRING(chunk), last = at + len(chunk), stop
    cdef Py_ssize_t count = chunk.count(b"\n"), digits = 0
    cdef Py_ssize_t begins = len(begin), ends = len(end)
    cdef const char* before = begin
    cdef const char* after = end
    cdef int64_t power = 1, n
    cdef bytes whole
    cdef char* to
    while power < first + count:
        # As many numbers as are not below this power of ten have one digit more.
        digits += first + count - max(first, power)
        power *= 10
    whole = PyBytes_FromStringAndSize(NULL, max(0, len(chunk) + digits + count * (begins + ends + 1) - 1))
    to = PyBytes_AS_STRING(whole)
    for n in range(first, first + count):
        stop = <Text> memchr(at, c"\n", last - at)
        memcpy(to, before, begins)
        to = _put_digits(to + begins, n)
        memcpy(to, after, ends)
        memcpy(to + ends, at, stop - at)
        to += ends + (stop - at)
        to[0] = c"}"
        if n + 1 < first + count:
            to[1] = c"\n"
        to += 2
        at = stop + 1
    return whole


cdef char* _put_digits(char* to, int64_t number) noexcept:
    """Write a number that is not negative; return what follows it."""
    cdef char text[LONGEST_NUMBER]
    cdef int begin = LONGEST_NUMBER
    while True:
        begin -= 1
        text[begin] = c"0" + number % 10
        number //= 10
        if not number:
            break
    memcpy(to, text + begin, LONGEST_NUMBER - begin)
    return to + LONGEST_NUMBER - begin


cdef bint _inside(Span text, Span* inner) noexcept:
    """Find what a string without escapes says; return False where it is none."""
    cdef Text begin = text.begin
    if begin == NULL or begin[0] != c'"' or plain(begin, inner) != begin + text.length:
        return False
    return True


cdef bint _is_of(int kind, Span text) noexcept:
    """Say whether a value is plainly of a kind as it is."""
    cdef Text begin = text.begin
    if kind == NUMBER:
        begin += begin[0] == c"-"
        return c"0" <= begin[0] <= c"9" and digits(begin) == text.begin + text.length
    if kind == FRACTION:
        return begin[0] != c'"'
    return kind == ANY or begin[0] == c'"'


cdef Py_ssize_t _whole(Span text) noexcept:
    """Return how much of a text is a whole number, 0 where it is none: all, or what stands before a point and zeros."""
    cdef Text begin = text.begin + (text.begin[0] == c"-")
    cdef Text end = digits(begin), at = end
    if end == begin or end - begin > MOST_WHOLE_DIGITS or begin[0] == c"0" and (end - begin > 1 or begin > text.begin):
        return 0
    if at < text.begin + text.length and at[0] == c".":
        at += 1
        while at[0] == c"0":
            at += 1
    return end - text.begin if at == text.begin + text.length else 0
