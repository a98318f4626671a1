// Find: patients, the types of resources with their counts, and any search of FHIR.

import { html } from "../lib/html.js";
import { href } from "../lib/route.js";
import { Tabs } from "../lib/ui.js";
import { Patients } from "./find/patients.js";
import { Search } from "./find/search.js";
import { Types } from "./find/types.js";

const TABS = [
  { id: "patients", title: "Patients" },
  { id: "search", title: "Search" },
  { id: "types", title: "Types" },
];

export default function Find({ route }) {
  const shown = route.path[1] ?? "patients";
  return html`<h1>Find</h1>
    <${Tabs} label="Ways to find" tabs=${TABS} shown=${shown} at=${(id) => href(["find", id])} />
    ${shown === "search" && html`<${Search} route=${route} />`}
    ${shown === "types" && html`<${Types} />`}
    ${shown === "patients" && html`<${Patients} route=${route} />`}`;
}
