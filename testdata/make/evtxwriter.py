#!/usr/bin/env python3
"""Writes Windows XML event logs (EVTX 3.1) from nothing.

    from evtxwriter import write_evtx
    write_evtx("Security.evtx", [
        dict(provider="Microsoft-Windows-Security-Auditing", guid="{54849625-5478-4994-a5ba-3e3b0328c30d}",
             event_id=4624, version=2, level=0, task=12544, opcode=0, keywords=0x8020000000000000,
             record_id=1, time="2020-08-26T05:09:33.5046471Z", channel="Security", computer="DESKTOP-A",
             user_sid=None, pid=640, tid=700,
             data=[("TargetUserName", "clippy"), ("TargetLogonId", ("hex64", 0x3e7)), ("LogonType", ("u32", 2))]),
    ])

Keys of a record (only provider, event_id, time, channel and computer have to be there):
    provider, guid, event_source_name, event_id, qualifiers, version, level, task, opcode, keywords,
    record_id (default: counts on from the record before, from 1), time (ISO 8601, up to 7 digits, UTC), channel, computer,
    user_sid, pid, tid, activity_id, related_activity_id,
    data      = [(name or None, value), ...]                              -> <EventData>
    binary    = b"..."                                                    -> <Binary> at the end of <EventData>
    user_data = (element name, namespace or None, [(name, value), ...])   -> <UserData>; a value may itself be such a list
A system value of None (level, event_id, user_sid ...) is written as a null substitution.

Values: str -> string, bool -> boolean, int -> unsigned 32 or 64 bits (signed if negative), float -> double,
bytes -> binary, [str, ...] -> array of strings, None -> null, or (type, value) with one of the names in TYPES;
"filetime" and "systemtime" take an ISO text, "guid" and "sid" take text.

The file is laid out as Windows does it: templates and names stand in a chunk where they are first used, their offsets
in the tables of the chunk's header, all checksums set.

Layout: Microsoft, MS-EVEN6 (BinXml) and J. Metz, "Windows XML Event Log (EVTX) format".
Runs on Python 3 alone.
"""

import datetime
import hashlib
import struct
import uuid
import zlib

CHUNK_SIZE = 0x10000
FILE_HEADER_SIZE = 0x1000
CHUNK_HEADER_SIZE = 0x200
STRING_TABLE, STRING_BUCKETS = 128, 64
TEMPLATE_TABLE, TEMPLATE_BUCKETS = 384, 32
EVENT_NAMESPACE = "http://schemas.microsoft.com/win/2004/08/events/event"

TYPES = {
    "null": 0x00, "string": 0x01, "ansi": 0x02, "i8": 0x03, "u8": 0x04, "i16": 0x05, "u16": 0x06, "i32": 0x07,
    "u32": 0x08, "i64": 0x09, "u64": 0x0A, "f32": 0x0B, "f64": 0x0C, "bool": 0x0D, "binary": 0x0E, "guid": 0x0F,
    "size32": 0x10, "size64": 0x10, "filetime": 0x11, "systemtime": 0x12, "sid": 0x13, "hex32": 0x14, "hex64": 0x15,
    "binxml": 0x21, "strings": 0x81,
}
_PACKED = {"i8": "<b", "u8": "<B", "i16": "<h", "u16": "<H", "i32": "<i", "u32": "<I", "i64": "<q", "u64": "<Q",
           "f32": "<f", "f64": "<d", "size32": "<I", "size64": "<Q", "hex32": "<I", "hex64": "<Q"}

# The substitutions of the System template, in their order: name and type.
_SYSTEM = [
    ("level", "u8"), ("opcode", "u8"), ("task", "u16"), ("event_id", "u16"), ("qualifiers", "u16"),
    ("keywords", "hex64"), ("time", "filetime"), ("activity_id", "guid"), ("pid", "u32"), ("tid", "u32"),
    ("record_id", "u64"), ("version", "u8"), ("user_sid", "sid"), ("related_activity_id", "guid"),
    ("provider", "string"), ("guid", "guid"), ("channel", "string"), ("computer", "string"),
    ("event_source_name", "string"), ("payload", "binxml"),
]
_INDEX = {name: index for index, (name, _) in enumerate(_SYSTEM)}


def filetime(text):
    """Ticks of 100 ns since 1601 of an ISO 8601 text in UTC; digits behind the seventh are cut off."""
    text = text.strip().rstrip("Z").replace(" ", "T")
    whole, _, fraction = text.partition(".")
    if "T" not in whole:
        whole += "T00:00:00"
    seconds = (datetime.datetime.fromisoformat(whole) - datetime.datetime(1601, 1, 1)) // datetime.timedelta(seconds=1)
    return seconds * 10_000_000 + int((fraction + "0000000")[:7])


def sid_bytes(text):
    """The binary form of S-1-5-21-..."""
    parts = text.split("-")
    authority, subs = int(parts[2], 0), [int(p) for p in parts[3:]]
    return struct.pack("<BB", int(parts[1]), len(subs)) + authority.to_bytes(6, "big") + struct.pack(f"<{len(subs)}I", *subs)


def _typed(value):
    """(type name, value) of any value."""
    if isinstance(value, tuple):
        return value
    if value is None:
        return "string", None
    if isinstance(value, bool):
        return "bool", value
    if isinstance(value, int):
        return ("i64" if value < 0 else "u32" if value < 1 << 32 else "u64"), value
    if isinstance(value, float):
        return "f64", value
    if isinstance(value, (bytes, bytearray)):
        return "binary", bytes(value)
    if isinstance(value, list):
        return "strings", value
    return "string", str(value)


def _encode(kind, value):
    """The bytes of a value as they stand in a substitution array."""
    if kind == "null" or value is None:
        return b""
    if kind in _PACKED:
        return struct.pack(_PACKED[kind], value)
    if kind == "string":
        return value.encode("utf-16-le", "surrogatepass")
    if kind == "ansi":
        return value.encode("cp1252") + b"\0"
    if kind == "bool":
        return struct.pack("<I", 1 if value else 0)
    if kind == "binary":
        return bytes(value)
    if kind == "guid":
        return uuid.UUID(value).bytes_le
    if kind == "filetime":
        return struct.pack("<Q", value if isinstance(value, int) else filetime(value))
    if kind == "systemtime":
        t = datetime.datetime.fromisoformat(value.rstrip("Z"))
        return struct.pack("<8H", t.year, t.month, t.isoweekday() % 7, t.day, t.hour, t.minute, t.second,
                           t.microsecond // 1000)
    if kind == "sid":
        return sid_bytes(value)
    if kind == "strings":
        return b"".join(s.encode("utf-16-le", "surrogatepass") + b"\0\0" for s in value)
    raise ValueError(f"no such type: {kind}")


class _Sub:
    """A substitution in a template."""

    def __init__(self, index, kind, optional):
        self.index, self.kind, self.optional = index, kind, optional


class _Element:
    """An element of a template: content is a list of text, _Sub and _Element."""

    def __init__(self, name, attributes=(), content=(), dependency=0xFFFF):
        self.name, self.attributes, self.content, self.dependency = name, list(attributes), list(content), dependency

    def key(self):
        part = lambda p: p if isinstance(p, str) else (p.index, p.kind, p.optional) if isinstance(p, _Sub) else p.key()
        return (self.name, tuple((n, part(v)) for n, v in self.attributes), tuple(map(part, self.content)),
                self.dependency)


def _system_template():
    def sub(name, optional=True):
        return _Sub(_INDEX[name], dict(_SYSTEM)[name], optional)

    def simple(element, name):
        return _Element(element, content=[sub(name)], dependency=_INDEX[name])

    system = _Element("System", content=[
        _Element("Provider", [("Name", sub("provider")), ("Guid", sub("guid")),
                              ("EventSourceName", sub("event_source_name"))]),
        _Element("EventID", [("Qualifiers", sub("qualifiers"))], [sub("event_id")], _INDEX["event_id"]),
        simple("Version", "version"), simple("Level", "level"), simple("Task", "task"), simple("Opcode", "opcode"),
        simple("Keywords", "keywords"),
        _Element("TimeCreated", [("SystemTime", sub("time"))]),
        simple("EventRecordID", "record_id"),
        _Element("Correlation", [("ActivityID", sub("activity_id")),
                                 ("RelatedActivityID", sub("related_activity_id"))]),
        _Element("Execution", [("ProcessID", sub("pid")), ("ThreadID", sub("tid"))]),
        simple("Channel", "channel"), _Element("Computer", content=[sub("computer")]),
        _Element("Security", [("UserID", sub("user_sid"))]),
    ])
    return _Element("Event", [("xmlns", EVENT_NAMESPACE)], [system, sub("payload")])


_SYSTEM_TEMPLATE = _system_template()


def _event_data(record):
    """Template and typed values of <EventData>."""
    values, children = [], []
    for name, value in record.get("data") or []:
        kind, value = _typed(value)
        children.append(_Element("Data", [("Name", name)] if name is not None else [],
                                 [_Sub(len(values), kind, value is None)]))
        values.append((kind, value))
    if record.get("binary") is not None:
        children.append(_Element("Binary", content=[_Sub(len(values), "binary", False)], dependency=len(values)))
        values.append(("binary", record["binary"]))
    return _Element("EventData", content=children), values


def _user_data(name, namespace, entries):
    """Template and typed values of <UserData>."""
    values = []

    def child(name, value):
        if isinstance(value, list) and all(isinstance(v, tuple) and len(v) == 2 and isinstance(v[0], str)
                                           for v in value):
            return _Element(name, content=[child(n, v) for n, v in value])
        kind, value = _typed(value)
        values.append((kind, value))
        return _Element(name, content=[_Sub(len(values) - 1, kind, value is None)])

    inner = _Element(name, [("xmlns", namespace)] if namespace else [], [child(n, v) for n, v in entries])
    return _Element("UserData", content=[inner]), values


def _name_hash(name):
    value = 0
    for unit in struct.unpack(f"<{len(name)}H", name.encode("utf-16-le")):
        value = (value * 65599 + unit) & 0xFFFFFFFF
    return value & 0xFFFF


class _Chunk:
    """One chunk under construction. Offsets count from its start, as in the file."""

    def __init__(self):
        self.buf = bytearray(CHUNK_HEADER_SIZE)
        self.names, self.templates = {}, {}
        self.string_table, self.template_table = [0] * STRING_BUCKETS, [0] * TEMPLATE_BUCKETS
        self.ids, self.last_record = [], 0

    def snapshot(self):
        return (len(self.buf), dict(self.names), dict(self.templates), list(self.string_table),
                list(self.template_table), list(self.ids), self.last_record)

    def restore(self, state):
        length, self.names, self.templates, self.string_table, self.template_table, self.ids, self.last_record = state
        del self.buf[length:]

    def put(self, fmt, *values):
        self.buf += struct.pack("<" + fmt, *values)

    def hold(self, fmt="I"):
        """Leaves room for a length and gives its place."""
        at = len(self.buf)
        self.put(fmt, 0)
        return at

    def fill(self, at, start, fmt="I"):
        """Writes at `at` how many bytes stand from `start` to the end."""
        struct.pack_into("<" + fmt, self.buf, at, len(self.buf) - start)

    def name(self, name):
        """A reference to a name; the name itself follows where it is used first."""
        if name in self.names:
            self.put("I", self.names[name])
            return
        offset = len(self.buf) + 4
        self.names[name] = offset
        value = _name_hash(name)
        self.put("I", offset)
        self.put("IHH", self.string_table[value % STRING_BUCKETS], value, len(name))
        self.buf += name.encode("utf-16-le") + b"\0\0"
        self.string_table[value % STRING_BUCKETS] = offset

    def content(self, part):
        if isinstance(part, str):
            self.put("BBH", 0x05, 0x01, len(part))
            self.buf += part.encode("utf-16-le")
        elif isinstance(part, _Sub):
            self.put("BHB", 0x0E if part.optional else 0x0D, part.index, TYPES[part.kind])
        else:
            self.element(part)

    def element(self, element):
        self.put("BH", 0x41 if element.attributes else 0x01, element.dependency)
        size = self.hold()
        self.name(element.name)
        if element.attributes:
            attributes = self.hold()
            for i, (name, value) in enumerate(element.attributes):
                self.put("B", 0x06 if i + 1 == len(element.attributes) else 0x46)
                self.name(name)
                self.content(value)
            self.fill(attributes, attributes + 4)
        if element.content:
            self.put("B", 0x02)
            for part in element.content:
                self.content(part)
            self.put("B", 0x04)
        else:
            self.put("B", 0x03)
        self.fill(size, size + 4)

    def instance(self, template, values):
        """Fragment header, template instance, values; a value is (type, value) or ("binxml", (template, values))."""
        self.put("4B", 0x0F, 1, 1, 0)
        key = template.key()
        guid = hashlib.md5(repr(key).encode()).digest()
        template_id = struct.unpack_from("<I", guid)[0]
        known = self.templates.get(key)
        self.put("BBII", 0x0C, 1, template_id, known if known is not None else len(self.buf) + 10)
        if known is None:
            offset = len(self.buf)
            self.templates[key] = offset
            bucket = template_id % TEMPLATE_BUCKETS
            self.put("I16s", self.template_table[bucket], guid)
            self.template_table[bucket] = offset
            size = self.hold()
            self.put("4B", 0x0F, 1, 1, 0)
            self.element(template)
            self.put("B", 0x00)
            self.fill(size, size + 4)
        self.put("I", len(values))
        sizes = []
        for kind, value in values:
            sizes.append(self.hold("H"))
            self.put("BB", TYPES[kind] if value is not None else 0x00, 0)
        for at, (kind, value) in zip(sizes, values):
            start = len(self.buf)
            if kind == "binxml" and value is not None:
                self.instance(*value)
                self.put("B", 0x00)
            else:
                self.buf += _encode(kind, value)
            if len(self.buf) - start > 0xFFFF:
                raise ValueError("a value is larger than 65,535 bytes")
            self.fill(at, start, "H")

    def record(self, record, record_id):
        """Writes one record. False if it does not fit; the chunk is then as before."""
        before = self.snapshot()
        start = len(self.buf)
        try:
            self.put("4sIQQ", b"**\0\0", 0, record_id, filetime(record["time"]))
            self.instance(_SYSTEM_TEMPLATE, _system_values(record, record_id))
            self.put("B", 0x00)
            self.buf += bytes(-(len(self.buf) + 4 - start) % 8)
            self.put("I", 0)
            fits = len(self.buf) <= CHUNK_SIZE
        except (struct.error, ValueError):
            self.restore(before)
            raise
        if not fits:
            self.restore(before)
            return False
        size = len(self.buf) - start
        struct.pack_into("<I", self.buf, start + 4, size)
        struct.pack_into("<I", self.buf, len(self.buf) - 4, size)
        self.ids.append(record_id)
        self.last_record = start
        return True

    def finish(self, first_number):
        """The 64 KiB; `first_number` is the number of its first record in the file, from 1."""
        free, count = len(self.buf), len(self.ids)
        data = self.buf + bytes(CHUNK_SIZE - free)
        struct.pack_into("<8sQQQQIIII", data, 0, b"ElfChnk\0", first_number, first_number + count - 1, self.ids[0],
                         self.ids[-1], 128, self.last_record, free, zlib.crc32(data[CHUNK_HEADER_SIZE:free]))
        struct.pack_into(f"<{STRING_BUCKETS}I", data, STRING_TABLE, *self.string_table)
        struct.pack_into(f"<{TEMPLATE_BUCKETS}I", data, TEMPLATE_TABLE, *self.template_table)
        struct.pack_into("<I", data, 124, zlib.crc32(data[:120] + data[128:CHUNK_HEADER_SIZE]))
        return bytes(data)


def _system_values(record, record_id):
    classic = record.get("guid") is None
    defaults = {"level": 4, "opcode": 0, "task": 0, "version": 0, "qualifiers": 0 if classic else None,
                "keywords": 0x80000000000000 if classic else 0x8000000000000000, "pid": 0, "tid": 0}
    payload = None
    if record.get("user_data"):
        payload = _user_data(*record["user_data"])
    elif record.get("data") is not None or record.get("binary") is not None:
        payload = _event_data(record)
    values = []
    for name, kind in _SYSTEM:
        value = record.get(name, defaults.get(name))
        if name == "record_id":
            value = record_id
        elif name == "payload":
            value = payload
        values.append((kind, value))
    return values


def evtx_bytes(records):
    """The bytes of a log with these records, in their order."""
    chunks, current, first, number, record_id = [], _Chunk(), 1, 0, 0
    for record in records:
        record_id = record.get("record_id") or record_id + 1
        if not current.record(record, record_id):
            if not current.ids:
                raise ValueError(f"record {record_id} is larger than a chunk")
            chunks.append(current.finish(first))
            current, first = _Chunk(), number + 1
            if not current.record(record, record_id):
                raise ValueError(f"record {record_id} is larger than a chunk")
        number += 1
    if current.ids:
        chunks.append(current.finish(first))
    header = bytearray(FILE_HEADER_SIZE)
    struct.pack_into("<8sQQQIHHHH", header, 0, b"ElfFile\0", 0, max(len(chunks) - 1, 0), record_id + 1, 128, 1, 3,
                     FILE_HEADER_SIZE, len(chunks))
    struct.pack_into("<I", header, 124, zlib.crc32(header[:120]))
    return bytes(header) + b"".join(chunks)


def write_evtx(path, records):
    """Writes a log with these records, in their order."""
    with open(path, "wb") as out:
        out.write(evtx_bytes(records))
