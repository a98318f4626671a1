// Any search of FHIR: a bar with completion, saved searches, and what is found.

import { html, useState } from "../../lib/html.js";
import { BASE, get } from "../../lib/api.js";
import { go } from "../../lib/route.js";
import { Failure, Loading, Section, useLoad } from "../../lib/ui.js";
import { QueryBar } from "./query-bar.js";
import { Results } from "./results.js";
import { remember, forget, saved } from "./saved.js";

export function Search({ route }) {
  const query = route.query.get("q") ?? "";
  const page = route.query.get("page");
  const [searches, setSearches] = useState(saved);
  const load = useLoad((signal) => (query ? get(page ?? `fhir/${query}`, { signal }) : Promise.resolve(null)), [query, page]);
  const run = (text) => go(route.path, { q: text.trim().replace(/^GET\s+/i, "").replace(`${BASE}fhir/`, "").replace(/^\/?(fhir\/)?/, "") });
  const isSaved = searches.includes(query);
  return html`<${QueryBar} key=${query} value=${query} onRun=${run} />
    <div class="row saved">
      ${query && !isSaved && html`<button type="button" onClick=${() => setSearches(remember(query))}>Save this search</button>`}
      ${searches.length > 0 && html`<${Section} title="Saved searches" level=${2}><ul class="list">${searches.map((text) => html`<li class="section-head" key=${text}>
        <button type="button" class="plain" onClick=${() => run(text)}><code>${text}</code></button>
        <button type="button" class="plain" aria-label=${`Forget ${text}`} onClick=${() => setSearches(forget(text))}>✕</button>
      </li>`)}</ul><small>They are kept in this browser, not on the server.</small><//>`}
    </div>
    ${query && html`<${Section} title="Found">
      <${Failure} error=${load.error} />
      ${load.isLoading && !load.value && !load.error && html`<${Loading} what="Searching" />`}
      ${load.value && !load.error && html`<${Shown} value=${load.value} onPage=${(url) => go(route.path, { q: query, page: url.slice(BASE.length) })} />`}
    <//>`}`;
}

/** A Bundle as results; a single resource as the Bundle that it would be in. */
function Shown({ value, onPage }) {
  const bundle = value.resourceType === "Bundle" ? value : { resourceType: "Bundle", entry: [{ resource: value }] };
  return html`<${Results} bundle=${bundle} onPage=${onPage} />`;
}
