// Who the patient is, at the moment that is shown.

import { html, useEffect } from "../../lib/html.js";
import { codeText, patientName } from "../../lib/fhir.js";

export function Heading({ patient, history, partial, version }) {
  const key = `Patient/${patient}`;
  const known = history ?? partial;
  const body = (known?.inForce(key, version) ?? known?.inForce(key, known.last))?.body;
  const name = body ? patientName(body) : patient;
  useEffect(() => {
    document.title = `${name} – Chartlog`;
    return () => {
      document.title = "Chartlog";
    };
  }, [name]);
  const at = history && version < history.last ? history.eventAt(version)?.at : new Date();
  const held = history && heldAt(history, version);
  return html`<header class="patient">
    <h1>${name}</h1>
    <dl class="patient-facts">
      ${body && html`<${Person} patient=${body} at=${at} />`}
      <${Fact} name="Id"><code>${patient}</code><//>
      ${history && html`<${Fact} name="Chart version">${version === history.last ? version : `${version} of ${history.last}`}<//>`}
    </dl>
    ${held && html`<p class="note">Under a legal hold${held.reason && `: ${held.reason}`}. It cannot be erased until it is released.</p>`}
  </header>`;
}

function Person({ patient, at }) {
  const { birthDate, gender, deceasedDateTime, deceasedBoolean, identifier = [] } = patient;
  const death = deceasedDateTime ? deceasedDateTime.slice(0, 10) : deceasedBoolean && "yes";
  return html`
    ${birthDate && html`<${Fact} name="Born">${birthDate}${!death && ageAt(birthDate, at)}<//>`}
    ${death && html`<${Fact} name="Died">${death}<//>`}
    ${gender && html`<${Fact} name="Sex">${gender}<//>`}
    ${identifier.slice(0, 3).map((one) => html`<${Fact} name=${codeText(one.type) || "Identifier"}>${one.value}<//>`)}`;
}

function Fact({ name, children }) {
  return html`<div><dt>${name}</dt><dd>${children}</dd></div>`;
}

/** The age in years at an instant, in words; in months below two years. */
function ageAt(birthDate, at) {
  const [born, then] = [new Date(birthDate), new Date(at)];
  if (Number.isNaN(born.getTime()) || birthDate.length < 10) return "";
  const isBefore = then.getUTCDate() < born.getUTCDate() ? 1 : 0;
  const months = (then.getUTCFullYear() - born.getUTCFullYear()) * 12 + then.getUTCMonth() - born.getUTCMonth() - isBefore;
  if (!(months >= 0)) return "";
  return months < 24 ? ` (${months} months)` : ` (${Math.floor(months / 12)} years)`;
}

/** The hold that a chart is under at a version: its event. */
function heldAt(history, version) {
  const last = history.holds.findLast((event) => event.version <= version);
  return last?.kind === "held" ? last : undefined;
}
