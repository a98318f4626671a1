// The Merkle tree of RFC 6962: leaves, and proofs of inclusion and of consistency (RFC 9162 section 2.1). Numbers are BigInt.

import { i64, isEqual, sha256, u64 } from "./bytes.js";
import { expect } from "./wrong.js";

const LEAF = Uint8Array.of(0);
const NODE = Uint8Array.of(1);

/** The root of a tree without leaves. */
export const emptyRoot = () => sha256();

export function nodeHash(left, right) {
  return sha256(NODE, left, right);
}

export function leafHash(position, recordedAt, frame) {
  return sha256(LEAF, u64(position), i64(recordedAt), frame);
}

/** The root that an inclusion proof leads to; null if it has not the length that it needs. */
export async function rootOf(position, size, leaf, proof) {
  let [node, last, result] = [position, size - 1n, leaf];
  for (const sibling of proof) {
    if (last === 0n) return null;
    if (node % 2n === 1n || node === last) {
      result = await nodeHash(sibling, result);
      while (node % 2n === 0n && node !== 0n) [node, last] = [node / 2n, last / 2n];
    } else {
      result = await nodeHash(result, sibling);
    }
    [node, last] = [node / 2n, last / 2n];
  }
  return last === 0n ? result : null;
}

/** Expects that the larger tree begins with the smaller one (RFC 9162 section 2.1.4.2). `older`, `newer`: `{ size, root }`. */
export async function checkConsistency(older, newer, proof) {
  expect(older.size <= newer.size, `the log had ${older.size} entries, and has ${newer.size} now: it got shorter`);
  if (older.size === newer.size || older.size === 0n) {
    expect(proof.length === 0, "the proof has hashes that it does not need");
    const same = older.size === newer.size;
    expect(!same || isEqual(older.root, newer.root), "two checkpoints of one size have different roots: the log was rewritten");
    return;
  }
  expect(proof.length > 0, "the proof has no hashes");
  const hashes = isPowerOfTwo(older.size) ? [older.root, ...proof] : proof;
  let [node, last] = [older.size - 1n, newer.size - 1n];
  while (node % 2n === 1n) [node, last] = [node / 2n, last / 2n];
  let [before, after] = [hashes[0], hashes[0]];
  for (const hash of hashes.slice(1)) {
    expect(last !== 0n, "the proof has too many hashes");
    if (node % 2n === 1n || node === last) {
      before = await nodeHash(hash, before);
      after = await nodeHash(hash, after);
      while (node % 2n === 0n && node !== 0n) [node, last] = [node / 2n, last / 2n];
    } else {
      after = await nodeHash(after, hash);
    }
    [node, last] = [node / 2n, last / 2n];
  }
  expect(last === 0n, "the proof has too few hashes");
  expect(isEqual(before, older.root), "the log does not begin with what was signed before: it was rewritten");
  expect(isEqual(after, newer.root), "the proof does not lead to the signed root");
}

function isPowerOfTwo(number) {
  return (number & (number - 1n)) === 0n;
}

/** The largest power of two below a number above 1. */
export function splitOf(width) {
  return 1n << BigInt((width - 1n).toString(2).length - 1);
}
