#!/usr/bin/env python3
"""Checks an evidence bundle, or an audit export, with a verifier key, and nothing else.

    verify.py BUNDLE VKEY
    verify.py --export EXPORT VKEY

Exit code 0 if it holds, 1 if it does not, with the reason. Written from docs/format.md alone, so
that the page and the program that writes bundles and exports check each other.
"""

import base64
import hashlib
import json
import re
import sys

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

FORMAT = "chartlog-evidence/1"
EXPORT_FORMAT = "chartlog-audit-export/2"
HEADER_BYTES = 50
KIND_CHART = 1
KIND_ACCESS = 3
KINDS = {"events": (1, 2), "access": (KIND_ACCESS, 4)}
FLAG_SEALED = 0b100
FLAGS_KNOWN = 0b111
LABEL = b"chartlog commitment v1\x00"
ED25519 = 1


class Wrong(Exception):
    """The bundle or the export does not hold, and why."""


def main():
    arguments = sys.argv[1:]
    is_export = arguments[:1] == ["--export"]
    if len(arguments) != (3 if is_export else 2):
        sys.exit(__doc__)
    path, vkey = arguments[-2:]
    try:
        with open(path, "rb") as file:
            print(verify_export(file, vkey) if is_export else verify(file.read(), vkey))
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


def verify_export(lines, vkey):
    """Says what the export proves, whose lines (with their ends) are taken one after the other; raises
    Wrong, which names the line, if anything is not as it has to be."""
    key = read_key(vkey)
    lines = Lines(lines)
    try:
        return check_export(lines, key)
    except Wrong as wrong:
        raise Wrong(f"line {lines.number}: {wrong}") from None


def check_export(lines, key):
    head = lines.next()
    members(head, {"format": str, "log": str, "checkpoint": str, "until": int, "first": int, "end": int,
                   "left": list, "right": list}, "the head", {"since": int})
    expect(head["format"] == EXPORT_FORMAT, f"the format is not {EXPORT_FORMAT}")
    origin, size, signed_root = read_checkpoint(head["checkpoint"], key)
    log = head["log"]
    expect(log in KINDS, "log is neither events nor access")
    expect(origin.endswith("/" + log), f"the origin {origin} does not end in /{log}")
    first, end, until, since = head["first"], head["end"], head["until"], head.get("since")
    for moment in (until, since or 0):
        expect(-(2**63) <= moment < 2**63, "a moment is no i64")
    expect(since is None or since <= until, "since lies behind until")
    expect(0 <= first <= end <= size, f"from {first} to {end} are no positions of {size}")
    expect(first == 0 or since is not None, "it does not begin with the log, and has no since")
    left, right = ([read_hash(text) for text in head[side]] for side in ("left", "right"))
    before, found, commit, is_closed = None, {"frames": 0, "entries": 0}, [], False

    def leaf_of(position):
        nonlocal before, is_closed
        if commit:
            return commit.pop(0)
        line = lines.next()
        if log == "events" and "leaves" in line:
            members(line, {"position": int, "leaves": list}, "the line")
            expect(line["position"] == position, f"position {position} belongs here")
            expect(position != first or first == 0, "the run does not begin in front of the period")
            commit.extend(read_hash(leaf) for leaf in line["leaves"])
            expect(1 <= len(commit) <= end - position, "the commit has too few or too many events")
            found["frames"] += len(commit)
            found["entries"] += 1
            return commit.pop(0)
        recorded_at, entries = check_line(line, position, log)
        expect(before is None or recorded_at >= before, "recordedAt decreases")
        before = recorded_at
        is_older = since is not None and recorded_at < since
        is_later = position == end - 1 and recorded_at >= until
        if position == first != 0:
            expect(is_older, "the run does not begin in front of the period")
        if log == "events":
            expect(is_later or is_older and position == first, "a frame of the period, or beyond it")
        elif not is_older and recorded_at < until:
            found["frames"] += 1
            found["entries"] += entries
        is_closed |= is_later
        return base64.b64decode(line["leaf"])

    def root(low, high):
        if high <= first:
            expect(left, "left has too few hashes")
            return left.pop(0)
        if low >= end:
            expect(right, "right has too few hashes")
            return right.pop(0)
        if high - low == 1:
            return leaf_of(low)
        middle = low + (1 << ((high - low - 1).bit_length() - 1))
        return sha256(b"\x01" + root(low, middle) + root(middle, high))

    computed = root(0, size) if size else sha256(b"")
    expect(is_closed or log == "events" and end == size, "the run does not end behind the period")
    expect(computed == signed_root and not left and not right,
           "the lines up to here do not lead to the signed root")
    lines.end()
    what = "commits" if log == "events" else "entries"
    return (f"holds: these are all {found['frames']} frames, with {found['entries']} {what}, that "
            f"{origin} recorded from {since} until {until}")


def check_line(line, position, log):
    """The time of the frame on a line, and how many access entries it holds."""
    members(line, {"position": int, "recordedAt": int, "leaf": str, "frame": str}, "the line",
            {"disclosed": dict})
    expect(line["position"] == position, f"position {position} belongs here")
    recorded_at = line["recordedAt"]
    expect(-(2**63) <= recorded_at < 2**63, "recordedAt is no i64")
    frame = read_base64(line["frame"])
    expect(read_hash(line["leaf"]) == leaf_hash(position, recorded_at, frame),
           "the leaf is not that of position, recordedAt and frame")
    kind, flags, version, _ = read_header(frame)
    expect(kind in KINDS[log], f"kind {kind} does not belong to {log}")
    if "disclosed" in line:
        check_disclosed(line["disclosed"], frame, flags)
    return recorded_at, max(version, 1) if kind == KIND_ACCESS else 0


class Lines:
    """The lines of an export, each a JSON value."""

    def __init__(self, lines):
        self.lines, self.number = iter(lines), 0

    def next(self):
        self.number += 1
        line = next(self.lines, None)
        expect(line is not None, "the export ends here; there must be more lines")
        expect(line.endswith(b"\n"), "the line is cut off")
        return read_json(line)

    def end(self):
        self.number += 1
        expect(next(self.lines, None) is None, "the export must have ended in front of this line")


def check_entry(entry, before, log, size, root, versions):
    position, recorded_at = entry["position"], entry["recordedAt"]
    expect(0 <= position < size, f"the signed log has {size} entries")
    expect(-(2**63) <= recorded_at < 2**63, "recordedAt is no i64")
    if before is not None:
        expect(position > before["position"], "positions do not ascend")
        expect(recorded_at >= before["recordedAt"], "recordedAt decreases")
    frame = read_base64(entry["frame"])
    kind, flags, version, alias = read_header(frame)
    expect(kind in KINDS[log], f"kind {kind} does not belong to {log}")
    proof = [read_hash(text) for text in entry["proof"]]
    computed = root_of(position, size, leaf_hash(position, recorded_at, frame), proof)
    expect(computed == root, "the signed tree does not hold this entry")
    if kind == KIND_CHART:
        expect(version > versions.get(alias, 0), "versions of a chart do not ascend")
        versions[alias] = version
    if "disclosed" in entry:
        check_disclosed(entry["disclosed"], frame, flags)


def read_header(frame):
    """Kind, flags, version and alias of a frame."""
    expect(len(frame) >= HEADER_BYTES, "the frame is cut off")
    length = int.from_bytes(frame[0:4], "little")
    expect(len(frame) == HEADER_BYTES + length, "the frame has not the length that it says")
    kind, flags = frame[4], frame[5]
    expect(flags & ~FLAGS_KNOWN == 0, "the frame has unknown flags")
    return kind, flags, int.from_bytes(frame[6:10], "little"), int.from_bytes(frame[10:18], "little")


def leaf_hash(position, recorded_at, frame):
    leaf = position.to_bytes(8, "little") + recorded_at.to_bytes(8, "little", signed=True) + frame
    return sha256(b"\x00" + leaf)


def check_disclosed(disclosed, frame, flags):
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
