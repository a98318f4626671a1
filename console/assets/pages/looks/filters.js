// What narrows a list of accesses: who, why, how it ended, when.

import { html } from "../../lib/html.js";
import { queryOf } from "../../lib/query.js";
import { Field } from "../../lib/ui.js";

/** The parameters of a list of accesses that can be set here. */
export const FILTERS = ["patient", "actor", "purpose", "outcome", "action", "breakGlass", "since", "until"];

const CHOICES = {
  outcome: [["", "any"], ["granted", "granted"], ["refused", "refused"], ["failed", "failed"]],
  action: [["", "any"], ["C", "created"], ["R", "read"], ["U", "changed"], ["D", "deleted"], ["E", "searched or executed"]],
  breakGlass: [["", "any"], ["true", "glass broken"], ["false", "glass whole"]],
};
const PURPOSES = ["TREAT", "ETREAT", "BTG", "PATRQT", "HPAYMT", "HOPERAT", "HRESCH", "PUBHLTH"];

/** The form; `onChange(filter)` gets all parameters when it is sent. `patient`: the list is about one chart. */
export function Filters({ filter, patient, onChange }) {
  const submit = (event) => {
    event.preventDefault();
    const given = Object.fromEntries(new FormData(event.target));
    onChange({ ...given, since: instant(given.since), until: instant(given.until) });
  };
  const text = (name, label, rest) => html`<${Field} label=${label}>${(field) =>
    html`<input ...${field} name=${name} defaultValue=${filter[name] ?? ""} ...${rest} />`}<//>`;
  const select = (name, label) => html`<${Field} label=${label}>${(field) => html`<select ...${field} name=${name}>
    ${CHOICES[name].map(([value, title]) =>
      html`<option value=${value} selected=${value === (filter[name] ?? "")}>${title}</option>`)}</select>`}<//>`;
  const moment = (name, label) => html`<${Field} label=${label}>${(field) =>
    html`<input ...${field} type="datetime-local" step="1" name=${name} defaultValue=${local(filter[name])} />`}<//>`;
  return html`<form class="row filters" onSubmit=${submit} key=${JSON.stringify(filter)} aria-label="Narrow the list">
    ${!patient && text("patient", "Patient (id)")}
    ${text("actor", "User")}
    ${select("outcome", "Outcome")}
    ${text("purpose", "Purpose", { list: "looks-purposes" })}
    <datalist id="looks-purposes">${PURPOSES.map((code) => html`<option value=${code} />`)}</datalist>
    ${select("action", "Action")}
    ${select("breakGlass", "Glass")}
    ${moment("since", "From")}
    ${moment("until", "Until")}
    <div class="actions field"><button class="main">Show</button>
      <button type="button" onClick=${() => onChange({})}>All</button></div>
  </form>`;
}

/** What is set of a filter, as parameters of a request. */
export function parameters(filter, others = {}) {
  return queryOf({ ...filter, ...others });
}

/** The instant of a field for local time. */
function instant(text) {
  const date = new Date(text);
  return Number.isNaN(date.getTime()) ? "" : date.toISOString();
}

/** An instant as a field for local time has it. */
function local(text) {
  const date = new Date(text ?? "");
  if (Number.isNaN(date.getTime())) return "";
  return new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
}
