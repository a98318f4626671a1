// A dialog that asks before something is done, with the fields that it needs.

import { html, useState } from "../../lib/html.js";
import { Dialog, Failure } from "../../lib/ui.js";

/** `act(values)` does it; `children`: what is said, and fields by name. `verb`: what the button says. */
export function Confirm({ title, verb, isDangerous = false, act, onClose, onDone, children }) {
  const [error, setError] = useState(null);
  const [isBusy, setBusy] = useState(false);
  const submit = async (event) => {
    event.preventDefault();
    setBusy(true);
    setError(null);
    try {
      onDone(await act(Object.fromEntries(new FormData(event.target))));
    } catch (error) {
      setError(error);
      setBusy(false);
    }
  };
  return html`<${Dialog} title=${title} onClose=${onClose}><form onSubmit=${submit}>
    ${children}
    <${Failure} error=${error} />
    <div class="actions"><button class=${isDangerous ? "danger" : "main"} disabled=${isBusy}>${verb}</button>
      <button type="button" onClick=${onClose}>Cancel</button></div>
  </form><//>`;
}
