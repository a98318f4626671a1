// A resource: its elements, its versions, who set what, what it refers to and what refers to it; and editing it.

import { html, useEffect } from "../lib/html.js";
import { getExact } from "../lib/api.js";
import { title } from "../lib/fhir.js";
import { href } from "../lib/route.js";
import { may } from "../lib/session.js";
import { Json, Loaded, Moment, Section, Tabs, amend, useLoad } from "../lib/ui.js";
import { Blame } from "./resource/blame.js";
import { Edit } from "./resource/edit.js";
import { Elements } from "./resource/elements.js";
import { history, patientOfAll } from "./resource/history.js";
import { References } from "./resource/references.js";
import { Versions } from "./resource/versions.js";

const TABS = [
  { id: "form", title: "Form" },
  { id: "json", title: "JSON" },
  { id: "versions", title: "Versions" },
  { id: "blame", title: "Who set what" },
  { id: "references", title: "References" },
  { id: "proof", title: "Proof" },
];

export default function Resource({ route }) {
  const [, type, id] = route.path;
  const load = useLoad((signal) => history(type, id, signal), [type, id]);
  useEffect(() => {
    document.title = `${type}/${id} · Chartlog`;
  }, [type, id]);
  return html`<${Loaded} load=${load}>${(versions) => html`<${Versioned} key=${`${type}/${id}`} versions=${versions} route=${route} onSaved=${load.reload} />`}<//>`;
}

/** The resource at the version that the address names, or at the last. */
function Versioned({ versions, route, onSaved }) {
  const [, type, id] = route.path;
  const wanted = route.query.get("version");
  const last = versions[versions.length - 1];
  const shown = versions.find((version) => version.number === wanted) ?? last;
  const tab = route.query.get("tab") ?? "form";
  const resource = shown.resource;
  const patient = patientOfAll(versions);
  const at = (tab) => href(route.path, { tab, version: wanted });
  return html`<h1>${type} <code>${id}</code></h1>
    <p class="muted">${resource && html`<strong>${title(resource)}</strong> · `}
      version <strong data-version=${shown.number}>${shown.number}</strong> of ${last.number}, recorded ${html`<${Moment} at=${shown.at} />`}
      ${shown !== last && html` · <a href=${href(route.path, { tab })}>to the current version</a>`}
      ${last.isDeleted && html` · <span class="kind kind-removed">deleted</span>`}
      ${resource?.status === "entered-in-error" && html` · <span class="kind kind-retracted">entered in error</span>`}
      ${patient && html` · <a href=${href(["charts", patient], { version: shown.chartVersion })}>chart of ${patient}</a>`}</p>
    <${Tabs} label="About the resource" tabs=${tabsFor(patient, type, last)} shown=${tab} at=${at} />
    ${tab === "form" && html`<${Section} title="Elements">${resource ? html`<${Elements} resource=${resource} />` : html`<${Deleted} />`}<//>`}
    ${tab === "json" && html`<${Section} title="JSON">${resource ? html`<${Json} value=${resource} />` : html`<${Deleted} />`}<//>`}
    ${tab === "versions" && html`<${Versions} versions=${versions} route=${route} />`}
    ${tab === "blame" && html`<${Blame} versions=${versions} upTo=${shown} />`}
    ${tab === "references" && (resource ? html`<${References} resource=${resource} />` : html`<${Deleted} />`)}
    ${tab === "edit" && html`<${Edit} resource=${last.resource} number=${last.number} read=${() => getExact(`fhir/${type}/${id}`)}
      onSaved=${() => { onSaved(); amend(route, { tab: null, version: null }); }} />`}
    ${tab === "proof" && html`<${Proof} patient=${patient} version=${shown.chartVersion} />`}`;
}

/** That the event of the shown version is in the log. */
function Proof({ patient, version }) {
  const load = useLoad(() => import("./looks.js"), []);
  if (!version) return html`<p class="empty">It is not known to you which event this version is.</p>`;
  return html`<${Loaded} load=${load}>${({ ProveEvent }) => html`<${ProveEvent} patient=${patient} version=${version} />`}<//>`;
}

function tabsFor(patient, type, last) {
  const tabs = TABS.filter(({ id }) => id !== "proof" || patient);
  return may("u", type) && last.resource ? [...tabs, { id: "edit", title: "Edit" }] : tabs;
}

function Deleted() {
  return html`<p class="empty">Nothing: this version is the deletion. The versions before are still there.</p>`;
}
