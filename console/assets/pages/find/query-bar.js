// A bar for a search such as Observation?code=8867-4, that completes types and parameters: a combobox (WAI-ARIA 1.2).

import { html, useEffect, useId, useRef, useState } from "../../lib/html.js";
import { capabilities } from "../../lib/capabilities.js";
import { Failure } from "../../lib/ui.js";
import { completions } from "./completion.js";

export function QueryBar({ value, onRun }) {
  const id = useId();
  const input = useRef(null);
  const [text, setText] = useState(value);
  const [statement, setStatement] = useState(null);
  const [error, setError] = useState(null);
  const [offered, setOffered] = useState([]);
  const [chosen, setChosen] = useState(-1);
  useEffect(() => {
    capabilities().then(setStatement, setError);
  }, []);
  const offer = (now) => {
    setText(now);
    setChosen(-1);
    setOffered(statement ? completions(statement, now.slice(0, input.current.selectionStart)) : []);
  };
  // Who typed before it was known what there is, is offered that then.
  useEffect(() => {
    if (statement && text !== value && document.activeElement === input.current) offer(text);
  }, [statement]);
  const take = ({ start, insert }) => {
    const end = input.current.selectionStart;
    const now = text.slice(0, start) + insert + text.slice(end);
    setOffered([]);
    setText(now);
    input.current.focus();
    requestAnimationFrame(() => input.current.setSelectionRange(start + insert.length, start + insert.length));
  };
  const keys = (event) => {
    const last = offered.length - 1;
    if (event.key === "ArrowDown" && offered.length === 0) offer(text);
    else if (event.key === "ArrowDown") setChosen(chosen === last ? 0 : chosen + 1);
    else if (event.key === "ArrowUp" && offered.length) setChosen(chosen <= 0 ? last : chosen - 1);
    else if (event.key === "Escape" && offered.length) setOffered([]);
    else if ((event.key === "Enter" || event.key === "Tab") && chosen >= 0) take(offered[chosen]);
    else return;
    event.preventDefault();
  };
  const submit = (event) => {
    event.preventDefault();
    setOffered([]);
    if (text.trim()) onRun(text);
  };
  const option = (index) => `${id}-option-${index}`;
  return html`<form role="search" aria-label="FHIR search" onSubmit=${submit}>
    <${Failure} error=${error} />
    <div class="field"><label for=${id}>Search</label>
      <div class="query"><span class="mono" aria-hidden="true">GET /fhir/</span>
        <div class="combobox">
          <input id=${id} class="mono" ref=${input} value=${text} autocomplete="off" spellcheck=${false} autocapitalize="off"
            placeholder="Observation?patient=p0002&code=8867-4" role="combobox" aria-autocomplete="list"
            aria-expanded=${offered.length > 0} aria-controls=${`${id}-list`}
            aria-activedescendant=${chosen >= 0 ? option(chosen) : undefined}
            onInput=${(event) => offer(event.target.value)} onKeyDown=${keys} onBlur=${() => setTimeout(() => setOffered([]), 150)} />
          <ul id=${`${id}-list`} role="listbox" aria-label="Completions" hidden=${offered.length === 0}>${offered.map((one, index) => html`<li
            id=${option(index)} role="option" key=${one.label} aria-selected=${index === chosen}
            onMouseDown=${(event) => { event.preventDefault(); take(one); }}>
            <code>${one.label}</code> <small>${one.about}</small></li>`)}</ul>
        </div>
        <button class="main">Search</button>
      </div>
    </div>
  </form>`;
}
