// The elements of a resource as fields: each primitive can be changed or dropped, and what is like an item can be added.
// An element that is not there yet is added as JSON.

import { html } from "../../lib/html.js";
import { isObject } from "../../lib/difference.js";
import { isNumber, numberOf, shown } from "../../lib/exact.js";
import { Field } from "../../lib/ui.js";

/** Members that the server keeps. */
const KEPT = ["resourceType", "id", "meta"];

export function Fields({ resource, issues, onChange }) {
  const problems = new Map();
  for (const { where, text } of issues) {
    const path = (where ?? "").replace(`${resource.resourceType}.`, "");
    problems.set(path, [...(problems.get(path) ?? []), text]);
  }
  const members = Object.entries(resource).filter(([name]) => !KEPT.includes(name));
  return html`<div class="fields">${members.map(([name, value]) => html`<${Element} key=${name} path=${name} value=${value} problems=${problems}
    onChange=${(value) => onChange(withMember(resource, name, value))} />`)}</div>`;
}

function Element({ path, value, problems, onChange }) {
  if (Array.isArray(value)) {
    const set = (index, item) => onChange(withItem(value, index, item));
    return html`${value.map((item, index) => html`<${Element} key=${index} path=${`${path}[${index}]`} value=${item} problems=${problems}
        onChange=${(item) => set(index, item)} />`)}
      <${Problems} of=${problems.get(path)} />`;
  }
  if (isObject(value)) {
    return html`<fieldset class="element"><legend><code>${path}</code>
        <button type="button" class="plain" aria-label=${`Remove ${path}`} onClick=${() => onChange(undefined)}>✕</button></legend>
      ${Object.entries(value).map(([name, member]) => html`<${Element} key=${name} path=${`${path}.${name}`} value=${member} problems=${problems}
        onChange=${(member) => onChange(withMember(value, name, member))} />`)}
      <${Problems} of=${problems.get(path)} /></fieldset>`;
  }
  return html`<${Primitive} path=${path} value=${value} problems=${problems.get(path) ?? []} onChange=${onChange} />`;
}

function Problems({ of }) {
  return of ? html`<ul class="problems">${of.map((text) => html`<li>${text}</li>`)}</ul>` : null;
}

function Primitive({ path, value, problems, onChange }) {
  const name = path.slice(path.lastIndexOf(".") + 1);
  const drop = html`<button type="button" class="plain" aria-label=${`Remove ${path}`} onClick=${() => onChange(undefined)}>✕</button>`;
  const input = (field) => {
    if (typeof value === "boolean") {
      return html`<select ...${field} data-path=${path} value=${String(value)} onChange=${(event) => onChange(event.target.value === "true")}>
        <option>true</option><option>false</option></select>`;
    }
    // What is no number stays as text: the server says what is wrong with it.
    const read = (text) => (isNumber(value) ? numberOf(text) ?? text : text);
    return html`<input ...${field} data-path=${path} defaultValue=${shown(value)} key=${path} inputmode=${isNumber(value) ? "decimal" : undefined}
      onInput=${(event) => onChange(read(event.target.value))} />`;
  };
  return html`<div class="primitive"><${Field} label=${name} problems=${problems}>${input}<//>${drop}</div>`;
}

/** The object with another value of a member; undefined drops it, and an object without members drops itself. */
function withMember(object, name, value) {
  const members = Object.entries(object).map(([known, before]) => [known, known === name ? value : before]);
  const left = members.filter(([, value]) => value !== undefined);
  return left.length ? Object.fromEntries(left) : undefined;
}

function withItem(list, index, value) {
  const items = list.map((before, place) => (place === index ? value : before)).filter((item) => item !== undefined);
  return items.length ? items : undefined;
}
