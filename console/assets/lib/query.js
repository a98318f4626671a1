// Parameters of an address.

/** The parameters that have a value: what is undefined, null or empty is left out. */
export function queryOf(members) {
  return new URLSearchParams(Object.entries(members).filter(([, value]) => value !== undefined && value !== null && value !== ""));
}
