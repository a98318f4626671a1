// What a resource refers to, and what refers to it.

import { html } from "../../lib/html.js";
import { request } from "../../lib/api.js";
import { resourcesOf } from "../../lib/bundle.js";
import { capabilities } from "../../lib/capabilities.js";
import { references, title } from "../../lib/fhir.js";
import { href } from "../../lib/route.js";
import { Loaded, ResourceLink, Section, Table, useLoad } from "../../lib/ui.js";

/** Most resources that are shown of those that refer to this one. */
const MOST = 100;

export function References({ resource }) {
  const columns = [
    { title: "Element", isHeader: true, cell: ({ path }) => html`<code>${path}</code>` },
    { title: "Refers to", cell: ({ reference }) => html`<${ResourceLink} reference=${reference} />` },
    { title: "As", cell: ({ display }) => display },
  ];
  return html`<${Section} title="Refers to"><${Table} caption="What it refers to" columns=${columns} rows=${references(resource)} keyOf=${({ path }) => path}
      empty="It refers to nothing." /><//>
    <${Section} title="Referred to by"><${Incoming} resource=${resource} /><//>`;
}

function Incoming({ resource }) {
  const { resourceType: type, id } = resource;
  const load = useLoad((signal) => (type === "Patient" ? Promise.resolve(null) : incoming(type, id, signal)), [type, id]);
  if (type === "Patient") return html`<p>Nearly all of <a href=${href(["charts", id])}>the chart</a> refers to its patient.</p>`;
  const columns = [
    { title: "Resource", isHeader: true, class: "once", cell: (one) => html`<${ResourceLink} reference=${`${one.resourceType}/${one.id}`} />` },
    { title: "What", cell: title },
    { title: "In", cell: (one) => references(one).filter(({ reference }) => reference === `${type}/${id}`).map(({ path }) => html`<code>${path}</code> `) },
  ];
  return html`<${Loaded} load=${load}>${(rows) => html`<${Table} caption="What refers to it" columns=${columns} rows=${rows}
    keyOf=${(one) => `${one.resourceType}/${one.id}`} empty="Nothing that you may see refers to it." />`}<//>`;
}

/** The resources that refer to this one: with the search parameters that can do that. */
async function incoming(type, id, signal) {
  const ways = (await capabilities()).get(type)?.searchRevInclude ?? [];
  const form = new URLSearchParams({ _id: id, _count: String(MOST) });
  for (const way of ways) form.append("_revinclude", way);
  const headers = { "content-type": "application/x-www-form-urlencoded" };
  const { data } = await request("POST", `fhir/${type}/_search`, { body: String(form), headers, signal });
  return resourcesOf(data).filter((one) => `${one.resourceType}/${one.id}` !== `${type}/${id}` && one.resourceType !== "OperationOutcome");
}
