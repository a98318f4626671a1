// Checks an evidence bundle: each entry in it stands in the log that the key's owner signed (docs/format.md, "Evidence bundle").

import { fromBase64, fromHash, isEqual, isI64 } from "./bytes.js";
import { KINDS, KIND_CHART, checkDisclosed, readFrame } from "./frame.js";
import { members, readJson } from "./json.js";
import { CHECKPOINT_STEP, KEY_STEP, readCheckpoint, readKey } from "./note.js";
import { leafHash, rootOf } from "./tree.js";
import { Wrong, expect, step } from "./wrong.js";

export const EVIDENCE_FORMAT = "chartlog-evidence/1";

/** The steps, in their order, and what each means when it holds. */
export const EVIDENCE_STEPS = [
  KEY_STEP,
  {
    id: "form", title: "The form",
    means: "The file has what such a bundle has, nothing twice and nothing else.",
  },
  CHECKPOINT_STEP,
  {
    id: "entries", title: "The entries",
    means: "Each entry leads to that root: with this time, these bytes, at this position.",
  },
  {
    id: "disclosed", title: "What they say",
    means: "What the bundle discloses is what each entry committed to when it was written.",
  },
];

/**
 * What the bundle (bytes) proves: `{ log, origin, size, root, entries: [{ position, recordedAt, kind, version, payload }] }`.
 * Throws `Wrong`, with `step` and `place`, if anything is not as it has to be. `passed(step)` is told each step that holds.
 */
export async function verifyEvidence(bytes, vkey, passed) {
  const key = await step("key", passed, () => readKey(vkey));
  const bundle = await step("form", passed, () => readBundle(bytes));
  const { log } = bundle;
  const signed = await step("checkpoint", passed, async () => {
    const signed = await readCheckpoint(bundle.checkpoint, key);
    expect(signed.origin.endsWith(`/${log}`), `the origin ${signed.origin} does not end in /${log}`);
    return signed;
  });
  const entries = await step("entries", passed, () => each(bundle.entries, entryChecker(log, signed)));
  await step("disclosed", passed, () =>
    each(bundle.entries, async (entry, at) => {
      if ("disclosed" in entry) entries[at].payload = await checkDisclosed(entry.disclosed, entries[at].frame);
    }),
  );
  return {
    log,
    ...signed,
    entries: entries.map(({ position, recordedAt, frame: { kind, version, alias }, payload }) =>
      ({ position, recordedAt, kind, version, alias, payload })),
  };
}

function readBundle(bytes) {
  const bundle = readJson(bytes);
  members(bundle, { format: "text", log: "text", checkpoint: "text", entries: "list" }, "the bundle");
  expect(bundle.format === EVIDENCE_FORMAT, `the format is not ${EVIDENCE_FORMAT}`);
  expect(Object.hasOwn(KINDS, bundle.log), "log is neither events nor access");
  expect(bundle.entries.length > 0, "there are no entries");
  bundle.entries.forEach((entry, at) => {
    const required = { position: "integer", recordedAt: "integer", frame: "text", proof: "list" };
    members(entry, required, `entry ${at + 1}`, { disclosed: "object" });
  });
  return bundle;
}

/** What checks the entries one after the other, against the one before as well. */
function entryChecker(log, { size, root }) {
  let before;
  const versions = new Map();
  return async (entry) => {
    const { position, recordedAt } = entry;
    expect(position >= 0n && position < size, `the signed log has ${size} entries`);
    expect(isI64(recordedAt), "recordedAt is no i64");
    expect(!before || position > before.position, "positions do not ascend");
    expect(!before || recordedAt >= before.recordedAt, "recordedAt decreases");
    const bytes = fromBase64(entry.frame);
    const frame = readFrame(bytes, log);
    const computed = await rootOf(position, size, await leafHash(position, recordedAt, bytes), entry.proof.map(fromHash));
    expect(computed && isEqual(computed, root), "the signed tree does not hold this entry");
    if (frame.kind === KIND_CHART) {
      expect(frame.version > (versions.get(frame.alias) ?? 0), "versions of a chart do not ascend");
      versions.set(frame.alias, frame.version);
    }
    before = entry;
    return { position, recordedAt, frame };
  };
}

/** Each entry through `check`; what fails is named by its position. */
async function each(entries, check) {
  const results = [];
  for (const [at, entry] of entries.entries()) {
    try {
      results.push(await check(entry, at));
    } catch (error) {
      if (error instanceof Wrong) error.place ??= `entry ${at + 1}, position ${entry.position}`;
      throw error;
    }
  }
  return results;
}
