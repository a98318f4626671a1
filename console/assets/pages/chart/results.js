// Results in words: what an Observation found, and whether that is out of the ordinary.

import { html } from "../../lib/html.js";
import { isNumber, shown } from "../../lib/exact.js";
import { codeText, quantityText, valueText } from "../../lib/fhir.js";

/** The value of an Observation, or those of its components, or why there is none. */
export function resultText(observation) {
  const value = valueText(observation);
  if (value) return value;
  const parts = (observation.component ?? []).map((part) => ({ name: codeText(part.code), value: resultText(part) }));
  if (parts.length) return parts.map(({ name, value }) => `${name} ${value}`).join(", ");
  return codeText(observation.dataAbsentReason);
}

/** Whether an Observation is of a vital sign. */
export function isVital({ category }) {
  return category?.some(({ coding }) => coding?.some(({ code }) => code === "vital-signs")) ?? false;
}

/** The first reference range that is not for a special case: `{ low, high, text }`, the limits as numbers. */
export function rangeOf(observation) {
  const isUsual = ({ type }) => !type || type.coding?.some(({ code }) => code === "normal");
  const range = observation.referenceRange?.find(isUsual);
  if (!range) return undefined;
  const { low, high } = range;
  const unit = high?.unit ?? low?.unit ?? "";
  const limit = (sign, quantity) => (quantity ? `${sign} ${quantityText(quantity)}` : "");
  const limits = low && high ? `${shown(low.value)}–${shown(high.value)} ${unit}` : limit("≥", low) || limit("≤", high);
  return { low: low && Number(shown(low.value)), high: high && Number(shown(high.value)), text: range.text ?? limits };
}

/** A mark beside a value whose interpretation is not normal. */
export function Interpretation({ observation }) {
  const code = observation.interpretation?.[0]?.coding?.[0]?.code;
  if (!observation.interpretation?.length || code === "N") return null;
  return html` <span class="kind kind-amended">${WORDS[code] ?? codeText(observation.interpretation[0])}</span>`;
}

const WORDS = { H: "high", HH: "critically high", L: "low", LL: "critically low", A: "abnormal", AA: "critically abnormal" };

/** What two results have in common that are of the same kind: system and code, or the words if there is no code. */
export function codeKey(concept) {
  const coding = concept.coding?.[0];
  return coding?.code ? `${coding.system ?? ""}|${coding.code}` : codeText(concept);
}

/** `{ key, name, value, text, unit }` of the value of an Observation, or of its components that have the unit of the first. */
export function measuredIn(observation) {
  const own = numberOf(observation);
  if (own) return [own];
  const parts = (observation.component ?? []).map(numberOf).filter(Boolean);
  return parts.filter(({ unit }) => unit === parts[0].unit);
}

function numberOf({ code, valueQuantity }) {
  if (!isNumber(valueQuantity?.value)) return undefined;
  const text = shown(valueQuantity.value);
  return { key: codeKey(code), name: codeText(code), value: Number(text), text, unit: valueQuantity.unit ?? valueQuantity.code ?? "" };
}
