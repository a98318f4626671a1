// The access entries that a frame of the log of access holds (docs/format.md, "Payload"): their ids, and the charts they are about.

import { readJson } from "./json.js";
import { KIND_ACCESS } from "./frame.js";
import { Wrong, expect } from "./wrong.js";

/**
 * `{ id, charts }` of each entry in a frame as `verifyExport` tells it; `charts` are aliases of 16 hexadecimal digits. A frame
 * whose payload is not disclosed is refused, for nobody can say what its entries are about.
 */
export function entriesOf({ position, kind, payload }) {
  if (kind !== KIND_ACCESS) return [];
  expect(payload !== undefined, `position ${position} does not disclose what it says`);
  const said = readJson(new TextEncoder().encode(payload));
  if (said.format === undefined) return [{ id: `${position}-0`, charts: said.charts ?? [] }];
  expect(said.format === 2n, `position ${position} is of an unknown format`);
  const names = (indices = []) => indices.map((index) => said.charts[Number(index)]);
  return said.kind.map((_, at) => {
    const parts = said.more?.[at]?.parts ?? [];
    return { id: `${position}-${at}`, charts: [...names(said.chart?.[at]), ...parts.flatMap((part) => names(part.chart))] };
  });
}

/** An alias (BigInt) as payloads and answers of the server write it. */
export function aliasText(alias) {
  return alias.toString(16).padStart(16, "0");
}

/** Expects that a list names exactly these entries. Both are ids; the message names the first ones that differ. */
export function expectSame(proven, listed) {
  const missing = [...proven].filter((id) => !listed.has(id));
  const more = [...listed].filter((id) => !proven.has(id));
  const some = (ids) => `${ids.slice(0, 5).join(", ")}${ids.length > 5 ? ` and ${ids.length - 5} more` : ""}`;
  const found = [
    missing.length && `the list lacks ${some(missing)}`,
    more.length && `the list has ${some(more)}, which the log has not`,
  ];
  const wrong = found.filter(Boolean).join("; ");
  if (wrong) throw new Wrong(wrong);
}
