// Who looked: every access to every chart, or to one, with reports, exports and the proof that none is missing.

import { html, useState } from "../lib/html.js";
import { href } from "../lib/route.js";
import { may } from "../lib/session.js";
import { Section, Tabs, amend } from "../lib/ui.js";
import { Complete } from "./looks/complete.js";
import { Entries } from "./looks/entries.js";
import { Exports } from "./looks/exports.js";
import { FILTERS, Filters } from "./looks/filters.js";
import { Glasses } from "./looks/glasses.js";
import { Reports } from "./looks/reports.js";
import { lacking, mayReadAllAccesses } from "./looks/rights.js";

export { ProveEvent } from "./looks/prove-event.js";

const TABS = [
  { id: "list", title: "Accesses" },
  { id: "glasses", title: "Broken glasses" },
  { id: "reports", title: "Reports" },
];

export default function Looks({ route }) {
  if (!mayReadAllAccesses()) {
    const own = may("r", "AuditEvent") ? " Who looked at a chart of yours stands on its page." : "";
    return html`<h1>Who looked</h1><p class="note">${lacking("Seeing the accesses to all charts", "user/AuditEvent.rs")}${own}</p>`;
  }
  const shown = route.path[1] ?? "list";
  const filter = Object.fromEntries(FILTERS.map((name) => [name, route.query.get(name)]).filter(([, value]) => value));
  const change = (given) => amend(route, Object.fromEntries(FILTERS.map((name) => [name, given[name] ?? null])));
  return html`<h1>${filter.actor && shown === "list" ? html`What ${filter.actor} did` : "Who looked"}</h1>
    <${Tabs} label="Views of accesses" tabs=${TABS} shown=${shown} at=${(id) => href(["looks", ...(id === "list" ? [] : [id])])} />
    ${shown === "glasses" && html`<${Glasses} />`}
    ${shown === "reports" && html`<${Reports} route=${route} />`}
    ${shown === "list" && html`<${Accesses} filter=${filter} onChange=${change} />`}`;
}

/** Who looked at the chart of one patient; for the page of the chart. */
export function ChartLooks({ patient }) {
  const [filter, setFilter] = useState({});
  if (!may("r", "AuditEvent")) return html`<p class="note">${lacking("Seeing who looked at this chart", "user/AuditEvent.rs")}</p>`;
  return html`<${Accesses} patient=${patient} filter=${filter} onChange=${setFilter} />`;
}

function Accesses({ patient, filter, onChange }) {
  return html`<${Section} title="Which accesses"><${Filters} filter=${filter} patient=${patient} onChange=${onChange} /><//>
    <div class="columns">
      <${Complete} key=${JSON.stringify([patient, filter])} patient=${patient ?? filter.patient} filter=${filter} />
      <${Exports} patient=${patient} filter=${filter} /></div>
    <${Section} title="Accesses"><${Entries} filter=${filter} patient=${patient} /><//>`;
}
