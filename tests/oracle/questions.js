// What a search can ask for, so that an element must be found: R4 §3.1.1.4, one function per search type.
//
// A question has a value, the modifier before it (with its colon, or empty), and `holds`, which says of any element
// whether it meets the question too. Without `holds`, those do of which the same can be asked. `exact` is false where
// the standard lets a server find more, as by converting units, and `may` of what more. `way` is empty for the plainest
// way of asking.

import { HOLDS, NUMBER_HOLDS, period } from './period.js';

// `target`: the types to which references of the parameter lead.
export function questions(searchType, element, target) {
  const found = OF_TYPE[searchType](element, target);
  return found.map((question) => ({ modifier: '', exact: true, way: question.modifier ?? '', ...question }));
}

const OF_TYPE = { token, reference, uri, string, date, number, quantity, special: () => [] };

const escape = (text) => text.replace(/[\\,|$]/g, '\\$&');

// --- token -------------------------------------------------------------------------------------------------

function token(element, read = (other) => other) {
  return tokens(element).flatMap(({ system, code, isPlain }) => {
    if (code === undefined) return [{ value: `${escape(system)}|`, exact: false }];
    // The case of a code counts in some systems only.
    const isIt = (other) => other.code?.toLowerCase() === code.toLowerCase();
    const may = (other) => tokens(read(other)).some(isIt);
    const found = [{ value: escape(code), may }];
    if (system !== undefined) found.push({ value: `${escape(system)}|${escape(code)}`, may });
    if (system === undefined && !isPlain) found.push({ value: `|${escape(code)}`, may });
    return found;
  });
}

// [{ system, code }] by the table of §3.1.1.4.10. A plain value has no place for a system: a code has the one of its
// value set, which does not stand in the resource, and others have none.
function tokens({ type, data }) {
  const all = (() => {
    switch (type) {
      case 'CodeableConcept': return data.coding ?? [];
      case 'Coding': return [data];
      case 'Identifier': return [{ system: data.system, code: data.value }];
      case 'ContactPoint': return data.value === undefined ? [] : [{ system: data.use, code: data.value }];
      default: return typeof data === 'object' ? [] : [{ code: String(data), isPlain: true }];
    }
  })();
  return all.filter(({ system, code }) => system !== undefined || code !== undefined);
}

// --- reference ---------------------------------------------------------------------------------------------

function reference(element, target) {
  const found = names(element).flatMap((text) => {
    const [, type, id] = /^([A-Z]\w+)\/([^/]+)$/.exec(text) ?? [];
    const byId = id && target?.includes(type) ? [{ modifier: `:${type}`, value: id }, { value: id }] : [];
    return [{ value: escape(text) }, ...byId];
  });
  const identified = ({ data }) => ({ type: 'Identifier', data: data.identifier ?? {} });
  const byIdentifier = element.data.identifier?.value === undefined ? [] : token(identified(element), identified);
  return [...found, ...byIdentifier.map((question) => ({ ...question, modifier: ':identifier' }))];
}

// `Type/id`, or URLs: a canonical with its version and without.
function names({ type, data }) {
  if (data.resourceType) return data.id ? [`${data.resourceType}/${data.id}`] : [];
  const text = typeof data === 'string' ? data : data.reference;
  if (text === undefined || text.startsWith('#')) return [];
  if (/^[A-Z]\w+\/[^/]+(\/_history\/.*)?$/.test(text)) return [text.split('/_history/')[0]];
  return type === 'canonical' && text.includes('|') ? [text, text.split('|')[0]] : [text];
}

// --- uri ---------------------------------------------------------------------------------------------------

function uri({ data: text }) {
  const found = [{ value: escape(text) }];
  const last = text.lastIndexOf('/');
  if (text.indexOf('://') + 2 < last) {
    const above = text.slice(0, last);
    found.push({ modifier: ':below', value: escape(above), holds: ({ data }) => data.startsWith(above) });
    const below = `${text}/more`;
    const holds = ({ data }) => below.startsWith(data.endsWith('/') ? data : `${data}/`);
    found.push({ modifier: ':above', value: escape(below), holds });
  }
  return found;
}

// --- string ------------------------------------------------------------------------------------------------

const PARTS = {
  HumanName: ['text', 'family', 'given', 'prefix', 'suffix'],
  Address: ['text', 'line', 'city', 'district', 'state', 'postalCode', 'country'],
};

const parts = ({ type, data }) =>
  typeof data === 'string' ? [data] : (PARTS[type] ?? []).flatMap((name) => data[name] ?? []);

// Without regard to case, accents, punctuation and the width of white space. Apostrophes join what stands around them.
const APOSTROPHES = /['`´\u2018-\u201B\u2032\u02B9-\u02BF\u02C8\u05F3\uFF07\u00AD\u200B-\u200D\u2060\uFEFF]/gu;
const fold = (text) => folded(text, (some) => some.replace(APOSTROPHES, '').replace(/\p{P}/gu, ' ')) || folded(text, (some) => some);
const folded = (text, read) =>
  read(read(text).normalize('NFKD')).toLowerCase().toUpperCase().toLowerCase().replace(/\p{M}/gu, '').trim().replace(/\s+/g, ' ');

const startsWith = (asked) => (part) => fold(part).startsWith(fold(asked));
const includes = (asked) => (part) => fold(part).includes(fold(asked));
// Names are found by each of their words too.
const hasWord = (asked) => (part) => ` ${fold(part)}`.includes(` ${fold(asked)}`);
const isName = ({ type, path }) => type === 'HumanName' || /HumanName|\.name\b/.test(path ?? '');

function string(element) {
  const SHORT = 12;
  const LONG = 100;
  return parts(element).flatMap((part) => {
    const cut = (from, length) => [...part].slice(from, from + length).join('');
    const start = cut(0, SHORT);
    // Not if it is spelled otherwise in capitals.
    const loud = fold(start.toUpperCase()) === fold(start) ? start.toUpperCase() : start;
    const middle = cut(Math.floor([...part].length / 3), SHORT);
    const found = [
      ['', loud, startsWith(start)],
      ['', cut(0, LONG), startsWith(cut(0, LONG))],
      [':contains', middle, includes(middle)],
    ];
    if ([...part].length <= LONG) found.push([':exact', part, (other) => other === part]);
    return found.filter(([, text]) => fold(text) !== '').map(([modifier, text, holds]) => ({
      modifier,
      value: escape(text),
      holds: (other) => parts(other).some(holds),
      ...(modifier === '' && { may: (other) => isName(other) && parts(other).some(hasWord(text)) }),
    }));
  });
}

// --- date --------------------------------------------------------------------------------------------------

function date(element) {
  const { type, data } = element;
  const repeat = data.repeat?.boundsPeriod ?? {};
  const texts = typeof data === 'string'
    ? [data]
    : [data.start, data.end, repeat.start, repeat.end, ...(data.event ?? [])].filter(Boolean);
  if (span(element) === undefined) return [];
  return texts.flatMap((text) => Object.keys(HOLDS).map((prefix) => ({
    value: prefix === 'eq' && type !== 'Period' ? text : prefix + text,
    way: prefix === 'eq' ? '' : prefix,
    holds: (other) => !!span(other) && HOLDS[prefix](period(text), span(other)),
  })));
}

// From the first to the last instant of a date, a Period or the outer limits of a Timing.
function span({ data }) {
  if (typeof data === 'string') return period(data);
  const outer = (spans) => spans.length === 0 ? undefined : {
    from: Math.min(...spans.map(({ from }) => from)),
    to: Math.max(...spans.map(({ to }) => to)),
  };
  if (data.event || data.repeat) {
    const bounds = data.repeat?.boundsPeriod;
    return outer([...(data.event ?? []).map(period), ...(bounds ? [span({ data: bounds })] : [])]);
  }
  if (!data.start && !data.end) return undefined;
  const from = data.start ? period(data.start).from : -Infinity;
  return { from, to: data.end ? period(data.end).to : Infinity };
}

// --- number ------------------------------------------------------------------------------------------------

function number(element) {
  // JavaScript does not calculate with its decimals to the digit.
  if (element.type === 'SampledData') return [];
  const range = numbers(element);
  // Not to the last digit: JavaScript has read the number as a binary one.
  const asked = [range?.from, range?.to].filter(Number.isFinite).map((bound) => Number(bound.toPrecision(12)));
  return [...new Set(asked)].flatMap((value) => Object.keys(NUMBER_HOLDS).map((prefix) => ({
    value: prefix === 'eq' ? String(value) : prefix + value,
    way: prefix === 'eq' ? '' : prefix,
    holds: (other) => !!numbers(other) && NUMBER_HOLDS[prefix](String(value), numbers(other)),
  })));
}

function numbers({ data }) {
  if (typeof data === 'number') return { from: data, to: data };
  if (data.origin) {
    const limits = { L: data.lowerLimit, U: data.upperLimit };
    const read = data.data?.split(/\s+/).map((text) => Number(limits[text] ?? text)).filter(Number.isFinite) ?? [];
    const values = read.map((value) => value * (data.factor ?? 1) + data.origin.value);
    return values.length > 0 ? { from: Math.min(...values), to: Math.max(...values) } : undefined;
  }
  if (data.low || data.high) return { from: data.low?.value ?? -Infinity, to: data.high?.value ?? Infinity };
  if (typeof data.value !== 'number') return undefined;
  return {
    from: data.comparator?.startsWith('<') ? -Infinity : data.value,
    to: data.comparator?.startsWith('>') ? Infinity : data.value,
  };
}

// --- quantity ----------------------------------------------------------------------------------------------

function quantity(element) {
  return number(element).flatMap(({ value, way, holds }) => {
    const found = [{ value, way, holds }];
    const { system, code, unit } = unitOf(element);
    for (const text of new Set([code, unit])) {
      if (text === undefined) continue;
      const isUnit = (other) => unitOf(other).code === text || unitOf(other).unit === text;
      found.push({ value: `${value}||${escape(text)}`, way, holds: (other) => isUnit(other) && holds(other) });
    }
    if (system !== undefined && code !== undefined) {
      const isUnit = (other) => unitOf(other).code === code && unitOf(other).system === system;
      found.push({
        value: `${value}|${escape(system)}|${escape(code)}`,
        way,
        // Other units may be converted into this one.
        exact: false,
        holds: (other) => isUnit(other) && holds(other),
      });
    }
    return found;
  });
}

function unitOf({ data }) {
  const quantity = data.origin ?? data.low ?? data.high ?? data;
  return quantity.currency === undefined
    ? quantity
    : { system: 'urn:iso:std:iso:4217', code: quantity.currency };
}
