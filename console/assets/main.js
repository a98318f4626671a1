// The console: who signed in, the navigation, and the page that the address names.

import { html, render, useEffect, useLayoutEffect, useRef, useState } from "./lib/html.js";
import { BASE } from "./lib/api.js";
import { href, useRoute } from "./lib/route.js";
import { comeBack, current, signOut, watch } from "./lib/session.js";
import { Loaded, useLoad } from "./lib/ui.js";
import { SignIn } from "./pages/sign-in.js";

/** By the first part of the address: the module of the page, and its name in the navigation if it stands there. */
const PAGES = {
  find: { load: () => import("./pages/find.js"), title: "Find" },
  charts: { load: () => import("./pages/chart.js") },
  resources: { load: () => import("./pages/resource.js") },
  looks: { load: () => import("./pages/looks.js"), title: "Who looked" },
  check: { load: () => import("./pages/check.js"), title: "Check a proof" },
  live: { load: () => import("./pages/live.js"), title: "Live" },
};

function Console({ settings, failed }) {
  const [session, setSession] = useState(current);
  useEffect(() => watch(() => setSession(current())), []);
  const route = useRoute();
  const main = useRef(null);
  const name = route.path[0] ?? "find";
  // Who moves to another page by keyboard or by ear goes on at its beginning.
  const shown = useRef(null);
  useLayoutEffect(() => {
    if (shown.current !== null && session) main.current?.focus();
    shown.current = route.path.join("/");
  }, [route.path.join("/"), session]);
  const skip = (event) => {
    event.preventDefault();
    main.current?.focus();
  };
  return html`
    <a class="skip" href="#main" onClick=${skip}>To the content</a>
    <header class="top">
      <a class="brand" href=${href([])}><img src="icon.svg" alt="" width="26" height="26" /> Chartlog</a>
      ${session && html`<nav aria-label="Console">${Object.entries(PAGES).filter(([, page]) => page.title).map(([id, page]) =>
        html`<a href=${href([id])} aria-current=${id === name ? "page" : undefined}>${page.title}</a>`)}</nav>`}
      ${session && html`<div class="who"><span title=${session.scopes.join("\n")}>${session.name}</span>
        <button type="button" class="plain" onClick=${signOut}>Sign out</button></div>`}
    </header>
    ${settings.isDemo && html`<aside class="demo" aria-label="Demonstration">Demonstration: all people here are made up.</aside>`}
    <main id="main" ref=${main} tabindex="-1">
      ${session ? html`<${Page} key=${name} name=${name} route=${route} />` : html`<${SignIn} settings=${settings} failed=${failed} />`}
    </main>`;
}

/** The page of that name, whose module is loaded when it is first shown. */
function Page({ name, route }) {
  const load = useLoad(async () => {
    if (!PAGES[name]) throw new Error("There is no such page.");
    return PAGES[name].load();
  }, [name]);
  return html`<${Loaded} load=${load}>${({ default: Shown }) => html`<${Shown} route=${route} />`}<//>`;
}

async function begin() {
  const settings = await (await fetch(new URL("console/settings.json", BASE))).json();
  let failed;
  try {
    await comeBack(settings.provider);
  } catch (error) {
    failed = error;
  }
  render(html`<${Console} settings=${settings} failed=${failed} />`, document.getElementById("console"));
}

begin();
