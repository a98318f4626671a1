// Verifier keys, and checkpoints: signed notes that say how large a log is and what its root is (docs/format.md).

import { fromBase64, fromHash, isEqual, sha256, subtle, toHex, utf8 } from "./bytes.js";
import { Unsupported, Wrong, expect } from "./wrong.js";

const ED25519 = 1;
const SIGNATURES_MAX = 100;

/** The steps that every check begins with, and what each means when it holds. */
export const KEY_STEP = {
  id: "key", title: "The key",
  means: "The verifier key is well-formed, and its ID is the one that follows from it.",
};
export const CHECKPOINT_STEP = {
  id: "checkpoint", title: "The checkpoint",
  means: "Who holds the key signed how many entries the log had, and the root over all of them.",
};

/** Name, key ID and public key of a verifier key, `<name>+<key ID>+<base64>`. */
export async function readKey(text) {
  const [name, id, ...rest] = text.split("+");
  expect(rest.length > 0, "the key is not <name>+<key ID>+<key>");
  const key = fromBase64(rest.join("+"));
  expect(isName(name), "the key has no proper name");
  expect(key.length === 33 && key[0] === ED25519, "the key is not an Ed25519 key");
  const computed = (await sha256(utf8(name), Uint8Array.of(0x0a), key)).subarray(0, 4);
  expect(toHex(computed) === id, "the key ID is not that of name and key");
  return { name, id: computed, public: await imported(key.subarray(1)) };
}

async function imported(bytes) {
  try {
    return await subtle().importKey("raw", bytes, { name: "Ed25519" }, false, ["verify"]);
  } catch (error) {
    if (error.name === "DataError") throw new Wrong("the key is not an Ed25519 key");
    if (error instanceof Unsupported) throw error;
    throw new Unsupported("This browser cannot check Ed25519 signatures; Chrome from 137, Firefox from 129 and Safari from 17 can.");
  }
}

/** Origin, size (BigInt) and root of a checkpoint, once its signature is checked. */
export async function readCheckpoint(note, key) {
  const text = await signedText(note, key);
  const lines = text.slice(0, -1).split("\n");
  expect(lines.length >= 3 && lines.every(Boolean), "checkpoint: it lacks a line, or has an empty one");
  const [origin, size, root] = lines;
  expect(origin === key.name, "checkpoint: it is of another origin than the key");
  expect(/^(?:0|[1-9][0-9]{0,19})$/.test(size) && BigInt(size) < 2n ** 64n, "checkpoint: the size is no number");
  return { origin, size: BigInt(size), root: fromHash(root) };
}

/** The text of a note that this key signed, with its last line end. */
async function signedText(note, key) {
  const gap = note.lastIndexOf("\n\n");
  expect(gap >= 0 && note.length > gap + 2 && note.endsWith("\n"), "checkpoint: not a signed note");
  expect(!/[\u0000-\u0009\u000b-\u001f]/.test(note), "checkpoint: the note has control characters");
  const text = note.slice(0, gap + 1);
  const lines = note.slice(gap + 2, -1).split("\n");
  expect(lines.length <= SIGNATURES_MAX, "checkpoint: it has too many signatures");
  const own = lines.map(signatureOf).filter(({ name, id }) => name === key.name && isEqual(id, key.id));
  expect(own.length > 0, "checkpoint: it is not signed by this key");
  for (const { signature } of own) {
    const isGood = await subtle().verify({ name: "Ed25519" }, key.public, signature, utf8(text));
    expect(isGood, "checkpoint: the signature does not match the text");
  }
  return text;
}

function signatureOf(line) {
  const parts = line.split(" ");
  expect(parts.length === 3 && parts[0] === "\u2014" && isName(parts[1]), "checkpoint: a line is not a signature line");
  const bytes = fromBase64(parts[2]);
  expect(bytes.length > 4, "checkpoint: a signature is cut off");
  return { name: parts[1], id: bytes.subarray(0, 4), signature: bytes.subarray(4) };
}

function isName(name) {
  return name !== "" && !/[\s+\u0000-\u001f\u0085]/.test(name);
}
