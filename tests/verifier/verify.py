#!/usr/bin/env python3
"""Checks an evidence bundle with a verifier key, and nothing else.

    verify.py BUNDLE VKEY

Exit code 0 if the bundle holds, 1 if it does not, with the reason. Written from
docs/format.md alone, so that the page and the program that writes bundles check each other.
"""

import base64
import hashlib
import json
import re
import sys

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

FORMAT = "chartlog-evidence/1"
HEADER_BYTES = 50
KIND_CHART = 1
KINDS = {"events": (1, 2), "access": (3,)}
FLAG_SEALED = 0b100
FLAGS_KNOWN = 0b111
LABEL = b"chartlog commitment v1\x00"
ED25519 = 1


class Wrong(Exception):
    """The bundle does not hold, and why."""


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    try:
        with open(sys.argv[1], "rb") as file:
            print(verify(file.read(), sys.argv[2]))
    except Wrong as wrong:
        print(f"does not hold: {wrong}", file=sys.stderr)
        sys.exit(1)


def verify(data, vkey):
    """Says what the bundle proves; raises Wrong if anything is not as it has to be."""
    key = read_key(vkey)
    bundle = read_json(data)
    members(bundle, {"format": str, "log": str, "checkpoint": str, "entries": list}, "the bundle")
    expect(bundle["format"] == FORMAT, f"the format is not {FORMAT}")
    log = bundle["log"]
    expect(log in KINDS, "log is neither events nor access")
    origin, size, root = read_checkpoint(bundle["checkpoint"], key)
    expect(origin.endswith("/" + log), f"the origin {origin} does not end in /{log}")
    expect(bundle["entries"], "there are no entries")
    before, versions = None, {}
    for entry in bundle["entries"]:
        members(entry, {"position": int, "recordedAt": int, "frame": str, "proof": list}, "an entry",
                {"disclosed": dict})
        position = entry["position"]
        try:
            check_entry(entry, before, log, size, root, versions)
        except Wrong as wrong:
            raise Wrong(f"position {position}: {wrong}") from None
        before = entry
    return f"holds: {len(bundle['entries'])} of the {size} entries of {origin}"


def check_entry(entry, before, log, size, root, versions):
    position, recorded_at = entry["position"], entry["recordedAt"]
    expect(0 <= position < size, f"the signed log has {size} entries")
    expect(-(2**63) <= recorded_at < 2**63, "recordedAt is no i64")
    if before is not None:
        expect(position > before["position"], "positions do not ascend")
        expect(recorded_at >= before["recordedAt"], "recordedAt decreases")
    frame = read_base64(entry["frame"])
    expect(len(frame) >= HEADER_BYTES, "the frame is cut off")
    length = int.from_bytes(frame[0:4], "little")
    kind, flags = frame[4], frame[5]
    version = int.from_bytes(frame[6:10], "little")
    alias = int.from_bytes(frame[10:18], "little")
    expect(len(frame) == HEADER_BYTES + length, "the frame has not the length that it says")
    expect(kind in KINDS[log], f"kind {kind} does not belong to {log}")
    expect(flags & ~FLAGS_KNOWN == 0, "the frame has unknown flags")
    proof = [read_hash(text) for text in entry["proof"]]
    leaf = position.to_bytes(8, "little") + recorded_at.to_bytes(8, "little", signed=True) + frame
    computed = root_of(position, size, sha256(b"\x00" + leaf), proof)
    expect(computed == root, "the signed tree does not hold this entry")
    if kind == KIND_CHART:
        expect(version > versions.get(alias, 0), "versions of a chart do not ascend")
        versions[alias] = version
    if "disclosed" in entry:
        disclosed = entry["disclosed"]
        members(disclosed, {"salt": str, "payload": str}, "disclosed")
        expect(flags & FLAG_SEALED, "a payload is disclosed of a frame that is not sealed")
        salt = read_base64(disclosed["salt"])
        expect(len(salt) == 16, "the salt has not 16 bytes")
        committed = sha256(LABEL + salt + utf8(disclosed["payload"]))
        expect(committed == frame[18:50], "the payload is not the one committed to")


def root_of(position, size, leaf, proof):
    """RFC 9162 section 2.1.3.2; None if the proof has not the length it needs."""
    node, last, result = position, size - 1, leaf
    for sibling in proof:
        if last == 0:
            return None
        if node % 2 == 1 or node == last:
            result = sha256(b"\x01" + sibling + result)
            while node % 2 == 0 and node != 0:
                node, last = node // 2, last // 2
        else:
            result = sha256(b"\x01" + result + sibling)
        node, last = node // 2, last // 2
    return result if last == 0 else None


def read_key(vkey):
    """The name, key ID and public key of a verifier key."""
    parts = vkey.split("+", 2)
    expect(len(parts) == 3, "the key is not <name>+<key ID>+<key>")
    name, key_id, key = parts[0], parts[1], read_base64(parts[2])
    expect(is_name(name), "the key has no proper name")
    expect(len(key) == 33 and key[0] == ED25519, "the key is not an Ed25519 key")
    computed = sha256(utf8(name) + b"\n" + key)[:4]
    expect(computed.hex() == key_id, "the key ID is not that of name and key")
    return name, computed, Ed25519PublicKey.from_public_bytes(key[1:])


def read_checkpoint(note, key):
    """Origin, size and root, once the signature is checked."""
    name, key_id, public = key
    text, gap, lines = note.rpartition("\n\n")
    expect(gap and lines.endswith("\n"), "checkpoint: not a signed note")
    text += "\n"
    expect(not any(letter < " " and letter != "\n" for letter in note),
           "checkpoint: the note has control characters")
    signatures = []
    for line in lines[:-1].split("\n"):
        parts = line.split(" ")
        expect(len(parts) == 3 and parts[0] == "\u2014" and is_name(parts[1]),
               "checkpoint: a line is not a signature line")
        signature = read_base64(parts[2])
        expect(len(signature) > 4, "checkpoint: a signature is cut off")
        if parts[1] == name and signature[:4] == key_id:
            signatures.append(signature[4:])
    expect(signatures, "checkpoint: it is not signed by this key")
    for signature in signatures:
        try:
            public.verify(signature, utf8(text))
        except InvalidSignature:
            raise Wrong("checkpoint: the signature does not match the text") from None
    lines = text[:-1].split("\n")
    expect(len(lines) >= 3 and all(lines), "checkpoint: it lacks a line, or has an empty one")
    origin, size, root = lines[:3]
    expect(origin == name, "checkpoint: it is of another origin than the key")
    expect(re.fullmatch("0|[1-9][0-9]{0,19}", size) and int(size) < 2**64,
           "checkpoint: the size is no number")
    return origin, int(size), read_hash(root)


def read_json(data):
    def no_doubles(pairs):
        names = [name for name, _ in pairs]
        expect(len(names) == len(set(names)), "a member stands twice")
        return dict(pairs)

    def refuse(constant):
        raise Wrong(f"{constant} is not JSON")

    try:
        return json.loads(data.decode(), object_pairs_hook=no_doubles, parse_constant=refuse)
    except ValueError as error:
        raise Wrong(f"not JSON: {error}") from None


def members(value, required, what, optional=None):
    """Exactly these members, of these types. True and false are integers to Python only."""
    expect(isinstance(value, dict), f"{what} is not an object")
    known = required | (optional or {})
    for name in required:
        expect(name in value, f"{what} has no {name}")
    for name, member in value.items():
        expect(name in known, f"{what} has an unknown member {name}")
        typed = isinstance(member, known[name]) and not isinstance(member, bool)
        expect(typed, f"{name} of {what} has the wrong type")


def read_hash(text):
    data = read_base64(text)
    expect(len(data) == 32, "a hash has not 32 bytes")
    return data


def read_base64(text):
    expect(isinstance(text, str), "base64 is not a text")
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        raise Wrong("not base64") from None
    expect(base64.b64encode(data).decode() == text, "base64 in another spelling")
    return data


def utf8(text):
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise Wrong("a text is not Unicode") from None


def is_name(name):
    return name != "" and not any(
        letter.isspace() or letter == "+" or letter < " " for letter in name
    )


def sha256(data):
    return hashlib.sha256(data).digest()


def expect(true, otherwise):
    if not true:
        raise Wrong(otherwise)


if __name__ == "__main__":
    main()
