// All versions of a resource, oldest first, with who wrote each where the chart's events say so.

import { BASE, get, send } from "../../lib/api.js";
import { parseExact } from "../../lib/exact.js";

/**
 * `{ number, at, resource, isDeleted, event, chartVersion }` of each version. The event, with its type and its actor, is
 * known of resources that lie in the chart of one patient.
 */
export async function history(type, id, signal) {
  const versions = [];
  for (let page = `fhir/${type}/${id}/_history?_count=100`; page; ) {
    const bundle = parseExact(await (await send("GET", page, { signal })).text());
    for (const entry of bundle.entry ?? []) versions.push(versionOf(entry));
    page = bundle.link?.find((link) => link.relation === "next")?.url.slice(BASE.length);
  }
  versions.reverse();
  const patient = patientOf(versions);
  if (patient) {
    const events = await eventsOf(patient, `${type}/${id}`, signal);
    for (const version of versions) {
      version.event = events.get(version.number);
      version.chartVersion = version.event?.version;
    }
  }
  return versions;
}

function versionOf({ resource, response, request }) {
  const number = /"(\d+)"/.exec(response?.etag ?? "")?.[1] ?? resource?.meta?.versionId;
  return { number, at: response?.lastModified ?? resource?.meta?.lastUpdated, resource, isDeleted: request?.method === "DELETE" };
}

/** The patient whose chart holds the resource, as its last version with content says. */
export function patientOf(versions) {
  const resource = versions.findLast((version) => version.resource)?.resource;
  const subject = resource?.subject ?? resource?.patient ?? resource?.beneficiary;
  const reference = resource?.resourceType === "Patient" ? `Patient/${resource.id}` : subject?.reference;
  return /^Patient\/([A-Za-z0-9\-.]+)$/.exec(reference ?? "")?.[1];
}

/** The events about a resource in a chart, by the version of the resource. */
async function eventsOf(patient, resource, signal) {
  const found = new Map();
  try {
    for (let cursor = ""; cursor !== undefined; ) {
      const query = new URLSearchParams({ resource, count: "100", ...(cursor && { cursor }) });
      const page = await get(`v1/patients/${patient}/events?${query}`, { signal });
      for (const event of page.events) if (event.versionId) found.set(event.versionId, event);
      cursor = page.next;
    }
  } catch (error) {
    // Who may read the resource may not always read the chart; then it is not said who wrote the versions.
    if (!error.status) throw error;
  }
  return found;
}
