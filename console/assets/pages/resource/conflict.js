// Somebody else wrote in the meantime: what they changed and what you changed, and how to go on.

import { html, useMemo } from "../../lib/html.js";
import { differences, isObject } from "../../lib/difference.js";
import { Section } from "../../lib/ui.js";
import { Differences } from "./differences.js";

/** `base` is what both began with; `onGoOn(resource)` goes on editing that one, on top of theirs. */
export function Conflict({ base, mine, theirs, onGoOn }) {
  const { merged, both } = useMemo(() => merge(base, mine, theirs), [base, mine, theirs]);
  return html`<div data-conflict>
    <p class="failure" role="alert">Somebody else saved version ${theirs.meta.versionId} while you were editing. Nothing of yours is saved yet.</p>
    <div class="columns">
      <${Section} title="What they changed"><${Differences} before=${base} after=${theirs} caption="What they changed" /><//>
      <${Section} title="What you changed"><${Differences} before=${base} after=${mine} caption="What you changed" /><//>
    </div>
    ${both.length > 0 && html`<p class="note">Both changed ${both.map((path) => html`<code>${path}</code> `)}: going on with your changes takes yours there.</p>`}
    <p class="row"><button type="button" class="main" onClick=${() => onGoOn(merged)}>Put my changes on top of theirs</button>
      <button type="button" onClick=${() => onGoOn(theirs)}>Drop my changes</button></p>
  </div>`;
}

/** Theirs with what I changed put on top, and the paths of the elements that both changed. */
function merge(base, mine, theirs) {
  const changed = (one) => differences(base, one).map(({ path }) => path);
  const meets = (left, right) => left === right || [".", "["].some((mark) => left.startsWith(right + mark) || right.startsWith(left + mark));
  const their = changed(theirs);
  return { merged: onTop(base, mine, theirs), both: changed(mine).filter((path) => their.some((other) => meets(path, other))) };
}

/** Member by member: mine where I changed it, else theirs. Lists are one value. */
function onTop(base, mine, theirs) {
  if (!isObject(base) || !isObject(mine) || !isObject(theirs)) return differences({ at: base }, { at: mine }).length ? mine : theirs;
  const members = [...new Set([...Object.keys(theirs), ...Object.keys(mine)])].map((name) => [
    name,
    name === "meta" ? theirs.meta : onTop(base[name], mine[name], theirs[name]),
  ]);
  return Object.fromEntries(members.filter(([, value]) => value !== undefined));
}
