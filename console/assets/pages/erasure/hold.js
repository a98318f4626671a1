// A legal hold: as long as it lasts, the chart cannot be erased.

import { html, useState } from "../../lib/html.js";
import { pages, request } from "../../lib/api.js";
import { may } from "../../lib/session.js";
import { Failure, Field, Loaded, Moment, Section, useLoad } from "../../lib/ui.js";

export function Hold({ patient }) {
  const place = `v1/patients/${encodeURIComponent(patient)}`;
  const load = useLoad((signal) => lastOf(place, signal), [place]);
  const [error, setError] = useState(null);
  return html`<${Section} title="Legal hold"><${Loaded} load=${load}>${({ last }) => {
    const isHeld = last?.type === "chart.held";
    const act = async (event) => {
      event.preventDefault();
      setError(null);
      try {
        const body = { reason: new FormData(event.target).get("reason") };
        await request("POST", `${place}/${isHeld ? "release" : "hold"}`, { body });
        load.reload();
      } catch (error) {
        setError(error);
      }
    };
    const isAllowed = may(isHeld ? "d" : "c", "ChartHold");
    return html`<p role="status">${isHeld ? html`<span class="kind kind-held">held</span> since <${Moment} at=${last.recordedAt} />: ${last.reason}`
        : html`Not held.${last ? html` Released <${Moment} at=${last.recordedAt} />: ${last.reason}` : null}`}</p>
      ${isAllowed ? html`<form onSubmit=${act} class="row top-line" key=${isHeld}>
        <${Field} label="Reason" hint="It stands in the log for ever.">${(field) => html`<input ...${field} name="reason" required />`}<//>
        <div class="field actions"><button class="main">${isHeld ? "Release" : "Hold"}</button></div></form>`
        : html`<p class="muted">${isHeld ? "Releasing needs user/ChartHold.d." : "Holding needs user/ChartHold.c."}</p>`}
      <${Failure} error=${error} />`;
  }}<//><//>`;
}

/** The last event of the chart that held or released it. */
async function lastOf(place, signal) {
  const both = await Promise.all(["chart.held", "chart.released"].map((type) => all(place, type, signal)));
  return { last: both.flat().sort((one, other) => one.version - other.version).at(-1) };
}

async function all(place, type, signal) {
  const found = [];
  for await (const { events } of pages(`${place}/events`, { type, count: 100 }, { signal })) found.push(...events);
  return found;
}
