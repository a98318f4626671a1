// "Is this list complete?": the proof for all accesses of a period, checked here and held against the list.

import { html, useState } from "../../lib/html.js";
import { pages, send } from "../../lib/api.js";
import { aliasText, entriesOf, expectSame } from "../../lib/proof/accesses.js";
import { verifyEvidence } from "../../lib/proof/evidence.js";
import { EXPORT_STEPS, verifyExport } from "../../lib/proof/export.js";
import { linesOf } from "../../lib/proof/file.js";
import { readJson } from "../../lib/proof/json.js";
import { instantOf } from "../../lib/proof/time.js";
import { expect, step } from "../../lib/proof/wrong.js";
import { queryOf } from "../../lib/query.js";
import { Field, Section } from "../../lib/ui.js";
import { KEPT_STEP, checkKept, serverKey } from "./prove-event.js";
import { lacking, mayReadAllAccesses } from "./rights.js";
import { Steps, useCheck } from "./steps.js";

const LIST_STEP = {
  id: "list",
  title: "The list",
  means: "The accesses that the server lists for this period are exactly those in the proof: none is kept back, none is made up.",
};
const CHART_STEP = {
  id: "chart",
  title: "The chart's name in the log",
  means: "Entries name charts by random names. Which one is this patient's is said by the signed event that opened the chart.",
};
const PAGE = 200;

/** The check of a list of accesses: all of them, or those to the chart of `patient`, in the period of `filter`. */
export function Complete({ patient, filter }) {
  const { check, start, stop } = useCheck();
  const [ownKey, setOwnKey] = useState("");
  const steps = [...EXPORT_STEPS, ...(patient ? [CHART_STEP] : []), LIST_STEP, KEPT_STEP];
  if (!mayReadAllAccesses()) {
    const note = lacking("The proof is of the accesses to all charts: it", "user/AuditEvent.rs");
    return html`<${Section} title="Is this list complete?"><p class="note">${note}</p><//>`;
  }
  const begin = () => start(steps, (tools) => checkAll({ patient, filter, ownKey: ownKey.trim(), ...tools }));
  return html`<${Section} title="Is this list complete?"
      actions=${html`<button type="button" class="main" onClick=${begin} disabled=${check?.isRunning}>Check it here</button>`}>
    <p>Your browser gets the signed proof that no entry of the period is missing, checks it itself, and compares it with the list
      (the period counts; other filters do not).</p>
    <details><summary>With a key that you kept</summary>
      <${Field} label="Verifier key of the access log" hint="Empty: the key that this server tells now. A key from the same place proves less.">
        ${(field) => html`<input ...${field} value=${ownKey} onInput=${(event) => setOwnKey(event.target.value)} spellcheck=${false} />`}
      <//></details>
    <${Steps} check=${check} onStop=${stop} good=${verdict} />
  <//>`;
}

function verdict({ since, until, listed, proven, changes }) {
  const begin = since === undefined ? "its beginning" : day(since);
  const beside = ` The ${changes} changes that it names as well are no part of this: they stand in the log of events, and each can be proven there.`;
  return `The list is complete: ${listed} of the ${proven} accesses that the log has from ${begin} until ${day(until)} belong here, and all of
    them are listed.${changes ? beside : ""}`;
}

async function checkAll({ patient, filter, ownKey, tell, progress, signal }) {
  const key = ownKey || (await serverKey("access", signal));
  const chart = patient && (await openingOf(patient, signal));
  const proven = [];
  let note;
  let unread;
  const place = `v1/accesses/export?${queryOf({ since: filter.since, until: filter.until, format: "proof", disclose: true })}`;
  const response = await send("GET", place, { headers: { accept: "*/*" }, signal });
  const lines = noted(linesOf(response.body), (head) => (note = head));
  const found = await verifyExport(lines, key, {
    passed: (id) => tell(id, id === "key" ? said(ownKey) : undefined),
    line: (number, frame) => {
      try {
        proven.push(...entriesOf(frame));
      } catch (error) {
        unread ??= error;
      }
      if (number % 500 === 0) progress(`${number} lines`);
    },
  });
  const alias = patient && (await step("chart", undefined, () => aliasOf(chart, patient, signal)));
  if (alias) tell("chart", `Its name there is ${alias}.`);
  if (unread) throw Object.assign(unread, { step: "list" });
  const own = new Set(proven.filter(({ charts }) => !alias || charts.includes(alias)).map(({ id }) => id));
  const ids = await listed(patient, found, signal, progress);
  const looks = new Set(ids.filter((id) => !id.startsWith("e")));
  await step("list", undefined, () => expectSame(own, looks));
  tell("list", `${own.size} in the proof, ${looks.size} in the list, and they are the same.`);
  await step("kept", undefined, async () => tell("kept", await checkKept(found, readJson(note).checkpoint, key, signal)));
  return { ...found, listed: looks.size, proven: proven.length, changes: ids.length - looks.size };
}

function said(ownKey) {
  return ownKey
    ? "The key is the one that you entered."
    : "The key comes from this server. With one that you kept, the check proves more.";
}

/** The same lines; `onHead` is told the first. */
async function* noted(lines, onHead) {
  let isFirst = true;
  for await (const line of lines) {
    if (isFirst) onHead(line);
    isFirst = false;
    yield line;
  }
}

/** The evidence for the event that opened the chart. */
async function openingOf(patient, signal) {
  const place = `v1/patients/${encodeURIComponent(patient)}/events/evidence?after=0&limit=1&disclose=true`;
  return new Uint8Array(await (await send("GET", place, { signal })).arrayBuffer());
}

/** The random name by which entries know the chart, as the signed event that opened it says. */
async function aliasOf(evidence, patient, signal) {
  const { entries } = await verifyEvidence(evidence, await serverKey("events", signal)).catch((error) => {
    error.step = "chart";
    throw error;
  });
  const [{ version, alias, payload }] = entries;
  const event = payload === undefined ? {} : readJson(new TextEncoder().encode(payload.split("\n")[0]));
  const isIts = version === 1 && event.type === "chart.opened" && event.patient === patient;
  expect(isIts, "the first event of the chart does not say whose it is");
  return aliasText(alias);
}

/** The ids of all that the server lists for the period of the proof, page by page. */
async function listed(patient, { since, until }, signal, progress) {
  const place = patient ? `v1/patients/${encodeURIComponent(patient)}/accesses` : "v1/accesses";
  const ids = [];
  const query = { since: since === undefined ? undefined : instantOf(since), until: instantOf(until), count: PAGE };
  for await (const { accesses } of pages(place, query, { signal })) {
    ids.push(...accesses.map(({ id }) => id));
    progress(`${ids.length} listed`);
  }
  return ids;
}

function day(micros) {
  return instantOf(micros).replace("T", " ").replace(/\.\d+Z$/, " UTC");
}
