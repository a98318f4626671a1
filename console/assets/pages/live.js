// Live: the feed as it comes, what is sent on, and how the server is.

import { html } from "../lib/html.js";
import { href } from "../lib/route.js";
import { Tabs } from "../lib/ui.js";
import { Feed } from "./live/feed.js";
import { FhirSubscriptions } from "./live/fhir-subscriptions.js";
import { Server } from "./live/server.js";
import { Subscriptions } from "./live/subscriptions.js";

const TABS = [
  { id: "feed", title: "Feed" },
  { id: "subscriptions", title: "Subscriptions" },
  { id: "server", title: "Server" },
];

export default function Live({ route }) {
  const shown = route.path[1] ?? "feed";
  return html`<h1>Live</h1>
    <${Tabs} label="Live views" tabs=${TABS} shown=${shown} at=${(id) => href(["live", ...(id === "feed" ? [] : [id])])} />
    ${shown === "subscriptions" && html`<${Subscriptions} /><${FhirSubscriptions} />`}
    ${shown === "server" && html`<${Server} />`}
    ${shown === "feed" && html`<${Feed} route=${route} />`}`;
}
