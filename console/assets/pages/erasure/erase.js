// Erasure: what would go, then, after the patient's id was typed, the erasure itself and its certificates.

import { html, useEffect, useState } from "../../lib/html.js";
import { get, request } from "../../lib/api.js";
import { href } from "../../lib/route.js";
import { may } from "../../lib/session.js";
import { Failure, Field, Moment, Section, save } from "../../lib/ui.js";

const POLL_MS = 5000;

/** `onErased` is called when the chart is gone. */
export function Erase({ patient, onErased }) {
  const [asked, setAsked] = useState(null);
  const [found, setFound] = useState(null);
  const [error, setError] = useState(null);
  const [isBusy, setBusy] = useState(false);
  const [typed, setTyped] = useState("");
  const send = async (body) => {
    setBusy(true);
    setError(null);
    try {
      const { data } = await request("POST", `v1/patients/${encodeURIComponent(patient)}/erasure`, { body });
      setAsked(body);
      setFound(data);
      if (data.certificate) onErased();
    } catch (error) {
      setError(error);
    }
    setBusy(false);
  };
  const preview = (event) => {
    event.preventDefault();
    setTyped("");
    const { reason, basis } = Object.fromEntries(new FormData(event.target));
    send({ reason, basis, dryRun: true });
  };
  const erase = (event) => {
    event.preventDefault();
    if (typed === patient) send({ ...asked, dryRun: false });
  };
  if (found?.certificate) return html`<${Done} found=${found} />`;
  return html`<${Section} title="Erasure">
    <p>The key of the chart is destroyed: its events stay in the log, and nobody can read them any more. This cannot be undone.</p>
    <form onSubmit=${preview}>
      <${Field} label="Reason" hint="It stands in the certificate for ever: name nobody.">${(field) =>
        html`<input ...${field} name="reason" required />`}<//>
      <${Field} label="Legal basis" hint="For example GDPR Art. 17(1)(b).">${(field) =>
        html`<input ...${field} name="basis" required />`}<//>
      <button disabled=${isBusy}>What would be erased?</button>
    </form>
    <${Failure} error=${error} />
    ${found && html`<div role="status" class="found"><h3>It would erase</h3><${Counts} found=${found} /></div>
      <form onSubmit=${erase}>
        <${Field} label="Type the patient's id to go on" hint=${html`It is <code>${patient}</code>.`}>${(field) =>
          html`<input ...${field} value=${typed} onInput=${(event) => setTyped(event.target.value)}
            autocomplete="off" spellcheck=${false} />`}<//>
        <button class="danger" disabled=${isBusy || typed !== patient}>Erase this chart for ever</button>
      </form>`}
  <//>`;
}

function Counts({ found }) {
  return html`<dl class="facts"><dt>Events</dt><dd>${found.events}</dd><dt>Resources</dt><dd>${found.resources}</dd>
    <dt>Shared</dt><dd>${found.shared} resources that are at home in other charts, and stay there</dd>
    <dt>Name in the log</dt><dd><code>${found.chart}</code></dd></dl>`;
}

/** What was erased, with its certificate, and the second one when the views hold no trace any more. */
function Done({ found }) {
  const [certificates, setCertificates] = useState({ erasure: found.certificate });
  const [error, setError] = useState(null);
  const isAllowed = may("r", "ChartErasure");
  useEffect(() => {
    if (!isAllowed || certificates.purge || error) return undefined;
    const timer = setTimeout(() => get(`v1/erasures/${found.chart}`).then(setCertificates, setError), POLL_MS);
    return () => clearTimeout(timer);
  }, [certificates, error]);
  const { erasure, purge } = certificates;
  return html`<${Section} title="Erased">
    <p class="verdict good" role="status">The chart was erased <${Moment} at=${found.recordedAt} />, at position ${found.position} of the log.</p>
    <${Counts} found=${found} />
    <${Certificate} title="Certificate of the erasure" text=${erasure} name=${`erasure-${found.chart}.txt`} />
    ${purge ? html`<${Certificate} title="Certificate of the purge" text=${purge} name=${`purge-${found.chart}.txt`} />`
      : html`<p class="muted">A second certificate follows when the indexes hold no trace of the chart any more${
        isAllowed ? "; it appears here" : ""}.</p>`}
    <${Failure} error=${error} />
    <p>Now export the keys again, and destroy the older exports. What this page still shows of the patient is
      gone when you <a href=${href(["find"])}>leave it</a>.</p>
  <//>`;
}

function Certificate({ title, text, name }) {
  return html`<header class="section-head"><h3>${title}</h3>
      <button type="button" onClick=${() => save(name, "text/plain", text)}>Save</button></header>
    <pre class="json certificate" tabindex="0" role="region" aria-label=${title}><code>${text}</code></pre>`;
}
