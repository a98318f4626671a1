// Named subscriptions: how each stands, and what can be done about it.

import { html, useEffect, useState } from "../../lib/html.js";
import { get, request } from "../../lib/api.js";
import { href } from "../../lib/route.js";
import { may } from "../../lib/session.js";
import { Field, Loaded, Moment, Section, Table, useLoad } from "../../lib/ui.js";
import { lacking } from "../looks/rights.js";
import { Confirm } from "./confirm.js";

const POLL_MS = 10_000;

export function Subscriptions() {
  const isAllowed = may("r", "Feed");
  const load = useLoad(async (signal) => (isAllowed ? get("v1/subscriptions", { signal }) : null), [isAllowed]);
  const [asked, setAsked] = useState(null);
  usePoll(load.reload, isAllowed && !asked);
  if (!isAllowed) {
    const note = lacking("Seeing named subscriptions", "user/Feed.r");
    return html`<${Section} title="Webhooks"><p class="note">${note}</p><//>`;
  }
  const done = () => {
    setAsked(null);
    load.reload();
  };
  return html`<${Section} title="Webhooks" actions=${html`<button type="button" onClick=${load.reload}>Look again</button>`}>
    <${Loaded} load=${load}>${({ subscriptions }) => (subscriptions.length
      ? subscriptions.map((one) => html`<${One} key=${one.id} subscription=${one} ask=${setAsked} />`)
      : html`<p class="empty">Nothing is sent to anybody.</p>`)}<//>
    ${asked && html`<${Confirm} ...${asked} onClose=${() => setAsked(null)} onDone=${done} />`}
  <//>`;
}

/** Calls `act` now and then while the page is looked at: each call is recorded as an access, so it is not often. */
function usePoll(act, isOn) {
  useEffect(() => {
    if (!isOn) return undefined;
    const timer = setInterval(() => document.visibilityState === "visible" && act(), POLL_MS);
    return () => clearInterval(timer);
  }, [act, isOn]);
}

function One({ subscription, ask }) {
  const { id, name, url, owner, state, reason, position, behind, waiting, parked, failures, failingSince, error } = subscription;
  const place = `v1/subscriptions/${encodeURIComponent(id)}`;
  const post = (action, body = {}) => request("POST", `${place}/${action}`, { body });
  const pause = () => ask({
    title: `Pause ${name}`, verb: "Pause", act: ({ reason }) => post("pause", { reason }),
    children: html`<p>Nothing is sent until it is resumed; then it goes on where it is now.</p>
      <${Field} label="Reason">${(field) => html`<input ...${field} name="reason" />`}<//>`,
  });
  const resume = () => ask({
    title: `Resume ${name}`, verb: "Resume", act: () => post("resume"),
    children: html`<p>It goes on at position ${position}. What failed is tried at once.</p>`,
  });
  const replay = () => ask({
    title: `Replay ${name}`, verb: "Replay", act: ({ from }) => post("replay", { from: from === "head" ? from : Number(from) }),
    children: html`<p>What lies before the position counts as delivered; what lies behind it is sent, again if it was sent before.</p>
      <${Field} label="From position" hint="A number, or head.">${(field) =>
        html`<input ...${field} name="from" required pattern="[0-9]+|head" defaultValue=${position} />`}<//>`,
  });
  return html`<article class="subscription" aria-label=${name}>
    <header class="section-head"><h3>${name} <span class=${`kind ${state === "active" ? "kind-added" : "kind-changed"}`}>${state}</span></h3>
      ${may("u", "Feed") && html`<div class="actions">
        ${state === "active" ? html`<button type="button" onClick=${pause}>Pause…</button>`
          : html`<button type="button" onClick=${resume}>Resume…</button>`}
        <button type="button" onClick=${replay}>Replay…</button></div>`}</header>
    <dl class="facts">
      <dt>To</dt><dd><code>${url}</code></dd>
      <dt>Owner</dt><dd>${owner}</dd>
      <dt>Position</dt><dd>${position}, ${behind} behind the end of the log, ${waiting} waiting to be sent</dd>
      ${reason && html`<dt>Why paused</dt><dd>${reason}</dd>`}
      ${failures > 0 && html`<dt>Failures</dt><dd>${failures} since the server started${
        failingSince && html`, failing since <${Moment} at=${failingSince} />`}</dd>`}
      ${error && html`<dt>Last error</dt><dd>${error}</dd>`}
    </dl>
    ${parked > 0 && html`<${Parked} key=${parked} place=${place} count=${parked} ask=${ask} />`}
  </article>`;
}

/** The events that were given up, with what can become of each. */
function Parked({ place, count, ask }) {
  const load = useLoad((signal) => get(`${place}/parked`, { signal }), [place, count]);
  const at = ({ position }) => `${place}/parked/${position}`;
  const replay = (event) => ask({
    title: `Send event ${event.position} again`, verb: "Send again", act: () => request("POST", `${at(event)}/replay`, { body: {} }),
    children: html`<p>It is sent out of its order: later events of its chart may have been there before.</p>`,
  });
  const drop = (event) => ask({
    title: `Drop event ${event.position}`, verb: "Drop", isDangerous: true, act: () => request("DELETE", at(event)),
    children: html`<p>The receiver will never be sent this event. It stays in the log.</p>`,
  });
  const columns = [
    { title: "Position", class: "number", cell: ({ position }) => position },
    { title: "Parked", class: "once", cell: ({ parkedAt }) => html`<${Moment} at=${parkedAt} />` },
    { title: "Why", class: "much", cell: ({ reason, failures }) => `${reason} (sent ${failures} times)` },
    { title: "Event", cell: ({ position }) => html`<${Subject} position=${position} />` },
    { title: "What to do", cell: (event) => may("u", "Feed") && html`<div class="actions">
      <button type="button" onClick=${() => replay(event)} aria-label=${`Send again… event ${event.position}`}>Send again…</button>
      <button type="button" class="danger" onClick=${() => drop(event)} aria-label=${`Drop… event ${event.position}`}>Drop…</button></div>` },
  ];
  return html`<details open><summary>${count} parked</summary><${Loaded} load=${load}>${({ parked }) => html`<${Table}
    caption="Parked events" columns=${columns} rows=${parked} keyOf=${({ position }) => position} />`}<//></details>`;
}

/** What a parked event is about, looked up when somebody asks: that is an access. */
function Subject({ position }) {
  const [event, setEvent] = useState(null);
  const look = () => get(`v1/events/${position}`).then(setEvent, (error) => setEvent({ type: error.message }));
  if (!event) return html`<button type="button" class="plain" aria-label=${`Show event ${position}`} onClick=${look}>Show</button>`;
  const [type, id] = event.resource?.split("/") ?? [];
  return html`${event.type} ${type && html`<a href=${href(["resources", type, id])}>${event.resource}</a>`}`;
}
