// Alters good evidence bundles and audit exports in the ways of tests/verifier/altered.py and altered_export.py.

import { fromBase64, toBase64 } from "../../console/assets/lib/proof/bytes.js";
import { isObject, readJson } from "../../console/assets/lib/proof/json.js";
import { leafHash } from "../../console/assets/lib/proof/tree.js";

/** A number written in another way than as a whole one. */
class Raw {
  constructor(text) {
    this.text = text;
  }
}

export const bytes = (text) => new TextEncoder().encode(text);
const text = (bytes) => new TextDecoder().decode(bytes);

/** JSON of a value with BigInt and `Raw` in it. */
export function write(value) {
  if (value instanceof Raw) return value.text;
  if (typeof value === "bigint") return String(value);
  if (Array.isArray(value)) return `[${value.map(write).join(", ")}]`;
  if (isObject(value)) return `{${Object.entries(value).map(([name, member]) => `${JSON.stringify(name)}: ${write(member)}`).join(", ")}}`;
  return JSON.stringify(value);
}

const copied = (value) => readJson(bytes(write(value)));

/** The value with another one at that place, or with nothing there. */
function changed(good, path, value) {
  const other = copied(good);
  let place = other;
  for (const name of path.slice(0, -1)) place = place[name];
  if (value === undefined) delete place[path.at(-1)];
  else place[path.at(-1)] = value;
  return other;
}

/** Every value below, with the way to it. */
function* places(value, path = []) {
  for (const [name, member] of Object.entries(value)) {
    const here = [...path, Array.isArray(value) ? Number(name) : name];
    yield [here, member];
    if (typeof member === "object" && member !== null) yield* places(member, here);
  }
}

/** Other values of another type or content. */
function* changes(value) {
  if (typeof value === "string") {
    yield ["empty", ""];
    yield ["cut", value.slice(0, -1)];
    yield ["longer", `${value}A`];
    const middle = Math.floor(value.length / 2);
    yield ["altered", value.slice(0, middle) + (value[middle] === "A" ? "B" : "A") + value.slice(middle + 1)];
    yield ["as a number", 1n];
    yield ["as bytes that are no text", `${value}\ud800`];
  }
  if (typeof value === "bigint") {
    yield ["+ 1", value + 1n];
    yield ["- 1", value - 1n];
    yield ["negative", -1n - value];
    yield ["huge", value + 2n ** 64n];
    yield ["as a fraction", new Raw(`${value}.0`)];
    yield ["with an exponent", new Raw(`${value}e0`)];
    yield ["as text", String(value)];
    yield ["true", true];
  }
  yield ["null", null];
}

/** Frames with one bit turned, of every third bit. */
function* turned(frame) {
  for (let bit = 0; bit < frame.length * 8; bit += 3) {
    const other = frame.slice();
    other[bit >> 3] ^= 1 << (bit % 8);
    yield [bit, other];
  }
}

/** What was altered in a bundle with four entries, its bytes, and the key to check them with. */
export function* ofEvidence(data, vkey) {
  const good = readJson(data);
  const of = (what, bundle, key = vkey) => [what, bytes(write(bundle)), key];
  for (const [path, value] of places(good)) {
    const name = path.join("/");
    for (const [change, other] of changes(value)) yield of(`${name} ${change}`, changed(good, path, other));
    if (typeof path.at(-1) === "string" && path.at(-1) !== "disclosed") yield of(`${name} missing`, changed(good, path));
    if (isObject(value)) yield of(`${name} with a member more`, changed(good, path, { ...value, more: 1n }));
  }
  const { entries } = good;
  for (let at = 1; at < entries.length; at += 1) {
    const [before, entry] = [entries[at - 1], entries[at]];
    yield of(`entries ${at - 1} and ${at} swapped`, { ...good, entries: entries.with(at - 1, entry).with(at, before) });
    yield of(`entry ${at} at the position before`, changed(good, ["entries", at, "position"], entry.position - 1n));
    if (write(entry.proof) !== write(before.proof)) yield of(`proof ${at} of the entry before`, changed(good, ["entries", at, "proof"], before.proof));
  }
  for (const [at, entry] of entries.entries()) {
    for (const dropped of entry.proof.keys()) {
      yield of(`hash ${dropped} of entry ${at} dropped`, changed(good, ["entries", at, "proof"], entry.proof.toSpliced(dropped, 1)));
    }
    for (const [bit, frame] of turned(fromBase64(entry.frame))) {
      yield of(`bit ${bit} of frame ${at}`, changed(good, ["entries", at, "frame"], toBase64(frame)));
    }
  }
  yield of("no entries", { ...good, entries: [] });
  yield of("a member more", { ...good, more: 1n });
  yield of("the other log", { ...good, log: "access" });
  yield of("a list around it", [good]);
  for (const [what, note] of notes(good.checkpoint)) yield of(`note: ${what}`, { ...good, checkpoint: note });
  yield* texts(good, vkey);
  for (const [what, key] of keys(vkey)) yield of(`key: ${what}`, good, key);
}

function* notes(note) {
  const gap = note.lastIndexOf("\n\n");
  const [body, lines] = [note.slice(0, gap), note.slice(gap + 2)];
  const [origin, size, root] = body.split("\n");
  const [, name, signature] = lines.trimEnd().split(" ");
  const raw = fromBase64(signature);
  const signed = (data) => note.replace(signature, () => toBase64(data));
  const other = (at) => raw.with(at, raw.at(at) ^ 1);
  const last = raw.length - 1;
  const all = {
    origin: note.replace(origin, origin.replace("e", "3")),
    "origin in both places": note.replaceAll(origin, origin.replaceAll("e", "3")),
    size: note.replace(`\n${size}\n`, `\n${BigInt(size) + 1n}\n`),
    "size with a zero": note.replace(`\n${size}\n`, `\n0${size}\n`),
    root: note.replace(root, toBase64(new Uint8Array(32))),
    "an extension": note.replace("\n\n", "\nmore\n\n"),
    "another key ID": signed(other(0)),
    "another signature": signed(other(last)),
    "a short signature": signed(raw.subarray(0, last)),
    "a long signature": signed(Uint8Array.of(...raw, 0)),
    "only a key ID": signed(raw.subarray(0, 4)),
    "a second, wrong signature": note + signed(other(last)).slice(gap + 2),
    "a hyphen": note.replace("\u2014", "-"),
    "two spaces": note.replaceAll(`${name} `, `${name}  `),
    "no signature": `${body}\n\n`,
    "no empty line": note.replace("\n\n", "\n"),
    "a line end more": `${note}\n`,
    "a carriage return": note.replaceAll("\n", "\r\n"),
    "no text": `\n\n${lines}`,
  };
  for (const [what, altered] of Object.entries(all)) {
    if (altered === note) throw new Error(`not altered: ${what}`);
    yield [what, altered];
  }
}

function* texts(good, vkey) {
  const data = write(good);
  yield ["empty file", bytes(""), vkey];
  yield ["half a file", bytes(data.slice(0, data.length / 2)), vkey];
  yield ["more after it", bytes(`${data} {}`), vkey];
  yield ["a byte order mark", bytes(`\ufeff${data}`), vkey];
  const broken = bytes(data);
  broken[data.indexOf("events")] = 0xff;
  yield ["no UTF-8", broken, vkey];
  yield ["a member twice", bytes(data.replace("{", '{"log": "events", ')), vkey];
  yield ["a position twice", bytes(data.replace('"position"', '"position": 1, "position"')), vkey];
}

function* keys(vkey) {
  const [name, id, ...rest] = vkey.split("+");
  const key = rest.join("+");
  const other = toBase64(Uint8Array.of(1, ...new Uint8Array(32)));
  yield ["empty", ""];
  yield ["no key", `${name}+${id}`];
  yield ["other name", `${name}x+${id}+${key}`];
  yield ["other key ID", `${name}+00000000+${key}`];
  yield ["other key", `${name}+${id}+${other}`];
  yield ["cut", vkey.slice(0, -4)];
}

/** What was altered in an export, its lines, the key, and the line that has to be named, if one has to. */
export async function* ofExport(good, vkey) {
  for (const [at, line] of good.entries()) {
    const number = at + 1;
    yield [`line ${number} dropped`, good.toSpliced(at, 1), vkey, number];
    yield [`line ${number} twice`, good.toSpliced(at, 0, line), vkey, number + 1];
    yield [`ends before line ${number}`, good.slice(0, at), vkey, number];
    yield [`line ${number} cut off`, [...good.slice(0, at), line.slice(0, -1)], vkey, number];
    if (at) yield [`lines ${at} and ${number} swapped`, good.with(at - 1, line).with(at, good[at - 1]), vkey, at];
  }
  yield ["an empty line more", [...good, bytes("\n")], vkey, good.length + 1];
  for (const at of new Set([0, 1, 2, good.length >> 1, good.length - 1])) yield* ofLine(good, at, vkey);
}

async function* ofLine(good, at, vkey) {
  const line = readJson(good[at]);
  const number = at ? at + 1 : undefined;
  const of = (what, other, named, key = vkey) => [what, good.with(at, bytes(`${write(other)}\n`)), key, named];
  // Another period that the same run covers is another statement, and as true.
  const isAsTrue = (name, change) => at === 0 && ["since + 1", "since - 1", "until - 1"].includes(`${name} ${change}`);
  for (const [path, value] of places(line)) {
    const name = path.join("/");
    // A wrong leaf of a commit is found by the tree alone.
    const named = path[0] === "leaves" ? undefined : number;
    for (const [change, other] of changes(value)) {
      if (!isAsTrue(name, change)) yield of(`line ${at + 1}: ${name} ${change}`, changed(line, path, other), named);
    }
    if (typeof path.at(-1) === "string" && path.at(-1) !== "disclosed") yield of(`line ${at + 1}: ${name} missing`, changed(line, path), named);
    if (isObject(value)) yield of(`line ${at + 1}: ${name} with a member more`, changed(line, path, { ...value, more: 1n }), named);
  }
  if (at === 0) {
    for (const side of ["left", "right"]) {
      yield of(`${side} longer`, { ...line, [side]: [...line[side], ...(line[side].length ? line[side].slice(0, 1) : [""])] });
      if (line[side].length) yield of(`${side} empty`, { ...line, [side]: [] });
    }
    for (const [what, note] of notes(line.checkpoint)) yield of(`note: ${what}`, { ...line, checkpoint: note });
    for (const [what, key] of keys(vkey)) yield of(`key: ${what}`, line, undefined, key);
  } else if ("leaves" in line) {
    // It is found where the next line does not fit, or by the tree.
    yield of(`line ${number} with fewer leaves`, { ...line, leaves: line.leaves.slice(0, -1) });
    yield of(`line ${number} with more leaves`, { ...line, leaves: [...line.leaves, ...line.leaves] });
  } else {
    for (const [bit, frame] of turned(fromBase64(line.frame))) {
      const other = { ...line, frame: toBase64(frame) };
      yield of(`bit ${bit} of line ${number}`, other, number);
      const leaf = toBase64(await leafHash(line.position, line.recordedAt, frame));
      yield of(`bit ${bit} of line ${number}, and its leaf`, { ...other, leaf });
    }
  }
}

/** The lines of a text, each with its end. */
export function linesIn(data) {
  return text(data).match(/[^\n]*\n/g).map(bytes);
}
