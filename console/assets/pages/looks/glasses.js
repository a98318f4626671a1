// Broken glasses that nobody has looked at yet, and their acknowledgement.

import { html, useState } from "../../lib/html.js";
import { pages, request } from "../../lib/api.js";
import { codeText } from "../../lib/fhir.js";
import { href } from "../../lib/route.js";
import { may } from "../../lib/session.js";
import { Choice, Dialog, Failure, Field, Loaded, Moment, Section, Table, useLoad } from "../../lib/ui.js";
import { lacking } from "./rights.js";

/** The queue of broken glasses; `patient`: those of one chart. */
export function Glasses({ patient }) {
  const [status, setStatus] = useState("open");
  const [asked, setAsked] = useState(null);
  const isAllowed = may("r", "BreakGlass");
  const load = useLoad(async (signal) => (isAllowed ? all(patient, status, signal) : []), [patient, status, isAllowed]);
  if (!isAllowed) return html`<p class="note">${lacking("The queue of broken glasses", "user/BreakGlass.r")}</p>`;
  const columns = [
    { title: "When", class: "once", cell: (glass) => html`<${Moment} at=${glass.authoredOn} />` },
    { title: "Who", isHeader: true, cell: ({ requester }) => who(requester) },
    { title: "Whose chart", cell: ({ subject }) => chart(subject) },
    { title: "Why", cell: ({ reasonCode }) => codeText(reasonCode) },
    { title: "Looked at", cell: (glass) => acknowledged(glass, setAsked) },
  ];
  return html`<${Section} title="Broken glasses" actions=${html`<${Choice} label="Which" value=${status} onChange=${setStatus}
      choices=${[{ value: "open", title: "Open" }, { value: "all", title: "All" }]} />`}>
    <${Loaded} load=${load}>${(glasses) => html`<${Table} caption="List of broken glasses"
      columns=${columns} rows=${glasses} keyOf=${({ id }) => id}
      empty=${status === "open" ? "No broken glass waits for somebody." : "No glass was broken."} />`}<//>
    ${asked && html`<${Acknowledge} glass=${asked} onClose=${() => setAsked(null)}
      onDone=${() => (setAsked(null), load.reload())} />`}
  <//>`;
}

async function all(patient, status, signal) {
  const found = [];
  for await (const { glasses } of pages("v1/break-glass", { status, patient }, { signal })) found.push(...glasses);
  return found.reverse();
}

function who(requester) {
  const subject = requester?.identifier?.value;
  if (!subject) return requester?.display;
  return html`<a href=${href(["looks"], { actor: subject })}>${requester.display ?? subject}</a>`;
}

function chart(subject) {
  const id = subject?.reference?.replace("Patient/", "");
  return id && html`<a href=${href(["charts", id])}>${id}</a>`;
}

function acknowledged(glass, ask) {
  if (glass.status === "active") {
    return may("u", "BreakGlass") ? html`<button type="button" onClick=${() => ask(glass)}>Acknowledge</button>` : "not yet";
  }
  const note = glass.note?.[0];
  return html`${glass.sender?.identifier?.value} ${note?.time && html`<${Moment} at=${note.time} />`}
    <div class="muted">${note?.text}</div>`;
}

function Acknowledge({ glass, onClose, onDone }) {
  const [error, setError] = useState(null);
  const submit = async (event) => {
    event.preventDefault();
    try {
      const body = { note: new FormData(event.target).get("note") };
      await request("POST", `v1/break-glass/${encodeURIComponent(glass.id)}/acknowledge`, { body });
      onDone();
    } catch (error) {
      setError(error);
    }
  };
  return html`<${Dialog} title="Acknowledge a broken glass" onClose=${onClose}>
    <form onSubmit=${submit}>
      <p>${glass.requester?.display ?? glass.requester?.identifier?.value}: ${codeText(glass.reasonCode)}</p>
      <${Field} label="What was found" hint="It stands in the chart from then on, with your name.">${(field) =>
        html`<textarea ...${field} name="note" rows="3" required></textarea>`}<//>
      <${Failure} error=${error} />
      <button class="main">Acknowledge</button>
    </form>
  <//>`;
}
