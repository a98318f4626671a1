// Which changes correct or retract what was relied on.

import { same } from "../../lib/difference.js";
import { isEnteredInError } from "./history.js";

/** Statuses of what is complete, so that others may have relied on it. */
const COMPLETE = ["final", "amended", "corrected", "completed", "finished"];

/**
 * `{ marks, events }` of a change between two versions of the chart: `correction` if a complete resource was amended in
 * between, `retraction` if it says now that it was entered in error; and the resource's events in between.
 */
export function marksOf(history, { resource, before, after }, from, to) {
  const versions = history.byResource.get(resource) ?? [];
  const events = versions.filter(({ version }) => version > from && version <= to);
  const marks = [];
  if (events.some(isCorrection)) marks.push("correction");
  const wasError = before && isEnteredInError(before);
  if (!wasError && (after ? isEnteredInError(after) : events.some(({ kind }) => kind === "retracted"))) marks.push("retraction");
  return { marks, events };
}

/** Whether an event replaced a complete resource by one that says something else. */
export function isCorrection({ kind, body, replaced }) {
  if (kind !== "amended" || !body || !replaced?.body) return false;
  if (["amended", "corrected"].includes(body.status)) return true;
  return COMPLETE.includes(replaced.body.status) && !same(content(replaced.body), content(body));
}

/** What a resource says, without what follows from its being replaced. */
function content({ meta, status, text, ...rest }) {
  return rest;
}
