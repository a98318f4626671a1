#!/usr/bin/env python3
"""Alters a good audit export in many ways; verify.py has to refuse each, and accept the good one.

    altered_export.py EXPORT VKEY

The export needs a period with a beginning and something behind it.
"""

import base64
import json
import sys

import verify
from altered import changed, changes, keys, notes, places


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    with open(sys.argv[1], "rb") as file:
        good = file.readlines()
    vkey = sys.argv[2]
    print(verify.verify_export(good, vkey))
    counted, accepted = 0, []
    for what, lines, key, number in alterations(good, vkey):
        counted += 1
        try:
            verify.verify_export(lines, key)
            accepted.append(what)
        except verify.Wrong as wrong:
            assert number is None or str(wrong).startswith(f"line {number}: "), f"{what}: {wrong}"
    assert counted >= 200, counted
    assert not accepted, f"not refused: {accepted}"
    print(f"{counted} altered exports, all refused")


def alterations(good, vkey):
    """What was altered, the lines, the key to check them with, and the line that has to be named."""
    for at, line in enumerate(good):
        number = at + 1
        yield f"line {number} dropped", good[:at] + good[at + 1:], vkey, number
        yield f"line {number} twice", good[:at + 1] + good[at:], vkey, number + 1
        yield f"ends before line {number}", good[:at], vkey, number
        yield f"line {number} cut off", [*good[:at], line[:-1]], vkey, number
        if at:
            swapped = [*good[:at - 1], line, good[at - 1], *good[at + 1:]]
            yield f"lines {at} and {number} swapped", swapped, vkey, at
    yield "an empty line more", [*good, b"\n"], vkey, len(good) + 1
    for at in (0, 1, 2, len(good) // 2, len(good) - 1):
        line = json.loads(good[at])

        def with_line(other, at=at):
            return [*good[:at], json.dumps(other).encode() + b"\n", *good[at + 1:]]

        number = at + 1 if at else None
        for path, value in places(line):
            name = f"line {at + 1}: " + "/".join(map(str, path))
            # A wrong leaf of a commit is found by the tree alone.
            named = None if path[0] == "leaves" else number
            for change, other in changes(value):
                # Another period that the same run covers is another statement, and as true.
                same = [(["since"], "+ 1"), (["since"], "- 1"), (["until"], "- 1")]
                if at == 0 and (path, change) in same:
                    continue
                yield f"{name} {change}", with_line(changed(line, path, other)), vkey, named
            if isinstance(path[-1], str) and path[-1] != "disclosed":
                yield f"{name} missing", with_line(changed(line, path, None, remove=True)), vkey, named
            if isinstance(value, dict):
                more = changed(line, path, value | {"more": 1})
                yield f"{name} with a member more", with_line(more), vkey, named
        if at == 0:
            for side in ("left", "right"):
                yield f"{side} longer", with_line(line | {side: line[side] + line[side][:1]}), vkey, None
                yield f"{side} empty", with_line(line | {side: []}), vkey, None
            for what, head, key in notes(line, vkey):
                yield what, with_line(head), key, None
            for what, head, key in keys(line, vkey):
                yield what, with_line(head), key, None
            continue
        if "leaves" in line:
            for what, leaves in (("fewer", line["leaves"][:-1]), ("more", line["leaves"] * 2)):
                # It is found where the next line does not fit, or by the tree.
                yield f"line {number} with {what} leaves", with_line(line | {"leaves": leaves}), vkey, None
            continue
        frame = base64.b64decode(line["frame"])
        for bit in range(0, len(frame) * 8, 3):
            flipped = bytearray(frame)
            flipped[bit // 8] ^= 1 << (bit % 8)
            text = base64.b64encode(flipped).decode()
            yield f"bit {bit} of line {number}", with_line(line | {"frame": text}), vkey, number
            leaf = verify.leaf_hash(line["position"], line["recordedAt"], bytes(flipped))
            both = line | {"frame": text, "leaf": base64.b64encode(leaf).decode()}
            yield f"bit {bit} of line {number}, and its leaf", with_line(both), vkey, None


if __name__ == "__main__":
    main()
