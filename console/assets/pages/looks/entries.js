// The table of accesses: when, who, what, why, from where, how it ended.

import { html, useEffect, useState } from "../../lib/html.js";
import { get } from "../../lib/api.js";
import { href } from "../../lib/route.js";
import { Failure, Json, Loaded, Moment, ResourceLink, Table, useLoad } from "../../lib/ui.js";
import { parameters } from "./filters.js";

const PAGE = 50;
const ACTIONS = { C: "created", R: "read", U: "changed", D: "deleted", E: "asked" };

/** The accesses that a filter finds, the newest first, with more on demand. `patient`: those to one chart. */
export function Entries({ patient, filter }) {
  const place = patient ? `v1/patients/${encodeURIComponent(patient)}/accesses` : "v1/accesses";
  const page = (cursor, signal) => get(`${place}?${parameters(filter, { count: PAGE, cursor })}`, { signal });
  const first = useLoad((signal) => page(undefined, signal), [place, JSON.stringify(filter)]);
  return html`<${Loaded} load=${first} what="Loading the accesses">${(value) =>
    html`<${Pages} first=${value} page=${page} patient=${patient} />`}<//>`;
}

function Pages({ first, page, patient }) {
  const [state, setState] = useState({ rows: first.accesses, next: first.next });
  useEffect(() => setState({ rows: first.accesses, next: first.next }), [first]);
  const more = async () => {
    setState((before) => ({ ...before, isLoading: true, error: null }));
    try {
      const { accesses, next } = await page(state.next);
      setState(({ rows }) => ({ rows: [...rows, ...accesses], next }));
    } catch (error) {
      setState((before) => ({ ...before, isLoading: false, error }));
    }
  };
  const columns = [
    { title: "When", class: "once", cell: ({ recordedAt }) => html`<${Moment} at=${recordedAt} />` },
    { title: "Who", isHeader: true, class: "some", cell: (entry) => html`<${Who} entry=${entry} />` },
    { title: "What", class: "much", cell: (entry) => html`<${What} entry=${entry} patient=${patient} />` },
    { title: "Why", cell: why },
    { title: "From where", cell: where },
    { title: "Outcome", cell: outcome },
  ];
  return html`<${Table} caption="List of accesses" columns=${columns} rows=${state.rows} keyOf=${({ id }) => id}
      empty=${state.next ? "None among the newest; there may be older ones." : "No access like this."} />
    <${Failure} error=${state.error} />
    <p class="actions"><span class="muted" role="status">${state.rows.length} shown</span>
      ${state.next && html`<button type="button" onClick=${more} disabled=${state.isLoading}>Older ones</button>`}</p>`;
}

function Who({ entry }) {
  const { subject, name, role, organization, client, acting } = entry;
  if (!subject) return html`<span class="muted">nobody: no acceptable token</span>`;
  return html`<a href=${href(["looks"], { actor: subject })} title="All accesses of this user">${name ?? subject}</a>
    <div class="muted">${[name && subject, role, acting && `through ${acting}`, client && `with ${client}`].filter(Boolean).join(" · ")}
      ${organization && html` · <${ResourceLink} reference=${organization} />`}</div>`;
}

function What({ entry, patient }) {
  const others = entry.patients.filter((id) => id !== patient);
  return html`<div>${entry.summary ?? `${ACTIONS[entry.action] ?? entry.action}: ${entry.operation}`}</div>
    ${entry.query && html`<code>${entry.query}</code>`}
    ${others.length ? html`<div class="muted">${patient ? "also of " : "charts: "}${others.slice(0, 8).map((id, at) =>
      html`${at ? ", " : ""}<a href=${href(["charts", id])}>${id}</a>`)}
      ${others.length > 8 ? `, and ${others.length - 8} more` : ""}</div>` : null}
    <${Details} entry=${entry} />`;
}

/** What left with an answer, and the whole entry, fetched when somebody wants to see it. */
function Details({ entry }) {
  const [isOpen, setOpen] = useState(false);
  const said = entry.resourceCount ? `${entry.resourceCount} ${entry.resourceCount === 1 ? "version" : "versions"}` : "The entry";
  const isShort = entry.resources.length < entry.resourceCount;
  return html`<details onToggle=${(event) => setOpen(event.currentTarget.open)}><summary>${said}</summary>
    ${isOpen && (isShort ? html`<${Whole} id=${entry.id} />` : html`<${Left} entry=${entry} />`)}</details>`;
}

function Whole({ id }) {
  const load = useLoad((signal) => get(`v1/accesses/${encodeURIComponent(id)}`, { signal }), [id]);
  return html`<${Loaded} load=${load}>${(entry) => html`<${Left} entry=${entry} />`}<//>`;
}

function Left({ entry }) {
  return html`<ul class="list compact">${entry.resources.map(({ resource, version, position }) => html`<li>
      ${resource ? html`<${ResourceLink} reference=${`${resource}/_history/${version}`}>${resource}, version ${version}<//>`
        : html`<span class="muted">erased since (position ${position})</span>`}</li>`)}</ul>
    <details><summary>As recorded (${entry.id})</summary><${Json} value=${entry} label=${`Entry ${entry.id}`} /></details>`;
}

function why({ purpose, breakGlass }) {
  return html`${breakGlass ? html`<span class="kind kind-refused">glass broken</span> ` : null}
    ${purpose ?? (breakGlass ? null : html`<span class="muted">not said</span>`)}`;
}

function where({ address, proxy, userAgent }) {
  return html`${address ?? html`<span class="muted">this server</span>`}
    ${proxy && html`<div class="muted">by ${proxy}</div>`}
    ${userAgent && html`<div class="muted agent" title=${userAgent}>${userAgent}</div>`}`;
}

function outcome({ outcome, status, reason }) {
  const kind = { granted: "kind-added", refused: "kind-refused", failed: "kind-changed" }[outcome] ?? "";
  return html`<span class=${`kind ${kind}`}>${outcome}${status ? ` ${status}` : ""}</span>
    ${reason && html`<div class="muted">${reason}</div>`}`;
}
