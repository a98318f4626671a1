// What changed in one resource, element by element.

import { html } from "../../lib/html.js";
import { differences } from "../../lib/difference.js";
import { isHeldAsText, isNumber, shown as primitive } from "../../lib/exact.js";
import { codeText, quantityText, title } from "../../lib/fhir.js";
import { Kind, Moment, ResourceLink, Table } from "../../lib/ui.js";
import { Folded } from "./folded.js";
import { isCorrection } from "./marks.js";

export function Change({ resource, kind, before, after, marks, events }) {
  const shown = after ?? before;
  const version = shown.meta?.versionId;
  const elements = () => html`<${Elements} caption=${`Elements of ${resource}`} before=${before ?? {}} after=${after ?? {}} />`;
  return html`<article class="change" data-resource=${resource} data-marks=${marks.join(" ")}>
    <h3><span class="muted">${shown.resourceType}</span>${" "}
      <${ResourceLink} reference=${version ? `${resource}/_history/${version}` : resource}>${title(shown)}<//>${" "}
      <${Kind} type=${kind} /> ${marks.map((mark) => html`<span class=${`kind ${MARKS[mark]}`}>${mark}</span> `)}</h3>
    ${kind === "changed" ? elements() : html`<${Folded} summary="Elements">${elements}<//>`}
    ${kind !== "changed" && events.filter(isCorrection).map((event) => html`<${Correction} key=${event.version} event=${event} />`)}
    ${events.length > 0 && html`<p class="muted change-events">${events.map(({ eventType, at, actor, version }) => html`
      <span key=${version}><${Kind} type=${eventType} /> <${Moment} at=${at} /> by ${actor.name ?? actor.subject}</span>`)}</p>`}
  </article>`;
}

/** What a correction changed of a resource that was recorded in the same span. */
function Correction({ event: { version, resource, replaced, body } }) {
  return html`<${Folded} summary="What the correction changed" isOpen>
    ${() => html`<${Elements} caption=${`What version ${version} changed in ${resource}`}
      before=${replaced.body} after=${body} />`}<//>`;
}

const MARKS = { correction: "kind-amended", retraction: "kind-retracted" };

function Elements({ caption, before, after }) {
  return html`<${Table} caption=${caption} rows=${differences(before, after)} keyOf=${({ path }) => path}
    columns=${COLUMNS} empty="No element differs." />`;
}

const COLUMNS = [
  { title: "Element", isHeader: true, cell: ({ path }) => html`<code>${path}</code>` },
  { title: "Before", cell: ({ before }) => before !== undefined && html`<del class="before">${words(before)}</del>` },
  { title: "After", cell: ({ after }) => after !== undefined && html`<ins class="after">${words(after)}</ins>` },
];

/** A value in words, where it is of a type that people know; otherwise its JSON. */
function words(value) {
  if (typeof value !== "object" || isHeldAsText(value)) return primitive(value);
  if ("coding" in value) return codeText(value) || JSON.stringify(value);
  if (isNumber(value.value) && ("unit" in value || "code" in value)) return quantityText(value);
  if (typeof value.reference === "string") return value.display ? `${value.display} (${value.reference})` : value.reference;
  return JSON.stringify(value);
}
