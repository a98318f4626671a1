// The elements of a resource, to read.

import { html } from "../../lib/html.js";
import { isObject } from "../../lib/difference.js";
import { shown } from "../../lib/exact.js";
import { ResourceLink } from "../../lib/ui.js";

export function Elements({ resource }) {
  return html`<${Members} value=${resource} />`;
}

function Members({ value }) {
  return html`<dl class="facts elements">${Object.entries(value).map(([name, member]) => html`<dt key=${name}>${name}</dt><dd><${Value} value=${member} name=${name} /></dd>`)}</dl>`;
}

function Value({ value, name }) {
  if (Array.isArray(value)) {
    return value.length === 1
      ? html`<${Value} value=${value[0]} name=${name} />`
      : html`<ol class="list">${value.map((item) => html`<li><${Value} value=${item} name=${name} /></li>`)}</ol>`;
  }
  if (isObject(value)) return html`<${Members} value=${value} />`;
  if (name === "reference") return html`<${ResourceLink} reference=${value} />`;
  return html`<span>${shown(value)}</span>`;
}
