// The last checkpoint of each log that this browser has checked, kept for the next visit. It names no patient.

const PREFIX = "chartlog.checkpoint ";

/** `{ note, key, at }` of a log by its origin, or null; storage that is switched off keeps nothing. */
export function keptOf(origin) {
  try {
    return JSON.parse(localStorage.getItem(PREFIX + origin));
  } catch {
    return null;
  }
}

export function keep(origin, note, key) {
  try {
    localStorage.setItem(PREFIX + origin, JSON.stringify({ note, key, at: new Date().toISOString() }));
  } catch {
    // The next visit begins anew.
  }
}
