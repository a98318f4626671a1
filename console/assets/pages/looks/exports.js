// Accesses as files: a table, lines of JSON, FHIR AuditEvents, or with the proof that none is missing.

import { html, useState } from "../../lib/html.js";
import { send } from "../../lib/api.js";
import { Failure, Section, save } from "../../lib/ui.js";
import { parameters } from "./filters.js";
import { mayReadAllAccesses } from "./rights.js";

const FORMS = [
  { format: "csv", title: "CSV", end: "csv", type: "text/csv" },
  { format: "ndjson", title: "NDJSON", end: "ndjson", type: "application/x-ndjson" },
  { format: "fhir", title: "FHIR AuditEvents", end: "fhir.ndjson", type: "application/fhir+ndjson" },
];

/**
 * Buttons that save what a filter finds. The proofs are of all entries of the period: one that left out others would prove
 * nothing.
 */
export function Exports({ patient, filter }) {
  const [state, setState] = useState({});
  const run = async (name, type, query) => {
    setState({ busy: name });
    try {
      const response = await send("GET", `v1/accesses/export?${query}`, { headers: { accept: "*/*" } });
      const blob = await response.blob();
      save(name, type, blob);
      setState({ said: `${name}: ${blob.size.toLocaleString("en")} bytes saved` });
    } catch (error) {
      setState({ error });
    }
  };
  const entries = (format) => parameters(filter, { patient: patient ?? filter.patient, format });
  const base = patient ? `accesses-${patient}` : "accesses";
  const { since, until } = filter;
  const proof = (log) => run(`${log}.proof`, "application/x-ndjson", parameters({ since, until }, { format: "proof", log }));
  if (!mayReadAllAccesses()) return null;
  return html`<${Section} title="Export">
    <div class="actions">
      ${FORMS.map(({ format, title, end, type }) => html`<button type="button" disabled=${state.busy}
        onClick=${() => run(`${base}.${end}`, type, entries(format))}>${title}</button>`)}
      <button type="button" disabled=${state.busy} onClick=${() => proof("access")}>With proof: all looks of the period</button>
      <button type="button" disabled=${state.busy} onClick=${() => proof("events")}>With proof: all changes</button>
    </div>
    <p class="muted below">A file with proof can be checked at <a href="#/check">Check a proof</a>,
      or by a program that trusts nothing here.</p>
    <div role="status">${state.busy ? `Fetching ${state.busy}…` : state.said}</div>
    <${Failure} error=${state.error} />
  <//>`;
}
