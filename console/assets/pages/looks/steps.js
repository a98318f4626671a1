// A check whose steps are seen as they go: what holds, what does not and where, and what each means.

import { html, useEffect, useRef, useState } from "../../lib/html.js";
import { Problem } from "../../lib/api.js";
import { Unsupported, Wrong } from "../../lib/proof/wrong.js";
import { Failure } from "../../lib/ui.js";

const SIGNS = {
  good: ["✓", "holds"],
  bad: ["✗", "does not hold"],
  open: ["–", "not checked"],
  busy: ["…", "being checked"],
};

/**
 * Runs checks. `start(steps, act)` calls `act(tell, signal)`: `tell(id, text)` marks a step as holding, and an error that has a
 * `step` marks that one. Gives `{ check, start, stop }`; `check` is what `Steps` shows.
 */
export function useCheck() {
  const [check, setCheck] = useState(null);
  const control = useRef(null);
  useEffect(() => () => control.current?.abort(), []);
  const start = async (steps, act) => {
    control.current?.abort();
    const mine = (control.current = new AbortController());
    const change = (changes) => {
      if (!mine.signal.aborted) setCheck((before) => ({ ...before, ...changes(before) }));
    };
    setCheck({ steps, said: {}, isRunning: true });
    const tell = (id, text) => change(({ said }) => ({ said: { ...said, [id]: { state: "good", text } }, progress: null }));
    const progress = (text) => change(() => ({ progress: text }));
    try {
      const result = await act({ tell, progress, signal: mine.signal });
      change(() => ({ isRunning: false, isGood: true, result }));
    } catch (error) {
      change(({ said }) => ({ isRunning: false, isGood: false, ...failed(error, steps, said) }));
    }
  };
  const stop = () => {
    control.current?.abort();
    setCheck(null);
  };
  return { check, start, stop };
}

function failed(error, steps, said) {
  const isFound = error instanceof Wrong;
  const step = isFound && (error.step ?? steps.find(({ id }) => !said[id])?.id);
  if (!step) return { error };
  const text = error.place ? `${error.place}: ${error.message}` : error.message;
  return { said: { ...said, [step]: { state: "bad", text } }, wrong: text };
}

/** The steps of a check as they stand, and what came of it. `good`: what is said when all of them hold. */
export function Steps({ check, good, onStop }) {
  if (!check) return null;
  const { steps, said, isRunning, isGood, error, wrong, progress } = check;
  const next = steps.find(({ id }) => !said[id])?.id;
  return html`<div class="check">
    <ol class="steps" aria-label="Steps of the check">${steps.map(({ id, title, means }) => {
      const { state, text } = said[id] ?? { state: isRunning && id === next ? "busy" : "open" };
      const [sign, word] = SIGNS[state];
      return html`<li key=${id} class=${`step ${state}`}>
        <span class="sign" aria-hidden="true">${sign}</span>
        <div><strong>${title}</strong> <span class="hidden">${word}</span>
          <div class="means">${means}</div>
          ${state === "busy" && progress && html`<div class="means">${progress}</div>`}
          ${text && html`<div class="said">${text}</div>`}</div></li>`;
    })}</ol>
    <div role="status" aria-live="polite">
      ${isRunning && html`<p class="loading">Checking…${" "}
        ${onStop && html`<button type="button" class="plain" onClick=${onStop}>Stop</button>`}</p>`}
      ${isGood && html`<p class="verdict good">${good?.(check.result) ?? "All of it holds."}</p>`}
      ${wrong && html`<p class="verdict bad"><strong>It does not hold.</strong> ${wrong}</p>`}
      ${error && html`<${Unmade} error=${error} />`}
    </div>
  </div>`;
}

/** Why a check could not be made: nothing is known then. */
function Unmade({ error }) {
  if (error instanceof Unsupported) {
    return html`<p class="note">${error.message} Nothing was found out; a program can check it: chartlog verify.</p>`;
  }
  const problem = error instanceof Problem ? error : new Error(`The check could not be made: ${error.message}`);
  return html`<${Failure} error=${problem} />`;
}
