// What the token allows about accesses.

import { current } from "../../lib/session.js";

/** Whether the token opens the accesses to all charts, and not to the patient's own alone. */
export function mayReadAllAccesses() {
  return current()?.scopes.some((scope) => /^(?:user|system)\/AuditEvent\.(?:[cruds]*r|read|\*)/.test(scope)) ?? false;
}

/** Says that the token lacks a right, and which. */
export function lacking(what, scope) {
  return `${what} needs a token with the scope ${scope}, by that name.`;
}
