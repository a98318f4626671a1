// Checks an audit export with proof: these are all entries of a period, and none is missing (docs/format.md, "Audit export").

import { fromBase64, fromHash, isEqual, isI64 } from "./bytes.js";
import { KINDS, KIND_ACCESS, checkDisclosed, readFrame } from "./frame.js";
import { isObject, members, readJson } from "./json.js";
import { CHECKPOINT_STEP, KEY_STEP, readCheckpoint, readKey } from "./note.js";
import { emptyRoot, leafHash, nodeHash, splitOf } from "./tree.js";
import { Wrong, expect, step } from "./wrong.js";

export const EXPORT_FORMAT = "chartlog-audit-export/2";

/** The steps, in their order, and what each means when it holds. */
export const EXPORT_STEPS = [
  KEY_STEP,
  CHECKPOINT_STEP,
  {
    id: "leaves", title: "Every leaf",
    means: "Each line stands at the position that follows on the one before, and its hash is that of what it says.",
  },
  {
    id: "period", title: "The period",
    means: "The lines reach from an entry older than the period to one that is later: nothing of it can lie outside.",
  },
  {
    id: "root", title: "The root",
    means: "The leaves, in this order, lead to the signed root: none was changed, left out or put in.",
  },
];

/**
 * What an export proves, whose lines (bytes, with their ends) come one after the other from `lines`, an iterable that may be
 * asynchronous: `{ log, origin, size, root, since, until, frames, entries }`.
 *
 * Throws `Wrong`, with `step` and `place` (the line), if anything is not as it has to be. `told.passed(step)` is told each step
 * that holds, `told.line(number, { position, recordedAt, kind, version, payload })` each frame of the period in the log of access,
 * `told.commit(position, count)` each commit in the log of events.
 */
export async function verifyExport(lines, vkey, told = {}) {
  const key = await step("key", told.passed, () => readKey(vkey));
  const reader = new Lines(lines);
  try {
    return await new Check(reader, key, told).run();
  } catch (error) {
    if (error instanceof Wrong) error.place ??= `line ${reader.number}`;
    throw error;
  }
}

class Check {
  constructor(reader, key, told) {
    Object.assign(this, { reader, key, told, frames: 0, entries: 0, commit: [], before: null, isClosed: false });
  }

  async run() {
    const { passed } = this.told;
    const signed = await step("checkpoint", passed, () => this.readHead());
    const { log, since, until } = this.head;
    const computed = await step("leaves", passed, () => (signed.size ? this.root(0n, signed.size) : emptyRoot()));
    await step("period", passed, () => {
      const isOpen = log === "events" && this.head.end === signed.size;
      expect(this.isClosed || isOpen, "the run does not end behind the period");
    });
    await step("root", passed, async () => {
      const isUsed = this.left.length === 0 && this.right.length === 0;
      expect(isEqual(computed, signed.root) && isUsed, "the lines up to here do not lead to the signed root");
      await this.reader.end();
    });
    return { log, ...signed, since, until, frames: this.frames, entries: this.entries };
  }

  /** The first line; gives what its checkpoint signs. */
  async readHead() {
    const head = await this.reader.next();
    const required = {
      format: "text", log: "text", checkpoint: "text",
      until: "integer", first: "integer", end: "integer", left: "list", right: "list",
    };
    members(head, required, "the head", { since: "integer" });
    expect(head.format === EXPORT_FORMAT, `the format is not ${EXPORT_FORMAT}`);
    const signed = await readCheckpoint(head.checkpoint, this.key);
    const { log, first, end, since, until } = head;
    expect(Object.hasOwn(KINDS, log), "log is neither events nor access");
    expect(signed.origin.endsWith(`/${log}`), `the origin ${signed.origin} does not end in /${log}`);
    expect(isI64(until) && isI64(since ?? 0n), "a moment is no i64");
    expect(since === undefined || since <= until, "since lies behind until");
    expect(first >= 0n && first <= end && end <= signed.size, `from ${first} to ${end} are no positions of ${signed.size}`);
    expect(first === 0n || since !== undefined, "it does not begin with the log, and has no since");
    this.head = head;
    [this.left, this.right] = [head.left.map(fromHash), head.right.map(fromHash)];
    return signed;
  }

  /** The root over the leaves from `low` to `high`, which are asked for in their order. */
  async root(low, high) {
    const { first, end } = this.head;
    if (high <= first) return taken(this.left, "left");
    if (low >= end) return taken(this.right, "right");
    if (high - low === 1n) return this.leaf(low);
    const middle = low + splitOf(high - low);
    const left = await this.root(low, middle);
    return nodeHash(left, await this.root(middle, high));
  }

  async leaf(position) {
    if (this.commit.length) return this.commit.shift();
    const line = await this.reader.next();
    if (this.head.log === "events" && isObject(line) && "leaves" in line) return this.leafOfCommit(line, position);
    return this.leafOfFrame(line, position);
  }

  leafOfCommit(line, position) {
    const { first, end } = this.head;
    members(line, { position: "integer", leaves: "list" }, "the line");
    expect(line.position === position, `position ${position} belongs here`);
    expect(position !== first || first === 0n, "the run does not begin in front of the period");
    this.commit = line.leaves.map(fromHash);
    const count = this.commit.length;
    expect(count >= 1 && BigInt(count) <= end - position, "the commit has too few or too many events");
    this.frames += count;
    this.entries += 1;
    this.told.commit?.(position, count);
    return this.commit.shift();
  }

  async leafOfFrame(line, position) {
    const { log, first, end, since, until } = this.head;
    const frame = await checkLine(line, position, log);
    const { recordedAt } = frame;
    expect(this.before === null || recordedAt >= this.before, "recordedAt decreases");
    this.before = recordedAt;
    const isOlder = since !== undefined && recordedAt < since;
    const isLater = position === end - 1n && recordedAt >= until;
    expect(position !== first || first === 0n || isOlder, "the run does not begin in front of the period");
    if (log === "events") {
      expect(isLater || (isOlder && position === first), "a frame of the period, or beyond it");
    } else if (!isOlder && recordedAt < until) {
      this.frames += 1;
      this.entries += frame.kind === KIND_ACCESS ? Math.max(frame.version, 1) : 0;
      this.told.line?.(this.reader.number, frame);
    }
    this.isClosed ||= isLater;
    return frame.leaf;
  }
}

function taken(hashes, side) {
  expect(hashes.length > 0, `${side} has too few hashes`);
  return hashes.shift();
}

/** What a line of a frame says, once it is held against itself. */
async function checkLine(line, position, log) {
  members(line, { position: "integer", recordedAt: "integer", leaf: "text", frame: "text" }, "the line", { disclosed: "object" });
  expect(line.position === position, `position ${position} belongs here`);
  const { recordedAt } = line;
  expect(isI64(recordedAt), "recordedAt is no i64");
  const bytes = fromBase64(line.frame);
  const leaf = fromHash(line.leaf);
  const computed = await leafHash(position, recordedAt, bytes);
  expect(isEqual(leaf, computed), "the leaf is not that of position, recordedAt and frame");
  const frame = readFrame(bytes, log);
  const payload = "disclosed" in line ? await checkDisclosed(line.disclosed, frame) : undefined;
  return { position, recordedAt, leaf, kind: frame.kind, version: frame.version, payload };
}

/** The lines of an export, each a JSON value. */
class Lines {
  constructor(lines) {
    this.lines = (lines[Symbol.asyncIterator] ?? lines[Symbol.iterator]).call(lines);
    this.number = 0;
  }

  async next() {
    this.number += 1;
    const { value: line, done } = await this.lines.next();
    expect(!done, "the export ends here; there must be more lines");
    expect(line.at(-1) === 0x0a, "the line is cut off");
    return readJson(line);
  }

  async end() {
    this.number += 1;
    const { done } = await this.lines.next();
    expect(done, "the export must have ended in front of this line");
  }
}
