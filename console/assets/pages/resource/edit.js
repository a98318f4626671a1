// Editing a resource: as fields or as JSON. What is wrong stands beside the fields; what somebody else wrote in the meantime
// is shown before anything is overwritten.

import { html, useState } from "../../lib/html.js";
import { request } from "../../lib/api.js";
import { same } from "../../lib/difference.js";
import { parseExact } from "../../lib/exact.js";
import { Choice, Failure, Field, Section } from "../../lib/ui.js";
import { Conflict } from "./conflict.js";
import { Differences } from "./differences.js";
import { Fields } from "./fields.js";

/**
 * `resource` is version `number`, on which the change is based; `read()` gives the current one; `onSaved` is called when
 * the server has taken the change.
 */
export function Edit({ resource, number, read, onSaved }) {
  const [base, setBase] = useState({ resource, number });
  const [draft, setDraft] = useState(resource);
  const [text, setText] = useState(null);
  const [answer, setAnswer] = useState({});
  const [theirs, setTheirs] = useState(null);
  const place = `fhir/${resource.resourceType}/${resource.id}`;

  /** What stands in the editor, or nothing if it is no JSON, which is then said. */
  const edited = () => {
    if (text === null) return draft;
    try {
      const read = parseExact(text);
      setDraft(read);
      return read;
    } catch (error) {
      setAnswer({ error: new Error(`This is not JSON: ${error.message}`) });
      return undefined;
    }
  };
  const check = async () => {
    const value = edited();
    if (value === undefined) return;
    const { resourceType, id } = resource;
    try {
      const { data } = await request("POST", `fhir/${resourceType}/${id}/$validate`, { body: JSON.stringify(value) });
      setAnswer({ issues: issuesOf(data), isChecked: true });
    } catch (error) {
      setAnswer({ error, issues: error.issues });
    }
  };
  const save = async (value, on = base) => {
    try {
      const headers = { "if-match": `W/"${on.number}"`, prefer: "return=minimal" };
      await request("PUT", place, { body: JSON.stringify(value), headers });
      onSaved();
    } catch (error) {
      if (error.status === 412) setTheirs(await read());
      else setAnswer({ error, issues: error.issues });
    }
  };
  const goOn = (merged) => {
    setBase({ resource: theirs, number: theirs.meta.versionId });
    setDraft(merged);
    setText(text === null ? null : JSON.stringify(merged, null, 2));
    setTheirs(null);
    setAnswer({});
  };
  const submit = (event) => {
    event.preventDefault();
    const value = edited();
    if (value !== undefined) save(value);
  };
  const changed = text !== null || !same(draft, base.resource);

  if (theirs) return html`<${Conflict} base=${base.resource} mine=${edited()} theirs=${theirs} onGoOn=${goOn} />`;
  return html`<form onSubmit=${submit}>
    <${Section} title=${`Edit version ${base.number}`} actions=${html`<${Choice} label="Form" value=${text === null ? "fields" : "json"}
      choices=${[{ value: "fields", title: "Fields" }, { value: "json", title: "JSON" }]}
      onChange=${(form) => {
        if (form === "json") setText(JSON.stringify(draft, null, 2));
        else if (edited() !== undefined) setText(null);
      }} />`}>
      <${Answer} answer=${answer} />
      ${text === null
        ? html`<${Fields} resource=${draft} issues=${answer.issues ?? []} onChange=${setDraft} />`
        : html`<${Field} label="JSON">${(field) => html`<textarea ...${field} rows="28" spellcheck=${false} value=${text}
            onInput=${(event) => setText(event.target.value)}></textarea>`}<//>`}
    <//>
    ${text === null && changed && html`<${Section} title="Your changes"><${Differences} before=${base.resource} after=${draft} caption="Your changes" /><//>`}
    <p class="row"><button type="button" onClick=${check}>Check</button> <button class="main" disabled=${!changed}>Save</button></p>
  </form>`;
}

/** What the server said: of the whole, and of what has no field. */
function Answer({ answer: { error, issues, isChecked } }) {
  if (error) return html`<${Failure} error=${error} />`;
  if (!isChecked) return null;
  const wrong = issues.filter(({ severity }) => severity === "error" || severity === "fatal");
  return html`<div role="status">
    <p class=${wrong.length ? "verdict bad" : "verdict good"}>${wrong.length ? `${wrong.length} things are wrong.` : "Valid."}</p>
    ${issues.length > 0 && html`<ul class="problems">${issues.map(({ severity, where, text }) => html`<li>${severity}: ${where && html`<code>${where}</code> `}${text}</li>`)}</ul>`}
  </div>`;
}

function issuesOf(outcome) {
  return (outcome.issue ?? [])
    .filter(({ severity }) => severity !== "information")
    .map((issue) => ({ severity: issue.severity, where: issue.expression?.[0], text: issue.details?.text ?? issue.diagnostics ?? issue.code }));
}
