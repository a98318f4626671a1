// The types of resources that are there, each with how many of it the caller may see.

import { html } from "../../lib/html.js";
import { request } from "../../lib/api.js";
import { capabilities } from "../../lib/capabilities.js";
import { href } from "../../lib/route.js";
import { Loaded, Table, useLoad } from "../../lib/ui.js";

export function Types() {
  const load = useLoad(counts, []);
  const columns = [
    { title: "Type", isHeader: true, cell: ({ type }) => html`<a href=${href(["find", "search"], { q: `${type}?_count=20` })}>${type}</a>` },
    { title: "Resources", class: "number", cell: ({ count }) => count.toLocaleString("en") },
  ];
  return html`<${Loaded} load=${load} what="Counting">${(rows) => html`<div class="narrow-table"><${Table} caption="Types of resources" columns=${columns}
    rows=${rows} keyOf=${(row) => row.type} empty="There is nothing that you may see." /></div>`}<//>`;
}

/** Counts all types with one request. A type that the token does not reach is left out. */
async function counts(signal) {
  // Access entries have their own page, and counting them opens each.
  const types = [...(await capabilities()).keys()].filter((type) => type !== "AuditEvent");
  const body = {
    resourceType: "Bundle",
    type: "batch",
    entry: types.map((type) => ({ request: { method: "GET", url: `${type}?_summary=count` } })),
  };
  const { data } = await request("POST", "fhir", { body, signal });
  const rows = types.map((type, index) => ({ type, count: data.entry[index].resource?.total ?? 0 }));
  return rows.filter((row) => row.count > 0).sort((left, right) => right.count - left.count);
}
