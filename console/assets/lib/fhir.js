// What resources say, in few words.

import { shown } from "./exact.js";

/** The words of a CodeableConcept, a Coding or a code. */
export function codeText(code) {
  if (!code || typeof code !== "object") return code ?? "";
  if (Array.isArray(code)) return code.map(codeText).join(", ");
  const coding = code.coding?.[0];
  return code.text ?? coding?.display ?? coding?.code ?? code.display ?? code.code ?? "";
}

/** A HumanName as people say it. */
function nameText(name) {
  if (!name) return "";
  return name.text ?? [...(name.prefix ?? []), ...(name.given ?? []), name.family].filter(Boolean).join(" ");
}

/** The name of a patient: the official one, or the first. */
export function patientName(patient) {
  const names = patient?.name ?? [];
  return nameText(names.find((name) => name.use === "official") ?? names[0]) || patient?.id || "";
}

/** A Quantity with its unit. */
export function quantityText(quantity) {
  if (!quantity) return "";
  return `${quantity.comparator ?? ""}${shown(quantity.value ?? "")} ${quantity.unit ?? quantity.code ?? ""}`.trim();
}

/** The value of an element `value[x]` (or another `[x]`) in words. */
export function valueText(resource, name = "value") {
  const key = Object.keys(resource).find((key) => key.startsWith(name) && /^[A-Z]/.test(key.slice(name.length)));
  if (!key) return "";
  const value = resource[key];
  if (key.endsWith("Quantity") || key.endsWith("Age")) return quantityText(value);
  if (key.endsWith("CodeableConcept") || key.endsWith("Reference")) return codeText(value);
  if (key.endsWith("Period")) return periodText(value);
  if (key.endsWith("Range")) return `${quantityText(value.low)} – ${quantityText(value.high)}`;
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** A Period as from–to. */
function periodText(period) {
  if (!period) return "";
  return period.end && period.end !== period.start ? `${period.start ?? ""} – ${period.end}` : period.start ?? "";
}

/** When what a resource tells happened, as far as it says so: an instant or a date. */
export function happenedAt(resource) {
  return (
    resource.effectiveDateTime ?? resource.effectivePeriod?.start ?? resource.effectiveInstant ??
    resource.performedDateTime ?? resource.performedPeriod?.start ?? resource.occurrenceDateTime ??
    resource.occurrencePeriod?.start ?? resource.period?.start ?? resource.onsetDateTime ?? resource.authoredOn ??
    resource.recordedDate ?? resource.issued ?? resource.date ?? resource.created ?? resource.recorded ?? resource.birthDate
  );
}

/** A resource in a line, without its type. */
export function title(resource) {
  if (!resource) return "";
  if (["Patient", "Practitioner", "RelatedPerson", "Person"].includes(resource.resourceType)) return patientName(resource);
  const what =
    codeText(resource.code) || codeText(resource.medicationCodeableConcept) || resource.medicationReference?.display ||
    codeText(resource.vaccineCode) ||
    codeText(resource.type) || resource.title || (typeof resource.name === "string" && resource.name) ||
    codeText(resource.category) || resource.description?.text || codeText(resource.reasonCode) || "";
  const value = valueText(resource);
  return value ? `${what}: ${value}` : what || resource.id;
}

/** The id of the patient that a resource is, or is about. */
export function patientOf(resource) {
  const subject = resource?.subject ?? resource?.patient ?? resource?.beneficiary;
  const reference = resource?.resourceType === "Patient" ? `Patient/${resource.id}` : subject?.reference;
  return /^Patient\/([A-Za-z0-9\-.]+)$/.exec(reference ?? "")?.[1];
}

/** All references in a resource: `{ path, reference, display }`. */
export function references(resource) {
  const found = [];
  const walk = (value, path) => {
    if (Array.isArray(value)) value.forEach((item, index) => walk(item, `${path}[${index}]`));
    else if (value && typeof value === "object") {
      if (typeof value.reference === "string") found.push({ path, reference: value.reference, display: value.display });
      for (const [name, member] of Object.entries(value)) walk(member, path ? `${path}.${name}` : name);
    }
  };
  walk(resource, "");
  return found;
}
