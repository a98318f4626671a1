// Patients by name, id and date of birth.

import { html, useEffect, useRef } from "../../lib/html.js";
import { get } from "../../lib/api.js";
import { nextOf, resourcesOf } from "../../lib/bundle.js";
import { patientName } from "../../lib/fhir.js";
import { go, href } from "../../lib/route.js";
import { Failure, Field, Loading, Table, useLoad } from "../../lib/ui.js";

const COUNT = 20;

export function Patients({ route }) {
  const { name = "", id = "", born = "", page = "" } = Object.fromEntries(route.query);
  const first = useRef(null);
  useEffect(() => first.current?.querySelector("input").focus(), []);
  const load = useLoad((signal) => (page ? get(page, { signal }) : search({ name, id, born }, signal)), [name, id, born, page]);
  const submit = (event) => {
    event.preventDefault();
    const fields = Object.fromEntries(new FormData(event.target));
    go(route.path, Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, value.trim()])));
  };
  return html`<form class="row" role="search" aria-label="Patients" onSubmit=${submit} ref=${first}>
      <${Field} label="Name">${(field) => html`<input ...${field} name="name" defaultValue=${name} autocomplete="off" />`}<//>
      <${Field} label="Id or identifier">${(field) => html`<input ...${field} name="id" defaultValue=${id} autocomplete="off" />`}<//>
      <${Field} label="Born">${(field) => html`<input ...${field} name="born" defaultValue=${born} placeholder="1970, 1970-05, 1970-05-31" autocomplete="off" />`}<//>
      <div class="field"><button class="main">Find</button></div>
    </form>
    <${Failure} error=${load.error} />
    ${load.isLoading && !load.value && html`<${Loading} />`}
    ${load.value && html`<${Found} bundle=${load.value} route=${route} />`}`;
}

function Found({ bundle, route }) {
  const next = nextOf(bundle);
  const columns = [
    { title: "Name", isHeader: true, cell: (one) => html`<a href=${href(["charts", one.id])}>${patientName(one)}</a>` },
    { title: "Born", cell: (one) => one.birthDate, class: "once" },
    { title: "Sex", cell: (one) => one.gender },
    { title: "Id", cell: (one) => html`<code>${one.id}</code>` },
    { title: "Identifiers", cell: (one) => (one.identifier ?? []).map((identifier) => identifier.value).join(", ") },
    { title: "Place", cell: (one) => one.address?.[0]?.city },
  ];
  return html`<${Table} caption="Patients" columns=${columns} rows=${resourcesOf(bundle, "Patient")} keyOf=${(one) => one.id}
      empty="No patient that you may see is like that." />
    ${next && html`<p><a class="button" href=${href(route.path, { ...Object.fromEntries(route.query), page: next })}>More</a></p>`}`;
}

/** The patients with these; an id is first taken for the logical one, and then for that of an identifier. */
async function search({ name, id, born }, signal) {
  const query = new URLSearchParams({ _count: COUNT, _sort: "family,given" });
  for (const word of name.split(/\s+/).filter(Boolean)) query.append("name", word);
  if (born) query.set("birthdate", born);
  if (!id) return get(`fhir/Patient?${query}`, { signal });
  if (/^[A-Za-z0-9\-.]{1,64}$/.test(id)) {
    const found = await get(`fhir/Patient?${query}&_id=${id}`, { signal });
    if (found.entry?.length) return found;
  }
  query.set("identifier", id);
  return get(`fhir/Patient?${query}`, { signal });
}
