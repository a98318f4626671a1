// Bytes, base64 in its only spelling, integers in little endian, and SHA-256.

import { Unsupported, Wrong, expect } from "./wrong.js";

const ENCODER = new TextEncoder();

/** The bytes of a text; refuses one with half a surrogate pair, which UTF-8 cannot say. */
export function utf8(text) {
  expect(!/\p{Surrogate}/u.test(text), "a text is not Unicode");
  return ENCODER.encode(text);
}

/** Base64 of RFC 4648 section 4 with padding; any other spelling of the same bytes is refused. */
export function fromBase64(text) {
  expect(typeof text === "string", "base64 is not a text");
  let letters;
  try {
    letters = atob(text);
  } catch {
    throw new Wrong("not base64");
  }
  expect(btoa(letters) === text, "base64 in another spelling");
  const bytes = new Uint8Array(letters.length);
  for (let at = 0; at < letters.length; at += 1) bytes[at] = letters.charCodeAt(at);
  return bytes;
}

export function toBase64(bytes) {
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
}

export function fromHash(text) {
  const bytes = fromBase64(text);
  expect(bytes.length === 32, "a hash has not 32 bytes");
  return bytes;
}

export function toHex(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export function isEqual(one, other) {
  return one.length === other.length && one.every((byte, at) => byte === other[at]);
}

export function joined(...parts) {
  const all = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

export function u64(value) {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, value, true);
  return bytes;
}

export function i64(value) {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigInt64(0, value, true);
  return bytes;
}

/** Whether a whole number (BigInt) is an i64. */
export function isI64(value) {
  return BigInt.asIntN(64, value) === value;
}

export async function sha256(...parts) {
  return new Uint8Array(await subtle().digest("SHA-256", joined(...parts)));
}

/** The cryptography of the browser, which it has on https and on this machine alone. */
export function subtle() {
  const found = globalThis.crypto?.subtle;
  if (!found) throw new Unsupported("The browser offers its cryptography to pages over https (or from localhost) only.");
  return found;
}
