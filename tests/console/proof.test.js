// What the console checks in the browser: the vectors hold, and every altered one is refused. Run: node --test tests/console/

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

import { aliasText, entriesOf, expectSame } from "../../console/assets/lib/proof/accesses.js";
import { fromHash, isEqual, sha256, toBase64 } from "../../console/assets/lib/proof/bytes.js";
import { verifyEvidence } from "../../console/assets/lib/proof/evidence.js";
import { verifyExport } from "../../console/assets/lib/proof/export.js";
import { linesOf, recognise, verifyFile } from "../../console/assets/lib/proof/file.js";
import { readJson } from "../../console/assets/lib/proof/json.js";
import { readCheckpoint, readKey } from "../../console/assets/lib/proof/note.js";
import { instantOf } from "../../console/assets/lib/proof/time.js";
import { checkConsistency, emptyRoot, leafHash, nodeHash, rootOf, splitOf } from "../../console/assets/lib/proof/tree.js";
import { Wrong } from "../../console/assets/lib/proof/wrong.js";
import { bytes, linesIn, ofEvidence, ofExport } from "./altering.js";

const read = (name) => readFile(new URL(`../vectors/${name}`, import.meta.url));
const vectors = JSON.parse(await read("proof.json"));
const evidence = await read("evidence.json");

test("a good bundle holds, and each altered one is refused with its step", async () => {
  const steps = [];
  const found = await verifyEvidence(evidence, vectors.bundleKey, (step) => steps.push(step));
  assert.deepEqual(steps, ["key", "form", "checkpoint", "entries", "disclosed"]);
  assert.equal(found.size, 300n);
  assert.equal(found.entries.length, 7);
  assert.ok(found.entries[0].payload);
  let count = 0;
  await inParallel(ofEvidence(evidence, vectors.bundleKey), async ([what, data, key]) => {
    count += 1;
    const failed = await refused(what, () => verifyEvidence(data, key));
    assert.ok(failed.message && failed.step, what);
  });
  assert.ok(count >= 50, String(count));
});

for (const [name, key] of [["export.ndjson", vectors.exportKey], ["export-events.ndjson", vectors.bundleKey]]) {
  test(`a good export holds, and each altered one is refused with its line: ${name}`, async () => {
    const good = linesIn(await read(name));
    const found = await verifyExport(good, key);
    assert.ok(found.frames > 0 && found.entries > 0);
    let count = 0;
    await inParallel(ofExport(good, key), async ([what, lines, vkey, number]) => {
      count += 1;
      const failed = await refused(what, () => verifyExport(lines, vkey));
      if (number !== undefined) assert.equal(failed.place, `line ${number}`, `${what}: ${failed.message}`);
    });
    assert.ok(count >= 200, String(count));
  });
}

/** Does `act` with each of the items, 64 at a time. */
async function inParallel(items, act) {
  let batch = [];
  for await (const item of items) {
    batch.push(act(item));
    if (batch.length === 64) batch = await Promise.all(batch).then(() => []);
  }
  await Promise.all(batch);
}

async function refused(what, verify) {
  try {
    await verify();
  } catch (error) {
    assert.ok(error instanceof Wrong, `${what}: ${error.stack}`);
    return error;
  }
  return assert.fail(`not refused: ${what}`);
}

test("a file is known by its beginning, and its lines come whole however they stream", async () => {
  const file = new Blob([await read("export.ndjson")]);
  const { kind, log } = await recognise(file);
  assert.deepEqual([kind, log], ["export", "access"]);
  const found = await verifyFile(kind, file, vectors.exportKey);
  assert.equal(found.log, "access");
  assert.equal((await recognise(new Blob([evidence]))).kind, "evidence");
  await assert.rejects(recognise(new Blob(["{}"])), Wrong);
  const pieces = new ReadableStream({
    start(control) {
      for (const piece of ["on", "e\ntw", "o\n\nla", "st"]) control.enqueue(bytes(piece));
      control.close();
    },
  });
  const lines = [];
  for await (const line of linesOf(pieces)) lines.push(new TextDecoder().decode(line));
  assert.deepEqual(lines, ["one\n", "two\n", "\n", "last"]);
});

test("leaves, inclusion and consistency are those of the vectors", async () => {
  const { leaves, inclusion, consistency, roots, logLeaf, checkpoint, key } = vectors;
  for (const leaf of leaves) assert.ok(isEqual(await sha256(Uint8Array.of(0), bytes(leaf.text)), fromHash(leaf.hash)));
  const frame = Uint8Array.from(logLeaf.frame.match(/../g), (pair) => Number.parseInt(pair, 16));
  assert.equal(toBase64(await leafHash(BigInt(logLeaf.position), BigInt(logLeaf.recordedAt), frame)), logLeaf.hash);
  const hashes = await Promise.all(Array.from({ length: 600 }, (_, at) => sha256(Uint8Array.of(0), bytes(`leaf ${at}`))));
  const rootAt = async (size) => (size ? treeOf(hashes.slice(0, size)) : emptyRoot());
  for (const { size, root } of roots) assert.equal(toBase64(await rootAt(size)), root);
  for (const { position, size, hashes } of inclusion) {
    const leaf = await sha256(Uint8Array.of(0), bytes(`leaf ${position}`));
    const root = await rootOf(BigInt(position), BigInt(size), leaf, hashes.map(fromHash));
    assert.ok(isEqual(root, await rootAt(size)), `${position} of ${size}`);
  }
  for (const { oldSize, newSize, hashes } of consistency) {
    const older = { size: BigInt(oldSize), root: await rootAt(oldSize) };
    const newer = { size: BigInt(newSize), root: await rootAt(newSize) };
    const proof = hashes.map(fromHash);
    await checkConsistency(older, newer, proof);
    if (oldSize === 0) continue;
    const other = { size: older.size, root: older.root.with(0, older.root[0] ^ 1) };
    await refused(`another root at ${oldSize}`, () => checkConsistency(other, newer, proof));
    await refused(`a hash more from ${oldSize}`, () => checkConsistency(older, newer, [...proof, older.root]));
    if (proof.length) await refused(`a hash less from ${oldSize}`, () => checkConsistency(older, newer, proof.slice(1)));
    if (oldSize !== newSize) await refused(`shorter than ${newSize}`, () => checkConsistency(newer, older, proof));
  }
  const signed = await readCheckpoint(checkpoint, await readKey(key.verifierKey));
  assert.ok(isEqual(signed.root, await rootAt(Number(signed.size))));
});

/** The root over leaf hashes, as RFC 6962 section 2.1 defines it. */
async function treeOf(hashes) {
  if (hashes.length === 1) return hashes[0];
  const middle = Number(splitOf(BigInt(hashes.length)));
  return nodeHash(await treeOf(hashes.slice(0, middle)), await treeOf(hashes.slice(middle)));
}

test("JSON is read strictly, and whole numbers of any size exactly", () => {
  assert.equal(readJson(bytes('{"n": 9007199254740993}')).n, 9007199254740993n);
  assert.equal(readJson(bytes('["\\u00fc \\n"]'))[0], "ü \n");
  const wrong = ['{"a":1,"a":1}', "[1,]", "[01]", "[NaN]", "{'a':1}", '["\n"]', '["\\x"]', "[1] 2", "[", '"', "", "[1 2]", "{}}", "[".repeat(200)];
  for (const text of wrong) assert.throws(() => readJson(bytes(text)), Wrong, text);
});

test("the entries of a frame are named with their charts, and lists that differ are told apart", () => {
  const payload = JSON.stringify({
    format: 2, charts: ["00000000000000aa", "00000000000000bb"], kind: [0, 0, 0], chart: [[0], [], [0, 1]],
    more: { 1: { parts: [{ at: 0, kind: 0, chart: [1] }] } },
  });
  const [one, two, three] = entriesOf({ position: 12n, kind: 3, payload });
  assert.deepEqual(one, { id: "12-0", charts: ["00000000000000aa"] });
  assert.deepEqual(two, { id: "12-1", charts: ["00000000000000bb"] });
  assert.deepEqual(three.charts, ["00000000000000aa", "00000000000000bb"]);
  assert.deepEqual(entriesOf({ position: 3n, kind: 4 }), []);
  assert.equal(aliasText(0xaan), "00000000000000aa");
  assert.throws(() => entriesOf({ position: 12n, kind: 3 }), Wrong);
  expectSame(new Set(["1-0"]), new Set(["1-0"]));
  assert.throws(() => expectSame(new Set(["1-0", "2-0"]), new Set(["2-0"])), /lacks 1-0/);
  assert.throws(() => expectSame(new Set(["2-0"]), new Set(["1-0", "2-0"])), /has 1-0/);
});

test("moments of the log are written with all their digits", () => {
  assert.equal(instantOf(1750000000025000n), "2025-06-15T15:06:40.025000Z");
  assert.equal(instantOf(-1n), "1969-12-31T23:59:59.999999Z");
  assert.equal(instantOf(2n ** 63n - 1n), "9223372036854775807 µs since 1970");
});
