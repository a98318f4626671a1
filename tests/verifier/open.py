"""Opens the frames in tests/vectors/seal.json with the keys beside them, and nothing of Chartlog.

Written from docs/format.md alone, so that the page and the program check each other.

    open.py [VECTORS]    exit 0: every payload came out as it is said to be; 1: one did not
"""

import base64
import hashlib
import hmac
import json
import pathlib
import struct
import sys

import zstandard
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
DICTIONARIES = [
    None, "general-1", "access-1", "CarePlan-1", "CareTeam-1", "Claim-1", "Condition-1",
    "DiagnosticReport-1", "DocumentReference-1", "Encounter-1", "ExplanationOfBenefit-1",
    "Immunization-1", "MedicationRequest-1", "Observation-1", "Procedure-1", "SupplyDelivery-1",
    "access-2",
]  # fmt: skip


def secret(key, label, sealed):
    return AESGCM(key).decrypt(sealed[:12], sealed[12:], label)


def unwrap(epoch_key, alias, wrap):
    plain = secret(epoch_key, b"chartlog data key v1\0" + struct.pack("<Q", alias), wrap[4:])
    return plain[:32], plain[33 : 33 + plain[32]].decode()


def derive(data_key, info):
    return HKDF(SHA256(), 32, b"chartlog", info).derive(data_key)


def expand(text, owner, payloads):
    if text[0] == 255:
        return quoting(text, owner, payloads)
    dictionary, count = struct.unpack("<BH", text[:3])
    uuids = [text[3 + 16 * n : 19 + 16 * n].hex() for n in range(count)]
    uuids = ["-".join([u[:8], u[8:12], u[12:16], u[16:20], u[20:]]).encode() for u in uuids]
    trained = None
    if dictionary:
        name = f"src/seal/dictionaries/{DICTIONARIES[dictionary]}.zdict"
        trained = zstandard.ZstdCompressionDict((ROOT / name).read_bytes())
    frame = b"\x28\xb5\x2f\xfd" + text[3 + 16 * count :]
    packed = zstandard.ZstdDecompressor(dict_data=trained).decompress(frame)
    out, at, following = b"", 0, iter(uuids)
    while at < len(packed):
        code = packed[at]
        if code == 1:
            out += owner.encode()
        elif code == 2:
            out += next(following)
        elif code == 3:
            out += uuids[struct.unpack_from("<H", packed, at + 1)[0]]
            at += 2
        else:
            out += packed[at : at + 1]
        at += 1
    return out


def quoting(text, owner, payloads):
    position, shift, at = 0, 0, 1
    while True:
        position |= (text[at] & 0x7F) << shift
        shift, at = shift + 7, at + 1
        if text[at - 1] < 0x80:
            break
    count = struct.unpack_from("<H", text, at)[0]
    numbers = struct.unpack_from(f"<{count}H", text, at + 2)
    lines = payloads[position].split(b"\n")
    parts = expand(text[at + 2 + 2 * count :], owner, payloads).split(b"\x04")
    assert len(parts) == count + 1
    quoted = [lines[number] for number in numbers] + [b""]
    return b"".join(part + line for part, line in zip(parts, quoted))


def open_content(data_key, owner, kind, alias, commitment, content, payloads):
    label = b"chartlog frame v2\0" + struct.pack("<BQ", kind, alias)
    text = AESGCM(derive(data_key, b"chartlog encryption")).decrypt(commitment[:12], content, label)
    salt = hmac.digest(derive(data_key, b"chartlog salt"), text, "sha256")[:16]
    payload = expand(text, owner, payloads)
    assert hashlib.sha256(b"chartlog commitment v1\0" + salt + payload).digest() == commitment
    return salt, payload


def main(path):
    vectors = json.loads(path.read_text())
    master = bytes.fromhex(vectors["masterKey"])
    file = json.loads(vectors["epochKeyFile"])
    label = b"chartlog epoch key v1\0" + struct.pack("<I", file["epoch"])
    epoch_key = secret(master, label, base64.b64decode(file["key"]))
    sealed_seed = bytes.fromhex(vectors["signingKeyFile"])
    assert secret(master, b"chartlog signing seed v1\0", sealed_seed).hex() == vectors["signingSeed"]
    wraps = bytes.fromhex(vectors["epochWrapsFile"])
    assert wraps[:8] == b"CLWRAPS1" and hashlib.sha256(wraps[:-32]).digest() == wraps[-32:]
    keys = {}
    for n in range(struct.unpack_from("<Q", wraps, 12)[0]):
        record = wraps[20 + 137 * n : 157 + 137 * n]
        alias = struct.unpack_from("<Q", record)[0]
        keys[alias] = unwrap(epoch_key, alias, record[8:])
    payloads = []  # by position
    for vector in vectors["frames"]:
        frame = bytes.fromhex(vector["frame"])
        length, kind, flags, _, alias = struct.unpack("<IBBIQ", frame[:18])
        commitment, body = frame[18:50], frame[50:]
        assert len(body) == length
        if flags & 2:
            keys[alias] = unwrap(epoch_key, alias, body[:129])
            body = body[129:]
        data_key, owner = keys[1 if kind >= 3 else alias]
        salt, payload = open_content(data_key, owner, kind, alias, commitment, body, payloads)
        payloads.append(payload)
        assert payload.decode() == vector["payload"] and salt.hex() == vector["salt"]
        print(f"opened {len(frame)} bytes: {payload[:60].decode(errors='replace')}...")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "tests/vectors/seal.json")
