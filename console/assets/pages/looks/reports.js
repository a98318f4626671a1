// The reports on accesses, as tables and as files.

import { html, useState } from "../../lib/html.js";
import { get, send } from "../../lib/api.js";
import { href } from "../../lib/route.js";
import { Failure, Field, Loaded, Moment, Section, Table, amend, moment, save, useLoad } from "../../lib/ui.js";
import { parameters } from "./filters.js";

const REPORTS = [
  { name: "unusual", title: "Unusual accesses" },
  { name: "refusals", title: "Refused requests" },
  { name: "break-glass", title: "With the glass broken" },
  { name: "user-activity", title: "User activity" },
  { name: "patient-access", title: "Who accessed a patient's data", asksPatient: true },
  { name: "disclosures", title: "Accounting of disclosures", asksPatient: true },
];
const FIELDS = ["patient", "actor", "since", "until"];

/** A report, chosen and narrowed by the address. */
export function Reports({ route }) {
  const name = route.query.get("report") ?? "unusual";
  const report = REPORTS.find((report) => report.name === name) ?? REPORTS[0];
  const filter = Object.fromEntries(FIELDS.map((field) => [field, route.query.get(field) ?? ""]));
  const isReady = !report.asksPatient || filter.patient !== "";
  const submit = (event) => {
    event.preventDefault();
    const { since, until, ...given } = Object.fromEntries(new FormData(event.target));
    amend(route, { ...given, since: since && `${since}T00:00:00Z`, until: until && `${until}T00:00:00Z` });
  };
  const field = (name, label, rest) => html`<${Field} label=${label}>${(given) =>
    html`<input ...${given} name=${name} defaultValue=${filter[name].slice(0, rest?.type ? 10 : undefined)} ...${rest} />`}<//>`;
  return html`<form class="row filters" onSubmit=${submit} key=${route.query.toString()} aria-label="Which report">
      <${Field} label="Report">${(given) => html`<select ...${given} name="report">${REPORTS.map(({ name, title }) =>
        html`<option value=${name} selected=${name === report.name}>${title}</option>`)}</select>`}<//>
      ${field("patient", "Patient (id)", undefined)}
      ${field("actor", "User", undefined)}
      ${field("since", "From (day, UTC)", { type: "date" })}
      ${field("until", "Until (day, UTC)", { type: "date" })}
      <div class="field actions"><button class="main">Show</button></div>
    </form>
    ${isReady ? html`<${Shown} key=${route.query.toString()} report=${report} filter=${filter} />`
      : html`<p class="note">This report is about one patient: name one.</p>`}`;
}

function Shown({ report, filter }) {
  const place = (format) => `v1/reports/${report.name}?${parameters(filter, { format })}`;
  const load = useLoad((signal) => get(place("json"), { signal }), [place("json")]);
  const [error, setError] = useState(null);
  const file = async (format, type) => {
    try {
      setError(null);
      save(`${report.name}.${format}`, type, await (await send("GET", place(format), { headers: { accept: "*/*" } })).blob());
    } catch (error) {
      setError(error);
    }
  };
  return html`<${Loaded} load=${load} what="Making the report">${(value) => html`<${Section} title=${value.title}
      actions=${html`<button type="button" onClick=${() => file("csv", "text/csv")}>CSV</button>
        <button type="button" onClick=${() => file("html", "text/html")}>Page to print</button>`}>
    <p class="muted">From ${html`<${Moment} at=${value.since} />`} until ${html`<${Moment} at=${value.until} />`}</p>
    ${value.notes.map((note) => html`<p>${note}</p>`)}
    <${Failure} error=${error} />
    <${Table} caption=${`Rows of ${value.title}`} columns=${columnsOf(value.rows)} rows=${value.rows}
      empty="Nothing was found in this period." />
  <//>`}<//>`;
}

/** The columns that the rows have, in the order in which they come. */
function columnsOf(rows) {
  const names = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  return names
    .filter((name) => rows.some((row) => textOf(row[name]) !== ""))
    .map((name) => ({
      title: titleOf(name),
      class: typeof rows[0][name] === "number" ? "number" : "",
      cell: (row) => cell(name, row[name]),
    }));
}

/** `firstSeen` as people read it. */
function titleOf(name) {
  const words = name.replace(/([A-Z])/g, (letter) => ` ${letter.toLowerCase()}`);
  return words[0].toUpperCase() + words.slice(1);
}

function cell(name, value) {
  if (name === "subject" && value) return html`<a href=${href(["looks"], { actor: value })}>${value}</a>`;
  if (name === "patient" && value) return html`<a href=${href(["charts", value])}>${value}</a>`;
  if (name === "patients" && Array.isArray(value)) {
    return value.map((id, at) => html`${at ? ", " : ""}<a href=${href(["charts", id])}>${id}</a>`);
  }
  if (/^\d{4}-\d\d-\d\dT/.test(value ?? "")) return html`<${Moment} at=${value} />`;
  return textOf(value);
}

function textOf(value) {
  if (value === undefined || value === null) return "";
  if (Array.isArray(value)) return value.map(textOf).join(", ");
  if (typeof value === "object") return Object.values(value).map(textOf).join(" ");
  return typeof value === "string" ? moment(value) : String(value);
}
