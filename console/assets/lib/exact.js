// JSON whose numbers keep the digits that were sent: 72.50 stays 72.50, as FHIR asks of decimals (R4 §2.24.0.1). A number
// that JavaScript would write in another way is held as its text (JSON.rawJSON); a browser without that shortens it.

const CAN = typeof JSON.rawJSON === "function";

/** Parses JSON. */
export function parseExact(text) {
  if (!CAN) return JSON.parse(text);
  return JSON.parse(text, (_, value, { source } = {}) =>
    typeof value === "number" && source !== undefined && String(value) !== source ? JSON.rawJSON(source) : value);
}

/** Whether a value is a number, however it is held. */
export function isNumber(value) {
  return typeof value === "number" || isHeldAsText(value);
}

/** Whether a value is a number that is held as its text. */
export function isHeldAsText(value) {
  return CAN && JSON.isRawJSON(value);
}

/** The number with these digits; undefined if the text is none. */
export function numberOf(text) {
  return /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/.test(text) ? parseExact(text) : undefined;
}

/** A primitive as people read it. */
export function shown(value) {
  return isHeldAsText(value) ? value.rawJSON : String(value);
}
