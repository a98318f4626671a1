// Moments of the log, microseconds since 1970 as BigInt, as people and requests write them.

const SECOND = 1_000_000n;

/** The instant with all its digits, in UTC; a moment that no calendar of the browser reaches is told in microseconds. */
export function instantOf(micros) {
  const rest = ((micros % SECOND) + SECOND) % SECOND;
  const date = new Date(Number((micros - rest) / 1000n));
  if (Number.isNaN(date.getTime())) return `${micros} µs since 1970`;
  return date.toISOString().replace(/\.\d+Z$/, `.${String(rest).padStart(6, "0")}Z`);
}
