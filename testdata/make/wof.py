#!/usr/bin/env python3
"""Makes testdata/formats/wof: one made-up content, compressed as WOF does it, by the encoder of wimlib (libwim 15).

Run it in this folder: python3 wof.py. Besides Python it needs the Debian package libwim15. The content is not stored: the test
makes it again by the same arithmetic.
"""
import ctypes
import os

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'formats', 'wof')
XPRESS, LZX = 1, 2
STREAMS = {'xpress4k.bin': (XPRESS, 4096), 'xpress8k.bin': (XPRESS, 8192), 'xpress16k.bin': (XPRESS, 16384),
           'lzx.bin': (LZX, 32768)}


def content():
    """70,000 bytes: words, x86 calls, runs, and 40,960 to 49,152 noise that no encoder can make smaller."""
    words = [b'invoice ', b'payment ', b'document ', b'enable content ', b'\xe8\x10\x02\x00\x00', b'\xe8\xf0\xff\xff\xff',
             b'\0' * 40, b'report ']
    state, out = 1, bytearray()

    def step():
        nonlocal state
        state = (state * 6364136223846793005 + 1442695040888963407) % 2 ** 64
        return state >> 33

    while len(out) < 70000:
        if 40960 <= len(out) < 49152:
            out.append(step() & 255)
        else:
            word = words[step() % len(words)]
            # Noise begins and ends at the full 4 KiB, where no word may reach in.
            room = 40960 - len(out) if len(out) < 40960 else 70000 - len(out)
            out += word[:room]
            if step() % 5 == 0 and room > 60:
                out += b'%d;' % (step() % 1000)
    return bytes(out[:70000])


def main():
    wim = ctypes.CDLL('libwim.so.15')
    wim.wimlib_compress.restype = ctypes.c_size_t
    wim.wimlib_compress.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_void_p]
    wim.wimlib_global_init(0)
    data = content()
    os.makedirs(OUT, exist_ok=True)
    for name, (kind, size) in STREAMS.items():
        compressor = ctypes.c_void_p()
        assert wim.wimlib_create_compressor(kind, ctypes.c_size_t(size), 50, ctypes.byref(compressor)) == 0
        table, chunks = b'', b''
        for at in range(0, len(data), size):
            plain = data[at:at + size]
            packed = ctypes.create_string_buffer(size)
            length = wim.wimlib_compress(plain, len(plain), packed, len(plain) - 1, compressor)
            if at > 0:
                table += len(chunks).to_bytes(4, 'little')
            chunks += packed.raw[:length] if length else plain
        with open(os.path.join(OUT, name), 'wb') as file:
            file.write(table + chunks)


if __name__ == '__main__':
    main()
