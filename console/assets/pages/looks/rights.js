// Rights that are granted by their name alone: `user/*.cruds` does not include them.

import { current } from "../../lib/session.js";

/** Whether some scope names the type with that letter (of `cruds`): BreakGlass, Feed, Retention. */
export function mayByName(letter, type) {
  const named = new RegExp(`^(?:user|patient|system)/${type}\\.[cruds]*${letter}`);
  return current()?.scopes.some((scope) => named.test(scope)) ?? false;
}

/** Whether the token opens the accesses to all charts, and not to the patient's own alone. */
export function mayReadAllAccesses() {
  return current()?.scopes.some((scope) => /^(?:user|system)\/AuditEvent\.(?:[cruds]*r|read|\*)/.test(scope)) ?? false;
}

/** Says that the token lacks a right, and which. */
export function lacking(what, scope) {
  return `${what} needs a token with the scope ${scope}, by that name.`;
}
