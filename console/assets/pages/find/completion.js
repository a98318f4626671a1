// What can stand at a place of a search, from the CapabilityStatement of the server.

const MOST = 12;
/** Modifiers of FHIR R4 by the kind of a parameter (§3.1.1.4). */
const MODIFIERS = {
  string: ["exact", "contains", "missing"],
  token: ["not", "text", "missing"],
  reference: ["identifier", "missing"],
  uri: ["below", "above", "missing"],
  date: ["missing"],
  number: ["missing"],
  quantity: ["missing"],
};
/** Parameters that say how the result looks (§3.1.1.5). */
const RESULT = {
  _count: "how many on a page",
  _sort: "in which order; - in front for descending",
  _include: "what is referred to, too",
  _revinclude: "what refers to what is found, too",
  _summary: "true, text, data, count or false",
  _elements: "only these elements",
  _total: "none, estimate or accurate",
  _asOf: "as it was at this moment",
};

/**
 * What may follow at the end of `text`: `{ label, about, start, insert }`, where `insert` takes the place of what stands
 * from `start` on.
 */
export function completions(types, text) {
  const [, type, query] = /^([A-Za-z]*)(?:\?(.*))?$/s.exec(text) ?? [];
  if (type === undefined) return [];
  if (query === undefined) {
    return matching([...types.keys()].map((name) => ({ label: name, about: "", insert: `${name}?` })), type, 0);
  }
  const known = types.get(type);
  const start = text.length - query.length + query.lastIndexOf("&") + 1;
  const part = text.slice(start);
  if (!known || part.includes("=")) return value(known, part, start);
  const [name, modifier] = part.split(":");
  const parameters = (known.searchParam ?? []).map((one) => ({ label: one.name, about: one.type, insert: `${one.name}=` }));
  if (modifier !== undefined) {
    const kind = known.searchParam?.find((one) => one.name === name)?.type;
    const offered = (MODIFIERS[kind] ?? []).map((word) => ({ label: `${name}:${word}`, about: kind, insert: `${name}:${word}=` }));
    return matching(offered, part, start);
  }
  const results = Object.entries(RESULT).map(([label, about]) => ({ label, about, insert: `${label}=` }));
  return matching([...parameters, ...results], part, start);
}

/** Values that the server names: what can be included, and sorted by. */
function value(known, part, start) {
  const [, name, before] = /^([^=]*)=(.*)$/s.exec(part) ?? [];
  const values = {
    _include: known?.searchInclude,
    _revinclude: known?.searchRevInclude,
    _sort: known?.searchParam?.map((one) => one.name),
    _summary: ["true", "text", "data", "count", "false"],
    _total: ["none", "estimate", "accurate"],
  }[name];
  if (!values) return [];
  const offered = values.map((text) => ({ label: text, about: "", insert: text }));
  return matching(offered, before, start + name.length + 1);
}

/** Those that begin so first, then those that hold it. */
function matching(offered, part, start) {
  const wanted = part.toLowerCase();
  const places = offered.map((one) => [one.label.toLowerCase().indexOf(wanted), one]).filter(([place]) => place >= 0);
  places.sort(([left], [right]) => Math.sign(left) - Math.sign(right));
  return places.slice(0, MOST).map(([, one]) => ({ ...one, start })).filter((one) => one.insert !== part);
}
