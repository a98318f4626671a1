// Check a proof: an evidence bundle or an audit export, from a file, verified in this browser.

import { html, useState } from "../lib/html.js";
import { get } from "../lib/api.js";
import { readJson } from "../lib/proof/json.js";
import { recognise, verifyFile } from "../lib/proof/file.js";
import { instantOf } from "../lib/proof/time.js";
import { Failure, Field, Section } from "../lib/ui.js";
import { Steps, useCheck } from "./looks/steps.js";

const KINDS = { evidence: "an evidence bundle: single entries, with the proof that they are in the log",
  export: "an audit export: all of a period, with the proof that nothing is missing" };
const FROM_SERVER = "The key comes from this server: the file holds if the server is honest about its key.";
const KEY_HINT =
  "The key of the log that you kept. Empty: taken from this server, which proves less, since file and key then come from one place.";
const LOGS = { events: "the log of events", access: "the log of accesses" };

export default function Check() {
  const { check, start, stop } = useCheck();
  const [file, setFile] = useState(null);
  const [error, setError] = useState(null);
  const [key, setKey] = useState("");
  const take = async (blob) => {
    stop();
    setError(null);
    setFile(null);
    try {
      if (blob) setFile({ blob, ...(await recognise(blob)) });
    } catch (error) {
      setError(new Error(`${blob.name}: ${error.message}`));
    }
  };
  const submit = (event) => {
    event.preventDefault();
    start(file.steps, async ({ tell, progress, signal }) => {
      const own = key.trim();
      const used = own || String(await get(`v1/log/${file.log === "access" ? "access" : "events"}/key`, { signal })).trim();
      const from = own ? "The key is the one that you entered." : FROM_SERVER;
      const line = (number) => number % 500 === 0 && progress(`line ${number}`);
      const passed = (id) => tell(id, id === "key" ? from : undefined);
      return verifyFile(file.kind, file.blob, used, { passed, line, commit: (position) => line(Number(position)) });
    });
  };
  return html`<h1>Check a proof</h1>
    <p>The file is read and checked in this browser; it is sent nowhere.</p>
    <${Drop} onFile=${take} name=${file?.blob.name} />
    <${Failure} error=${error} />
    ${file && html`<${Section} title=${file.blob.name}>
      <p>It says to be ${KINDS[file.kind]}, of ${LOGS[file.log] ?? "an unknown log"} (${file.blob.size.toLocaleString("en")} bytes).</p>
      <form onSubmit=${submit}>
        <${Field} label="Verifier key" hint=${KEY_HINT}>${(field) => html`<input ...${field} class="mono"
          value=${key} onInput=${(event) => setKey(event.target.value)} spellcheck=${false} autocomplete="off" />`}<//>
        <button class="main" disabled=${check?.isRunning}>Check</button>
      </form>
      <${Steps} check=${check} onStop=${stop} good=${(found) => verdict(file.kind, found)} />
      ${check?.isGood && file.kind === "evidence" && html`<${Disclosed} entries=${check.result.entries} />`}
    <//>`}`;
}

/** Where a file is dropped or chosen; the field itself is what the keyboard reaches. */
function Drop({ onFile, name }) {
  const [isOver, setOver] = useState(false);
  const over = (event) => {
    event.preventDefault();
    setOver(true);
  };
  const drop = (event) => {
    event.preventDefault();
    setOver(false);
    onFile(event.dataTransfer.files[0]);
  };
  const asked = "Drop a file here, or choose it: an evidence bundle or an audit export with proof.";
  const hint = name ? `Chosen: ${name}. Drop another one here, or choose it.` : asked;
  return html`<div class=${`drop ${isOver ? "over" : ""}`} onDragOver=${over} onDragLeave=${() => setOver(false)} onDrop=${drop}>
    <${Field} label="File" hint=${hint}>
      ${(field) => html`<input ...${field} type="file" onChange=${(event) => onFile(event.target.files[0])} />`}<//>
  </div>`;
}

function verdict(kind, { log, origin, size, since, until, frames, entries }) {
  if (kind === "evidence") return `It holds: ${entries.length} of the ${size} entries that ${origin} has signed.`;
  const what = log === "events" ? `${frames} events in ${entries} commits` : `${entries} accesses (in ${frames} frames)`;
  const begin = since === undefined ? "its beginning" : instantOf(since);
  return `It holds: ${what} are all that ${origin} recorded from ${begin} until ${instantOf(until)}. Compare the period with the one that you asked for.`;
}

function Disclosed({ entries }) {
  return html`<h3>What the entries say</h3><ul class="list">${entries.map(({ position, recordedAt, version, payload }) => html`<li>
    Position ${String(position)}, ${instantOf(recordedAt)}, version ${version}:${" "}
    ${payload === undefined ? html`<span class="muted">not disclosed</span>` : html`<${Payload} position=${position} text=${payload} />`}
  </li>`)}</ul>`;
}

function Payload({ position, text }) {
  return html`<details><summary>${summary(text)}</summary>
    <pre class="json" tabindex="0" role="region" aria-label=${`Payload at ${position}`}><code>${text}</code></pre></details>`;
}

/** The kind of the event that a payload is about, if it says one. */
function summary(payload) {
  try {
    const said = readJson(new TextEncoder().encode(payload.split("\n")[0]));
    return [said.type ?? "payload", said.resource ?? said.patient].filter(Boolean).join(" ");
  } catch {
    return "payload";
  }
}
