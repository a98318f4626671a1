// The versions of a resource, and what differs between any two of them.

import { html, useState } from "../../lib/html.js";
import { differences } from "../../lib/difference.js";
import { href } from "../../lib/route.js";
import { Field, Kind, Moment, Section, Table } from "../../lib/ui.js";
import { Differences } from "./differences.js";

export function Versions({ versions, route }) {
  const newest = versions.toReversed();
  const columns = [
    { title: "Version", isHeader: true, cell: ({ number }) => html`<a href=${href(route.path, { version: number })}>${number}</a>` },
    { title: "Recorded", class: "once", cell: ({ at }) => html`<${Moment} at=${at} />` },
    { title: "Event", cell: ({ event, isDeleted }) => html`<${Kind} type=${event?.type ?? (isDeleted ? "removed" : "")} />` },
    { title: "By", cell: ({ event }) => event?.actor?.name ?? event?.actor?.subject },
    { title: "Changed", cell: (version) => changedIn(versions, version) },
  ];
  return html`<${Section} title="Versions"><${Table} caption="Versions" columns=${columns} rows=${newest} keyOf=${({ number }) => number} /><//>
    <${Compare} versions=${versions} />`;
}

/** The names of the elements that a version changed. */
function changedIn(versions, version) {
  const before = versions[versions.indexOf(version) - 1];
  if (!before?.resource || !version.resource) return "";
  const names = differences(before.resource, version.resource).map(({ path }) => path.split(/[.[]/)[0]);
  return [...new Set(names)].join(", ");
}

function Compare({ versions }) {
  const last = versions.length - 1;
  const [[from, to], setPair] = useState([Math.max(0, last - 1), last]);
  if (last === 0) return null;
  const choice = (label, chosen, change) => html`<${Field} label=${label}>${(field) => html`<select ...${field} value=${chosen}
    onChange=${(event) => change(Number(event.target.value))}>${versions.map(({ number }, index) => html`<option value=${index}>${number}</option>`)}</select>`}<//>`;
  return html`<${Section} title="What differs">
    <div class="row">${choice("Version", from, (index) => setPair([index, to]))}${choice("and version", to, (index) => setPair([from, index]))}</div>
    <${Differences} before=${versions[from].resource ?? {}} after=${versions[to].resource ?? {}} /><//>`;
}
