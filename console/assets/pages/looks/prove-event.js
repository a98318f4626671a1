// "Is this event in the log?": the evidence for one event of a chart, checked here.

import { html, useState } from "../../lib/html.js";
import { get, send } from "../../lib/api.js";
import { EVIDENCE_STEPS, verifyEvidence } from "../../lib/proof/evidence.js";
import { fromHash } from "../../lib/proof/bytes.js";
import { readCheckpoint, readKey } from "../../lib/proof/note.js";
import { checkConsistency } from "../../lib/proof/tree.js";
import { Wrong, expect, step } from "../../lib/proof/wrong.js";
import { save } from "../../lib/ui.js";
import { keep, keptOf } from "./kept.js";
import { Steps, useCheck } from "./steps.js";

export const KEPT_STEP = {
  id: "kept",
  title: "What this browser saw before",
  means: "The log begins with what was signed when this browser checked it last: nothing behind that was rewritten.",
};

const OWN = { id: "own", title: "The event", means: "It is the one that was asked for, of this chart." };

/** A button that shows that version `version` of the chart of `patient` is in the signed log, step by step. */
export function ProveEvent({ patient, version }) {
  const { check, start, stop } = useCheck();
  const [file, setFile] = useState(null);
  const prove = () =>
    start([...EVIDENCE_STEPS, OWN, KEPT_STEP], async ({ tell, signal }) => {
      const key = await serverKey("events", signal);
      const query = new URLSearchParams({ after: version - 1, limit: 1, disclose: true });
      const place = `v1/patients/${encodeURIComponent(patient)}/events/evidence?${query}`;
      const bytes = new Uint8Array(await (await send("GET", place, { signal })).arrayBuffer());
      setFile(bytes);
      const found = await verifyEvidence(bytes, key, (id) => tell(id));
      await step("own", tell, () => {
        const isIt = found.entries.length === 1 && found.entries[0].version === Number(version);
        expect(isIt, `the evidence is not of version ${version}`);
      });
      const { checkpoint } = JSON.parse(new TextDecoder().decode(bytes));
      await step("kept", undefined, async () => tell("kept", await checkKept(found, checkpoint, key, signal)));
      return found;
    });
  return html`<div>
    <div class="actions"><button type="button" onClick=${prove} disabled=${check?.isRunning}>Is this event in the log?</button>
      ${check?.isGood && file && html`<button type="button"
        onClick=${() => save(`${patient}-${version}.evidence.json`, "application/json", file)}>Save the evidence</button>`}</div>
    <${Steps} check=${check} onStop=${stop} good=${(found) => html`Event ${version} of the chart stands at
      position ${String(found.entries[0].position)} of ${String(found.size)} that ${found.origin} has signed.${" "}
      ${found.entries[0].payload === undefined
        ? "What it says is not disclosed." : "What it says is what was written then."}`} />
  </div>`;
}

/** The verifier key of a log as this server tells it. */
export async function serverKey(log, signal) {
  return String(await get(`v1/log/${log}/key`, { signal })).trim();
}

/**
 * Expects that what this browser saw of a log still stands in what is signed now (`{ origin, size, root }`, and the `note` itself),
 * and keeps the newer of both. Gives what is to be said.
 */
export async function checkKept(signed, note, key, signal) {
  const { origin, size, root } = signed;
  const kept = keptOf(origin);
  if (!kept) {
    keep(origin, note, key);
    return `This browser sees this log for the first time. It keeps this checkpoint, of ${size} entries, for the next time.`;
  }
  const day = kept.at.slice(0, 10);
  expect(kept.key === key, `the key is another one than on ${day}`);
  const before = await readCheckpoint(kept.note, await readKey(kept.key)).catch((error) => {
    throw new Wrong(`what this browser kept on ${day} is damaged: ${error.message}`);
  });
  const [older, newer] = before.size <= size ? [before, { size, root }] : [{ size, root }, before];
  const log = origin.slice(origin.lastIndexOf("/") + 1);
  const proof = older.size === newer.size || older.size === 0n ? [] : await consistency(log, older.size, newer.size, signal);
  await checkConsistency(older, newer, proof);
  if (before.size < size) keep(origin, note, key);
  return `It is consistent with the ${before.size} entries that this browser saw signed on ${day}.`;
}

async function consistency(log, from, to, signal) {
  const proof = await get(`v1/log/${log}/proof/consistency?from=${from}&to=${to}`, { signal });
  return proof.hashes.map(fromHash);
}
