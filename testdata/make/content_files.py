#!/usr/bin/env python3
"""Makes the fixtures of the artifacts that look into files: zip_files, onenote_files, emotet_files, emocheck_reports and
defender_quarantine.

Nothing here is malware: programs are headers with made-up sections, addresses are for documentation (RFC 5737), keys are noise or
published public keys. Standard library only; the same script gives the same bytes.
"""

import hashlib
import io
import itertools
import json
import os
import socket
import struct
import zipfile
import zlib

from casekit import ft, quarantine_entry

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "artifacts")


def noise(seed, length):
    """Bytes that look like nothing."""
    blocks = (hashlib.sha256(f"{seed}/{i}".encode()).digest() for i in itertools.count())
    return b"".join(itertools.islice(blocks, length // 32 + 1))[:length]


def put(artifact, name, data):
    folder = os.path.join(ROOT, artifact)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name), "wb") as out:
        out.write(data)


def inflated_zip():
    """A small archive that says it holds a document of 550,000,000 bytes. The content is not there in full."""
    name = b"INV 2023-03-07.doc"
    packed = zlib.compress(b"\0" * 4096)[2:-4]
    size = 550_000_000
    local = struct.pack("<4s5H3I2H", b"PK\3\4", 20, 0, 8, 0, 0x5667, 0, len(packed), size, len(name), 0) + name + packed
    entry = (
        struct.pack("<4s6H3I5H2I", b"PK\1\2", 20, 20, 0, 8, 0, 0x5667, 0, 660_000, size, len(name), 0, 0, 0, 0, 0x20, 0)
        + name
    )
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 1, 1, len(entry), len(local), 0)
    return local + entry + end


def plain_zip():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in (("ordner/Bericht.docx", noise("docx", 3000)), ("bild.png", b"\x89PNG" + noise("png", 900))):
            info = zipfile.ZipInfo(name, (2022, 11, 2, 8, 50, 0))
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, data)
    return out.getvalue()


def locked_zip():
    """One member with the flag of encryption; its bytes are noise."""
    data = bytearray(plain_zip_of_one("form 2022.04.26.lnk", noise("lnk", 700)))
    data[6] |= 1
    at = data.index(b"PK\1\2")
    data[at + 8] |= 1
    return bytes(data)


def plain_zip_of_one(name, content):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(zipfile.ZipInfo(name, (2022, 4, 26, 1, 0, 0)), content)
    return out.getvalue()


def onenote():
    """A section's head, two embedded files and noise between them. OneNote would not open it."""

    def embedded(data):
        head = bytes.fromhex("e716e3bd65261145a4c48d4d0b7a9eac") + struct.pack("<QIQ", len(data), 0, 0)
        return head + data + bytes(-len(data) % 8) + bytes.fromhex("22a7fb71790f0b4abb13899256426b24")

    script = b'<job id="a"><script language="VBScript">WScript.Echo "emotrace test data"</script></job>\r\n'
    picture = b"\x89PNG\r\n\x1a\n" + noise("button", 300)
    head = bytes.fromhex("e4525c7b8cd8a74daeb15378d02996d3")
    section = bytearray(head + noise("a", 1008) + embedded(picture) + noise("b", 512) + embedded(script) + noise("c", 256))
    struct.pack_into("<Q", section, 0xC4, len(section))
    return bytes(section)


def xor(data, key):
    return bytes(a ^ b for a, b in zip(data, itertools.cycle(struct.pack("<I", key)), strict=False))


def block(plain, key):
    return struct.pack("<II", key, key ^ len(plain)) + xor(plain, key)


SERVERS = [("192.0.2.10", 8080), ("198.51.100.7", 443), ("203.0.113.99", 7080), ("192.0.2.200", 80), ("198.51.100.81", 8080)]
# The public key agreement key of the fifth epoch, as published.
ECK1 = bytes.fromhex(
    "d83593d7638b50c5dfcde169f9b136009b9b543b1636a25d442eb23830d84736"
    "2eb8d2f48b6ac8d84c7a45441a06fa8f38bedafb00969c842cce1e3680245096"
)


def program():
    """A PE head with two sections: .text holds a key at 0x40, .data begins with a list of servers. It holds no code."""
    text = noise("text", 0x40) + block(b"ECK1" + struct.pack("<I", 32) + ECK1, 0x1B2C3D4E)
    text = text.ljust(0x200, b"\xcc")
    servers = b"".join(socket.inet_aton(a) + struct.pack(">H", p) + b"\0\1" for a, p in SERVERS)
    data = block(servers, 0x5A17C3E9).ljust(0x200, b"\0")
    head = bytearray(0x400)
    head[:2] = b"MZ"
    struct.pack_into("<I", head, 0x3C, 0x80)
    head[0x80:0x84] = b"PE\0\0"
    struct.pack_into("<HHIIIHH", head, 0x84, 0x14C, 2, 0x61A00000, 0, 0, 0xE0, 0x2102)
    struct.pack_into("<H", head, 0x98, 0x10B)
    table = 0x98 + 0xE0
    for i, (name, at) in enumerate(((b".text", 0x400), (b".data", 0x600))):
        struct.pack_into("<8sIIIIIIHHI", head, table + 40 * i, name, 0x200, 0x1000 * (i + 1), 0x200, at, 0, 0, 0, 0, 0)
    return bytes(head) + text + data


def main():
    put("zip_files", "inflated.zip", inflated_zip())
    put("zip_files", "plain.zip", plain_zip())
    put("zip_files", "locked.zip", locked_zip())
    put("onenote_files", "script.one", onenote())
    put("emotet_files", "servers.nfg", program())
    quarantine = bytes.fromhex("C3DADA1963452C86773BE9FD2464FBB807FE12D02A4813384868E8AE913CED82") + noise("udp", 480)
    put("emotet_files", "put_aside.tmp", quarantine)
    when = ft("2022-11-02T08:57:41.123456") + 7
    entry = quarantine_entry(
        "{9C1E0B7A-55D3-4F8E-A2C6-70B1D94E3F12}",
        "{4D0F62B8-1E37-4A95-8C6B-F2910D5E7A34}",
        when,
        2147852271,
        "Trojan:Win64/Emotet!MTB",
        "C:\\Users\\taro\\oxnv4.ooccxx",
        bytes(range(20)),
        when,
        when,
        when,
        4096,
    )
    put("defender_quarantine", "emotet.bin", entry)
    process = {
        "process_name": "subst.exe",
        "process_id": "716",
        "image_path": "C:\\Users\\taro\\AppData\\Local\\SyncHost\\subst.exe",
        "registry_key": "",
    }
    answer = {"scan_time": "2020-10-26 11:00:00", "hostname": "SOUMU-PC02", "emocheck_version": "2.0.0"}
    infected = {**answer, "is_infected": "yes", "emotet_processes": [process]}
    put("emocheck_reports", "infected.json", json.dumps(infected, indent=4).encode())
    text = "[EmoCheck v2.0]\r\nプログラム実行時刻: 2021-01-20 10:00:00\r\n____\r\n\r\n[結果]\r\n検知しませんでした。\r\n"
    put("emocheck_reports", "clear.txt", text.encode("cp932"))


if __name__ == "__main__":
    main()
