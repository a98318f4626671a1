// The summary of a chart at a moment: problems, allergies, medicines, results, encounters, immunizations, and what else there is.

import { html, useMemo } from "../../lib/html.js";
import { codeText } from "../../lib/fhir.js";
import { Moment, ResourceLink, Section, Table } from "../../lib/ui.js";
import { Folded, Limited } from "./folded.js";
import { Interpretation, isVital, resultText } from "./results.js";

/** The lists of the summary: which types stand there, and which of their resources are of today. */
const LISTS = [
  { title: "Problems", types: ["Condition"], isActive: isClinicallyActive, empty: "No active problems." },
  { title: "Allergies", types: ["AllergyIntolerance"], isActive: isClinicallyActive, empty: "No active allergies are recorded." },
  {
    title: "Medicines",
    types: ["MedicationRequest", "MedicationStatement"],
    isActive: ({ status }) => ["active", "on-hold", "intended", "draft", "unknown"].includes(status),
    empty: "No active medicines.",
  },
  { title: "Encounters", types: ["Encounter"], isActive: ({ status }) => status !== "cancelled", empty: "No encounters." },
  { title: "Immunizations", types: ["Immunization"], isActive: ({ status }) => status !== "not-done", empty: "No immunizations." },
];

function isClinicallyActive({ clinicalStatus }) {
  const codes = clinicalStatus?.coding?.map(({ code }) => code) ?? [];
  return !codes.length || codes.some((code) => ["active", "recurrence", "relapse"].includes(code));
}

export function Summary({ history, version }) {
  const { lists, results, others } = useMemo(() => summaryOf(history.state(version)), [history, version]);
  return html`<div data-version=${version}>
    <div class="columns">${lists.slice(0, 3).map((list) => html`<${List} key=${list.title} ...${list} />`)}</div>
    <${Results} ...${results} />
    <div class="columns">${lists.slice(3).map((list) => html`<${List} key=${list.title} ...${list} />`)}
      <${Others} types=${others} /></div>
  </div>`;
}

/** What of the chart stands where in the summary. */
function summaryOf(entries) {
  const lists = LISTS.map((list) => ({ ...list, active: [], past: [] }));
  const listOf = new Map(lists.flatMap((list) => list.types.map((type) => [type, list])));
  const byCode = new Map();
  const errors = [];
  const others = new Map();
  for (const entry of entries) {
    const list = listOf.get(entry.type);
    if (list) (!entry.isError && list.isActive(entry.body) ? list.active : list.past).push(entry);
    else if (entry.type !== "Observation") append(others, entry.type, entry);
    else if (entry.isError) errors.push(entry);
    else append(byCode, entry.code, entry);
  }
  for (const { active, past } of lists) {
    active.sort(newestFirst);
    past.sort(newestFirst);
  }
  const latest = [...byCode.values()].map(latestOf).sort(vitalFirst);
  return { lists, results: { latest, errors }, others: [...others].sort(([left], [right]) => (left < right ? -1 : 1)) };
}

function append(lists, key, item) {
  const list = lists.get(key);
  if (list) list.push(item);
  else lists.set(key, [item]);
}

/** The latest of the results of one kind, and the one before. */
function latestOf(entries) {
  let [latest, before] = [entries[0], undefined];
  for (const entry of entries.slice(1)) {
    if (newestFirst(entry, latest) <= 0) [latest, before] = [entry, latest];
    else if (!before || newestFirst(entry, before) <= 0) before = entry;
  }
  return { latest, before, count: entries.length };
}

/** Orders vital signs before other results, then by name: while the slider moves, each stays in its place. */
function vitalFirst({ latest: left }, { latest: right }) {
  return isVital(right.body) - isVital(left.body) || left.title.localeCompare(right.title);
}

/** Orders by when it happened, then by when it was recorded; what does not say when stands last. */
function newestFirst(left, right) {
  const [one, other] = [left.happenedAt || 0, right.happenedAt || 0];
  return other - one || right.version - left.version;
}

function List({ title, active, past, empty }) {
  const counted = active.length > 9 ? `${title} (${active.length})` : title;
  return html`<${Section} title=${counted}>
    ${active.length ? html`<${Items} entries=${active} />` : html`<p class="empty">${empty}</p>`}
    <${More} entries=${past} what="not active or in error" />
  <//>`;
}

function More({ entries, what }) {
  return entries.length > 0 && html`<${Folded} summary=${`${entries.length} ${what}`}>
    ${() => html`<${Items} entries=${entries} />`}<//>`;
}

function Items({ entries }) {
  return html`<${Limited} items=${entries} step=${12}>${(shown) => html`<ul class="list">${shown.map((entry, place) =>
    html`<li key=${place} data-resource=${entry.resource}><${Item} entry=${entry} /></li>`)}</ul>`}<//>`;
}

/** A resource in a list; while the slider moves, most of them stay as they are. */
function Item({ entry }) {
  return useMemo(() => itemOf(entry), [entry]);
}

function itemOf(entry) {
  const { body } = entry;
  const status = codeText(body.clinicalStatus) || body.status;
  return html`<${ResourceLink} reference=${versionOf(entry)}>${entry.title}<//>
    ${" "}${entry.isError ? html`<${InError} />` : status && html`<span class="kind">${status}</span>`}
    ${body.criticality === "high" && html` <span class="kind kind-refused">high risk</span>`}
    ${entry.happened && html` <small><${Moment} at=${entry.happened} dateOnly /></small>`}`;
}

function InError() {
  return html`<span class="kind kind-retracted">entered in error</span>`;
}

/** The reference to that version of a resource. */
export function versionOf({ resource, versionId }) {
  return versionId ? `${resource}/_history/${versionId}` : resource;
}

function Results({ latest, errors }) {
  return html`<${Section} title="Results" class="section results">
    <${Limited} items=${latest} step=${40}>${(shown) => html`<${Table} caption="The latest result of each kind" rows=${shown}
      columns=${COLUMNS} keyOf=${({ latest }) => latest.code} empty="No results." />`}<//>
    <${More} entries=${errors} what="entered in error" />
  <//>`;
}

const COLUMNS = [
  { title: "Result", isHeader: true, cell: ({ latest }) => codeText(latest.body.code) },
  { title: "Latest", cell: ({ latest }) => html`<${Value} entry=${latest} />` },
  { title: "When", class: "once", cell: ({ latest }) => html`<${Day} entry=${latest} />` },
  { title: "Reference range", cell: ({ latest }) => latest.range?.text },
  { title: "Before", cell: ({ before }) => before && html`<${Value} entry=${before} />` },
  { title: "When before", class: "once", cell: ({ before }) => before && html`<${Day} entry=${before} />` },
  { title: "Count", class: "number", cell: ({ count }) => count },
];

function Value({ entry }) {
  return useMemo(() => html`<span data-resource=${entry.resource}>
    <${ResourceLink} reference=${versionOf(entry)}>${resultText(entry.body) || "without a value"}<//>
    <${Interpretation} observation=${entry.body} /></span>`, [entry]);
}

/** The day of a result. */
function Day({ entry }) {
  return useMemo(() => html`<${Moment} at=${entry.happened} dateOnly />`, [entry]);
}

function Others({ types }) {
  return html`<${Section} title="Also in this chart">
    ${types.length ? types.map(([type, entries]) => html`<${Folded} key=${type} summary=${`${type} (${entries.length})`}>
      ${() => html`<${Items} entries=${[...entries].sort(newestFirst)} />`}<//>`) : html`<p class="empty">Nothing.</p>`}
  <//>`;
}
