#!/usr/bin/env python3
"""Alters a good evidence bundle in many ways; verify.py has to refuse each, and accept the good one.

    altered.py BUNDLE VKEY

The bundle needs four entries, the first with a disclosed payload.
"""

import base64
import copy
import json
import sys

import verify


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    with open(sys.argv[1], "rb") as file:
        data = file.read()
    vkey = sys.argv[2]
    print(verify.verify(data, vkey))
    altered = list(alterations(json.loads(data), vkey))
    accepted = []
    for what, bundle, key in altered:
        text = bundle if isinstance(bundle, bytes) else json.dumps(bundle).encode()
        try:
            verify.verify(text, key)
            accepted.append(what)
        except verify.Wrong as wrong:
            assert str(wrong), what
    assert len(altered) >= 50, len(altered)
    assert not accepted, f"not refused: {accepted}"
    print(f"{len(altered)} altered bundles, all refused")


def alterations(good, vkey):
    """What was altered, the bundle, and the key to check it with."""
    for path, value in places(good):
        name = "/".join(map(str, path))
        for change, other in changes(value):
            yield f"{name} {change}", changed(good, path, other), vkey
        if isinstance(path[-1], str) and path[-1] != "disclosed":
            yield f"{name} missing", changed(good, path, None, remove=True), vkey
        if isinstance(value, dict):
            yield f"{name} with a member more", changed(good, path, value | {"more": 1}), vkey
    entries = good["entries"]
    for at in range(1, len(entries)):
        swapped = copy.deepcopy(good)
        swapped["entries"][at - 1], swapped["entries"][at] = entries[at], entries[at - 1]
        yield f"entries {at - 1} and {at} swapped", swapped, vkey
        moved = copy.deepcopy(good)
        moved["entries"][at]["position"] -= 1
        yield f"entry {at} at the position before", moved, vkey
        borrowed = copy.deepcopy(good)
        borrowed["entries"][at]["proof"] = entries[at - 1]["proof"]
        if entries[at]["proof"] != entries[at - 1]["proof"]:
            yield f"proof {at} of the entry before", borrowed, vkey
    for at, entry in enumerate(entries):
        for hash_at in range(len(entry["proof"])):
            dropped = copy.deepcopy(good)
            del dropped["entries"][at]["proof"][hash_at]
            yield f"hash {hash_at} of entry {at} dropped", dropped, vkey
        frame = base64.b64decode(entry["frame"])
        for bit in range(0, len(frame) * 8, 3):
            flipped = bytearray(frame)
            flipped[bit // 8] ^= 1 << (bit % 8)
            text = base64.b64encode(flipped).decode()
            yield f"bit {bit} of frame {at}", changed(good, ["entries", at, "frame"], text), vkey
    yield "no entries", good | {"entries": []}, vkey
    yield "a member more", good | {"more": 1}, vkey
    yield "the other log", good | {"log": "access"}, vkey
    yield "a list around it", [good], vkey
    yield from notes(good, vkey)
    yield from texts(good, vkey)
    yield from keys(good, vkey)


def places(value, path=()):
    """Every value below, with the way to it."""
    members = value.items() if isinstance(value, dict) else enumerate(value)
    for name, member in members:
        here = [*path, name]
        yield here, member
        if isinstance(member, (dict, list)):
            yield from places(member, here)


def changes(value):
    """Other values of another type or content."""
    if isinstance(value, str):
        yield "empty", ""
        yield "cut", value[:-1]
        yield "longer", value + "A"
        middle = len(value) // 2
        other = "A" if value[middle] != "A" else "B"
        yield "altered", value[:middle] + other + value[middle + 1:]
        yield "as a number", 1
        yield "as bytes that are no text", value + "\ud800"
    if isinstance(value, int):
        for what, other in [("+ 1", value + 1), ("- 1", value - 1), ("negative", -1 - value),
                            ("huge", value + 2**64), ("as a fraction", float(value)),
                            ("as text", str(value)), ("true", True)]:
            yield what, other
    yield "null", None


def changed(good, path, value, remove=False):
    bundle = copy.deepcopy(good)
    place = bundle
    for name in path[:-1]:
        place = place[name]
    if remove:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return bundle


def notes(good, vkey):
    note = good["checkpoint"]
    text, _, lines = note.rpartition("\n\n")
    origin, size, root = text.split("\n")
    name, signature = lines.rstrip("\n").split(" ")[1:]
    raw = base64.b64decode(signature)
    with_signature = lambda data: note.replace(signature, base64.b64encode(data).decode())
    for what, other in [
        ("origin", note.replace(origin, origin.replace("e", "3"), 1)),
        ("origin in both places", note.replace(origin, origin.replace("e", "3"))),
        ("size", note.replace(f"\n{size}\n", f"\n{int(size) + 1}\n")),
        ("size with a zero", note.replace(f"\n{size}\n", f"\n0{size}\n")),
        ("root", note.replace(root, base64.b64encode(bytes(32)).decode())),
        ("an extension", note.replace("\n\n", "\nmore\n\n")),
        ("another key ID", with_signature(bytes([raw[0] ^ 1]) + raw[1:])),
        ("another signature", with_signature(raw[:-1] + bytes([raw[-1] ^ 1]))),
        ("a short signature", with_signature(raw[:-1])),
        ("a long signature", with_signature(raw + b"\0")),
        ("only a key ID", with_signature(raw[:4])),
        ("a second, wrong signature", note + with_signature(raw[:-1] + b"\0").rpartition("\n\n")[2]),
        ("a hyphen", note.replace("\u2014", "-")),
        ("two spaces", note.replace(f"{name} ", f"{name}  ")),
        ("no signature", text + "\n\n"),
        ("no empty line", note.replace("\n\n", "\n")),
        ("a line end more", note + "\n"),
        ("a carriage return", note.replace("\n", "\r\n")),
        ("no text", "\n\n" + lines),
    ]:
        assert other != note, what
        yield f"note: {what}", good | {"checkpoint": other}, vkey


def texts(good, vkey):
    data = json.dumps(good).encode()
    yield "empty file", b"", vkey
    yield "half a file", data[: len(data) // 2], vkey
    yield "more after it", data + b" {}", vkey
    yield "no UTF-8", data.replace(b"events", b"event\xff", 1), vkey
    yield "a member twice", data.replace(b"{", b'{"log": "events", ', 1), vkey
    yield "a position twice", data.replace(b'"position"', b'"position": 1, "position"', 1), vkey


def keys(good, vkey):
    name, key_id, key = vkey.split("+", 2)
    other = base64.b64encode(b"\x01" + bytes(32)).decode()
    for what, altered in [
        ("empty", ""),
        ("no key", f"{name}+{key_id}"),
        ("other name", f"{name}x+{key_id}+{key}"),
        ("other key ID", f"{name}+00000000+{key}"),
        ("other key", f"{name}+{key_id}+{other}"),
        ("cut", vkey[:-4]),
    ]:
        yield f"key: {what}", good, altered


if __name__ == "__main__":
    main()
