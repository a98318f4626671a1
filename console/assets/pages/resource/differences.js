// What differs between two resources, an element a row.

import { html } from "../../lib/html.js";
import { differences } from "../../lib/difference.js";
import { isHeldAsText, shown } from "../../lib/exact.js";
import { Table } from "../../lib/ui.js";

export function Differences({ before, after, caption = "Elements that differ" }) {
  const columns = [
    { title: "Element", isHeader: true, cell: ({ path }) => html`<code>${path}</code>` },
    { title: "", cell: ({ kind }) => html`<span class=${`kind kind-${kind}`}>${kind}</span>` },
    { title: "Before", cell: ({ before }) => before !== undefined && html`<span class="before">${brief(before)}</span>` },
    { title: "After", cell: ({ after }) => after !== undefined && html`<span class="after">${brief(after)}</span>` },
  ];
  return html`<${Table} caption=${caption} columns=${columns} rows=${differences(before, after)} keyOf=${({ path }) => path} empty="No element differs." />`;
}

/** A JSON value in a line. */
function brief(value) {
  return typeof value === "object" && !isHeldAsText(value) ? JSON.stringify(value) : shown(value);
}
