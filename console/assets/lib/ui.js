// Parts that pages are made of.

import { html, useCallback, useEffect, useId, useRef, useState } from "./html.js";
import { go, href } from "./route.js";

/**
 * What `load(signal)` gives, loaded when the page is shown and again when one of `inputs` changes.
 * `{ value, error, isLoading, reload }`; the value before stays until the next is there.
 */
export function useLoad(load, inputs) {
  const [state, setState] = useState({ isLoading: true });
  const [round, setRound] = useState(0);
  useEffect(() => {
    const control = new AbortController();
    setState((before) => ({ ...before, isLoading: true }));
    load(control.signal).then(
      (value) => control.signal.aborted || setState({ value, isLoading: false }),
      (error) => control.signal.aborted || setState({ error, isLoading: false }),
    );
    return () => control.abort();
  }, [...inputs, round]);
  const reload = useCallback(() => setRound((round) => round + 1), []);
  return { ...state, reload };
}

/** A heading and what belongs to it. `actions` stand beside the heading. */
export function Section({ title, level = 2, actions, children, ...rest }) {
  const id = useId();
  return html`<section class="section" aria-labelledby=${id} ...${rest}>
    <header class="section-head">${html`<${`h${level}`} id=${id}>${title}<//>`}${actions && html`<div class="actions">${actions}</div>`}</header>
    ${children}
  </section>`;
}

/** Says that something is being loaded. */
export function Loading({ what = "Loading" }) {
  return html`<p class="loading" role="status">${what}…</p>`;
}

/** Says why something failed: each problem, with its place. */
export function Failure({ error }) {
  if (!error) return null;
  const issues = error.issues ?? [{ text: error.message }];
  return html`<div class="failure" role="alert">
    ${error.status ? html`<strong>${TITLES[error.status] ?? `Answered with ${error.status}`}</strong>` : null}
    <ul>${issues.map(({ where, text }) => html`<li>${where && html`<code>${where}</code> `}${text}</li>`)}</ul>
  </div>`;
}

const TITLES = {
  401: "Not signed in",
  403: "Not allowed",
  404: "Not there",
  409: "In conflict with what is there",
  410: "Deleted or erased",
  412: "Changed by somebody else in the meantime",
  422: "Not valid",
  429: "Too many requests",
  503: "Busy; try again in a moment",
};

/** A `load` of `useLoad` as it stands: loading, failed, or its value given to `children`. */
export function Loaded({ load, what, children }) {
  if (load.error) return html`<${Failure} error=${load.error} />`;
  if (load.value === undefined) return html`<${Loading} what=${what} />`;
  return children(load.value);
}

/**
 * A table. `columns`: `{ title, cell(row), class, isHeader }`; `rows`; `keyOf(row)`; `empty`: what is said without rows.
 * It scrolls by itself where the window is narrow.
 */
export function Table({ caption, columns, rows, keyOf, empty = "Nothing." }) {
  if (!rows.length) return html`<p class="empty">${empty}</p>`;
  return html`<div class="table" role="region" aria-label=${caption} tabindex="0"><table>
    <caption class="hidden">${caption}</caption>
    <thead><tr>${columns.map((column) => html`<th scope="col" class=${column.class}>${column.title}</th>`)}</tr></thead>
    <tbody>${rows.map((row, index) => html`<tr key=${keyOf?.(row) ?? index}>${columns.map((column) =>
      column.isHeader
        ? html`<th scope="row" class=${column.class}>${column.cell(row)}</th>`
        : html`<td class=${column.class}>${column.cell(row)}</td>`)}</tr>`)}</tbody>
  </table></div>`;
}

/** Links between the parts of a page. `tabs`: `{ id, title }`; the address of each is `at(id)`. */
export function Tabs({ label, tabs, shown, at }) {
  return html`<nav class="tabs" aria-label=${label}>${tabs.map(({ id, title }) =>
    html`<a href=${at(id)} aria-current=${id === shown ? "page" : undefined}>${title}</a>`)}</nav>`;
}

/** A moment of the log, to the second, in the time zone of the browser; the whole of it as the title. */
export function Moment({ at, dateOnly = false }) {
  if (!at) return null;
  return html`<time datetime=${at} title=${at}>${moment(at, dateOnly)}</time>`;
}

/** An instant or a date of FHIR as people read it. Dates without a time are shown as they are. */
export function moment(at, dateOnly = false) {
  if (!/T/.test(at)) return at;
  const date = new Date(at);
  if (Number.isNaN(date.getTime())) return at;
  const pad = (number) => String(number).padStart(2, "0");
  const day = `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`;
  return dateOnly ? day : `${day} ${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}`;
}

/** The kind of an event (`recorded`, `amended`, `retracted`, `removed`, …), in a colour and by its name. */
export function Kind({ type }) {
  const kind = type.slice(type.lastIndexOf(".") + 1);
  return html`<span class=${`kind kind-${kind}`}>${kind}</span>`;
}

/** JSON as text. */
export function Json({ value, label = "JSON" }) {
  return html`<pre class="json" tabindex="0" role="region" aria-label=${label}><code>${JSON.stringify(value, null, 2)}</code></pre>`;
}

/** A reference to a resource as a link to its page. */
export function ResourceLink({ reference, children }) {
  const found = /^([A-Z][A-Za-z]+)\/([A-Za-z0-9\-.]{1,64})(?:\/_history\/(\d+))?$/.exec(reference ?? "");
  if (!found) return html`<span>${children ?? reference}</span>`;
  const [, type, id, version] = found;
  return html`<a href=${href(["resources", type, id], { version })}>${children ?? reference}</a>`;
}

/** A field with its label, and problems with what stands in it. */
export function Field({ label, hint, problems = [], children }) {
  const id = useId();
  const described = [hint && `${id}-hint`, problems.length && `${id}-problem`].filter(Boolean).join(" ") || undefined;
  return html`<div class=${problems.length ? "field wrong" : "field"}>
    <label for=${id}>${label}</label>
    ${children({ id, "aria-describedby": described, "aria-invalid": problems.length ? "true" : undefined })}
    ${hint && html`<small id=${`${id}-hint`}>${hint}</small>`}
    ${problems.length ? html`<ul id=${`${id}-problem`} class="problems">${problems.map((text) => html`<li>${text}</li>`)}</ul>` : null}
  </div>`;
}

/** A dialog over the page; Escape closes it, and the focus goes back to where it was. */
export function Dialog({ title, onClose, children }) {
  const dialog = useRef(null);
  const id = useId();
  useEffect(() => {
    const element = dialog.current;
    element.showModal();
    return () => element.close();
  }, []);
  return html`<dialog ref=${dialog} aria-labelledby=${id} onClose=${onClose}>
    <header class="section-head"><h2 id=${id}>${title}</h2>
      <button type="button" class="plain" aria-label="Close" onClick=${onClose}>✕</button></header>
    ${children}
  </dialog>`;
}

/** A choice among few, as radio buttons that look like one row. `choices`: `{ value, title }`. */
export function Choice({ label, choices, value, onChange }) {
  const name = useId();
  return html`<fieldset class="choice"><legend class="hidden">${label}</legend>${choices.map((choice) => html`<label>
    <input type="radio" name=${name} checked=${choice.value === value} onChange=${() => onChange(choice.value)} />
    <span>${choice.title}</span></label>`)}</fieldset>`;
}

/** Saves bytes as a file of the person's machine. */
export function save(name, type, content) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([content], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 0);
}

/** Goes to the same view with other parameters; those that are null are dropped. */
export function amend(route, changes, options) {
  go(route.path, { ...Object.fromEntries(route.query), ...changes }, options);
}
