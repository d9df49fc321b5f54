"""Writes registry hives (REGF) and their transaction logs from nothing. Python 3 standard library only.

    from hivewriter import Key, write_hive, SZ, DWORD
    write_hive('SOFTWARE', Key(sub={'Microsoft': Key(values=[('Name', SZ, 'text'), ('Count', DWORD, 3)])}),
               name='emRoot\\\\System32\\\\Config\\\\SOFTWARE', ts='2020-08-26T05:09:33Z')

A tree is a Key; `sub` maps names to Keys, `values` lists (name, type, data), `ts` is the key's last-write time (that of
the key above if absent). Data is text for SZ, EXPAND_SZ and LINK, a list of texts for MULTI_SZ, a number for DWORD,
DWORD_BE and QWORD, or bytes for any type. `gone` and `gone_values` are keys and values that were deleted: they are
written and then freed. Times are RFC 3339 in UTC, with up to seven digits of the second's fraction, or FILETIMEs.

write_log writes a transaction log in the format of Windows 8.1 and later (HvLE), write_old_log one in the format
before it (DIRT). Source of both and of the hive format: Maxim Suhanov, "Windows registry file format specification".
"""

import datetime
import struct

NONE, SZ, EXPAND_SZ, BINARY, DWORD, DWORD_BE, LINK, MULTI_SZ, RESOURCE_LIST, QWORD = 0, 1, 2, 3, 4, 5, 6, 7, 8, 11
NO_CELL = 0xFFFFFFFF
SEGMENT = 16344


def _security():
    """Owner and group BUILTIN\\Administrators; full control for SYSTEM and Administrators, read for Everyone."""
    system = bytes.fromhex('010100000000000512000000')
    administrators = bytes.fromhex('01020000000000052000000020020000')
    everyone = bytes.fromhex('010100000000000100000000')
    aces = b''.join(struct.pack('<BBHI', 0, 2, 8 + len(sid), mask) + sid for sid, mask in
                    ((system, 0xF003F), (administrators, 0xF003F), (everyone, 0x20019)))
    acl = struct.pack('<BBHHH', 2, 0, 8 + len(aces), 3, 0) + aces
    owner = 20 + len(acl)
    return (struct.pack('<BBHIIII', 1, 0, 0x8004, owner, owner + len(administrators), 0, 20) + acl
            + administrators + administrators)


SECURITY = _security()


def filetime(when):
    """RFC 3339 text, or a FILETIME, as a FILETIME."""
    if isinstance(when, int):
        return when
    text = when.rstrip('Z')
    whole, _, fraction = text.partition('.')
    gap = datetime.datetime.fromisoformat(whole) - datetime.datetime(1601, 1, 1)
    return (gap.days * 86400 + gap.seconds) * 10**7 + int(fraction.ljust(7, '0')[:7] or 0)


class Key:
    """One key of a tree; see the module's text."""

    def __init__(self, values=None, sub=None, ts=None, class_name=None, gone=None, gone_values=None, flags=0):
        self.values = values or []
        self.sub = sub or {}
        self.ts = ts
        self.class_name = class_name
        self.gone = gone or {}
        self.gone_values = gone_values or []
        self.flags = flags

    def at(self, path):
        """The key at that path below this one, made where it is missing."""
        key = self
        for part in [p for p in path.split('\\') if p]:
            found = next((n for n in key.sub if n.upper() == part.upper()), None)
            key = key.sub.setdefault(part, Key()) if found is None else key.sub[found]
        return key


def raw_data(kind, data):
    """The stored bytes of a value's data."""
    if isinstance(data, (bytes, bytearray)):
        return bytes(data)
    if kind in (SZ, EXPAND_SZ, LINK):
        return (data + '\0').encode('utf-16le')
    if kind == MULTI_SZ:
        return ''.join(text + '\0' for text in data).encode('utf-16le') + b'\0\0'
    if kind == DWORD:
        return struct.pack('<I', data)
    if kind == DWORD_BE:
        return struct.pack('>I', data)
    if kind == QWORD:
        return struct.pack('<Q', data)
    raise ValueError(f'no bytes for a value of type {kind}: {data!r}')


def checksum(block):
    """XOR of the base block's first 127 words."""
    total = 0
    for (word,) in struct.iter_unpack('<I', block[:508]):
        total ^= word
    return {0: 1, 0xFFFFFFFF: 0xFFFFFFFE}.get(total, total)


def name_hash(name):
    """Hash of a name in an `lh` list."""
    total = 0
    for character in name.upper():
        total = (total * 37 + ord(character)) & 0xFFFFFFFF
    return total


def stored_name(name):
    """A name's bytes, and whether they are one-byte characters."""
    try:
        return name.encode('latin-1'), True
    except UnicodeEncodeError:
        return name.encode('utf-16le', 'surrogatepass'), False


class _Writer:
    def __init__(self, ts, minor, leaf, list_size):
        self.ts, self.minor, self.leaf, self.list_size = ts, minor, leaf, list_size
        self.bins = bytearray()
        self.next = self.end = 0
        self.security = None
        self.keys = 0
        self.to_free = []

    def close_bin(self):
        if self.end - self.next >= 8:
            struct.pack_into('<i', self.bins, self.next, self.end - self.next)
        self.next = self.end

    def cell(self, payload):
        size = (len(payload) + 4 + 7) // 8 * 8
        if self.end - self.next < size:
            self.close_bin()
            length = (size + 32 + 4095) // 4096 * 4096
            start = len(self.bins)
            self.bins += bytes(length)
            struct.pack_into('<4sIIQQI', self.bins, start, b'hbin', start, length, 0, self.ts if start == 0 else 0, 0)
            self.next, self.end = start + 32, start + length
        at = self.next
        struct.pack_into('<i', self.bins, at, -size)
        self.bins[at + 4:at + 4 + len(payload)] = payload
        self.next += size
        return at

    def free(self, at):
        size = struct.unpack_from('<i', self.bins, at)[0]
        struct.pack_into('<i', self.bins, at, abs(size))

    def data(self, payload):
        if len(payload) <= SEGMENT or self.minor <= 3:
            return self.cell(payload)
        cells = [self.cell(payload[i:i + SEGMENT] + bytes(4)) for i in range(0, len(payload), SEGMENT)]
        listed = self.cell(b''.join(struct.pack('<I', at) for at in cells))
        return self.cell(b'db' + struct.pack('<HI', len(cells), listed))

    def value(self, name, kind, data):
        payload = raw_data(kind, data)
        if len(payload) <= 4:
            size, where = len(payload) | 0x80000000, struct.unpack('<I', payload.ljust(4, b'\0'))[0]
        else:
            size, where = len(payload), self.data(payload)
        stored, narrow = stored_name(name)
        return self.cell(b'vk' + struct.pack('<HIIIHH', len(stored), size, where, kind, int(narrow), 0) + stored)

    def subkey_list(self, children):
        """children: (name, cell) in order"""
        def leaf(part):
            if self.leaf == 'li':
                body = b''.join(struct.pack('<I', at) for _, at in part)
            elif self.leaf == 'lf':
                body = b''.join(struct.pack('<I', at) + stored_name(n)[0][:4].ljust(4, b'\0') for n, at in part)
            else:
                body = b''.join(struct.pack('<II', at, name_hash(n)) for n, at in part)
            return self.cell(self.leaf.encode() + struct.pack('<H', len(part)) + body)
        if len(children) <= self.list_size:
            return leaf(children)
        parts = [leaf(children[i:i + self.list_size]) for i in range(0, len(children), self.list_size)]
        return self.cell(b'ri' + struct.pack('<H', len(parts)) + b''.join(struct.pack('<I', at) for at in parts))

    def security_cell(self):
        if self.security is None:
            self.security = self.cell(b'sk' + struct.pack('<HIIII', 0, 0, 0, 0, len(SECURITY)) + SECURITY)
            struct.pack_into('<II', self.bins, self.security + 8, self.security, self.security)
        self.keys += 1
        struct.pack_into('<I', self.bins, self.security + 16, self.keys)
        return self.security

    def key(self, name, key, parent, ts, root=False):
        ts = ts if key.ts is None else filetime(key.ts)
        stored, narrow = stored_name(name)
        flags = (0x20 if narrow else 0) | (0x0C if root else 0) | key.flags
        class_raw = key.class_name.encode('utf-16le') if key.class_name else b''
        at = self.cell(b'nk' + struct.pack('<HQII', flags, ts, 0, parent) + bytes(52)
                       + struct.pack('<HH', len(stored), len(class_raw)) + stored)
        class_at = self.cell(class_raw) if class_raw else NO_CELL
        security = self.security_cell()
        values = [self.value(*value) for value in key.values]
        gone_values = [self.value(*value) for value in key.gone_values]
        value_list = NO_CELL
        if values or gone_values:
            # Windows shortens a list in place: what it named last stays behind its end.
            value_list = self.cell(b''.join(struct.pack('<I', v) for v in values + gone_values))
            self.to_free += gone_values if values else gone_values + [value_list]
            if not values:
                value_list = NO_CELL
        order = sorted(key.sub.items(), key=lambda item: item[0].upper())
        children = [(n, self.key(n, k, at, ts)) for n, k in order]
        for n, k in key.gone.items():
            self.gone(self.key(n, k, at, ts), k)
        subkeys = self.subkey_list(children) if children else NO_CELL
        struct.pack_into('<IIII', self.bins, at + 4 + 20, len(children), 0, subkeys, NO_CELL)
        struct.pack_into('<IIII', self.bins, at + 4 + 36, len(values), value_list, security, class_at)
        longest = max((len(n) * 2 for n, _ in children), default=0)
        names = max((len(v[0]) * 2 for v in key.values), default=0)
        data = max((len(raw_data(v[1], v[2])) for v in key.values), default=0)
        struct.pack_into('<IIII', self.bins, at + 4 + 52, longest, 0, names, data)
        return at

    def gone(self, at, key):
        """Frees a key that was written whole: its values' cells, its lists and its own."""
        self.to_free.append(at)
        count, listed = struct.unpack_from('<II', self.bins, at + 4 + 36)
        if count:
            cells = struct.unpack_from(f'<{count}I', self.bins, listed + 4)
            self.to_free += [listed, *cells]
        count, listed = struct.unpack_from('<I', self.bins, at + 4 + 20)[0], struct.unpack_from('<I', self.bins, at + 4 + 28)[0]
        if count:
            self.to_free.append(listed)
            cells = [struct.unpack_from('<I', self.bins, listed + 8 + 8 * i)[0] for i in range(count)]
            for cell, (_, k) in zip(cells, sorted(key.sub.items(), key=lambda item: item[0].upper())):
                self.gone(cell, k)


def base_block(name, ts, root, size, minor=5, sequence=(1, 1), file_type=0):
    """The first 4,096 bytes of a hive. A log begins with the first 512 of them and its own file type."""
    block = bytearray(4096)
    struct.pack_into('<4sIIQIIIIIII', block, 0, b'regf', *sequence, filetime(ts), 1, minor, file_type, 1, root, size, 1)
    stored = name.encode('utf-16le')[-62:]
    block[48:48 + len(stored)] = stored
    struct.pack_into('<I', block, 508, checksum(block))
    return bytes(block)


def build_hive(tree, name='', ts='2020-01-01T00:00:00Z', minor=5, sequence=(1, 1), root_name='ROOT', leaf='lh',
               list_size=507):
    """The bytes of a hive. `sequence` are the base block's two numbers (a dirty hive's differ); `leaf` is lh, lf or li."""
    stamp = filetime(ts)
    writer = _Writer(stamp, minor, leaf, list_size)
    root = writer.key(root_name, tree, 0, stamp, root=True)
    writer.close_bin()
    for at in writer.to_free:
        writer.free(at)
    return base_block(name, stamp, root, len(writer.bins), minor, sequence) + bytes(writer.bins)


def write_hive(path, tree, name='', ts='2020-01-01T00:00:00Z', **more):
    """Writes a hive; `name` is the path in its base block, `ts` the time of keys that have none. See build_hive."""
    data = build_hive(tree, name, ts, **more)
    with open(path, 'wb') as file:
        file.write(data)
    return data


def marvin32(data, seed=0x82EF4D887A4E55C5):
    """The hash in HvLE entries."""
    low, high = seed & 0xFFFFFFFF, seed >> 32

    def rotate(value, bits):
        return ((value << bits) | (value >> (32 - bits))) & 0xFFFFFFFF

    def mix(low, high, word):
        low = (low + word) & 0xFFFFFFFF
        high ^= low
        low = (rotate(low, 20) + high) & 0xFFFFFFFF
        high = rotate(high, 9) ^ low
        low = (rotate(low, 27) + high) & 0xFFFFFFFF
        return low, rotate(high, 19)

    whole = len(data) // 4 * 4
    for (word,) in struct.iter_unpack('<I', data[:whole]):
        low, high = mix(low, high, word)
    last = int.from_bytes(data[whole:] + b'\x80', 'little')
    low, high = mix(low, high, last)
    low, high = mix(low, high, 0)
    return high << 32 | low


def pages_between(before, after):
    """The pages of 4,096 bytes, as (offset in the bins, bytes), that make `after` out of `before`."""
    return [(at - 4096, after[at:at + 4096]) for at in range(4096, len(after), 4096)
            if before[at:at + 4096] != after[at:at + 4096]]


def log_entry(sequence, bins_size, pages):
    """One HvLE entry."""
    body = b''.join(struct.pack('<II', at, len(page)) for at, page in pages) + b''.join(page for _, page in pages)
    size = (40 + len(body) + 511) // 512 * 512
    body = body.ljust(size - 40, b'\0')
    head = struct.pack('<4sIIIII', b'HvLE', size, 0, sequence, bins_size, len(pages)) + struct.pack('<Q', marvin32(body))
    return head + struct.pack('<Q', marvin32(head)) + body


def write_log(path, hive, entries):
    """A log for `hive` (its bytes): entries are (sequence number, size of the bins, pages)."""
    sequence = entries[0][0]
    block = bytearray(hive[:512])
    struct.pack_into('<II', block, 4, sequence, sequence)
    struct.pack_into('<I', block, 28, 6)
    struct.pack_into('<I', block, 508, checksum(block))
    data = bytes(block) + b''.join(log_entry(*entry) for entry in entries)
    with open(path, 'wb') as file:
        file.write(data)
    return data


def write_old_log(path, before, after, sequence):
    """A DIRT log that makes `after` out of `before`, in sectors of 512 bytes."""
    bins = len(after) - 4096
    bitmap, sectors = bytearray(bins // 4096), b''
    for i in range(bins // 512):
        at = 4096 + i * 512
        if before[at:at + 512] != after[at:at + 512]:
            bitmap[i // 8] |= 1 << i % 8
            sectors += after[at:at + 512]
    block = bytearray(after[:512])
    struct.pack_into('<II', block, 4, sequence, sequence)
    struct.pack_into('<I', block, 28, 1)
    struct.pack_into('<I', block, 508, checksum(block))
    head = bytes(block) + b'DIRT' + bytes(bitmap)
    data = head.ljust((len(head) + 511) // 512 * 512, b'\0') + sectors
    with open(path, 'wb') as file:
        file.write(data)
    return data
