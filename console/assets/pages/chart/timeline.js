// The timeline of a chart: its events up to a moment, newest first, filtered by kind and by type of resource.

import { html, useMemo } from "../../lib/html.js";
import { amend, Field, Kind, Moment, ResourceLink, Section } from "../../lib/ui.js";
import { countUpTo } from "./history.js";
import { isCorrection } from "./marks.js";
import { versionOf } from "./summary.js";
import { VirtualList } from "./virtual-list.js";

const KINDS = ["recorded", "amended", "retracted", "removed", "restored"];

export function Timeline({ history, version, onMove, route }) {
  const [kind, type] = [route.query.get("kind"), route.query.get("type")];
  const types = useMemo(() => [...new Set(history.events.map((event) => event.type).filter(Boolean))].sort(), [history]);
  // The filtered events of the whole history: moving in time only takes more or fewer of them.
  const all = useMemo(() => history.events.filter((event) => isWanted(event, kind, type)), [history, kind, type]);
  const count = countUpTo(all, version);
  const later = all.length - count;
  const rowAt = (index) => {
    const event = all[count - 1 - index];
    return html`<${Row} event=${event} isShown=${event.version === version} onMove=${onMove} />`;
  };
  const set = (name) => (event) => amend(route, { [name]: event.target.value }, { replace: true });
  return html`<${Section} title="Timeline" data-version=${version}>
    <div class="row">
      <${Field} label="Kind">${(field) => html`<select ...${field} value=${kind ?? ""} onChange=${set("kind")}>
        <option value="">All kinds</option>${KINDS.map((kind) => html`<option value=${kind}>${kind}</option>`)}
        <option value="chart">of the chart itself</option></select>`}<//>
      <${Field} label="Type of resource">${(field) => html`<select ...${field} value=${type ?? ""} onChange=${set("type")}>
        <option value="">All types</option>${types.map((type) => html`<option value=${type}>${type}</option>`)}</select>`}<//>
    </div>
    <p class="muted" role="status">${count === 1 ? "1 event" : `${count} events`}${later ? `, and ${later} later` : ""}</p>
    <${VirtualList} label="Events, newest first" count=${count} startsAnewOn=${`${kind} ${type}`} rowAt=${rowAt} />
  <//>`;
}

function isWanted(event, kind, type) {
  const isOfKind = !kind || (kind === "chart" ? event.isOfChart : event.kind === kind);
  return isOfKind && (!type || event.type === type);
}

function Row({ event, isShown, onMove }) {
  const { actor } = event;
  const current = isShown ? "true" : undefined;
  return html`<div class="event" data-resource=${event.resource} data-event=${event.version} aria-current=${current}>
    <button type="button" class="plain event-when" title="Show the chart as of this event"
      onClick=${() => onMove(event.version)}>
      <${Moment} at=${event.at} /><span class="hidden">, show the chart as of version ${event.version}</span></button>
    <span class="event-kind"><${Kind} type=${event.eventType} /></span>
    <span class="event-what"><${What} event=${event} /></span>
    <span class="event-who" title=${whoInFull(actor)}>${actor.name ?? actor.subject}</span>
  </div>`;
}

/** What an event is about, in words; what is gone is called as it was before. */
function What({ event }) {
  const reason = event.reason && ` – ${event.reason}`;
  if (!event.resource) return html`<span>${WORDS[event.kind] ?? `Chart ${event.kind}`}${reason}</span>`;
  const words = event.title ?? event.replaced?.title ?? event.resource;
  const shown = event.body ? event : event.replaced ?? event;
  return html`<span class="muted">${event.type}</span> <${ResourceLink} reference=${versionOf(shown)}>${words}<//>
    ${isCorrection(event) && html` <span class="kind kind-amended">correction</span>`}
    ${reason}`;
}

const WORDS = { opened: "Chart opened", held: "Put under a legal hold", released: "Legal hold released" };

function whoInFull({ name, subject, role, organization, client, purpose }) {
  return [name, subject, role, organization, client && `with ${client}`, purpose && `for ${purpose}`].filter(Boolean).join(", ");
}
