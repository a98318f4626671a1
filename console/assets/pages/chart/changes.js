// What changed in a chart between two of its versions.

import { html, useState } from "../../lib/html.js";
import { getExact } from "../../lib/api.js";
import { Choice, Loaded, moment, Section, useLoad } from "../../lib/ui.js";
import { Limited } from "./folded.js";
import { Change } from "./change.js";
import { marksOf } from "./marks.js";
import { useMoving } from "./moving.js";

export function Changes({ history, patient, route }) {
  const named = readRange(route, history);
  const [range, setRange] = useMoving(route, named);
  const move = (name) => (event) => {
    const moved = { ...range, [name]: Number(event.target.value) };
    // A handle pushes the other one along.
    if (moved.from > moved.to) moved[name === "from" ? "to" : "from"] = moved[name];
    setRange(moved, moved);
  };
  return html`
    <${Section} title="Between">
      <${Handle} name="From" version=${range.from} history=${history} onInput=${move("from")} />
      <${Handle} name="To" version=${range.to} history=${history} onInput=${move("to")} />
      <p class="muted">${eventsIn(history.countAt(range.to) - history.countAt(range.from))}</p>
    <//>
    <${Answer} history=${history} patient=${patient} from=${named.from} to=${named.to} />`;
}

function eventsIn(count) {
  return count === 1 ? "1 event lies between them." : `${count} events lie between them.`;
}

/** The versions that the address names; without them, what the last request changed. */
function readRange({ query }, history) {
  const read = (name) => (/^\d+$/.test(query.get(name) ?? "") ? Math.min(Number(query.get(name)), history.last) : undefined);
  const to = read("to") ?? history.last;
  return { from: Math.min(read("from") ?? beforeRequestOf(history, to), to), to };
}

/** The version before the request that brought that version. */
function beforeRequestOf(history, version) {
  let index = history.countAt(version) - 1;
  const request = history.events[index]?.actor.request;
  while (index >= 0 && history.events[index].actor.request === request) index -= 1;
  return history.events[index]?.version ?? 0;
}

function Handle({ name, version, history, onInput }) {
  const event = history.eventAt(version);
  const when = event ? moment(event.at) : "before the first event";
  return html`<div class="handle"><span aria-hidden="true"><strong>${name}</strong> version ${version},${" "}
      <span class="muted">${when}</span></span>
    <input type="range" aria-label=${name} min="0" max=${history.last} step="1" value=${version}
      aria-valuetext=${`version ${version}, ${when}`} onInput=${onInput} /></div>`;
}

/** What the server says that changed. */
function Answer({ history, patient, from, to }) {
  const path = `v1/patients/${encodeURIComponent(patient)}/diff?${new URLSearchParams({ from, to })}`;
  const compare = async (signal) => readChanges(history, await getExact(path, { signal }));
  const load = useLoad(compare, [path]);
  return html`<div aria-busy=${load.isLoading ? "true" : "false"}>
    <${Loaded} load=${load} what="Comparing">${(answer) => html`<${Found} ...${answer} />`}<//></div>`;
}

/** The changes with their marks: first those that correct or retract what others may have relied on. */
function readChanges(history, { from, to, changes }) {
  const all = changes.map((change) => ({ ...change, ...marksOf(history, change, from, to) }));
  const weight = ({ marks, kind }) => (marks.length ? 0 : { changed: 1, removed: 2, added: 3 }[kind]);
  all.sort((left, right) => weight(left) - weight(right) || right.events.at(-1)?.version - left.events.at(-1)?.version);
  return { from, to, changes: all };
}

function Found({ from, to, changes }) {
  const [shown, setShown] = useState("all");
  const marked = changes.filter(({ marks }) => marks.length);
  const chosen = shown === "all" ? changes : marked;
  return html`<${Section} title="Changed" data-from=${from} data-to=${to}
      actions=${marked.length > 0 && html`<${Choice} label="Changes shown" value=${shown} onChange=${setShown} choices=${[
        { value: "all", title: "All" }, { value: "marked", title: "Corrections and retractions" }]} />`}>
    <p role="status">${countsOf(changes)}</p>
    <${Limited} key=${`${from} ${to} ${shown}`} items=${chosen} step=${30}>${(items) => items.map((change) =>
      html`<${Change} key=${change.resource} ...${change} />`)}<//>
  <//>`;
}

function countsOf(changes) {
  if (!changes.length) return "Nothing differs.";
  const counts = new Map();
  for (const { kind, marks } of changes) {
    for (const word of [kind, ...marks]) counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  const words = ["added", "changed", "removed", "correction", "retraction"].filter((word) => counts.has(word));
  const named = (word, count) => (word.endsWith("ion") && count > 1 ? `${word}s` : word);
  return `${words.map((word) => `${counts.get(word)} ${named(word, counts.get(word))}`).join(", ")}.`;
}
