// FHIR Subscriptions and how they stand.

import { html } from "../../lib/html.js";
import { get } from "../../lib/api.js";
import { may } from "../../lib/session.js";
import { Loaded, ResourceLink, Section, Table, useLoad } from "../../lib/ui.js";

const KINDS = { active: "kind-added", requested: "kind-changed", error: "kind-refused" };

export function FhirSubscriptions() {
  const isAllowed = may("s", "Subscription");
  const load = useLoad(async (signal) => (isAllowed ? all(signal) : null), [isAllowed]);
  if (!isAllowed) return null;
  const columns = [
    { title: "Subscription", isHeader: true, cell: named },
    { title: "Status", cell: ({ resource: { status } }) => html`<span class=${`kind ${KINDS[status] ?? ""}`}>${status}</span>` },
    { title: "Criteria", class: "much", cell: ({ resource }) => html`<code>${resource.criteria}</code>` },
    { title: "Channel", cell: ({ resource }) => html`${resource.channel?.type} <code>${resource.channel?.endpoint}</code>` },
    { title: "Events", class: "number", cell: ({ events }) => events },
    { title: "Error", cell: ({ resource }) => resource.error },
  ];
  return html`<${Section} title="FHIR Subscriptions" actions=${html`<button type="button" onClick=${load.reload}>Look again</button>`}>
    <${Loaded} load=${load}>${(rows) => html`<${Table} caption="List of FHIR Subscriptions" columns=${columns} rows=${rows}
      keyOf=${({ resource }) => resource.id} empty="There is none." />`}<//><//>`;
}

function named({ resource: { id, reason } }) {
  return html`<${ResourceLink} reference=${`Subscription/${id}`}>${reason ?? id}<//>`;
}

/** Each Subscription, with the number of its events as `$status` tells it. */
async function all(signal) {
  const found = await get("fhir/Subscription?_count=100", { signal });
  const all = (found.entry ?? []).map(({ resource }) => resource);
  const resources = all.filter(({ resourceType }) => resourceType === "Subscription");
  const counts = resources.length && may("r", "Subscription") ? await countsOf(signal) : new Map();
  return resources.map((resource) => ({ resource, events: counts.get(resource.id) }));
}

async function countsOf(signal) {
  const bundle = await get("fhir/Subscription/$status", { signal });
  const statuses = (bundle.entry ?? []).map(({ resource }) => new Map((resource.parameter ?? []).map((one) => [one.name, one])));
  return new Map(statuses.map((status) => [
    status.get("subscription")?.valueReference?.reference?.split("/").pop(),
    status.get("events-since-subscription-start")?.valueString,
  ]));
}
