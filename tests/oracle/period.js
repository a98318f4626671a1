// Dates and numbers as what they stand for, and the prefixes: R4 §3.1.1.4.5 to §3.1.1.4.9.

// All instants that a date of any precision names, in milliseconds, the end excluded.
export function period(text) {
  const match = /^(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d)(\.\d+)?)?(Z|[+-]\d\d:\d\d)?)?)?)?$/.exec(text);
  if (!match) return undefined;
  const [, year, month, day, hour, minute, second, fraction, zone] = match;
  const numbers = [year, (month ?? 1) - 1, day ?? 1, hour ?? 0, minute ?? 0, second ?? 0].map(Number);
  const next = [...numbers];
  const last = [year, month, day, hour ?? null, minute ?? null, second ?? null]
    .findLastIndex((part) => part !== null && part !== undefined);
  next[last] += 1;
  const away = zone && zone !== 'Z'
    ? (zone[0] === '-' ? -1 : 1) * (zone.slice(1, 3) * 60 + Number(zone.slice(4))) * 60_000
    : 0;
  const from = Date.UTC(...numbers) - away + Number(fraction ?? 0) * 1000;
  const to = fraction ? from + 10 ** (3 - (fraction.length - 1)) : Date.UTC(...next) - away;
  return { from, to };
}

// The numbers that round to this one at the precision with which it is written, the end excluded.
export function rounding(text) {
  const [, digits, exponent] = /^([^eE]*)(?:[eE](.*))?$/.exec(text);
  const half = 0.5 * 10 ** (Number(exponent ?? 0) - (digits.split('.')[1]?.length ?? 0));
  return { from: Number(text) - half, to: Number(text) + half };
}

// Whether what is found in a resource is what a prefix asks for; both are ranges of which the end is excluded.
export const HOLDS = {
  eq: (asked, found) => asked.from <= found.from && found.to <= asked.to,
  ne: (asked, found) => !HOLDS.eq(asked, found),
  gt: (asked, found) => found.to > asked.to,
  lt: (asked, found) => found.from < asked.from,
  ge: (asked, found) => HOLDS.gt(asked, found) || HOLDS.eq(asked, found),
  le: (asked, found) => HOLDS.lt(asked, found) || HOLDS.eq(asked, found),
  sa: (asked, found) => found.from >= asked.to,
  eb: (asked, found) => found.to <= asked.from,
};

// The same for numbers, which have no width: [from, to] with both ends.
export const NUMBER_HOLDS = {
  eq: (text, { from, to }) => rounding(text).from <= from && to < rounding(text).to,
  gt: (text, { to }) => to > Number(text),
  lt: (text, { from }) => from < Number(text),
  ge: (text, { to }) => to >= Number(text),
  le: (text, { from }) => from <= Number(text),
};
