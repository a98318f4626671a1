// What a search found, as a table or as JSON.

import { html, useState } from "../../lib/html.js";
import { nextOf, previousOf } from "../../lib/bundle.js";
import { happenedAt, patientOf, title } from "../../lib/fhir.js";
import { href } from "../../lib/route.js";
import { Choice, Json, Moment, ResourceLink, Table } from "../../lib/ui.js";

export function Results({ bundle, onPage }) {
  const [form, setForm] = useState("table");
  const entries = bundle.entry ?? [];
  const problems = entries.map((entry) => entry.resource).filter((one) => one?.resourceType === "OperationOutcome");
  const [previous, next] = [previousOf(bundle), nextOf(bundle)];
  return html`<div class="section-head">
      <p role="status">${countText(bundle, entries)}</p>
      <${Choice} label="Form" choices=${[{ value: "table", title: "Table" }, { value: "json", title: "JSON" }]} value=${form} onChange=${setForm} />
    </div>
    ${problems.map((outcome) => outcome.issue.map((issue) => html`<p class="note">${issue.details?.text ?? issue.diagnostics}</p>`))}
    ${form === "json" ? html`<${Json} value=${bundle} label="The Bundle" />` : html`<${Found} entries=${entries} />`}
    <p class="row">
      ${previous && html`<button type="button" onClick=${() => onPage(previous)}>Previous page</button>`}
      ${next && html`<button type="button" onClick=${() => onPage(next)}>Next page</button>`}
    </p>`;
}

function countText(bundle, entries) {
  const matches = entries.filter((entry) => entry.search?.mode !== "include" && entry.resource?.resourceType !== "OperationOutcome").length;
  if (bundle.total === undefined) return `${matches} on this page`;
  return `${matches} of ${bundle.total}`;
}

function Found({ entries }) {
  const rows = entries.filter((entry) => entry.resource && entry.resource.resourceType !== "OperationOutcome");
  const columns = [
    { title: "Resource", isHeader: true, class: "once", cell: ({ resource }) => html`<${ResourceLink} reference=${`${resource.resourceType}/${resource.id}`} />` },
    { title: "What", cell: ({ resource }) => title(resource) },
    { title: "When", class: "once", cell: ({ resource }) => html`<${Moment} at=${happenedAt(resource)} />` },
    { title: "Status", cell: ({ resource }) => (typeof resource.status === "string" ? resource.status : "") },
    { title: "Patient", cell: ({ resource }) => html`<${PatientLink} resource=${resource} />` },
    { title: "Version", class: "number", cell: ({ resource }) => resource.meta?.versionId },
    { title: "Recorded", class: "once", cell: ({ resource }) => html`<${Moment} at=${resource.meta?.lastUpdated} />` },
  ];
  if (rows.some((entry) => entry.search?.mode === "include")) {
    columns.splice(1, 0, { title: "Why", cell: (entry) => (entry.search?.mode === "include" ? "included" : "found") });
  }
  return html`<${Table} caption="What was found" columns=${columns} rows=${rows}
    keyOf=${(entry) => `${entry.resource.resourceType}/${entry.resource.id}`} empty="Nothing that you may see is like that." />`;
}

function PatientLink({ resource }) {
  const id = patientOf(resource);
  return id ? html`<a href=${href(["charts", id])}>${id}</a>` : null;
}
